/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FUZZ_SEED_FILE_H
#define TESTS_FUZZ_SEED_FILE_H

/* One seed of a fuzzer as a file, FOLDER/NAME; a failure ends the program. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void seed_file_write(const char *folder, const char *name,
				   const uint8_t *bytes, size_t count)
{
	char path[4096];
	size_t written;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
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

#endif
