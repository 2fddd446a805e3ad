/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_H
#define SHAPER_IO_NFQUEUE_H

/*
 * Packets of the kernel's NFQUEUE to a pump and back.
 *
 * Each engine has three kernel queues.  The main one takes every packet, super-
 * packets whole, and each gets its verdict at once: go on, drop, or move to
 * the hold queue.  The hold queue takes no super-packets, so the kernel hands
 * them back there in their segments, in order.  Nothing is ever held in the
 * main queue: there, one verdict can cover a whole batch.  In the room's queue
 * wait, before connection tracking, packets whose flow's first is held.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/datapath.h"
#include "shaper/io/nfqueue_stats.h"

struct fast;
struct flow_key;
struct holdqdisc;
struct nfqueue;
struct policy;
struct pump;
struct zones;

struct nfqueue_config {
	struct pump *pump;           /* borrowed for life, as */
	struct zones *zones;         /* all of these */
	const struct policy *policy; /* until nfqueue_set_policy */
	uint16_t main_queue, hold_queue, room_queue;
	uint16_t shard_main_queue[64]; /* main queue of each shard */
	uint8_t shard, shards;         /* this engine among its siblings */
	uint32_t shard_seed;           /* as shard_of() gets it */
	uint8_t seed[16];              /* random; keys the hash of fragments */
	uint32_t main_length_pkts;     /* what may come in a burst */
	uint32_t hold_length_pkts;     /* what may be held, and a burst */
	bool fail_open;
	struct fast *fast; /* the kernel's fast path, attached; NULL: none */
	struct fastpost *const *fast_posts; /* by shard; NULL: one engine */
	struct holdqdisc *hold; /* `hold: qdisc`, with a fast path; or NULL */
};

/*
 * All that is needed to take the queues.  0 or -errno; -EBUSY: another program
 * has one of them, *ret_busy_queue says which (nfqueue_owner: who).
 */
int nfqueue_new(const struct nfqueue_config *config,
		struct nfqueue **ret_nfqueue, uint16_t *ret_busy_queue);

/*
 * Take them, right before the loop: packets wait from here on, and those that
 * rules of an earlier life queued until now went on.  As nfqueue_new.
 */
int nfqueue_take(struct nfqueue *nfqueue, uint16_t *ret_busy_queue);

/* The netlink port, mostly a process id, that has a queue; 0: nobody. */
uint32_t nfqueue_owner(uint16_t queue);

/* Before the loop: vifs of xen.way: rate are told of by datagrams to `fd`
 * (vif_debt.h), which stays the caller's.  0 or -errno. */
int nfqueue_set_pace(struct nfqueue *nfqueue, int fd);

/* Before privileges are dropped: vifs of xen.way: ring wait in `device`, in
 * these of its classes.  0 or -errno. */
int nfqueue_set_ring(struct nfqueue *nfqueue, const struct holdqdisc *device,
		     uint32_t first_class, uint32_t classes);

/* Does not release what is held: close does. */
void nfqueue_free(struct nfqueue *nfqueue);

/* For the loop; fds are [0] main, [1] hold, [2] interfaces,
 * [3] room, [4] what the fast path tells of, where there is one. */
void nfqueue_datapath(struct nfqueue *nfqueue, struct datapath *ret_datapath);

/* Together with pump_set_policy, by the thread that runs the data path. */
void nfqueue_set_policy(struct nfqueue *nfqueue, const struct policy *policy,
			uint64_t now_ns);

/* Carry out what the pump let go meanwhile: after pump_release_address and
 * the like. */
void nfqueue_collect(struct nfqueue *nfqueue);

/*
 * Take no more packets.  Fail open: what waits goes, then what came, then
 * unjudged what comes.  Else what comes is dropped, what came gets its verdict,
 * and what waits goes on waiting.  The data path's close does it too.  0 or
 * -errno.
 */
int nfqueue_shut(struct nfqueue *nfqueue, uint64_t now_ns);

const struct nfqueue_stats *nfqueue_stats(const struct nfqueue *nfqueue);

/* Before they are read: what the kernel's program counts is else up to a fifth
 * of a second old.  By the thread that runs the data path. */
void nfqueue_renew_stats(struct nfqueue *nfqueue);

/* Take back what the kernel passes by itself: before the end. */
void nfqueue_recall(struct nfqueue *nfqueue, uint64_t now_ns);

/*
 * What the kernel passes by itself, and has counted of this key, a pair or a
 * flow, in the last window.  false: it is not its.
 */
bool nfqueue_leased(const struct nfqueue *nfqueue, const struct flow_key *key,
		    uint64_t now_ns, uint32_t *ret_sent_pkts,
		    uint32_t *ret_heard_pkts);

/* Now; all 0 without a fast path. */
struct nfqueue_leases {
	uint32_t keys, keys_max; /* flows and pairs */
	uint32_t leased;         /* pairs that are the kernel's */
};
void nfqueue_count_leases(const struct nfqueue *nfqueue,
			  struct nfqueue_leases *ret_leases);

/* The counter of refusals that whoever passes them on had to leave out. */
uint64_t *nfqueue_refusals_lost(struct nfqueue *nfqueue);

#endif
