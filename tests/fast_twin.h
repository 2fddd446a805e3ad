/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_TWIN_H
#define TESTS_FAST_TWIN_H

/*
 * The same packets twice, time injected: through a pump alone, and through the
 * kernel program with a pump behind it, as the daemon has them.  At each packet
 * its flow's and its pair's counts are taken on both sides:
 *
 *  - the packet adds the same to them, whoever counts;
 *  - the pump alone has what came in (now - W, now];
 *  - with the program before it never less, and never more than came in the
 *    last 15 buckets of W/14: packets are forgotten up to W/14 late;
 *  - the verdict, now or not now, is the same, but where the two differ by
 *    what is forgotten late.
 *
 * Keys that are never leased have the same counts on both sides.  Where the two
 * let something that waited go at different times, the counts of its keys are
 * compared no more but to what that side itself let go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/pump.h"

struct fast;
struct policy;
struct twin;

enum { TWIN_SEGMENTS = 64, TWIN_FRAME_BYTES = 3500, TWIN_ZONES = 2 };

#define TWIN_MARK_MASK UINT32_C(0x00f00000) /* to load the program with */

struct twin_config {
	const struct policy *policy; /* borrowed */
	struct fast *fast;           /* borrowed; loaded for tests */
	bool exact; /* the pumps' windows: the counts are compared */
	uint64_t begin_ns;
};

struct twin_bytes {
	const uint8_t *bytes;
	uint32_t count;
};

/* A frame, or a super-packet and what it is made of. */
struct twin_frame {
	struct twin_bytes whole;
	bool out;
	uint16_t zone;                /* 0 or 1 */
	uint32_t gso_bytes, gso_segs; /* as the kernel says; 0: it is none */
	uint32_t wire_pkts;           /* how many segments; 1: itself */
	struct twin_bytes segments[TWIN_SEGMENTS];
};

struct twin_results {
	uint32_t out, in;         /* wire packets */
	uint32_t passed, counted; /* by the program: out, in; wire packets */
	uint32_t held, held_alone;
	uint32_t stricter, laxer; /* verdicts other than by the pump alone */
	uint32_t unexplained;     /* and its keys' counts were the same */
	uint64_t compared;        /* counts of keys */
	uint32_t outside;   /* of these: with the program beyond its bounds */
	uint32_t misread;   /* alone not what came in the window */
	uint32_t unequal;   /* packets that added something else to a key */
	uint32_t worth;     /* acknowledgements that count for another number */
	uint32_t most_more; /* sent or heard with the program, beyond alone */
	uint32_t apart;     /* keys whose packets left at different times, */
	uint64_t apart_ns;  /* by so much at most */
	uint32_t totals;    /* keys whose sums of everything differ */
};

struct twin *twin_new(const struct twin_config *config);

/* Lets everything out, compares what is left to compare. */
void twin_end(struct twin *twin);
void twin_free(struct twin *twin);

/* Not before the last one. */
void twin_offer(struct twin *twin, const struct twin_frame *frame,
		uint64_t now_ns);

const struct twin_results *twin_results(const struct twin *twin);
void twin_add_results(struct twin_results *sum,
		      const struct twin_results *more);

#endif
