/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/held.h"

#include <stdlib.h>

bool held_init(struct held *held, uint32_t capacity)
{
	*held = (struct held){ .capacity = capacity };
	held->all = calloc(capacity, sizeof(*held->all));
	return held->all != NULL;
}

void held_fini(struct held *held)
{
	free(held->all);
	held->all = NULL;
}

bool held_reserve(struct held *held, uint32_t count)
{
	uint32_t capacity = held->capacity;
	struct held_packet *all;

	while (capacity - held->used < count) {
		if (capacity > UINT32_MAX / 2)
			return false;
		capacity *= 2;
	}
	if (capacity == held->capacity)
		return true;
	all = realloc(held->all, capacity * sizeof(*all));
	if (!all)
		return false;
	held->all = all;
	held->capacity = capacity;
	return true;
}

uint32_t held_take(struct held *held)
{
	uint32_t id = held->freed;

	held->used++;
	if (id == 0)
		return held->fresh++;
	held->freed = held->all[id - 1].next;
	return id - 1;
}

void held_give_back(struct held *held, uint32_t id)
{
	held->used--;
	held->all[id].next = held->freed;
	held->freed = id + 1;
}
