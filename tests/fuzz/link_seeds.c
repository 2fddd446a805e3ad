/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the link fuzzer's seeds, one file a sample: link_seeds FOLDER */
#include <stdio.h>

#include "tests/fuzz/seed_file.h"
#include "tests/link_samples.h"

static void write_seed(const char *folder, const struct link_sample *sample)
{
	uint8_t input[4 + LINK_SAMPLE_MAX_BYTES] = {
		(uint8_t)(sample->link_type >> 8),
		(uint8_t)sample->link_type,
	};
	uint32_t count = 4 + link_sample_bytes(sample, input + 4);

	seed_file_write(folder, sample->name, input, count);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: link_seeds FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < link_samples_count; i++)
		write_seed(argv[1], &link_samples[i]);
	return 0;
}
