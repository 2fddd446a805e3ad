/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/events.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 };

static bool comes_before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void events_fini(struct events *events)
{
	free(events->heap);
	*events = (struct events){ 0 };
}

static bool grow(struct events *events)
{
	size_t capacity = events->capacity > 0 ? 2 * events->capacity
					       : FIRST_CAPACITY;
	struct event *heap =
		realloc(events->heap, capacity * sizeof(*events->heap));

	if (!heap)
		return false;
	events->heap = heap;
	events->capacity = capacity;
	return true;
}

bool events_push(struct events *events, const struct event *event)
{
	struct event new = *event;
	size_t place;

	if (events->count == events->capacity && !grow(events))
		return false;
	new.order = events->planned++;
	place = events->count++;
	while (place > 0) {
		size_t up = (place - 1) / 2;

		if (!comes_before(&new, &events->heap[up]))
			break;
		events->heap[place] = events->heap[up];
		place = up;
	}
	events->heap[place] = new;
	return true;
}

bool events_pop(struct events *events, struct event *ret_event)
{
	const struct event *last;
	size_t place = 0;

	if (events->count == 0)
		return false;
	*ret_event = events->heap[0];
	last = &events->heap[--events->count];
	for (;;) {
		size_t below = 2 * place + 1;

		if (below + 1 < events->count &&
		    comes_before(&events->heap[below + 1],
				 &events->heap[below]))
			below++;
		if (below >= events->count ||
		    !comes_before(&events->heap[below], last))
			break;
		events->heap[place] = events->heap[below];
		place = below;
	}
	events->heap[place] = *last;
	return true;
}
