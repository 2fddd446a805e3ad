/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key at its bound costs least when the adapter refuses it before it is
 * read.  It is refused for a while, until half of what it holds has left.
 */
#include "shaper/pump_state.h"

enum { REFUSED_NS = 500000000 };

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

	if (!pump_holds(pump) || suspect->refused_until_ns > pump->now_ns ||
	    suspect->scope == FLOW_SCOPE_HOST ||
	    pump->engine.policy->limits.at_bound == POLICY_BOUND_RELEASE)
		return;
	suspect->refused_until_ns = pump->now_ns + REFUSED_NS;
	push(pump, &engine_entry_of(&pump->engine, suspect)->key, PUMP_REFUSE,
	     suspect->refused_until_ns);
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
