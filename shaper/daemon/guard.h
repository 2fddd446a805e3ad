/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_GUARD_H
#define SHAPER_DAEMON_GUARD_H

/*
 * The kernel's part of the policy, kept as it should be: installed, put back
 * when somebody removes it, told what the engines want refused, and asked what
 * it counted.  What goes wrong is logged here.  Main thread only.
 *
 * Where packets come by a tap there is none, NULL, which has no rules to
 * update, block, remove or count.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engines;
struct guard;
struct netwatch;
struct policy;
struct refusals;
struct status;

enum { GUARD_FAST_MAX = 256, GUARD_UPLINKS_MAX = 16 };

struct guard_config {
	const struct policy *policy; /* borrowed until guard_update */
	uint32_t shard_seed;
	uint8_t shards;
	bool fast;             /* the kernel's fast path is in use */
	struct netwatch *net;  /* borrowed */
	struct status *status; /* what the kernel counted goes there */
};

/* Install the rules.  0 or -errno. */
int guard_new(const struct guard_config *config, struct guard **ret_guard);

/* 0 or -errno: nothing was changed, and guard_error says why. */
int guard_update(struct guard *guard, const struct policy *policy);
/* To the policy before the last that was put in force; what cannot be now is
 * tried again each second. */
void guard_go_back(struct guard *guard, const struct policy *policy);
/* The fast path is attached to these, up to GUARD_FAST_MAX, and to no other;
 * at the beginning to none.  0 or -errno: nothing was changed. */
int guard_set_fast(struct guard *guard, const uint32_t *ifindexes,
		   size_t count);
/* `direct`: the ports by which others are reached, up to GUARD_UPLINKS_MAX; as
 * above. */
int guard_set_uplinks(struct guard *guard, const uint32_t *ifindexes,
		      size_t count);
const char *guard_error(const struct guard *guard);
/* As nftrules_others. */
uint64_t guard_others(const struct guard *guard);
/* Connections are tracked here. */
bool guard_tracks(const struct guard *guard);

/* fail: closed.  What would be queued is dropped from now on. */
int guard_block(struct guard *guard);
/* Remove all of it, when nothing waits in the queues any more. */
int guard_remove(struct guard *guard);
void guard_free(struct guard *guard);

/* Somebody's hand in the kernel's tables: readable, then read. */
int guard_watch_fd(const struct guard *guard);
void guard_watch(struct guard *guard);
/* Packets that matched a `log` rule: readable, then read. */
int guard_log_fd(const struct guard *guard);
void guard_log(struct guard *guard);

/* Carry out what one engine wants refused. */
void guard_refuse(struct guard *guard, struct refusals *refusals,
		  uint64_t now_ns);

/* The same for what was put off; NS_NEVER when there is nothing. */
uint64_t guard_next_ns(const struct guard *guard);
void guard_advance(struct guard *guard, uint64_t now_ns);

/* Once a second: whether the rules are there, if that is not sure; how fast
 * what is refused goes on, while anything is. */
void guard_look(struct guard *guard);
/* Somebody reads: renew what the status says of the kernel's counters, if that
 * was not done a moment ago. */
void guard_count(struct guard *guard, uint64_t now_ns);

#endif
