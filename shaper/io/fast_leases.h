/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_LEASES_H
#define SHAPER_IO_FAST_LEASES_H

/*
 * Which pairs are leased to the kernel program: the daemon's side of the
 * memory that shaper/bpf/fast_maps.h describes.  No system calls.  By the
 * thread of the pump; several engines share the memory, each with its own
 *pairs.
 *
 *	before the pump is offered a packet	fastleases_note()
 *	after it let one out			fastleases_offer()
 *	now and then				fastleases_sweep()
 *	another policy, the end			fastleases_recall()
 *
 * A pair has at most FASTLEASES_FLOWS flows there; the others keep it with the
 * engine while they talk.  A host has at most a quarter of the slots.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"

struct fast_slot;
struct fastleases;
struct pump;

enum {
	FASTLEASES_FLOWS = 32,
	FASTLEASES_WAIT_PKTS = 8, /* once the program gave it back */
	FASTLEASES_MARK_NONE = 0,
	FASTLEASES_ZONES = 256,
};

struct fastleases_stats {
	uint32_t keys; /* slots in use: pairs, flows that are not beside theirs
			*/
	uint32_t leased; /* pairs that are the kernel's */
	uint64_t made, taken_back;
	uint64_t full;         /* there was no place */
	uint64_t beyond_share; /* of a host's keys */
	uint64_t epochs; /* begun because packets were lost on their way */
};

/* `slots` is the shared memory, `count` of them, a power of two, all 0.
 * Borrowed.  NULL: out of memory. */
struct fastleases *fastleases_new(struct fast_slot *slots, uint32_t count,
				  uint64_t k0, uint64_t k1);
void fastleases_free(struct fastleases *leases);

/* The slots are several engines': `taken`, borrowed, is how many all of them
 * have in use. */
void fastleases_share(struct fastleases *leases, uint32_t *taken);

/* Our numbers of the program's zones, which are those of its places.  While
 * nothing is leased. */
void fastleases_set_zones(struct fastleases *leases,
			  const uint16_t zones[FASTLEASES_ZONES]);

/* A packet of this flow is about to be judged.  `mark`: FAST_MARK_EPOCH and
 * higher when the program counted it.  What it gave back the pump takes. */
void fastleases_note(struct fastleases *leases, struct pump *pump,
		     const struct flow_key *flow, uint32_t mark,
		     uint64_t now_ns);

/* The pump let out a packet of this flow, at once, which was noted before;
 * lease the pair if it may be. */
void fastleases_offer(struct fastleases *leases, struct pump *pump,
		      const struct flow_key *flow, uint64_t now_ns);

/* So few that they are soon looked at, and need no room. */
bool fastleases_are_few(const struct fastleases *leases);

/* Look at some slots, more if it was long ago, take back what is idle. */
void fastleases_sweep(struct fastleases *leases, struct pump *pump,
		      uint64_t now_ns);

/* Take everything back. */
void fastleases_recall(struct fastleases *leases, struct pump *pump,
		       uint64_t now_ns);

/*
 * What the program counted of this key, a pair or a flow, in the last window.
 * false: it is with the engine.
 */
bool fastleases_read(const struct fastleases *leases,
		     const struct flow_key *key, uint64_t now_ns,
		     uint32_t *ret_sent_pkts, uint32_t *ret_heard_pkts);

const struct fastleases_stats *
fastleases_stats(const struct fastleases *leases);

#endif
