/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/tally.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "sim/tally_table.h"

enum {
	EXACT_KEYS_MAX = 1 << 28,
	OMITTED_BITS = 1 << 20, /* a power of two */
	RUNS_PER_KEY = 4,       /* on the average */
	QUEUE = 64,
};

/* A packet that its keys have yet to count. */
struct queued {
	struct flow_key flow;
	uint64_t hash, arrived_ns;
	uint32_t guess, up; /* slots of its flow and pair, perhaps */
	uint32_t wire_pkts;
	uint8_t direction;
};

struct tally {
	struct tally_config config;
	struct tally_table tables[FLOW_SCOPES];
	struct peak_budget budget;
	struct tally_summary summary;
	uint64_t omitted[OMITTED_BITS / 64]; /* by hash: keys without a place */
	size_t queued;
	struct queued queue[QUEUE];
};

static bool init_tables(struct tally *tally)
{
	const struct policy_limits *limits = &tally->config.policy->limits;
	const uint32_t max[FLOW_SCOPES] = { limits->flows, limits->pairs,
					    limits->hosts };
	uint8_t seed[16];
	bool good = getrandom(seed, sizeof(seed), 0) == sizeof(seed);

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		good &= tally_table_init(&tally->tables[scope],
					 tally->config.exact ? EXACT_KEYS_MAX
							     : max[scope],
					 seed);
	tally->budget.unlimited = tally->config.exact;
	tally->budget.runs =
		((uint64_t)limits->flows + limits->pairs + limits->hosts) *
		RUNS_PER_KEY;
	return good;
}

struct tally *tally_new(const struct tally_config *config)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return NULL;
	tally->config = *config;
	if (init_tables(tally))
		return tally;
	tally_free(tally);
	return NULL;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		struct tally_table *table = &tally->tables[scope];

		for (uint32_t i = 0; i < table->count; i++)
			peak_fini(&table->entries[i].peak, &tally->budget);
		tally_table_fini(table);
	}
	free(tally);
}

/* ------ keys */

static void note_omitted(struct tally *tally, uint64_t hash)
{
	uint64_t at = (hash >> 32) & (OMITTED_BITS - 1);
	uint64_t bit = UINT64_C(1) << (at % 64);

	if (tally->omitted[at / 64] & bit)
		return;
	tally->omitted[at / 64] |= bit;
	tally->summary.keys_omitted++;
}

static void widen(const struct tally *tally, const struct flow_key *flow,
		  enum flow_scope scope, struct flow_key *ret_key)
{
	flow_key_widen(flow, scope, ret_key);
	if (scope == FLOW_SCOPE_HOST)
		policy_host_of(tally->config.policy, flow->inside, NULL,
			       ret_key->inside);
}

static uint32_t add(struct tally *tally, const struct flow_key *key,
		    uint64_t hash)
{
	static const struct zone anywhere = { .name = "capture" };
	struct tally_table *table = &tally->tables[key->scope];
	uint32_t slot = tally_table_add(table, key, hash);
	struct policy_class class;

	if (slot == TALLY_NONE) {
		note_omitted(tally, hash);
		return TALLY_NONE;
	}
	policy_classify(tally->config.policy, key, &anywhere, &class);
	table->entries[slot].key.params = class.params;
	table->entries[slot].key.guarded = tally->config.guarded;
	tally->summary.keys[key->scope]++;
	return slot;
}

static uint32_t slot_of(struct tally *tally, const struct flow_key *key,
			uint64_t hash)
{
	uint32_t slot = tally_table_find(&tally->tables[key->scope], key, hash);

	return slot == TALLY_NONE ? add(tally, key, hash) : slot;
}

/* The slot of a flow's wider key, made when it is new. */
static uint32_t wider_slot_of(struct tally *tally, const struct flow_key *flow,
			      enum flow_scope scope)
{
	struct flow_key key;

	widen(tally, flow, scope, &key);
	return slot_of(tally, &key,
		       tally_table_hash(&tally->tables[scope], &key));
}

/* All three: a narrower key knows its wider one. */
static void find_keys(struct tally *tally, const struct flow_key *flow,
		      uint64_t hash,
		      struct tally_entry *ret_entries[FLOW_SCOPES])
{
	uint32_t slot = slot_of(tally, flow, hash);

	for (int scope = FLOW_SCOPE_FLOW; scope < FLOW_SCOPES; scope++) {
		struct tally_table *table = &tally->tables[scope];
		struct tally_entry *entry =
			slot == TALLY_NONE ? NULL : &table->entries[slot];

		ret_entries[scope] = entry;
		if (scope == FLOW_SCOPE_HOST)
			break;
		slot = entry ? entry->up : TALLY_NONE;
		if (slot != TALLY_NONE)
			continue;
		slot = wider_slot_of(tally, flow, (enum flow_scope)(scope + 1));
		if (entry)
			entry->up = slot;
	}
}

/* ------ observing */

