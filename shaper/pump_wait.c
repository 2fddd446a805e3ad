/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For whom a FIFO waits, and how its packets leave.
 *
 * The head of a FIFO asks every gate.  Each one that is closed runs its timer,
 * all at the same time, and counts the FIFO as waiting.  It stands in line at
 * the narrowest of them only: where a narrower gate is closed, a turn would be
 * of no use.  When a gate opens or owes one, those in line leave in turn, one
 * packet each.  So an event costs as much as packets leave and FIFOs change
 * their line, however many wait.
 *
 * When those in line at a pair's gate find it open and the host's closed, one
 * of them goes on to the host's line for all; the next one follows when it
 * leaves that line.
 */
#include "flowtable/shard.h"
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* ------ asking */

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

/* ------ lines: FIFOs that wait for a wider gate only */

static int ring_of(const struct suspect *gate)
{
	return gate->scope == FLOW_SCOPE_PAIR ? SUSPECT_RING_PAIR
					      : SUSPECT_RING_HOST;
}

static void line_join(struct pump *pump, uint32_t gate, uint32_t id)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct suspect *fifo = suspect_of(pump, id);
	int ring = ring_of(wide);

	if (fifo->ring[ring].next)
		return;
	if (wide->turn) {
		struct suspect *first = suspect_of(pump, wide->turn);
		uint32_t last = first->ring[ring].prev;

		fifo->ring[ring].next = wide->turn;
		fifo->ring[ring].prev = last;
		suspect_of(pump, last)->ring[ring].next = id;
		first->ring[ring].prev = id;
	} else {
		fifo->ring[ring].next = fifo->ring[ring].prev = id;
		wide->turn = id;
	}
}

/* Who stood in the host's line for those at its pair's gate lets the next of
 * them follow. */
static void call_next(struct pump *pump, const struct suspect *fifo)
{
	const struct engine *engine = &pump->engine;
	const struct flow_entry *pair = engine_entry_of(engine, fifo);

	if (fifo->scope == FLOW_SCOPE_FLOW)
		pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
				       pair->up);
	if (pair->suspect && suspect_of(pump, pair->suspect)->turn)
		pump_stir_later(pump, pair->suspect);
}

static void line_leave(struct pump *pump, uint32_t id, int ring)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct suspect *wide = suspect_of(pump, fifo->ring[ring].of);
	uint32_t next = fifo->ring[ring].next;

	if (!next)
		return;
	suspect_of(pump, fifo->ring[ring].prev)->ring[ring].next = next;
	suspect_of(pump, next)->ring[ring].prev = fifo->ring[ring].prev;
	if (wide->turn == id)
		wide->turn = next == id ? 0 : next;
	fifo->ring[ring].next = fifo->ring[ring].prev = 0;
	if (ring == SUSPECT_RING_HOST && fifo->scope != FLOW_SCOPE_HOST)
		call_next(pump, fifo);
}

/* The gate's timer, the moment when its window lets it open, or when its pacer
 * or its rate has a place again.  An open gate needs no timer: whoever asks
 * passes. */
static void schedule(struct pump *pump, uint32_t gate)
{
	struct suspect *suspect = suspect_of(pump, gate);
	struct flow_entry *entry = engine_entry_of(&pump->engine, suspect);
	const struct gate_params *params =
		&engine_params(&pump->engine, entry)->gate;
	uint64_t next_ns = pump_guard_next_ns(pump, gate);
	uint64_t rate_ns = pump_rate_next_ns(pump, gate);
	uint64_t falls_ns, floor_ns, armed_ns = suspect->gate.armed_ns;

	if (rate_ns < next_ns)
		next_ns = rate_ns;
	if (suspect->first || suspect->waiting) {
		window_slide(&suspect->window, params->window_ns, pump->now_ns);
		falls_ns = window_falls_ns(&suspect->window, params->window_ns,
					   params->ratio_q16, pump->now_ns);
		if (falls_ns > pump->now_ns && falls_ns < next_ns)
			next_ns = falls_ns;
		if (falls_ns > pump->now_ns && armed_ns && armed_ns < next_ns)
			next_ns = armed_ns;
		floor_ns = falls_ns > pump->now_ns
				   ? engine_floor_next_ns(&pump->engine, entry)
				   : UINT64_MAX;
		if (floor_ns > pump->now_ns && floor_ns < next_ns)
			next_ns = floor_ns;
	}
	if (next_ns == NS_NEVER)
		deadlines_clear(&pump->deadlines, gate);
	else
		deadlines_set(&pump->deadlines, gate, next_ns);
}

/* Nothing waits at this gate any more. */
static void rest_if_idle(struct pump *pump, uint32_t gate)
{
	struct suspect *suspect = suspect_of(pump, gate);

	if (suspect->first || suspect->waiting)
		return;
	gate_lapse(&suspect->gate);
	schedule(pump, gate);
}

