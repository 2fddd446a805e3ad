/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done now and then: forgetting, taking back, noticing one-sidedness.
 */
#include "policy/zones.h"
#include "shaper/expected.h"
#include "shaper/pump_state.h"

enum {
	/* In so many times PUMP_UPKEEP_NS every entry, every suspect is looked
	 * at once.  In large tables that is done in more, smaller steps, so
	 * that no packet waits for it long. */
	TABLE_ROUNDS = 256,
	SUSPECT_ROUNDS = 16,
	LARGE_ENTRIES = 65536,
	LARGE_STEPS = 20,
	CROWDED_SHARE = 4, /* with less than 1/4 free, four times as often */
	SIDES_PERIOD_NS = 2000000000,
	UNHEARD_MIN = 8,   /* packets of answered connections, nothing heard */
	HEARD_SHARE = 100, /* one-sided: less than 1 in for 100 out */
	HEARD_HOSTS_SHARE = 10,
};

static uint32_t rounds_of(const struct pump *pump)
{
	const struct flowtable *tables = pump->engine.tables;

	return tables[FLOW_SCOPE_FLOW].fresh + tables[FLOW_SCOPE_PAIR].fresh <=
			       LARGE_ENTRIES
		       ? 1
		       : LARGE_STEPS;
}

static void sweep_tables(struct pump *pump, uint32_t rounds)
{
	struct engine *engine = &pump->engine;

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		const struct flowtable *table = &engine->tables[scope];
		uint32_t steps = table->fresh / (TABLE_ROUNDS * rounds) + 16;

		if (table->used > table->capacity - table->capacity / 4)
			steps *= CROWDED_SHARE;
		engine_sweep(engine, (enum flow_scope)scope, steps,
			     pump->now_ns);
	}
}

static void take_back_suspects(struct pump *pump, uint32_t rounds)
{
	struct engine *engine = &pump->engine;
	struct suspects *suspects = &engine->suspects;

	for (uint32_t i = suspects->fresh / (SUSPECT_ROUNDS * rounds) + 1;
	     i > 0 && suspects->fresh > 1; i--) {
		if (++suspects->hand >= suspects->fresh)
			suspects->hand = 1;
		if (suspects_get(suspects, suspects->hand)->scope !=
		    FLOW_SCOPES)
			engine_absolve(engine, suspects->hand, pump->now_ns);
	}
}

static void end_exemptions(struct pump *pump)
{
	struct engine *engine = &pump->engine;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < engine->exemptions_count; i++)
		if (engine->exemptions[i].until_ns > pump->now_ns)
			engine->exemptions[kept++] = engine->exemptions[i];
	if (kept == engine->exemptions_count)
		return;
	engine->exemptions_count = kept;
	engine_reclassify(engine);
}

#define ACCEPTED_COUNTS_NS 600000000000u

/* Is at least one in ten of the hosts that send answered?  Looks at all of
 * them: only when everything else speaks for one-sidedness. */
static bool hosts_hear(struct pump *pump)
{
	struct engine *engine = &pump->engine;
	const struct flowtable *hosts = &engine->tables[FLOW_SCOPE_HOST];
	uint32_t answered = 0, all = 0;

	for (uint32_t slot = 0; slot < hosts->fresh; slot++) {
		uint32_t sent, heard;

		if (!flowtable_in_use(hosts, slot))
			continue;
		engine_sums(engine, flowtable_entry(hosts, slot), pump->now_ns,
			    &sent, &heard);
		all += sent > 0;
		answered += sent > 0 && heard > 0;
	}
	return answered > 0 && answered * HEARD_HOSTS_SHARE >= all;
}

/* Connections that were answered, and (nearly) nothing came in at all. */
static bool looks_one_sided(struct pump *pump, uint64_t out, uint64_t in)
{
	const struct pump_sides *sides = &pump->sides;

	if (sides->answered_unheard < UNHEARD_MIN || in * HEARD_SHARE >= out)
		return false;
	if (sides->accepted_ns &&
	    pump->now_ns - sides->accepted_ns < ACCEPTED_COUNTS_NS)
		return false;
	return !hosts_hear(pump);
}

static void judge_sides(struct pump *pump)
{
	struct pump_sides *sides = &pump->sides;
	const uint64_t *counter = pump->engine.stats.counter;
	uint64_t out = counter[STATS_out_pkts] - sides->out_pkts;
	uint64_t in = counter[STATS_in_pkts] - sides->in_pkts;
	bool held = pump_holds(pump);

	if (sides->until_ns > pump->now_ns)
		return;
	sides->one_sided_pct = out > in ? (uint32_t)((out - in) * 100 / out)
					: 0;
	if (looks_one_sided(pump, out, in))
		sides->periods++;
	else if ((in > 0 && in * HEARD_SHARE >= out) ||
		 (sides->accepted_ns &&
		  sides->accepted_ns + SIDES_PERIOD_NS >= pump->now_ns))
		sides->periods = 0;
	sides->answered_unheard = 0;
	sides->out_pkts = counter[STATS_out_pkts];
	sides->in_pkts = counter[STATS_in_pkts];
	sides->until_ns = pump->now_ns + SIDES_PERIOD_NS;
	if (held != pump_holds(pump))
		pump_rehome(pump);
}

void pump_upkeep(struct pump *pump)
{
	uint32_t rounds = rounds_of(pump);

	sweep_tables(pump, rounds);
	take_back_suspects(pump, rounds);
	end_exemptions(pump);
	judge_sides(pump);
	pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS / rounds;
	if (pump->engine.tables[FLOW_SCOPE_HOST].used <= 1 &&
	    pump->engine.tables[FLOW_SCOPE_PAIR].used == 0 &&
	    pump->engine.exemptions_count == 0)
		pump->upkeep_ns = NS_NEVER;
}

/* ------ zones */

static void use(const struct flow_key *key, bool *ret_used)
{
	if (key->zone < ZONES_MAX)
		ret_used[key->zone] = true;
}

void pump_zones(const struct pump *pump, bool *ret_used)
{
	const struct expected *expected = pump->engine.expected;

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		const struct flowtable *table = &pump->engine.tables[scope];

		for (uint32_t i = 0; i < table->fresh; i++)
			if (flowtable_in_use(table, i))
				use(&flowtable_entry(table, i)->key, ret_used);
	}
	for (uint32_t i = 1; i <= expected->fresh; i++)
		if (expected->keys[i].used)
			use(&expected->keys[i].record.key, ret_used);
}
