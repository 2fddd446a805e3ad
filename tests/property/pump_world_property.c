/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations on tiny pumps, see tests/pump_world.h.
 *
 *	SYMTAP_SEED  the first run's seed; the others count up from there
 *	SYMTAP_RUNS  how many
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/pump_world.h"
#include "tests/random.h"

enum { BYTES_MAX = 4096, RUNS = 1500 };

int main(void)
{
	const char *text = getenv("SYMTAP_RUNS");
	uint64_t runs = text ? strtoull(text, NULL, 0) : RUNS;
	uint64_t first = random_seed("pump_world", 1);
	static uint8_t bytes[BYTES_MAX];

	for (uint64_t run = 0; run < runs; run++) {
		struct random random;
		uint32_t count;

		random_init(&random, first + run);
		count = random_in(&random, 50, BYTES_MAX);
		for (uint32_t i = 0; i < count; i++)
			bytes[i] = (uint8_t)(random_next(&random) >> 56);
		/* if it aborts, this is the seed that brings it back */
		fprintf(stderr, "\rSYMTAP_SEED=%llu ",
			(unsigned long long)(first + run));
		pump_world_run(bytes, count);
	}
	fprintf(stderr, "\n");
	return 0;
}
