/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How packets leave their FIFO: one of each FIFO in line, in turn, until all
 * gates are closed or the host's turn is over.
 */
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* The keys that the head of this FIFO asks: those from where it rests. */
static void place_of_fifo(const struct pump *pump, const struct suspect *fifo,
			  struct engine_place *ret_place)
{
	const struct engine *engine = &pump->engine;
	struct flow_entry *entry = engine_entry_of(engine, fifo);
	struct engine_place place = {
		.host_slot = engine_host_slot(engine, entry),
	};

	place.host = flowtable_entry(&engine->tables[FLOW_SCOPE_HOST],
				     place.host_slot);
	if (fifo->scope == FLOW_SCOPE_FLOW) {
		place.flow = entry;
		place.pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
					     entry->up);
	} else if (fifo->scope == FLOW_SCOPE_PAIR) {
		place.pair = entry;
	}
	*ret_place = place;
}

/* What rests in a wider key may have narrower ones, which count it too. */
void pump_place_of_token(const struct pump *pump, const struct suspect *fifo,
			 const struct token *token,
			 struct engine_place *ret_place)
{
	place_of_fifo(pump, fifo, ret_place);
	if (!ret_place->pair)
		ret_place->pair =
			pump_entry_of(pump, &token->key, FLOW_SCOPE_PAIR);
	if (ret_place->pair && !ret_place->flow)
		ret_place->flow =
			pump_entry_of(pump, &token->key, FLOW_SCOPE_FLOW);
}

/* Let one wire packet of the head go.  A ghost of many goes one by one; what
 * was put together leaves whole, with the last of its own. */
static void leave(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, fifo->first);
	uint64_t *counter = pump->engine.stats.counter;

	counter[STATS_waited_pkts]++;
	counter[STATS_waited_ns] += pump->now_ns - token->arrived_ns;
	counter[STATS_waited_contact_pkts] += fifo->by == PUMP_BY_CONTACTS;
	counter[STATS_waited_connection_pkts] += fifo->by ==
						 PUMP_BY_CONNECTIONS;
	counter[STATS_waited_rate_pkts] += fifo->by == PUMP_BY_RATE;
	pump->turn_pkts++;
	if (token->wire_pkts > 1) {
		token->wire_pkts--;
		pump_account(pump, id, -1, 0);
		return;
	}
	pump_expel(pump, id, fifo->first, PUMP_PASS);
}

/* Let the head of FIFO `id` go if its gates allow.  Otherwise *ret_shut is the
 * narrowest closed one; 0: nothing rests there, or no gate holds it. */
static bool leave_one(struct pump *pump, uint32_t id, uint32_t *ret_shut)
{
	struct suspect *fifo = suspect_of(pump, id);
	const struct token *head;
	struct pump_asked asked;
	struct engine_place place, whole;

	*ret_shut = 0;
	if (!fifo->first)
		return false;
	head = tokens_get(&pump->tokens, fifo->first);
	place_of_fifo(pump, fifo, &place);
	pump_place_of_token(pump, fifo, head, &whole);
	asked.connection = head->flags & TOKEN_CONNECTION;
	asked.bytes = pump_rate_bytes(head);
	if (!pump_ask(pump, &place, &whole, 1, &asked)) {
		*ret_shut = pump_wait(pump, id, &asked);
		return false;
	}
	pump_sent(pump, &whole, &asked, 1);
	leave(pump, id);
	return true;
}

/* One packet of the next FIFO in line at `gate` that may leave. */
static bool take_turn(struct pump *pump, uint32_t gate)
{
	struct suspect *wide = suspect_of(pump, gate);
	int ring = pump_wait_ring(wide);

	while (wide->turn) {
		uint32_t id = wide->turn;
		uint32_t shut;

		wide->turn = suspect_of(pump, id)->ring[ring].next;
		if (leave_one(pump, id, &shut)) {
			if (suspect_of(pump, id)->first)
				pump_stir_later(pump, id);
			return true;
		}
		if (shut == gate) {
			wide->turn = id; /* its turn has yet to come */
			return false;
		}
		if (suspect_of(pump, shut)->scope > wide->scope)
			return false; /* it stands there for all of them */
	}
	return false;
}

/* Those in line at its pacer, as far as there are places. */
static void let_paced_go(struct pump *pump, uint32_t gate)
{
	uint32_t id, shut;

	while (!pump_turn_is_over(pump) &&
	       (id = pump_guard_next(pump, gate)) != 0)
		if (leave_one(pump, id, &shut) && suspect_of(pump, id)->first)
			pump_stir_later(pump, id);
}

/* Those in line for its rate, in turn, as far as there is room. */
static void let_rated_go(struct pump *pump, uint32_t gate)
{
	while (!pump_turn_is_over(pump) &&
	       pump_rate_next_ns(pump, gate) <= pump->now_ns) {
		uint32_t id = suspect_of(pump, gate)->rated_first;
		uint32_t shut;
		bool left;

		pump_rate_leave(pump, id);
		pump->rate_turn = true;
		left = leave_one(pump, id, &shut);
		pump->rate_turn = false;
		if (left && suspect_of(pump, id)->first)
			pump_rate_join(pump, gate, id);
	}
}

void pump_stir_once(struct pump *pump, uint32_t id)
{
	struct suspect *gate = suspect_of(pump, id);
	bool own, below;
	uint32_t shut;

	if (!suspect_waits(gate)) {
		pump_wait_schedule(pump, id);
		return;
	}
	let_paced_go(pump, id);
	let_rated_go(pump, id);
	gate_fire(&gate->gate, true, pump->now_ns);
	if (!gate->first && !gate->turn)
		engine_ask(&pump->engine, engine_entry_of(&pump->engine, gate),
			   1, pump->now_ns);
	do {
		own = leave_one(pump, id, &shut);
		below = take_turn(pump, id);
	} while ((own || below) && !pump_turn_is_over(pump));
	pump_wait_schedule(pump, id);
	if (pump_turn_is_over(pump) && suspect_waits(gate))
		pump_stir_later(pump, id);
}

/* Telling may let more leave, which is appended and told in its turn. */
void pump_tell(struct pump *pump)
{
	pump_stir_all(pump);
	while (pump->untold) {
		struct token *token = tokens_get(&pump->tokens, pump->untold);
		struct engine_place place;
		struct flow_key key;

		pump->untold = token->next;
		if (!(token->flags & TOKEN_ONWARD) ||
		    token->verdict != PUMP_PASS)
			continue;
		if (pump->upkeep_ns == NS_NEVER)
			pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
		flow_key_reverse(&token->key, token->dst_zone, &key);
		engine_place(
			&pump->engine, &key,
			flowtable_hash(&pump->engine.tables[FLOW_SCOPE_FLOW],
				       &key),
			FLOWTABLE_NONE, FLOW_IN, pump->now_ns, &place);
		pump_heard(pump, &place, token->whole_pkts, token->whole_pkts);
	}
}
