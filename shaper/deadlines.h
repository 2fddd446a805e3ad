/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DEADLINES_H
#define SHAPER_DEADLINES_H

/*
 * At most one point in time for each of a fixed number of ids, and the
 * earliest of them: a binary heap that knows where each id stands.
 * Equal times come out in order of id.
 */

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t at_ns;
	uint32_t id;
};

struct deadlines {
	struct deadline *heap;
	uint32_t *place; /* of each id in heap, plus 1; 0: not in it */
	uint32_t count, capacity;
};

/* ids 0..capacity-1.  false: out of memory. */
bool deadlines_init(struct deadlines *deadlines, uint32_t capacity);
void deadlines_fini(struct deadlines *deadlines);

/* Set or move.  Cannot fail. */
void deadlines_set(struct deadlines *deadlines, uint32_t id, uint64_t at_ns);
void deadlines_clear(struct deadlines *deadlines, uint32_t id);

/* NULL: there is none. */
static inline const struct deadline *
deadlines_first(const struct deadlines *deadlines)
{
	return deadlines->count ? &deadlines->heap[0] : 0;
}

#endif
