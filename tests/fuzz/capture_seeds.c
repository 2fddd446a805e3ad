/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the capture fuzzer's seeds, plain and compressed: capture_seeds FOLDER
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/capture_compress.h"
#include "tests/capture_samples.h"

static void write_file(const char *folder, const char *name, const char *suffix,
		       const uint8_t *bytes, size_t count)
{
	char path[4096];
	size_t written;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	file = fopen(path, "wb");
	if (!file) {
		perror(path);
		exit(1);
	}
	written = fwrite(bytes, 1, count, file);
	if (fclose(file) != 0 || written != count) {
		perror(path);
		exit(1);
	}
}

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
		write_file(argv[1], sample->name, "", file.bytes, file.count);
		for (size_t j = 0; j < capture_compressions_count; j++) {
			size_t count = capture_compressions[j].compress(
				file.bytes, file.count, packed, sizeof(packed));

			write_file(argv[1], sample->name,
				   capture_compressions[j].name, packed, count);
		}
	}
	return 0;
}
