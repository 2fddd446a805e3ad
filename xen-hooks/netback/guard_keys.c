/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard_keys.h"

#include "flowtable/siphash.h"
#include "shaper/asym.h"

#define MINUTE_NS UINT64_C(60000000000)

/* ------ finding */

enum { KEY_WORDS = 5 };
_Static_assert(sizeof(struct flow_key) == KEY_WORDS * sizeof(uint64_t),
	       "all of it is compared");

/* One by one: a kernel that initializes its stack, and watches over it, does so
 * for each array. */
static inline uint64_t word(const struct flow_key *key, uint32_t at)
{
	uint64_t value;

	__builtin_memcpy(&value, (const uint8_t *)key + at * sizeof(value),
			 sizeof(value));
	return value;
}

static inline uint64_t differ(const struct flow_key *a,
			      const struct flow_key *b, uint32_t at)
{
	return word(a, at) ^ word(b, at);
}

/* From its end on, where most differ. */
static inline bool is_key(const struct guard_key *found,
			  const struct flow_key *key)
{
	if ((differ(&found->key, key, 4) | differ(&found->key, key, 3)) != 0)
		return false;
	return (differ(&found->key, key, 2) | differ(&found->key, key, 1) |
		differ(&found->key, key, 0)) == 0 &&
	       found->last_ns != 0;
}

/* Most packets are of a few keys, which are found without the hash that nobody
 * can foresee.  Whose keys share places here has that to pay. */
static inline uint32_t recent_place(const struct flow_key *key)
{
	uint64_t mixed = word(key, 0) ^ word(key, 1) ^ word(key, 2) ^
			 word(key, 3);

	mixed = (mixed ^ mixed >> 32 ^ word(key, 4)) *
		UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(mixed >> (64 - GUARD_RECENT_BITS));
}

static uint32_t first_way(const struct guard *guard, const struct flow_key *key)
{
	struct siphash state;

	siphash_init(&state, guard->seed[0], guard->seed[1]);
	for (uint32_t i = 0; i < KEY_WORDS; i++)
		siphash_word(&state, word(key, i));
	return (uint32_t)siphash_finish(state) & (guard->keys_count - 1) &
	       ~(uint32_t)(GUARD_WAYS - 1);
}

static uint32_t find_from(const struct guard *guard, uint32_t first,
			  const struct flow_key *key)
{
	for (uint32_t at = first; at < first + GUARD_WAYS; at++)
		if (is_key(&guard->keys[at], key))
			return at;
	return GUARD_NONE;
}

uint32_t guard_at(const struct guard *guard, const struct flow_key *key)
{
	uint32_t at = guard->recent[recent_place(key)];

	return is_key(&guard->keys[at], key)
		       ? at
		       : find_from(guard, first_way(guard, key), key);
}

struct guard_key *guard_find(struct guard *guard, const struct flow_key *key)
{
	uint32_t at = guard_at(guard, key);

	return at != GUARD_NONE ? &guard->keys[at] : (struct guard_key *)0;
}

/* ------ making room */

/* Nothing of it is in the window, the running bucket included, nor among its
 * connections. */
static bool is_empty(const struct guard *guard, const struct guard_key *key)
{
	const uint64_t paced_ns = (uint64_t)PACER_SLOTS * PACER_SLOT_NS;
	uint64_t kept_ns = (uint64_t)guard->span_64ns * (FAST_SPANS + 2)
			   << FAST_SPAN_SHIFT;

	if (kept_ns < paced_ns)
		kept_ns = paced_ns;
	return key->waiting_pkts == 0 &&
	       key->last_ns + kept_ns <= guard->now_ns;
}

/* A flow that was made for what did not leave: no number of them takes the
 * places of others. */
static bool is_unused(const struct guard_key *key)
{
	const struct fast_window *window = &key->window;

	return key->waiting_pkts == 0 &&
	       fast_bucket_sent(window->running) == 0 &&
	       fast_bucket_heard(window->running) == 0 && window->sent == 0 &&
	       window->heard == 0;
}

static bool may_forget(const struct guard *guard, const struct guard_key *key,
		       bool crowded, bool *ret_early)
{
	*ret_early = false;
	if (crowded && key->key.scope == FLOW_SCOPE_FLOW && is_unused(key))
		return true;
	if (!is_empty(guard, key))
		return false;
	return key->key.scope == FLOW_SCOPE_FLOW ||
	       credit_may_forget(&key->pair.credit, &guard->params.credit,
				 guard->params.first_contacts_per_s > 0,
				 crowded, guard->now_ns, ret_early);
}

/* Whom a new key may displace: the first that there is. */
enum room {
	ROOM_UNSPENT,    /* forgotten before its minute is over */
	ROOM_NEVER_SENT, /* its guest never used it */
	ROOM_EMPTY,      /* forgotten although it spent of its patience */
	ROOMS
};

