/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/siphash.h"

static uint64_t load_le64(const uint8_t *bytes, size_t count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t siphash13(const uint8_t key[16], const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	struct siphash s;

	siphash_init(&s, load_le64(key, 8), load_le64(key + 8, 8));
	for (size_t left = count; left >= 8; left -= 8, at += 8)
		siphash_word(&s, load_le64(at, 8));
	siphash_word(&s, load_le64(at, count % 8) | (uint64_t)count << 56);
	return siphash_finish(s);
}
