/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for the pump's fuzzer: random operations, as tests/property has. */
#include <stdio.h>

#include "tests/fuzz/seed_file.h"
#include "tests/random.h"

enum { SEEDS = 48, BYTES_MAX = 2048 };

static void write_seed(const char *folder, uint32_t number)
{
	uint8_t bytes[BYTES_MAX];
	struct random random;
	char name[32];
	size_t count;

	random_init(&random, number);
	count = random_in(&random, 20, BYTES_MAX);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(random_next(&random) >> 56);
	snprintf(name, sizeof(name), "random-%u", number);
	seed_file_write(folder, name, bytes, count);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: pump_seeds FOLDER\n");
		return 2;
	}
	for (uint32_t number = 0; number < SEEDS; number++)
		write_seed(argv[1], number);
	return 0;
}
