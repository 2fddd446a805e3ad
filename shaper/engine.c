/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/pages.h"
#include "policy/zones.h"
#include "shaper/expected.h"

enum { OUTSIDE_SHARE = 8 }; /* keys made from outside: an eighth on top */

/* 2^-1/2 and 2^-1 in fixed point */
enum { NEAR_Q16 = 46341, FAR_Q16 = 32768 };

static void load_params(struct engine *engine, const struct policy *policy)
{
	assert(policy->params_count >= 1 &&
	       policy->params_count <= ENGINE_PARAMS_MAX);
	/* An index that an earlier policy gave means the default now. */
	for (size_t i = 0; i < ENGINE_PARAMS_MAX; i++) {
		const struct gate_params *gate =
			&policy->params[i < policy->params_count ? i : 0];
		uint64_t ratio = gate->ratio_q16;

		engine->params[i] = (struct engine_params){
			.gate = *gate,
			.near_q16 = (uint32_t)(ratio * NEAR_Q16 >> 16),
			.far_q16 = (uint32_t)(ratio * FAR_Q16 >> 16),
		};
	}
}

static bool init_table(struct engine *engine, enum flow_scope scope,
		       uint32_t max, const uint8_t seed[16])
{
	uint32_t outside_max = max / OUTSIDE_SHARE + 1;
	uint32_t capacity = max + outside_max;

	if (scope == FLOW_SCOPE_HOST)
		capacity++;
	engine->inside_max[scope] = max;
	engine->outside_max[scope] = outside_max;
	return flowtable_init(&engine->tables[scope], capacity, seed);
}

static void add_shared_host(struct engine *engine)
{
	struct flowtable *hosts = &engine->tables[FLOW_SCOPE_HOST];
	struct flow_key key = { .zone = UINT16_MAX, .scope = FLOW_SCOPE_HOST };
	uint32_t slot = flowtable_add(hosts, &key, flowtable_hash(hosts, &key));

	assert(slot == ENGINE_HOST_SHARED);
	(void)slot;
}

static size_t hosts_bytes(const struct engine *engine)
{
	return engine->hosts_count * sizeof(*engine->hosts);
}

static size_t credits_bytes(const struct engine *engine)
{
	return engine->tables[FLOW_SCOPE_PAIR].capacity *
	       sizeof(*engine->credits);
}

static size_t media_bytes(const struct engine *engine)
{
	return engine->tables[FLOW_SCOPE_FLOW].capacity *
	       sizeof(*engine->media);
}

static size_t held_below_bytes(const struct engine *engine)
{
	return engine->tables[FLOW_SCOPE_PAIR].capacity *
	       sizeof(*engine->held_below);
}

bool engine_init(struct engine *engine, const struct policy *policy,
		 struct zones *zones, const uint8_t seed[16], bool exact)
{
	const struct policy_limits *limits = &policy->limits;

	*engine = (struct engine){
		.policy = policy,
		.zones = zones,
		.exact = exact,
	};
	engine->has_rates = policy_wants_rate(policy);
	load_params(engine, policy);
	if (!init_table(engine, FLOW_SCOPE_FLOW, limits->flows, seed) ||
	    !init_table(engine, FLOW_SCOPE_PAIR, limits->pairs, seed) ||
	    !init_table(engine, FLOW_SCOPE_HOST, limits->hosts, seed))
		goto fail;
	engine->per_host_max[FLOW_SCOPE_FLOW] = limits->flows_per_host;
	engine->per_host_max[FLOW_SCOPE_PAIR] = limits->pairs_per_host;
	engine->hosts_count = engine->tables[FLOW_SCOPE_HOST].capacity;
	engine->hosts = pages_reserve(hosts_bytes(engine));
	if (!engine->hosts ||
	    !suspects_init(&engine->suspects, limits->suspects,
			   engine->hosts_count))
		goto fail;
	engine->fifo_links = calloc(suspects_ids(&engine->suspects),
				    sizeof(*engine->fifo_links));
	if (!engine->fifo_links)
		goto fail;
	engine->credits = pages_reserve(credits_bytes(engine));
	engine->media = pages_reserve(media_bytes(engine));
	engine->held_below = pages_reserve(held_below_bytes(engine));
	engine->expected = calloc(1, sizeof(*engine->expected));
	if (!engine->credits || !engine->media || !engine->held_below ||
	    !engine->expected)
		goto fail;
	add_shared_host(engine);
	return true;
fail:
	engine_fini(engine);
	return false;
}

