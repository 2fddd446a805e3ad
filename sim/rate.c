/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/rate.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

static int64_t beyond(uint32_t count, uint32_t heard)
{
	return (int64_t)count - (int64_t)heard * RATE_PER_HEARD;
}

static void end_second(struct rate *rate)
{
	if (rate->second == 0) {
		if (rate->count > rate->first_max)
			rate->first_max = rate->count;
	} else if (rate->count &&
		   (rate->later_max == 0 ||
		    beyond(rate->count, rate->heard) >
			    beyond(rate->later_max, rate->later_heard))) {
		rate->later_max = rate->count;
		rate->later_heard = rate->heard;
	}
	rate->count = rate->heard = 0;
}

/* Time that runs back is taken for the latest seen. */
static uint64_t move_to(struct rate *rate, uint64_t now_ns)
{
	uint64_t second;

	if (now_ns < rate->last_ns)
		now_ns = rate->last_ns;
	rate->last_ns = now_ns;
	second = (now_ns - rate->base_ns) / SECOND_NS;
	if (second != rate->second) {
		end_second(rate);
		rate->second = second;
	}
	return now_ns;
}

static bool grow(struct rate *rate)
{
	size_t capacity = rate->capacity ? 2 * rate->capacity : 16;
	uint64_t *times_ns = calloc(capacity, sizeof(*times_ns));

	if (!times_ns)
		return false;
	for (size_t i = 0; i < rate->used; i++)
		times_ns[i] = rate->times_ns[(rate->head + i) % rate->capacity];
	free(rate->times_ns);
	rate->times_ns = times_ns;
	rate->capacity = capacity;
	rate->head = 0;
	return true;
}

static void slide(struct rate *rate, uint64_t now_ns)
{
	while (rate->used && now_ns - rate->times_ns[rate->head] >= SECOND_NS) {
		rate->head = (rate->head + 1) % rate->capacity;
		rate->used--;
	}
	if (rate->used == rate->capacity && !grow(rate)) {
		rate->lost = true;
		return;
	}
	rate->times_ns[(rate->head + rate->used++) % rate->capacity] = now_ns;
	if (rate->used > rate->any_max)
		rate->any_max = (uint32_t)rate->used;
	if (now_ns - rate->base_ns >= 2 * SECOND_NS &&
	    rate->used > rate->sliding_max)
		rate->sliding_max = (uint32_t)rate->used;
}

void rate_add(struct rate *rate, uint64_t arrived_ns, uint64_t now_ns)
{
	bool silent = rate->silence_ns && arrived_ns >= rate->last_ns &&
		      arrived_ns - rate->last_ns >= rate->silence_ns;

	if (!rate->has_begun || silent) {
		if (rate->has_begun)
			end_second(rate);
		rate->has_begun = true;
		rate->base_ns = rate->last_ns = arrived_ns;
		rate->second = 0;
	}
	now_ns = move_to(rate, now_ns);
	rate->count++;
	slide(rate, now_ns);
}

void rate_hear(struct rate *rate, uint32_t count, uint64_t now_ns)
{
	if (!rate->has_begun)
		return;
	move_to(rate, now_ns);
	rate->heard += count;
}

void rate_finish(struct rate *rate)
{
	if (rate->has_begun)
		end_second(rate);
	free(rate->times_ns);
	rate->times_ns = NULL;
	rate->head = rate->used = rate->capacity = 0;
}
