/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key at its bound costs least when the adapter refuses it before it is
 * read.  It is refused for a while, until half of what it holds has left.
 *
 * A host is refused when what has no place of its own reaches the bound: a
 * spray.  Its pairs that are answered are spared; to name them first, the
 * table is walked in small steps, one a batch.
 */
#include "shaper/asym.h"
#include "shaper/pump_state.h"

enum {
	REFUSED_NS = 500000000,
	SPARED_NS = 1000000000, /* a little longer than their host */
	SPARE_STEPS = 2048,
	SPARED_MAX = PUMP_REFUSALS_MAX / 2,
};

static void push(struct pump *pump, const struct flow_key *key,
		 enum pump_refusal_kind kind, uint64_t until_ns)
{
	uint32_t at;

	if (pump->refusals_count == PUMP_REFUSALS_MAX)
		return;
	at = (pump->refusals_first + pump->refusals_count++) %
	     PUMP_REFUSALS_MAX;
	pump->refusals[at] = (struct pump_refusal){
		.key = *key,
		.until_ns = until_ns,
		.kind = (uint8_t)kind,
	};
}

void pump_refuse(struct pump *pump, uint32_t rest)
{
	struct suspect *suspect = suspects_get(&pump->engine.suspects, rest);

	if (!pump_holds(pump) || suspect->by == PUMP_BY_RATE ||
	    (suspect->held_slots > 0 &&
	     pump_slots_are_unbound(pump, suspect->held_slots)) ||
	    suspect->refused_until_ns > pump->now_ns ||
	    pump->engine.policy->limits.at_bound == POLICY_BOUND_RELEASE)
		return;
	if (suspect->scope == FLOW_SCOPE_HOST) {
		if (!pump->sparing.host)
			pump->sparing = (struct pump_sparing){ .host = rest };
		return;
	}
	suspect->refused_until_ns = pump->now_ns + REFUSED_NS;
	push(pump, &engine_entry_of(&pump->engine, suspect)->key, PUMP_REFUSE,
	     suspect->refused_until_ns);
}

/* Who counts a pair that is leased gives it back before it is over. */
static bool is_answered(struct pump *pump, struct flow_entry *pair)
{
	struct engine *engine = &pump->engine;
	uint32_t sent, heard;

	if (pair->flags & FLOW_ENTRY_LEASED)
		return true;
	engine_sums(engine, pair, pump->now_ns, &sent, &heard);
	return heard > 0 &&
	       !asym_exceeds(sent, heard,
			     engine_params(engine, pair)->gate.ratio_q16);
}

static void spare_if_answered(struct pump *pump, uint32_t slot,
			      uint32_t host_slot)
{
	struct flowtable *pairs = &pump->engine.tables[FLOW_SCOPE_PAIR];
	struct flow_entry *pair = flowtable_entry(pairs, slot);

	if (!flowtable_in_use(pairs, slot) || pair->up != host_slot ||
	    !is_answered(pump, pair))
		return;
	pump->sparing.spared++;
	push(pump, &pair->key, PUMP_SPARE, pump->now_ns + SPARED_NS);
}

void pump_spare(struct pump *pump)
{
	const struct flowtable *pairs = &pump->engine.tables[FLOW_SCOPE_PAIR];
	struct pump_sparing *sparing = &pump->sparing;
	struct suspect *host =
		suspects_get(&pump->engine.suspects, sparing->host);

	for (int i = 0; i < SPARE_STEPS && sparing->position < pairs->fresh &&
			sparing->spared < SPARED_MAX;
	     i++)
		spare_if_answered(pump, sparing->position++, host->slot);
	if (sparing->position < pairs->fresh && sparing->spared < SPARED_MAX)
		return;
	sparing->host = 0;
	if (host->scope != FLOW_SCOPE_HOST || host->slot == ENGINE_HOST_SHARED)
		return;
	host->refused_until_ns = pump->now_ns + REFUSED_NS;
	push(pump, &engine_entry_of(&pump->engine, host)->key, PUMP_REFUSE,
	     host->refused_until_ns);
}

void pump_unrefuse(struct pump *pump, uint32_t rest)
{
	struct suspect *suspect = suspects_get(&pump->engine.suspects, rest);
	uint32_t most = pump->engine.policy->limits.held_packets_per_key;

	if (suspect->refused_until_ns <= pump->now_ns ||
	    suspect->held_pkts > most / 2)
		return;
	suspect->refused_until_ns = 0;
	push(pump, &engine_entry_of(&pump->engine, suspect)->key, PUMP_LIFT,
	     pump->now_ns);
}

size_t pump_refusals(struct pump *pump, struct pump_refusal *ret_refusals,
		     size_t max)
{
	size_t count = 0;

	for (; count < max && pump->refusals_count > 0; count++) {
		ret_refusals[count] = pump->refusals[pump->refusals_first];
		pump->refusals_first =
			(pump->refusals_first + 1) % PUMP_REFUSALS_MAX;
		pump->refusals_count--;
	}
	return count;
}
