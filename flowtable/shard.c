/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/shard.h"

#include <assert.h>
#include <string.h>

enum { V4_OFFSET = 12, BLOCK_BYTES = 12 };

static const uint8_t V4_MAPPED[V4_OFFSET] = { [10] = 0xff, [11] = 0xff };

static uint32_t rotate(uint32_t word, unsigned int bits)
{
	return (word << bits) | (word >> (32 - bits));
}

/* Words are in host order, as the kernel reads whole blocks. */
static uint32_t word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* The tail is little-endian on every machine. */
static uint32_t tail_word(const uint8_t *bytes, uint32_t length)
{
	uint32_t word = 0;
	uint32_t i;

	for (i = 0; i < length && i < 4; i++)
		word |= (uint32_t)bytes[i] << (8 * i);
	return word;
}

static void mix(uint32_t v[3])
{
	static const unsigned int TURNS[] = { 4, 6, 8, 16, 19, 4 };
	unsigned int i;

	for (i = 0; i < 6; i++) {
		uint32_t *a = &v[i % 3];
		uint32_t *b = &v[(i + 1) % 3];
		uint32_t *c = &v[(i + 2) % 3];

		*a -= *c;
		*a ^= rotate(*c, TURNS[i]);
		*c += *b;
	}
}

static uint32_t finish(uint32_t a, uint32_t b, uint32_t c)
{
	c = (c ^ b) - rotate(b, 14);
	a = (a ^ c) - rotate(c, 11);
	b = (b ^ a) - rotate(a, 25);
	c = (c ^ b) - rotate(b, 16);
	a = (a ^ c) - rotate(c, 4);
	b = (b ^ a) - rotate(a, 14);
	return (c ^ b) - rotate(b, 24);
}

uint32_t shard_jhash(const uint8_t *bytes, uint32_t length, uint32_t seed)
{
	uint32_t start = 0xdeadbeef + length + seed;
	uint32_t v[3] = { start, start, start };

	while (length > BLOCK_BYTES) {
		v[0] += word_at(bytes);
		v[1] += word_at(bytes + 4);
		v[2] += word_at(bytes + 8);
		mix(v);
		length -= BLOCK_BYTES;
		bytes += BLOCK_BYTES;
	}
	if (length == 0)
		return v[2];
	v[0] += tail_word(bytes, length);
	if (length > 4)
		v[1] += tail_word(bytes + 4, length - 4);
	if (length > 8)
		v[2] += tail_word(bytes + 8, length - 8);
	return finish(v[0], v[1], v[2]);
}

uint8_t shard_of(const uint8_t host[16], uint32_t seed, uint8_t shards)
{
	uint32_t hash;

	assert(shards >= 1 && shards <= SHARDS_MAX);
	if (memcmp(host, V4_MAPPED, sizeof(V4_MAPPED)) == 0)
		hash = shard_jhash(host + V4_OFFSET, 4, seed);
	else
		hash = shard_jhash(host, 16, seed);
	/* The kernel scales instead of dividing (reciprocal_scale). */
	return (uint8_t)(((uint64_t)hash * shards) >> 32);
}
