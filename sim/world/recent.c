/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/recent.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 8 };

void recent_fini(struct recent *recent)
{
	free(recent->times_ns);
	*recent = (struct recent){ 0 };
}

uint32_t recent_slide(struct recent *recent, uint64_t span_ns, uint64_t now_ns)
{
	while (recent->count > 0 &&
	       now_ns - recent->times_ns[recent->first] >= span_ns) {
		recent->first = (recent->first + 1) & (recent->capacity - 1);
		recent->count--;
	}
	return recent->count;
}

static bool grow(struct recent *recent)
{
	uint32_t capacity = recent->capacity > 0 ? 2 * recent->capacity
						 : FIRST_CAPACITY;
	uint64_t *times_ns = malloc(capacity * sizeof(*times_ns));

	if (!times_ns)
		return false;
	for (uint32_t i = 0; i < recent->count; i++)
		times_ns[i] = recent->times_ns[(recent->first + i) &
					       (recent->capacity - 1)];
	free(recent->times_ns);
	*recent = (struct recent){ times_ns, 0, recent->count, capacity };
	return true;
}

bool recent_add(struct recent *recent, uint64_t now_ns)
{
	if (recent->count == recent->capacity && !grow(recent))
		return false;
	recent->times_ns[(recent->first + recent->count++) &
			 (recent->capacity - 1)] = now_ns;
	return true;
}