static void count_kind(struct tally_summary *summary,
		       const struct replay_event *event)
{
	if (event->again)
		return;
	if (event->kind != PACKET_UNICAST)
		summary->kind_pkts[event->kind] += event->wire_pkts;
	else if (event->direction == FLOW_OUT)
		summary->out_pkts += event->wire_pkts;
	else
		summary->in_pkts += event->wire_pkts;
}

static void count(struct tally *tally, const struct queued *packet)
{
	struct tally_entry *entries[FLOW_SCOPES];
	bool out = packet->direction == FLOW_OUT;

	find_keys(tally, &packet->flow, packet->hash, entries);
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		struct tally_entry *entry = entries[scope];

		if (!entry)
			continue;
		*(out ? &entry->key.out_pkts : &entry->key.in_pkts) +=
			packet->wire_pkts;
		peak_add(&entry->peak, &tally->budget,
			 tally->config.policy->params[entry->key.params]
				 .window_ns,
			 out ? packet->wire_pkts : 0,
			 out ? 0 : packet->wire_pkts, packet->arrived_ns);
	}
}

/* As in the pump: each step fetches for many what the next one reads. */
static void count_queued(struct tally *tally)
{
	const struct tally_table *flows = &tally->tables[FLOW_SCOPE_FLOW];
	const struct tally_table *pairs = &tally->tables[FLOW_SCOPE_PAIR];
	const struct tally_table *hosts = &tally->tables[FLOW_SCOPE_HOST];
	size_t queued = tally->queued;

	for (size_t i = 0; i < queued; i++) {
		struct queued *packet = &tally->queue[i];

		packet->guess = tally_table_guess(flows, packet->hash);
		tally_table_prefetch_entry(flows, packet->guess);
	}
	for (size_t i = 0; i < queued; i++) {
		struct queued *packet = &tally->queue[i];

		packet->up = packet->guess == TALLY_NONE
				     ? TALLY_NONE
				     : flows->entries[packet->guess].up;
		tally_table_prefetch_entry(pairs, packet->up);
	}
	for (size_t i = 0; i < queued; i++) {
		uint32_t up = tally->queue[i].up;

		if (up < pairs->count)
			tally_table_prefetch_entry(hosts,
						   pairs->entries[up].up);
	}
	tally->queued = 0;
	for (size_t i = 0; i < queued; i++)
		count(tally, &tally->queue[i]);
}

static void captured(void *self, const struct replay_event *event)
{
	struct tally *tally = self;
	struct queued *packet = &tally->queue[tally->queued];

	count_kind(&tally->summary, event);
	if (event->kind != PACKET_UNICAST || tally->config.summary_only)
		return;
	packet->flow = event->flow;
	packet->hash =
		tally_table_hash(&tally->tables[FLOW_SCOPE_FLOW], &event->flow);
	packet->arrived_ns = event->arrived_ns;
	packet->wire_pkts = event->wire_pkts;
	packet->direction = event->direction;
	tally_table_prefetch(&tally->tables[FLOW_SCOPE_FLOW], packet->hash);
	if (++tally->queued == QUEUE)
		count_queued(tally);
}

static void hold(struct tally_held *held, const struct replay_event *event)
{
	uint64_t delay_ns = event->left_ns - event->arrived_ns;

	held->by_pkts[event->by] += event->wire_pkts;
	if (event->fate == REPLAY_DROPPED) {
		held->dropped_pkts += event->wire_pkts;
		return;
	}
	held->delayed_pkts += event->wire_pkts;
	held->delay_ns += delay_ns * event->wire_pkts;
	if (delay_ns > held->delay_max_ns)
		held->delay_max_ns = delay_ns;
}

static void note_held(struct tally *tally, const struct replay_event *event)
{
	struct tally_entry *entries[FLOW_SCOPES];

	if (event->kind != PACKET_UNICAST) {
		tally->summary.limited_pkts += event->wire_pkts;
		return;
	}
	hold(&tally->summary.held, event);
	if (tally->config.summary_only)
		return;
	find_keys(tally, &event->flow,
		  tally_table_hash(&tally->tables[FLOW_SCOPE_FLOW],
				   &event->flow),
		  entries);
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope])
			hold(&entries[scope]->key.held, event);
}

static void packet(void *self, const struct replay_event *event)
{
	struct tally *tally = self;

	switch ((enum replay_fate)event->fate) {
	case REPLAY_PASSED:
		break;
	case REPLAY_DELAYED:
	case REPLAY_DROPPED:
		note_held(tally, event);
		break;
	case REPLAY_FORGED:
		tally->summary.forged_pkts += event->wire_pkts;
		break;
	case REPLAY_TRANSIT:
		tally->summary.transit_pkts += event->wire_pkts;
		break;
	}
}

struct replay_observer tally_observer(struct tally *tally)
{
	return (struct replay_observer){
		.self = tally,
		.packet = packet,
		.captured = captured,
		.counts_only = tally->config.summary_only,
	};
}

const struct tally_summary *tally_summary(struct tally *tally)
{
	count_queued(tally);
	return &tally->summary;
}

const struct tally_table *tally_table(struct tally *tally,
				      enum flow_scope scope)
{
	count_queued(tally);
	return &tally->tables[scope];
}
