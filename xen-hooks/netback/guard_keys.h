/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_KEYS_H
#define XEN_HOOKS_NETBACK_GUARD_KEYS_H

/* The keys of a guard and their windows, for the guard*.c files only. */

#include <stdbool.h>
#include <stdint.h>

#include "xen-hooks/netback/guard.h"

enum { GUARD_NONE = (1 << 17) - 1 };

/* Where a packet is counted, as numbers of keys. */
struct guard_place {
	uint32_t flow; /* GUARD_NONE: it has none, or needs none */
	uint32_t pair; /* keys_count: that of all that have no place */
};

/* One packet, as it asks. */
struct guard_asked {
	struct guard_place place;
	uint32_t wire_pkts, bytes;
	bool connection; /* it begins one */
	bool is_new;     /* it has not waited yet */
	bool is_paid;    /* out: by floor, patience or credit */
};

/* GUARD_NONE: it has no place. */
uint32_t guard_at(const struct guard *guard, const struct flow_key *key);
/* `outside`: a packet from there makes it. */
uint32_t guard_make(struct guard *guard, const struct flow_key *key,
		    bool outside);

static inline struct guard_key *guard_pair(struct guard *guard,
					   const struct guard_place *place)
{
	return &guard->keys[place->pair];
}

/* NULL: it has none. */
static inline struct guard_key *guard_flow(struct guard *guard,
					   const struct guard_place *place)
{
	return place->flow == GUARD_NONE ? (struct guard_key *)0
					 : &guard->keys[place->flow];
}

/* Has its pair a place of its own? */
static inline bool guard_has_pair(const struct guard *guard,
				  const struct guard_place *place)
{
	return place->pair != guard->keys_count;
}

/* Who decides of it, narrowest first: the first is that of its line.  At least
 * one where anything is enforced. */
static inline uint32_t guard_deciders(struct guard *guard,
				      const struct guard_place *place,
				      struct guard_key *ret_keys[2])
{
	struct guard_key *flow = guard_flow(guard, place);
	uint32_t count = 0;

	if (flow && guard->params.scopes & GUARD_FLOW)
		ret_keys[count++] = flow;
	if (count == 0 || guard->params.scopes & GUARD_PAIR)
		ret_keys[count++] = guard_pair(guard, place);
	return count;
}

/* For these two: what they seldom have to do. */
void guard_next_bucket(struct guard *guard);
void guard_turn_window(struct guard *guard, struct guard_key *key);

/* Time that runs back stands still; the running bucket is of now. */
static inline void guard_clamp(struct guard *guard, uint64_t now_ns)
{
	if (guard->now_ns < now_ns)
		guard->now_ns = now_ns;
	if (guard->now_ns >= guard->number_ends_ns)
		guard_next_bucket(guard);
}

/* Its window is of now. */
static inline void guard_turn(struct guard *guard, struct guard_key *key)
{
	if (fast_is_behind(&key->window, guard->number))
		guard_turn_window(guard, key);
}

/* What is in its window. */
static inline void guard_sums(struct guard *guard, struct guard_key *key,
			      uint32_t *ret_sent, uint32_t *ret_heard)
{
	guard_turn(guard, key);
	fast_sums(&key->window, &key->history, ret_sent, ret_heard);
}

static inline void guard_add(struct guard *guard, struct guard_key *key,
			     uint32_t sent, uint32_t heard)
{
	guard_turn(guard, key);
	fast_add(&key->window, sent, heard);
	key->last_ns = guard->now_ns;
}

/* If `more` had been sent besides: is S above the threshold, and until when if
 * nothing is heard? */
bool guard_exceeds(struct guard *guard, struct guard_key *key, uint32_t more);
uint64_t guard_falls_ns(struct guard *guard, struct guard_key *key,
			uint32_t more);

#endif
