/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_SIPHASH_H
#define FLOWTABLE_SIPHASH_H

/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012,
 * with one compression and three finalization rounds): a keyed hash, so that
 * nobody who does not know the key can choose keys that collide.
 *
 * siphash13 is the function as published, over bytes.  The word interface
 * leaves out the length block: it is for inputs whose length never varies.
 * Also compiled for BPF.
 */

#include <stddef.h>
#include <stdint.h>

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotate(uint64_t word, unsigned int bits)
{
	return (word << bits) | (word >> (64 - bits));
}

static inline void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotate(s->v1, 13);
	s->v1 ^= s->v0;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotate(s->v3, 16);
	s->v3 ^= s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotate(s->v3, 21);
	s->v3 ^= s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotate(s->v1, 17);
	s->v1 ^= s->v2;
	s->v2 = siphash_rotate(s->v2, 32);
}

/* Begin with a secret of 16 bytes, as two words. */
static inline void siphash_init(struct siphash *s, uint64_t k0, uint64_t k1)
{
	s->v0 = k0 ^ 0x736f6d6570736575u;
	s->v1 = k1 ^ 0x646f72616e646f6du;
	s->v2 = k0 ^ 0x6c7967656e657261u;
	s->v3 = k1 ^ 0x7465646279746573u;
}

static inline void siphash_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

static inline uint64_t siphash_finish(struct siphash s)
{
	s.v2 ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* Cannot fail. */
uint64_t siphash13(const uint8_t key[16], const void *bytes, size_t count);

#endif
