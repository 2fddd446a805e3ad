/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_EDT_MEMORY_H
#define SHAPER_BPF_EDT_MEMORY_H

/*
 * `hold: edt`: a packet of a leased pair that is over its threshold is not
 * given back, but gets the time at which it may leave (skb->tstamp), which the
 * fq of the interface that it leaves by keeps to.  Shared by the kernel program
 * and the daemon: also compiled for BPF.
 *
 * A gate (shaper/gate.h) whose packets all stand in line with their times:
 * when one comes, those before it have theirs, and what it would find when its
 * turn comes is known, but for replies: they count as soon as they are heard,
 * and shorten nothing that was said before.  So a window is asked at the time
 * of the last departure, and what leaves is counted there.
 */

#include <stdint.h>

enum {
	EDT_GATES = 4096, /* a power of two */
	EDT_PROBES = 8,
	EDT_TIME_SHIFT = 10, /* departures are kept in 1024 ns, */
	EDT_COUNT_BITS = 8,  /* above how many there were in a row */
	EDT_COUNT_MAX = (1 << EDT_COUNT_BITS) - 1,
};

struct edt_gate {
	uint64_t key;   /* a keyed hash; 0: free */
	uint64_t state; /* last departure, releases in a row */
};

struct edt_memory {
	uint32_t on;
	uint64_t first_delay_ns, max_delay_ns;
	uint64_t horizon_ns; /* nothing leaves later than that from now */
	uint64_t delayed_pkts;
	uint64_t full_pkts; /* dropped: they would leave later */
	struct edt_gate gates[EDT_GATES];
};

static inline uint64_t edt_departs_ns(uint64_t state)
{
	return state >> EDT_COUNT_BITS << EDT_TIME_SHIFT;
}

static inline uint32_t edt_releases(uint64_t state)
{
	return (uint32_t)state & EDT_COUNT_MAX;
}

/* Rounded up: never too early. */
static inline uint64_t edt_state(uint64_t departs_ns, uint32_t releases)
{
	uint64_t at = (departs_ns + (1 << EDT_TIME_SHIFT) - 1) >>
		      EDT_TIME_SHIFT;

	return at << EDT_COUNT_BITS |
	       (releases < EDT_COUNT_MAX ? releases : EDT_COUNT_MAX);
}

#endif
