/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_ENGINES_H
#define SHAPER_DAEMON_ENGINES_H

/*
 * All engines of the gateway: for each a pump, its kernel queues, its mailbox
 * and its thread.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engines;
struct fast;
struct holdqdisc;
struct mailbox;
struct nfqueue_stats;
struct policy;
struct pump;
struct refusals;
struct tapjudge_stats;
struct tapwire;
struct zones;

enum { ENGINES_TEXT_BYTES = 256 };

struct engines_config {
	const struct policy *policy; /* borrowed until engines_set_policy has
				      * been taken over by all */
	struct fast *fast;           /* borrowed; NULL: no fast path */
	struct holdqdisc *hold;      /* the same; NULL: no `hold: qdisc` */
	const struct tapwire *tap;   /* packets come by it, for one engine, and
				      * by no queue; NULL: none */
	uint8_t seed[16];            /* random; keys the hashes */
	uint32_t shard_seed;         /* as the rules get it */
};

/*
 * Reserve memory and see to the queues; no thread is made yet.  0 or -errno,
 * and *ret_wrong says what is the matter and what would be right.
 */
int engines_new(const struct engines_config *config,
		struct engines **ret_engines,
		char ret_wrong[ENGINES_TEXT_BYTES]);

/* Before that: who can pause vifs, see nfqueue_set_pace.  0 or -errno. */
int engines_set_pace(struct engines *engines, int fd);

/* Before privileges are dropped: see nfqueue_set_ring.  0 or -errno. */
int engines_set_ring(struct engines *engines, const struct holdqdisc *device);

/* Take the queues, and let their threads run.  0 or -errno, and what is the
 * matter, as engines_new. */
int engines_start(struct engines *engines, char ret_wrong[ENGINES_TEXT_BYTES]);

/*
 * All judge by `policy` from the next batch on; `on_done` is called, from
 * mailbox_reap, when the last of them does and the former policy is no longer
 * used.  0; -EAGAIN: a mailbox is full, or the last call is not done.
 */
int engines_set_policy(struct engines *engines, const struct policy *policy,
		       void (*on_done)(void *self), void *self);

/* A call of the above is not done yet, or none will be: they were stopped. */
bool engines_change(const struct engines *engines);

/* The first error of an engine that ended by itself; 0: all run. */
int engines_failure(const struct engines *engines);

/*
 * End the threads.  No packet is taken from now on, what waits goes on
 * waiting: the pumps may be read and exported.  Whatever was asked of them is
 * answered before this returns, but for a policy: nobody is told of that.
 */
void engines_stop(struct engines *engines);

/* Release (or drop, with fail: closed) what waits, let go of the queues. */
void engines_close(struct engines *engines);

/* After engines_close.  NULL is fine. */
void engines_free(struct engines *engines);

size_t engines_count(const struct engines *engines);
struct mailbox *const *engines_mailboxes(const struct engines *engines);
struct refusals *engines_refusals(const struct engines *engines, size_t at);
uint16_t engines_queue(const struct engines *engines, size_t at);
uint16_t engines_hold_queue(const struct engines *engines, size_t at);

/* Only while no thread runs. */
struct pump *engines_pump(const struct engines *engines, size_t at);
struct zones *engines_zones(const struct engines *engines, size_t at);
const struct nfqueue_stats *engines_io(const struct engines *engines,
				       size_t at);
/* Of the one engine that has a tap; NULL: there is none. */
const struct tapjudge_stats *engines_tap(const struct engines *engines);

#endif
