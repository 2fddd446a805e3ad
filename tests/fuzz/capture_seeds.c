/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the capture fuzzer's seeds, plain and compressed: capture_seeds FOLDER
 */
#include <stdio.h>

#include "tests/capture_compress.h"
#include "tests/capture_samples.h"
#include "tests/fuzz/seed_file.h"

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: capture_seeds FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < capture_samples_count; i++) {
		const struct capture_sample *sample = &capture_samples[i];
		uint8_t packed[2 * CAPTURE_SAMPLE_MAX_BYTES];
		struct capture_file file = { 0 };

		sample->write(&file);
		seed_file_write(argv[1], sample->name, file.bytes, file.count);
		for (size_t j = 0; j < capture_compressions_count; j++) {
			size_t count = capture_compressions[j].compress(
				file.bytes, file.count, packed, sizeof(packed));
			char name[64];

			snprintf(name, sizeof(name), "%s%s", sample->name,
				 capture_compressions[j].name);
			seed_file_write(argv[1], name, packed, count);
		}
	}
	return 0;
}
