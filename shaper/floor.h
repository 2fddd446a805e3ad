/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_FLOOR_H
#define SHAPER_FLOOR_H

/*
 * So few packets in a window that holding them is not worth while: a program
 * that tries again and again whether somebody is there, a keyboard, a sensor.
 * The latest departures of a key, without those that were paid for (credit.h):
 * as long as the last FLOOR_MAX of them say that there were fewer than the
 * floor in the window, one more may leave whatever its gate says.  Exact.
 */

#include <stdbool.h>
#include <stdint.h>

enum { FLOOR_MAX = 16 }; /* a power of two */

struct floor_log { /* all-zero: nothing left yet; 0 in left_ns: never */
	uint64_t left_ns[FLOOR_MAX];
	uint32_t next;
};

/* When `pkts` more may leave; 0: at any time; UINT64_MAX: never.
 * `floor_pkts` 0..FLOOR_MAX. */
static inline uint64_t floor_next_ns(const struct floor_log *log,
				     uint32_t floor_pkts, uint32_t pkts,
				     uint64_t window_ns)
{
	uint64_t left_ns;

	if (pkts == 0 || pkts > floor_pkts)
		return UINT64_MAX;
	left_ns =
		log->left_ns[(log->next - (floor_pkts - pkts + 1)) % FLOOR_MAX];
	return left_ns ? left_ns + window_ns : 0;
}

/* How many of those that are remembered are in the window. */
static inline uint32_t floor_pkts(const struct floor_log *log,
				  uint64_t window_ns, uint64_t now_ns)
{
	uint32_t pkts = 0;

	for (int i = 0; i < FLOOR_MAX; i++)
		pkts += log->left_ns[i] && log->left_ns[i] + window_ns > now_ns;
	return pkts;
}

static inline void floor_left(struct floor_log *log, uint32_t pkts,
			      uint64_t now_ns)
{
	for (uint32_t i = 0; i < pkts && i < FLOOR_MAX; i++)
		log->left_ns[log->next++ % FLOOR_MAX] = now_ns;
}

/* Who was let go below the floor waited for no delay; but the next one is as
 * long as if `pkts` in a window had waited for theirs, and one more. */
static inline uint32_t floor_releases(uint32_t pkts)
{
	return pkts > 2 ? pkts - 2 : 0;
}

#endif
