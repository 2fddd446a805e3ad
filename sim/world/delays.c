/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/delays.h"

#include <assert.h>

enum { STEPS_BITS = 5 };

/* Below DELAYS_STEPS each number has a bucket; above, each power of two is cut
 * in so many steps. */
static unsigned int bucket_of(uint64_t delay_ns)
{
	unsigned int shift;

	if (delay_ns < DELAYS_STEPS)
		return (unsigned int)delay_ns;
	shift = 63u - (unsigned int)__builtin_clzll(delay_ns) - STEPS_BITS;
	return (shift + 1) * DELAYS_STEPS + (unsigned int)(delay_ns >> shift) -
	       DELAYS_STEPS;
}

static uint64_t end_of(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < DELAYS_STEPS)
		return bucket;
	shift = bucket / DELAYS_STEPS - 1;
	return (((uint64_t)(bucket % DELAYS_STEPS) + DELAYS_STEPS + 1)
		<< shift) -
	       1;
}

void delays_add(struct delays *delays, uint64_t delay_ns)
{
	unsigned int bucket = bucket_of(delay_ns);

	assert(bucket < DELAYS_BUCKETS);
	delays->buckets[bucket]++;
	delays->count++;
	delays->sum_ns += delay_ns;
	delays->over_10ms += delay_ns > 10000000;
	if (delay_ns > delays->max_ns)
		delays->max_ns = delay_ns;
}

uint64_t delays_percentile(const struct delays *delays, unsigned int percent)
{
	uint64_t wanted = (delays->count * percent + 99) / 100, seen = 0;

	for (unsigned int i = 0; i < DELAYS_BUCKETS; i++) {
		seen += delays->buckets[i];
		if (seen > 0 && seen >= wanted)
			return end_of(i) < delays->max_ns ? end_of(i)
							  : delays->max_ns;
	}
	return 0;
}
