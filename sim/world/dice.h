/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_DICE_H
#define SIM_WORLD_DICE_H

/* Chance that comes out the same for the same seed (splitmix64). */

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state; /* the seed; any number is good */
};

static inline uint64_t dice_roll(struct dice *dice)
{
	uint64_t mixed = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

/* true so many times in a million. */
static inline bool dice_hits(struct dice *dice, uint32_t in_million)
{
	return in_million > 0 && dice_roll(dice) % 1000000 < in_million;
}

#endif
