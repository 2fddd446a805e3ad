/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_table.h"

#include <stdlib.h>
#include <string.h>

/* A slot is not used again before each processor has let go of it. */
enum { REST_NS = 10000000 };

uint32_t fasttable_slots_for(uint64_t memory_bytes)
{
	const uint64_t slot_bytes = FAST_ELEMENTS * sizeof(struct fast_slot);
	uint32_t slots = FASTTABLE_USUAL;

	while (slots > FASTTABLE_LEAST && slots * slot_bytes > memory_bytes / 8)
		slots /= 2;
	return slots;
}

bool fasttable_init(struct fasttable *table, struct fast_slot *slots,
		    uint32_t count, uint64_t k0, uint64_t k1)
{
	*table = (struct fasttable){
		.slots = slots,
		.count = count,
		.own = calloc(count, sizeof(*table->own)),
		.pairs = calloc((count + 63) / 64, sizeof(*table->pairs)),
		.rests_first = FASTTABLE_NONE,
	};
	fast_multipliers_init(&table->multipliers, k0, k1);
	if (table->own != NULL && table->pairs != NULL)
		return true;
	fasttable_fini(table);
	return false;
}

void fasttable_fini(struct fasttable *table)
{
	free(table->own);
	free(table->pairs);
	table->own = NULL;
	table->pairs = NULL;
}

void fasttable_set_zones(struct fasttable *table,
			 const uint16_t zones[FAST_INTERFACES])
{
	memcpy(table->zones, zones, sizeof(table->zones));
	table->zones_count = FAST_INTERFACES;
	memset(table->places, 0, sizeof(table->places));
	for (uint32_t i = FAST_INTERFACES; i-- > 0;)
		if (zones[i] < ZONES_MAX)
			table->places[zones[i]] = (uint16_t)(i + 1);
}

/* false: the program knows no such zone. */
static bool key_of(const struct fasttable *table, const struct flow_key *flow,
		   struct fast_key *ret_key)
{
	fast_key_of(flow, ret_key);
	if (table->zones_count == 0)
		return true;
	if (flow->zone >= ZONES_MAX || table->places[flow->zone] == 0)
		return false;
	ret_key->zone = table->places[flow->zone] - 1;
	return true;
}

static bool is_own(const struct fasttable *table, uint32_t at)
{
	return table->own == NULL || table->own[at].mine;
}

uint32_t fasttable_next_pair(const struct fasttable *table, uint32_t from,
			     uint32_t end)
{
	while (from < end) {
		uint64_t left = table->pairs[from / 64] >> from % 64;

		if (left != 0) {
			from += (uint32_t)__builtin_ctzll(left);
			return from < end ? from : end;
		}
		from = (from | 63) + 1;
	}
	return end;
}

static uint32_t home_of(const struct fasttable *table,
			const struct fast_key *key, uint8_t kind)
{
	uint64_t hash = fast_hash_pair(&table->multipliers, key);

	if (kind == FAST_FLOW)
		hash = fast_hash_flow(&table->multipliers, hash, key);
	return (uint32_t)(hash >> 32) & (table->count - 1);
}

/* Whose it is is asked last: what is ours has stood still all the while. */
static uint32_t find(const struct fasttable *table, const struct fast_key *key,
		     uint8_t kind)
{
	uint32_t home = home_of(table, key, kind);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t at = (home + i) & (table->count - 1);
		const struct fast_slot *slot = &table->slots[at];

		if (fast_slot_is(slot, kind, key) &&
		    (kind == FAST_PAIR || fast_slot_has(slot, key)) &&
		    is_own(table, at))
			return at;
		if (!__atomic_load_n(&slot->passed_on, __ATOMIC_RELAXED))
			break;
	}
	return FASTTABLE_NONE;
}

uint32_t fasttable_find(const struct fasttable *table,
			const struct flow_key *flow)
{
	struct fast_key key;
	uint32_t pair;

	if (!key_of(table, flow, &key))
		return FASTTABLE_NONE;
	pair = find(table, &key, FAST_PAIR);
	if (pair == FASTTABLE_NONE || flow->scope == FLOW_SCOPE_PAIR ||
	    fast_slot_has(&table->slots[pair], &key))
		return pair;
	return find(table, &key, FAST_FLOW);
}

static void key_at(const struct fast_slot *slot, struct fast_key *ret_key)
{
	*ret_key = (struct fast_key){
		.inside = { slot->inside[0], slot->inside[1] },
		.outside = { slot->outside[0], slot->outside[1] },
		.ports = slot->ports,
		.zone = slot->zone,
		.proto = slot->proto,
	};
}

void fasttable_key(const struct fasttable *table, uint32_t at,
		   enum flow_scope scope, struct flow_key *ret_key)
{
	const struct fast_slot *slot = &table->slots[at];
	struct flow_key key = { .zone = slot->zone, .scope = (uint8_t)scope };

	if (slot->zone < table->zones_count)
		key.zone = table->zones[slot->zone];

	memcpy(key.inside, slot->inside, sizeof(key.inside));
	memcpy(key.outside, slot->outside, sizeof(key.outside));
	if (scope == FLOW_SCOPE_FLOW) {
		key.inside_port = (uint16_t)slot->ports;
		key.outside_port = (uint16_t)(slot->ports >> 16);
		key.proto = slot->proto;
	}
	*ret_key = key;
}

static void clear_flow(struct fast_slot *slot)
{
	slot->flow = (struct fast_window){ 0 };
	slot->segment_bytes = 0;
	slot->sent_end = slot->acked = 0;
	slot->flow_ratio_q16 = 0;
}