/* It waits for no wider gate: each of those is told. */
static void leave_gates(struct pump *pump, uint32_t id,
			void (*tell)(struct pump *pump, uint32_t gate))
{
	struct suspect *fifo = suspect_of(pump, id);

	for (int ring = 0; ring < SUSPECT_RINGS; ring++) {
		uint32_t gate = fifo->ring[ring].of;

		if (!gate)
			continue;
		line_leave(pump, id, ring);
		fifo->ring[ring].of = 0;
		suspect_of(pump, gate)->waiting--;
		tell(pump, gate);
	}
}

/* ... nor for a pacer, nor for a rate. */
static void leave_lines(struct pump *pump, uint32_t id,
			void (*tell)(struct pump *pump, uint32_t gate))
{
	uint32_t guard = suspect_of(pump, id)->paced_at;
	uint32_t host = suspect_of(pump, id)->rated_at;

	pump_guard_leave(pump, id);
	if (guard)
		tell(pump, guard);
	pump_rate_leave(pump, id);
	if (host)
		tell(pump, host);
	leave_gates(pump, id, tell);
}

void pump_wait_ends(struct pump *pump, uint32_t id)
{
	leave_lines(pump, id, rest_if_idle);
	rest_if_idle(pump, id);
}

void pump_wait_elsewhere(struct pump *pump, uint32_t id)
{
	pump_stir_later(pump, id);
	leave_lines(pump, id, pump_stir_later);
}

/* Who waits for its own gate is in no line of its pair's, but may be paid for
 * by it as soon as an answer to another flow fills the purse. */
static void note_unpaid(struct pump *pump, uint32_t id)
{
	const struct engine *engine = &pump->engine;
	const struct suspect *fifo = suspect_of(pump, id);
	const struct flow_entry *pair;

	if (fifo->scope != FLOW_SCOPE_FLOW)
		return;
	pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
			       engine_entry_of(engine, fifo)->up);
	if (pair->suspect)
		suspect_of(pump, pair->suspect)->unpaid = id;
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

/* The head of FIFO `id` was refused: each gate that is closed will fire, and
 * the narrowest will call it.  Returns that one. */
static uint32_t wait_for(struct pump *pump, uint32_t id,
			 const struct pump_asked *asked)
{
	struct suspect *fifo = suspect_of(pump, id);
	uint32_t shut = 0;

	fifo->by = asked->by;
	for (unsigned int i = 0; i < asked->count; i++) {
		uint32_t gate = asked->entry[i]->suspect;
		int ring;

		if (asked->answer[i] != ENGINE_CLOSED)
			continue;
		shut = shut ? shut : gate;
		ring = ring_of(suspect_of(pump, gate));
		if (gate != id && !fifo->ring[ring].of) {
			fifo->ring[ring].of = gate;
			suspect_of(pump, gate)->waiting++;
		}
		schedule(pump, gate);
	}
	for (int ring = 0; ring < SUSPECT_RINGS; ring++)
		if (fifo->ring[ring].of && fifo->ring[ring].of != shut)
			line_leave(pump, id, ring);
	if (shut != id)
		line_join(pump, shut, id);
	else
		note_unpaid(pump, id);
	return shut;
}

/* The same of a pacer.  Who stands in its line already keeps its place. */
static void wait_for_guard(struct pump *pump, uint32_t id,
			   const struct pump_asked *asked)
{
	if (suspect_of(pump, id)->paced_at == asked->guard) {
		leave_gates(pump, id, rest_if_idle);
	} else {
		leave_lines(pump, id, rest_if_idle);
		pump_guard_join(pump, asked->guard, id);
	}
	suspect_of(pump, id)->by = asked->by;
	schedule(pump, asked->guard);
}

/* The same of its host's rate.  It keeps its place, and what its gates owe it;
 * but no gate calls it meanwhile. */
static void wait_for_rate(struct pump *pump, uint32_t id,
			  const struct pump_asked *asked)
{
	struct suspect *fifo = suspect_of(pump, id);
	uint32_t guard = fifo->paced_at;

	pump_guard_leave(pump, id);
	if (guard)
		rest_if_idle(pump, guard);
	for (int ring = 0; ring < SUSPECT_RINGS; ring++)
		if (fifo->ring[ring].of)
			line_leave(pump, id, ring);
	if (!fifo->rated_at)
		pump_rate_join(pump, asked->guard, id);
	fifo->by = asked->by;
	schedule(pump, asked->guard);
}

/* ------ leaving */

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
 * narrowest closed one; 0: nothing rests there. */
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
		if (asked.guard) {
			if (asked.by == PUMP_BY_RATE)
				wait_for_rate(pump, id, &asked);
			else
				wait_for_guard(pump, id, &asked);
			return false;
		}
		*ret_shut = wait_for(pump, id, &asked);
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
	int ring = ring_of(wide);

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
		rest_if_idle(pump, id);
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
	if (suspect_waits(gate))
		schedule(pump, id);
	else
		rest_if_idle(pump, id);
	if (pump_turn_is_over(pump) && suspect_waits(gate))
		pump_stir_later(pump, id);
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
