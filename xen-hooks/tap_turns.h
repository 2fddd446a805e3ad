/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_TURNS_H
#define XEN_HOOKS_TAP_TURNS_H

/*
 * Packets that the judge is still to be asked about, while he has not read
 * enough of what was said before.  Senders take turns, told apart by the
 * interfaces that a packet goes between, and so do the pairs of hosts of each:
 * who sends much waits behind himself.  Those of a pair keep their order.
 * Internal to the carrier.
 */

#include <stdbool.h>
#include <stdint.h>

struct tapcarrier_packet;
struct tapturns;

/* NULL: out of memory.  `seed` keys the hash. */
struct tapturns *tapturns_new(uint32_t places, const uint8_t seed[16]);
void tapturns_free(struct tapturns *turns); /* NULL is fine */

/* `id` is of tapwaiting_add; its lower half, below `places`, is the place. What
 * is to be seen of it is copied. */
void tapturns_add(struct tapturns *turns, uint64_t id,
		  const struct tapcarrier_packet *packet);

bool tapturns_is_empty(const struct tapturns *turns);

/* Whose turn it is; valid until he leaves.  false: nobody's. */
bool tapturns_first(struct tapturns *turns, uint64_t *ret_id,
		    struct tapcarrier_packet *ret_packet);
/* He had it. */
void tapturns_next(struct tapturns *turns);

/* The newest of the pair that has the most, of the sender that does; 0: there
 * is none. */
uint64_t tapturns_newest_of_most(const struct tapturns *turns);

/* Who has this place, if somebody has. */
void tapturns_leave(struct tapturns *turns, uint32_t place);

#endif