static void put_flow(struct fast_slot *slot, const struct fast_key *key)
{
	clear_flow(slot);
	slot->ports = key->ports;
	slot->proto = key->proto;
	__atomic_store_n(&slot->has_flow, 1, __ATOMIC_RELEASE);
}

/* The key is there for the program from the moment that the kind is. */
static void put(struct fast_slot *slot, const struct fast_key *key,
		uint8_t kind, uint32_t span_64ns)
{
	memcpy(slot->inside, key->inside, sizeof(slot->inside));
	memcpy(slot->outside, key->outside, sizeof(slot->outside));
	slot->zone = key->zone;
	slot->span_64ns = span_64ns;
	slot->pair = (struct fast_window){ 0 };
	slot->ratio_q16 = slot->state = slot->heard_pkts = 0;
	slot->link = FAST_LINK_NONE;
	slot->has_flow = slot->proto = 0;
	slot->ports = 0;
	clear_flow(slot);
	if (kind == FAST_FLOW)
		put_flow(slot, key);
	__atomic_store_n(&slot->kind, kind, __ATOMIC_RELEASE);
}

/* One more key, or one less, stands further on. */
static void pass_on(struct fasttable *table, uint32_t at, uint8_t by)
{
	__atomic_fetch_add(&table->slots[at & (table->count - 1)].passed_on, by,
			   __ATOMIC_RELAXED);
}

static bool take(struct fast_slot *slot)
{
	uint8_t kind = FAST_FREE;

	return __atomic_compare_exchange_n(&slot->kind, &kind, FAST_TAKEN,
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* They rest for equally long, so who came first is free first. */
static void let_rest(struct fasttable *table, uint32_t at, uint64_t now_ns)
{
	struct fasttable_own *own = &table->own[at];

	own->rests_ns = now_ns + REST_NS;
	own->next = FASTTABLE_NONE;
	if (table->rests_first == FASTTABLE_NONE)
		table->rests_first = at;
	else
		table->own[table->rests_last].next = at;
	table->rests_last = at;
}

void fasttable_advance(struct fasttable *table, uint64_t now_ns)
{
	while (table->rests_first != FASTTABLE_NONE) {
		uint32_t at = table->rests_first;
		struct fasttable_own *own = &table->own[at];

		if (own->rests_ns > now_ns)
			return;
		table->rests_first = own->next;
		own->mine = false;
		__atomic_store_n(&table->slots[at].kind, FAST_FREE,
				 __ATOMIC_RELEASE);
	}
}

static uint32_t add(struct fasttable *table, const struct fast_key *key,
		    uint8_t kind, uint32_t span_64ns, uint64_t now_ns)
{
	uint32_t home = home_of(table, key, kind);

	fasttable_advance(table, now_ns);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t at = (home + i) & (table->count - 1);

		if (!take(&table->slots[at]))
			continue;
		put(&table->slots[at], key, kind, span_64ns);
		table->own[at] = (struct fasttable_own){ .mine = true };
		while (i-- > 0)
			pass_on(table, home + i, 1);
		return at;
	}
	return FASTTABLE_NONE;
}

uint32_t fasttable_add_pair(struct fasttable *table, const struct flow_key *key,
			    uint32_t span_64ns, uint64_t now_ns)
{
	struct fast_key pair;
	uint32_t at;

	if (!key_of(table, key, &pair))
		return FASTTABLE_NONE;
	at = add(table, &pair, FAST_PAIR, span_64ns, now_ns);
	if (at != FASTTABLE_NONE)
		table->pairs[at / 64] |= UINT64_C(1) << at % 64;
	return at;
}

uint32_t fasttable_add_flow(struct fasttable *table, const struct flow_key *key,
			    uint32_t pair, uint64_t now_ns)
{
	struct fast_slot *slot = &table->slots[pair];
	struct fast_key flow;

	if (!key_of(table, key, &flow))
		return FASTTABLE_NONE;
	if (slot->has_flow || table->own[pair].flow_rests_ns > now_ns)
		return add(table, &flow, FAST_FLOW, slot->span_64ns, now_ns);
	put_flow(slot, &flow);
	return pair;
}

static void erase(struct fasttable *table, uint32_t at, uint64_t now_ns)
{
	struct fast_slot *slot = &table->slots[at];
	struct fast_key key;
	uint32_t home;

	key_at(slot, &key);
	home = home_of(table, &key, slot->kind);
	__atomic_store_n(&slot->kind, FAST_TAKEN, __ATOMIC_RELEASE);
	let_rest(table, at, now_ns);
	for (; home != at; home = (home + 1) & (table->count - 1))
		pass_on(table, home, UINT8_MAX);
}

void fasttable_erase_pair(struct fasttable *table, uint32_t at, uint64_t now_ns)
{
	table->pairs[at / 64] &= ~(UINT64_C(1) << at % 64);
	erase(table, at, now_ns);
}

void fasttable_erase_flow(struct fasttable *table, uint32_t at, uint64_t now_ns)
{
	struct fast_slot *slot = &table->slots[at];

	if (slot->kind == FAST_FLOW) {
		erase(table, at, now_ns);
		return;
	}
	__atomic_store_n(&slot->has_flow, 0, __ATOMIC_RELEASE);
	table->own[at].flow_rests_ns = now_ns + REST_NS;
}

struct fast_window *fasttable_window(const struct fasttable *table, uint32_t at,
				     enum flow_scope scope,
				     struct fast_history **ret_history)
{
	bool of_flow = scope == FLOW_SCOPE_FLOW;
	/* Elements of one map. */
	void *history =
		&table->slots[fast_history_index(table->count, at, of_flow)];

	*ret_history = history;
	return of_flow ? &table->slots[at].flow : &table->slots[at].pair;
}
