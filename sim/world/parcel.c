/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/parcel.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 };

void parcels_fini(struct parcels *parcels)
{
	free(parcels->all);
	*parcels = (struct parcels){ 0 };
}

static bool grow(struct parcels *parcels)
{
	uint32_t capacity = parcels->capacity > 0 ? 2 * parcels->capacity
						  : FIRST_CAPACITY;
	struct parcel *all =
		realloc(parcels->all, capacity * sizeof(*parcels->all));

	if (!all)
		return false;
	parcels->all = all;
	parcels->capacity = capacity;
	return true;
}

uint32_t parcels_add(struct parcels *parcels, const struct parcel *parcel)
{
	uint32_t id = parcels->freed - 1;

	if (parcels->freed == 0) {
		if (parcels->fresh == parcels->capacity && !grow(parcels))
			return UINT32_MAX;
		id = parcels->fresh++;
	} else {
		parcels->freed = parcels->all[id].next;
	}
	parcels->all[id] = *parcel;
	return id;
}

struct parcel *parcels_get(const struct parcels *parcels, uint32_t id)
{
	return &parcels->all[id];
}

void parcels_remove(struct parcels *parcels, uint32_t id)
{
	parcels->all[id].next = parcels->freed;
	parcels->freed = id + 1;
}
