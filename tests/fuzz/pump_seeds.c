/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for the pump's fuzzer: random operations, as tests/property has. */
#include <stdio.h>

#include "tests/random.h"

enum { SEEDS = 48, BYTES_MAX = 2048 };

static int write_seed(const char *folder, uint32_t number)
{
	uint8_t bytes[BYTES_MAX];
	struct random random;
	char path[4096];
	size_t count, written;
	FILE *file;

	random_init(&random, number);
	count = random_in(&random, 20, BYTES_MAX);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(random_next(&random) >> 56);
	snprintf(path, sizeof(path), "%s/random-%u", folder, number);
	file = fopen(path, "wb");
	if (!file) {
		perror(path);
		return -1;
	}
	written = fwrite(bytes, 1, count, file);
	if (fclose(file) != 0 || written != count) {
		perror(path);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: pump_seeds FOLDER\n");
		return 2;
	}
	for (uint32_t number = 0; number < SEEDS; number++)
		if (write_seed(argv[1], number) != 0)
			return 1;
	return 0;
}
