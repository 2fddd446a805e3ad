/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the link fuzzer's seeds, one file a sample: link_seeds FOLDER */
#include <stdio.h>

#include "tests/link_samples.h"

static int write_seed(const char *folder, const struct link_sample *sample)
{
	uint8_t input[4 + LINK_SAMPLE_MAX_BYTES] = {
		(uint8_t)(sample->link_type >> 8),
		(uint8_t)sample->link_type,
	};
	uint32_t count = 4 + link_sample_bytes(sample, input + 4);
	char path[4096];
	size_t written;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, sample->name);
	file = fopen(path, "wb");
	if (!file) {
		perror(path);
		return -1;
	}
	written = fwrite(input, 1, count, file);
	if (fclose(file) != 0 || written != count) {
		perror(path);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: link_seeds FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < link_samples_count; i++) {
		if (write_seed(argv[1], &link_samples[i]) != 0)
			return 1;
	}
	return 0;
}
