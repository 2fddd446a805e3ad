/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

/* Numbers that a printed seed brings back: xorshift64*, for tests only. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random {
	uint64_t state;
};

/* SYMTAP_SEED in the environment, else `preset`.  Says which. */
static inline uint64_t random_seed(const char *name, uint64_t preset)
{
	const char *text = getenv("SYMTAP_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : preset;

	printf("%s: SYMTAP_SEED=%llu\n", name, (unsigned long long)seed);
	return seed;
}

static inline void random_init(struct random *random, uint64_t seed)
{
	random->state = (seed + 1) * 0x9e3779b97f4a7c15u | 1;
}

static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1du;
}

/* 0..below-1 */
static inline uint32_t random_below(struct random *random, uint32_t below)
{
	return (uint32_t)((random_next(random) >> 32) * below >> 32);
}

/* first..last */
static inline uint32_t random_in(struct random *random, uint32_t first,
				 uint32_t last)
{
	return first + random_below(random, last - first + 1);
}

/* true once in `in` */
static inline bool random_once(struct random *random, uint32_t in)
{
	return random_below(random, in) == 0;
}

#endif