void engine_fini(struct engine *engine)
{
	pages_release(engine->hosts, hosts_bytes(engine));
	pages_release(engine->credits, credits_bytes(engine));
	pages_release(engine->media, media_bytes(engine));
	pages_release(engine->held_below, held_below_bytes(engine));
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		flowtable_fini(&engine->tables[scope]);
	suspects_fini(&engine->suspects);
	free(engine->fifo_links);
	free(engine->expected);
	engine->credits = NULL;
	engine->held_below = NULL;
	engine->media = NULL;
	engine->hosts = NULL;
	engine->fifo_links = NULL;
	engine->expected = NULL;
}

size_t engine_bytes(const struct engine *engine)
{
	size_t bytes =
		suspects_bytes(&engine->suspects) +
		suspects_ids(&engine->suspects) * sizeof(*engine->fifo_links) +
		hosts_bytes(engine) + credits_bytes(engine) +
		media_bytes(engine) + held_below_bytes(engine) +
		sizeof(*engine->expected);

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		bytes += flowtable_bytes(&engine->tables[scope]);
	return bytes;
}

static bool is_exempted(const struct engine *engine, const struct flow_key *key)
{
	for (uint32_t i = 0; i < engine->exemptions_count; i++) {
		const uint8_t *address = engine->exemptions[i].address;

		if (memcmp(key->inside, address, 16) == 0 ||
		    (key->scope != FLOW_SCOPE_HOST &&
		     memcmp(key->outside, address, 16) == 0))
			return true;
	}
	return false;
}

/* A host without a place shares what the policy gives to one. */
static void classify_host(const struct engine *engine,
			  const struct flow_entry *entry,
			  const struct zone *zone)
{
	struct engine_host *host = &engine->hosts[engine_slot(engine, entry)];
	const struct policy *policy = engine->policy;
	const struct policy_vif *vif = policy_vif_of(policy, zone->interface);
	const struct policy_binding *binding =
		policy_binding_of(policy, entry->key.inside, zone);

	host->rate = binding && binding->has_rate ? binding->rate
						  : policy->rate;
	host->holds_slots = vif && (vif->way == POLICY_WAY_QUEUE ||
				    vif->way == POLICY_WAY_RING);
}

/* On its guest's ring: what comes from there has waited, and is counted. */
static bool is_held_before(const struct engine *engine, const struct zone *zone)
{
	const struct policy_vif *vif =
		policy_vif_of(engine->policy, zone->interface);

	return vif != NULL && vif->way == POLICY_WAY_NETBACK;
}

void engine_classify(const struct engine *engine, struct flow_entry *entry)
{
	const struct zone *zone = zones_get(engine->zones, entry->key.zone);
	struct policy_class class;

	policy_classify(engine->policy, &entry->key, zone, &class);
	if (entry->key.scope == FLOW_SCOPE_HOST)
		classify_host(engine, entry, zone);
	entry->flags &= (uint8_t)~FLOW_ENTRY_EXEMPT;
	if (class.exempt || is_exempted(engine, &entry->key) ||
	    is_held_before(engine, zone))
		entry->flags |= FLOW_ENTRY_EXEMPT;
	entry->params = (uint8_t) class.params;
	entry->generation = engine->generation;
}

static void classify_all(struct engine *engine)
{
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		struct flowtable *table = &engine->tables[scope];

		for (uint32_t slot = 0; slot < table->fresh; slot++)
			if (flowtable_in_use(table, slot))
				engine_classify(engine,
						flowtable_entry(table, slot));
	}
}

/*
 * A generation has 8 bits: before it comes round again, nobody may be left who
 * still bears it.  The sweep sees to that, in small steps; only who changes
 * something 255 times within one pass of it, some 26 s, waits for all of them.
 */
void engine_reclassify(struct engine *engine)
{
	bool comes_round = false;

	engine->generation++;
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		comes_round |= engine->generation == engine->oldest[scope];
	if (!comes_round)
		return;
	classify_all(engine);
	memset(engine->oldest, engine->generation, sizeof(engine->oldest));
	memset(engine->begun, engine->generation, sizeof(engine->begun));
}

void engine_set_policy(struct engine *engine, const struct policy *policy)
{
	engine->policy = policy;
	engine->has_rates = policy_wants_rate(policy);
	load_params(engine, policy);
	engine->per_host_max[FLOW_SCOPE_FLOW] = policy->limits.flows_per_host;
	engine->per_host_max[FLOW_SCOPE_PAIR] = policy->limits.pairs_per_host;
	engine_reclassify(engine);
}
