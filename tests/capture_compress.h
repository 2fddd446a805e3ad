/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CAPTURE_COMPRESS_H
#define TESTS_CAPTURE_COMPRESS_H

/* Captures as people store them. */

#include <stddef.h>
#include <stdint.h>

struct capture_compression {
	const char *name;
	/* Returns how many bytes it made; there is room for them. */
	size_t (*compress)(const uint8_t *bytes, size_t count, uint8_t *into,
			   size_t room);
};

extern const struct capture_compression capture_compressions[];
extern const size_t capture_compressions_count;

/* How much room is always enough. */
static inline size_t capture_compress_room(size_t count)
{
	return count + count / 8 + 1024;
}

#endif
