/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_KEY_H
#define SHAPER_BPF_FAST_KEY_H

/*
 * Keys as words, and their hash: also compiled for BPF.
 *
 * Multilinear (Lemire, Kaser: "Strongly universal string hashing is fast", The
 * Computer Journal 57, 2014): h = m0 + sum of m[i] w[i] modulo 2^64, for words
 * of 32 bits and random, secret m[i] of 64 bits; the upper 32 bits are strongly
 * universal.  Its products do not wait for each other, as SipHash's rounds do.
 * That is enough here: only the daemon adds keys, nobody outside sees which
 * collide, and what finds no place goes the long way.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/siphash.h"

enum { FAST_MULTIPLIERS = 12 };

struct fast_multipliers {
	uint64_t m[FAST_MULTIPLIERS];
};

/* struct flow_key in words, as they stand in memory. */
struct fast_key {
	uint64_t inside[2], outside[2];
	uint32_t ports; /* inside's, outside's above it */
	uint16_t zone;
	uint8_t proto;
};

static inline void fast_multipliers_init(struct fast_multipliers *multipliers,
					 uint64_t k0, uint64_t k1)
{
	for (uint64_t i = 0; i < FAST_MULTIPLIERS; i++) {
		struct siphash s;

		siphash_init(&s, k0, k1);
		siphash_word(&s, i);
		multipliers->m[i] = siphash_finish(s);
	}
}

static inline void fast_key_of(const struct flow_key *key,
			       struct fast_key *ret_key)
{
	__builtin_memcpy(ret_key->inside, key->inside, 16);
	__builtin_memcpy(ret_key->outside, key->outside, 16);
	ret_key->ports = key->inside_port | (uint32_t)key->outside_port << 16;
	ret_key->zone = key->zone;
	ret_key->proto = key->proto;
}

static inline uint64_t fast_hash_word(const uint64_t *m, uint64_t word)
{
	return m[0] * (uint32_t)word + m[1] * (word >> 32);
}

/* The pair's; its upper half counts. */
static inline uint64_t fast_hash_pair(const struct fast_multipliers *m,
				      const struct fast_key *key)
{
	return m->m[0] + fast_hash_word(m->m + 1, key->inside[0]) +
	       fast_hash_word(m->m + 3, key->inside[1]) +
	       fast_hash_word(m->m + 5, key->outside[0]) +
	       fast_hash_word(m->m + 7, key->outside[1]) + m->m[9] * key->zone;
}

/* The flow's, from its pair's. */
static inline uint64_t fast_hash_flow(const struct fast_multipliers *m,
				      uint64_t of_pair,
				      const struct fast_key *key)
{
	return of_pair + m->m[10] * key->ports +
	       m->m[11] * ((uint32_t)key->proto + 1);
}

#endif
