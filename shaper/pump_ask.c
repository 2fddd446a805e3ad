/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet asks before it may go, and what is counted once it went, or
 * was answered.
 */
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

static bool ask(struct pump *pump, struct flow_entry *entry, uint32_t wire_pkts,
		struct pump_asked *asked)
{
	enum engine_answer answer =
		engine_ask(&pump->engine, entry, wire_pkts, pump->now_ns);

	asked->entry[asked->count] = entry;
	asked->answer[asked->count++] = answer;
	if (answer == ENGINE_CLOSED && entry->key.scope < asked->by)
		asked->by = entry->key.scope;
	return answer == ENGINE_OPEN || answer == ENGINE_OWES;
}

/* The host's gate is asked when it holds packets, and in the place of every
 * enforced key that has none. */
bool pump_ask(struct pump *pump, const struct engine_place *place,
	      const struct engine_place *whole, uint32_t wire_pkts,
	      struct pump_asked *ret_asked)
{
	const struct engine *engine = &pump->engine;
	struct flow_entry *entries[] = { place->flow, place->pair };
	bool may = true;

	ret_asked->count = 0;
	ret_asked->by_host = ret_asked->paid = false;
	ret_asked->guard =
		pump_guard(pump, whole, ret_asked->connection, &ret_asked->by);
	if (ret_asked->guard)
		return false;
	if (engine->has_rates &&
	    (ret_asked->guard = pump_rate(pump, whole, wire_pkts,
					  ret_asked->bytes)) != 0) {
		ret_asked->by = PUMP_BY_RATE;
		return false;
	}
	ret_asked->by = PUMP_BYS;
	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		struct flow_entry *entry = entries[scope];

		if (!(engine->policy->enforce >> scope & 1))
			continue;
		if (!entry) {
			ret_asked->by_host = true;
		} else if (engine_enforces(engine, entry) &&
			   !ask(pump, entry, wire_pkts, ret_asked)) {
			if (ret_asked->answer[ret_asked->count - 1] ==
			    ENGINE_NO_GATE)
				ret_asked->by_host = true;
			else
				may = false;
		}
	}
	if ((ret_asked->by_host || engine_enforces(engine, place->host)) &&
	    !ask(pump, place->host, wire_pkts, ret_asked))
		return false;
	ret_asked->paid = !may && place->pair && !ret_asked->by_host &&
			  engine_credit_pay(&pump->engine, place->flow,
					    place->pair, wire_pkts,
					    pump->now_ns);
	return may || ret_asked->paid;
}

void pump_sent(struct pump *pump, const struct engine_place *place,
	       const struct pump_asked *asked, uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	/* What is paid for leaves to others what one of its gates owes. */
	for (unsigned int i = 0; asked && !asked->paid && i < asked->count; i++)
		if (asked->answer[i] == ENGINE_OWES)
			gate_left(&suspect_of(pump, asked->entry[i]->suspect)
					   ->gate);
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope])
			engine_count(&pump->engine, entries[scope], wire_pkts,
				     0, pump->now_ns);
	if (place->pair)
		engine_credit_sent(&pump->engine, place->pair, pump->now_ns);
	if (place->pair && !(asked && asked->paid))
		engine_floor_left(&pump->engine, place->pair, wire_pkts,
				  pump->now_ns);
	pump_guards_sent(pump, place, asked && asked->connection);
	if (pump->engine.has_rates && asked)
		pump_rate_sent(pump, place, wire_pkts, asked->bytes);
	pump->engine.stats.counter[STATS_sent_pkts] += wire_pkts;
}

static void stir_unpaid(struct pump *pump, const struct flow_entry *pair)
{
	const struct engine *engine = &pump->engine;
	uint32_t id = pair->suspect ? suspect_of(pump, pair->suspect)->unpaid
				    : 0;
	const struct suspect *fifo = suspect_of(pump, id);

	if (id && fifo->scope == FLOW_SCOPE_FLOW && fifo->first &&
	    engine_entry_of(engine, fifo)->up == engine_slot(engine, pair))
		pump_stir(pump, id);
}

void pump_heard(struct pump *pump, const struct engine_place *place,
		uint32_t replies, uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope])
			engine_hear(&pump->engine, entries[scope], replies,
				    wire_pkts, pump->now_ns);
	if (place->pair && replies)
		engine_credit_heard(&pump->engine, place->pair,
				    wire_pkts > 0 ? wire_pkts : 1,
				    pump->now_ns);
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope] && entries[scope]->suspect &&
		    suspect_waits(suspect_of(pump, entries[scope]->suspect)))
			pump_stir(pump, entries[scope]->suspect);
	if (place->pair && replies)
		stir_unpaid(pump, place->pair);
}