static enum room room_of(const struct guard *guard, const struct guard_key *key)
{
	bool early;

	if (may_forget(guard, key, true, &early))
		return ROOM_UNSPENT;
	if (key->flags & GUARD_OUTSIDE)
		return ROOM_NEVER_SENT;
	return is_empty(guard, key) ? ROOM_EMPTY : ROOMS;
}

/* Nobody gains patience by being forgotten: for a minute no new one has any. */
static uint32_t displace(struct guard *guard, const uint32_t oldest[ROOMS])
{
	for (int room = 0; room < ROOMS; room++) {
		const struct guard_key *key;

		if (oldest[room] == GUARD_NONE)
			continue;
		key = &guard->keys[oldest[room]];
		if (key->key.scope == FLOW_SCOPE_PAIR &&
		    !(key->flags & GUARD_OUTSIDE))
			guard->forgot_until_ns = guard->now_ns + MINUTE_NS;
		return oldest[room];
	}
	return GUARD_NONE;
}

/* Where a new key may stand: what is free; else, for the guest's own, in the
 * place of the oldest that may be displaced. */
static uint32_t room_from(struct guard *guard, uint32_t first, bool outside)
{
	uint32_t oldest[ROOMS] = { GUARD_NONE, GUARD_NONE, GUARD_NONE };
	bool early;

	for (uint32_t at = first; at < first + GUARD_WAYS; at++) {
		const struct guard_key *key = &guard->keys[at];
		enum room room;

		if (key->last_ns == 0 || may_forget(guard, key, false, &early))
			return at;
		room = room_of(guard, key);
		if (room != ROOMS &&
		    (oldest[room] == GUARD_NONE ||
		     key->last_ns < guard->keys[oldest[room]].last_ns))
			oldest[room] = at;
	}
	return outside ? GUARD_NONE : displace(guard, oldest);
}

/* The packet's other key takes no place from this one. */
static inline void use(const struct guard *guard, struct guard_key *key,
		       bool outside)
{
	key->last_ns = guard->now_ns;
	if (!outside)
		key->flags &= (uint8_t)~GUARD_OUTSIDE;
}

static __attribute__((__noinline__)) uint32_t
find_or_make(struct guard *guard, const struct flow_key *key, bool outside)
{
	uint32_t first = first_way(guard, key);
	uint32_t at = find_from(guard, first, key);

	if (at == GUARD_NONE) {
		at = room_from(guard, first, outside);
		if (at == GUARD_NONE)
			return GUARD_NONE;
		if (guard->keys[at].last_ns == 0)
			guard->counters[GUARD_keys]++;
		guard->keys[at] = (struct guard_key){
			.key = *key,
			.flags = outside ? GUARD_OUTSIDE : 0,
		};
	}
	guard->recent[recent_place(key)] = at;
	use(guard, &guard->keys[at], outside);
	return at;
}

uint32_t guard_make(struct guard *guard, const struct flow_key *key,
		    bool outside)
{
	uint32_t at = guard->recent[recent_place(key)];

	if (!is_key(&guard->keys[at], key))
		return find_or_make(guard, key, outside);
	use(guard, &guard->keys[at], outside);
	return at;
}

/* ------ windows */

/* A division. */
void guard_next_bucket(struct guard *guard)
{
	guard->number = fast_number(guard->span_64ns, guard->now_ns);
	guard->number_ends_ns = (guard->number + 1) * guard->span_64ns
				<< FAST_SPAN_SHIFT;
}

void guard_turn_window(struct guard *guard, struct guard_key *key)
{
	fast_turn(&key->window, &key->history, guard->number);
}

bool guard_exceeds(struct guard *guard, struct guard_key *key, uint32_t more)
{
	uint32_t sent, heard;

	guard_sums(guard, key, &sent, &heard);
	return asym_exceeds(sent + more, heard, guard->params.gate.ratio_q16);
}

uint64_t guard_falls_ns(struct guard *guard, struct guard_key *key,
			uint32_t more)
{
	uint64_t number = guard->number;
	uint32_t sent, heard, age;

	guard_sums(guard, key, &sent, &heard);
	for (age = FAST_SPANS; age > 0; age--) {
		uint64_t bucket =
			fast_older(&key->window, &key->history, number, age);

		sent -= fast_bucket_sent(bucket);
		heard -= fast_bucket_heard(bucket);
		if (!asym_exceeds(sent + more, heard,
				  guard->params.gate.ratio_q16))
			break;
	}
	return (number - age + FAST_SPANS + 1) * guard->span_64ns
	       << FAST_SPAN_SHIFT;
}
