/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_table.h"

#include <stdlib.h>
#include <string.h>

/* A slot is not used again before each processor has let go of it. */
enum { REST_NS = 10000000 };

bool fasttable_init(struct fasttable *table, struct fast_slot *slots,
		    uint32_t count, uint64_t k0, uint64_t k1)
{
	*table = (struct fasttable){
		.slots = slots,
		.count = count,
		.rests = calloc(count, sizeof(*table->rests)),
	};
	fast_multipliers_init(&table->multipliers, k0, k1);
	return table->rests != NULL;
}

void fasttable_fini(struct fasttable *table)
{
	free(table->rests);
}

static uint32_t home_of(const struct fasttable *table,
			const struct fast_key *key, uint8_t kind)
{
	uint64_t hash = fast_hash_pair(&table->multipliers, key);

	if (kind == FAST_FLOW)
		hash = fast_hash_flow(&table->multipliers, hash, key);
	return (uint32_t)(hash >> 32) & (table->count - 1);
}

static uint32_t find(const struct fasttable *table, const struct fast_key *key,
		     uint8_t kind)
{
	uint32_t home = home_of(table, key, kind);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t at = (home + i) & (table->count - 1);
		const struct fast_slot *slot = &table->slots[at];

		if (fast_slot_is(slot, kind, key) &&
		    (kind == FAST_PAIR || fast_slot_has(slot, key)))
			return at;
		if (!slot->passed_on)
			break;
	}
	return FASTTABLE_NONE;
}

uint32_t fasttable_find(const struct fasttable *table,
			const struct flow_key *flow)
{
	struct fast_key key;
	uint32_t pair;

	fast_key_of(flow, &key);
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

	memcpy(key.inside, slot->inside, sizeof(key.inside));
	memcpy(key.outside, slot->outside, sizeof(key.outside));
	if (scope == FLOW_SCOPE_FLOW) {
		key.inside_port = (uint16_t)slot->ports;
		key.outside_port = (uint16_t)(slot->ports >> 16);
		key.proto = slot->proto;
	}
	*ret_key = key;
}

static void put_flow(struct fast_slot *slot, const struct fast_key *key)
{
	slot->flow = (struct fast_window){ 0 };
	slot->segment_bytes = 0;
	slot->sent_end = slot->acked = 0;
	slot->flow_ratio_q16 = 0;
	slot->ports = key->ports;
	slot->proto = key->proto;
	__atomic_store_n(&slot->has_flow, 1, __ATOMIC_RELEASE);
}

/* The key is there for the program from the moment that the kind is. */
static void put(struct fast_slot *slot, const struct fast_key *key,
		uint8_t kind, uint32_t span_64ns)
{
	const struct fast_slot fresh = {
		.inside = { key->inside[0], key->inside[1] },
		.outside = { key->outside[0], key->outside[1] },
		.zone = key->zone,
		.passed_on = slot->passed_on,
		.span_64ns = span_64ns,
	};

	*slot = fresh;
	if (kind == FAST_FLOW)
		put_flow(slot, key);
	__atomic_store_n(&slot->kind, kind, __ATOMIC_RELEASE);
}

static uint32_t add(struct fasttable *table, const struct fast_key *key,
		    uint8_t kind, uint32_t span_64ns, uint64_t now_ns)
{
	uint32_t home = home_of(table, key, kind);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t at = (home + i) & (table->count - 1);

		if (table->slots[at].kind != FAST_FREE ||
		    table->rests[at].slot_ns > now_ns)
			continue;
		put(&table->slots[at], key, kind, span_64ns);
		while (i-- > 0)
			table->slots[(home + i) & (table->count - 1)]
				.passed_on++;
		return at;
	}
	return FASTTABLE_NONE;
}

uint32_t fasttable_add_pair(struct fasttable *table, const struct flow_key *key,
			    uint32_t span_64ns, uint64_t now_ns)
{
	struct fast_key pair;

	fast_key_of(key, &pair);
	return add(table, &pair, FAST_PAIR, span_64ns, now_ns);
}

uint32_t fasttable_add_flow(struct fasttable *table, const struct flow_key *key,
			    uint32_t pair, uint64_t now_ns)
{
	struct fast_slot *slot = &table->slots[pair];
	struct fast_key flow;

	fast_key_of(key, &flow);
	if (slot->has_flow || table->rests[pair].flow_ns > now_ns)
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
	__atomic_store_n(&slot->kind, FAST_FREE, __ATOMIC_RELEASE);
	table->rests[at] = (struct fasttable_rest){ now_ns + REST_NS, 0 };
	for (; home != at; home = (home + 1) & (table->count - 1))
		table->slots[home].passed_on--;
}

void fasttable_erase_pair(struct fasttable *table, uint32_t at, uint64_t now_ns)
{
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
	table->rests[at].flow_ns = now_ns + REST_NS;
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
