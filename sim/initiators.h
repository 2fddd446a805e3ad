/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_INITIATORS_H
#define SIM_INITIATORS_H

/*
 * Which host of a pair sent its first packet.  A bounded table in sets of
 * eight, each a cache line, of which the pair that was seen longest ago is
 * forgotten when another one needs its place; then whoever of that pair sends
 * next has begun.  A pair is known by 62 bits of its keyed hash.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct initiators;
struct packet_ends;

/* Room for about `pairs`; `grows`: rather than to forget any.  NULL: out of
 * memory. */
struct initiators *initiators_new(uint32_t pairs, bool grows,
				  const uint8_t seed[16]);
void initiators_free(struct initiators *initiators);

/* The same for both directions; its line is prefetched. */
uint64_t initiators_hash(const struct initiators *initiators,
			 const struct packet_ends *ends, uint16_t zone);

/*
 * Did `ends->src` send the first packet of its pair?  This one is it when the
 * pair is not known.  Cannot fail: without memory to grow it forgets.
 */
bool initiators_ask(struct initiators *initiators,
		    const struct packet_ends *ends, uint64_t hash);

/* The same, but nothing is remembered.  false: the pair is not known. */
bool initiators_find(const struct initiators *initiators,
		     const struct packet_ends *ends, uint64_t hash,
		     bool *ret_src_began);

/* How many pairs were forgotten. */
uint64_t initiators_forgotten(const struct initiators *initiators);

#endif
