/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_WAITING_H
#define XEN_HOOKS_TAP_WAITING_H

/*
 * Packets that wait for a verdict: a fixed number of places, found by the id
 * that the judge gives back, in order of arrival.  Internal to the carrier.
 */

#include <stdbool.h>
#include <stdint.h>

struct tapwaiting;

struct tapwaiting_packet {
	uint64_t token;
	uint32_t lease; /* of tap_leases.h */
	bool follows;   /* others of it, and no verdict */
	uint32_t place; /* from tapwaiting_add on: the lower half of its id */
};

/* NULL: out of memory.  Numbers of leases are 1..leases, or 0. */
struct tapwaiting *tapwaiting_new(uint32_t places, uint32_t leases);
void tapwaiting_free(struct tapwaiting *waiting); /* NULL is fine */

/* An id that no other has, and is not 0 nor has the highest bit; 0: all places
 * are taken. */
uint64_t tapwaiting_add(struct tapwaiting *waiting,
			const struct tapwaiting_packet *packet,
			uint64_t now_ns);

/* Of one that waits. */
uint32_t tapwaiting_lease(const struct tapwaiting *waiting, uint64_t id);

/* It waits no more; false: it did not. */
bool tapwaiting_take(struct tapwaiting *waiting, uint64_t id,
		     struct tapwaiting_packet *ret_packet);
/* The same of whoever waits longest, if that is since `until_ns` or before. */
bool tapwaiting_take_oldest(struct tapwaiting *waiting, uint64_t until_ns,
			    struct tapwaiting_packet *ret_packet);
/* The same of the oldest of this lease, if it follows. */
bool tapwaiting_take_follower(struct tapwaiting *waiting, uint32_t lease,
			      struct tapwaiting_packet *ret_packet);

/* Since when the oldest waits; UINT64_MAX: nobody does. */
uint64_t tapwaiting_oldest_ns(const struct tapwaiting *waiting);
uint32_t tapwaiting_count(const struct tapwaiting *waiting);

#endif
