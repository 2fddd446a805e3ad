/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/deadlines.h"

#include <stdlib.h>

bool deadlines_init(struct deadlines *deadlines, uint32_t capacity)
{
	*deadlines = (struct deadlines){ .capacity = capacity };
	deadlines->heap = calloc(capacity, sizeof(*deadlines->heap));
	deadlines->place = calloc(capacity, sizeof(*deadlines->place));
	if (deadlines->heap && deadlines->place)
		return true;
	deadlines_fini(deadlines);
	return false;
}

void deadlines_fini(struct deadlines *deadlines)
{
	free(deadlines->heap);
	free(deadlines->place);
	deadlines->heap = NULL;
	deadlines->place = NULL;
}

static bool is_before(const struct deadline *a, const struct deadline *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->id < b->id);
}

static void put(struct deadlines *deadlines, uint32_t at, struct deadline item)
{
	deadlines->heap[at] = item;
	deadlines->place[item.id] = at + 1;
}

static void rise(struct deadlines *deadlines, uint32_t at, struct deadline item)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (!is_before(&item, &deadlines->heap[parent]))
			break;
		put(deadlines, at, deadlines->heap[parent]);
		at = parent;
	}
	put(deadlines, at, item);
}

static void sink(struct deadlines *deadlines, uint32_t at, struct deadline item)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= deadlines->count)
			break;
		if (child + 1 < deadlines->count &&
		    is_before(&deadlines->heap[child + 1],
			      &deadlines->heap[child]))
			child++;
		if (!is_before(&deadlines->heap[child], &item))
			break;
		put(deadlines, at, deadlines->heap[child]);
		at = child;
	}
	put(deadlines, at, item);
}

static void settle(struct deadlines *deadlines, uint32_t at,
		   struct deadline item)
{
	if (at > 0 && is_before(&item, &deadlines->heap[(at - 1) / 2]))
		rise(deadlines, at, item);
	else
		sink(deadlines, at, item);
}

void deadlines_set(struct deadlines *deadlines, uint32_t id, uint64_t at_ns)
{
	struct deadline item = { .at_ns = at_ns, .id = id };
	uint32_t place = deadlines->place[id];

	if (place)
		settle(deadlines, place - 1, item);
	else
		rise(deadlines, deadlines->count++, item);
}

void deadlines_clear(struct deadlines *deadlines, uint32_t id)
{
	uint32_t place = deadlines->place[id];

	if (!place)
		return;
	deadlines->place[id] = 0;
	if (place != deadlines->count--)
		settle(deadlines, place - 1, deadlines->heap[deadlines->count]);
}
