/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_RECENT_H
#define SIM_WORLD_RECENT_H

/* How many in the last span, exactly: the times of all that are in it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent { /* a ring; all-zero is empty */
	uint64_t *times_ns;
	uint32_t first, count, capacity; /* capacity: a power of two */
};

void recent_fini(struct recent *recent);

/* Forget what is not in (now_ns - span_ns, now_ns]; returns how many are. */
uint32_t recent_slide(struct recent *recent, uint64_t span_ns, uint64_t now_ns);

/* One more, now.  false: out of memory. */
bool recent_add(struct recent *recent, uint64_t now_ns);

#endif
