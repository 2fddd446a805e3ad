/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done now and then: forgetting, taking back, noticing one-sidedness.
 */
#include "shaper/pump_state.h"

enum {
	/* In so many rounds every entry, every suspect is looked at once. */
	TABLE_ROUNDS = 256,
	SUSPECT_ROUNDS = 16,
	CROWDED_SHARE = 4, /* with less than 1/4 free, four times as often */
	SIDES_PERIOD_NS = 2000000000,
	UNHEARD_MIN = 8,   /* packets of answered connections, nothing heard */
	HEARD_SHARE = 100, /* one-sided: less than 1 in for 100 out */
};

static void sweep_tables(struct pump *pump)
{
	struct engine *engine = &pump->engine;

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		const struct flowtable *table = &engine->tables[scope];
		uint32_t steps = table->fresh / TABLE_ROUNDS + 16;

		if (table->used > table->capacity - table->capacity / 4)
			steps *= CROWDED_SHARE;
		engine_sweep(engine, (enum flow_scope)scope, steps,
			     pump->now_ns);
	}
}

static void take_back_suspects(struct pump *pump)
{
	struct engine *engine = &pump->engine;
	struct suspects *suspects = &engine->suspects;

	for (uint32_t i = suspects->fresh / SUSPECT_ROUNDS + 1;
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

/*
 * One-sided: connections that were answered, and (nearly) nothing came in at
 * all.  A single host cannot make it look so while any other is answered.
 */
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
	if (sides->answered_unheard >= UNHEARD_MIN && in * HEARD_SHARE < out)
		sides->periods++;
	else if (in * HEARD_SHARE >= out && in > 0)
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
	sweep_tables(pump);
	take_back_suspects(pump);
	end_exemptions(pump);
	judge_sides(pump);
	pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
	if (pump->engine.tables[FLOW_SCOPE_HOST].used <= 1 &&
	    pump->engine.tables[FLOW_SCOPE_PAIR].used == 0 &&
	    pump->engine.exemptions_count == 0)
		pump->upkeep_ns = NS_NEVER;
}
