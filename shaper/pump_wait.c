/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rests, for whom it waits, and how it leaves. */
#include <assert.h>

#include "flowtable/shard.h"
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

static struct engine_host *host_of(struct pump *pump,
				   const struct flow_entry *entry)
{
	return &pump->engine.hosts[engine_host_slot(&pump->engine, entry)];
}

/* ------ asking */

static bool ask(struct pump *pump, struct flow_entry *entry, uint32_t wire_pkts,
		struct pump_asked *asked)
{
	enum engine_answer answer =
		engine_ask(&pump->engine, entry, wire_pkts, pump->now_ns);

	asked->entry[asked->count] = entry;
	asked->answer[asked->count++] = answer;
	return answer == ENGINE_OPEN || answer == ENGINE_OWES;
}

/* The host's gate is asked when it holds packets, and in the place of every
 * enforced key that has none. */
bool pump_ask(struct pump *pump, const struct engine_place *place,
	      uint32_t wire_pkts, struct pump_asked *ret_asked)
{
	const struct engine *engine = &pump->engine;
	struct flow_entry *entries[] = { place->flow, place->pair };
	bool ask_host = engine_enforces(engine, place->host);
	bool may = true;

	ret_asked->count = 0;
	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		struct flow_entry *entry = entries[scope];

		if (!(engine->policy->enforce >> scope & 1))
			continue;
		if (!entry) {
			ask_host = true;
		} else if (engine_enforces(engine, entry) &&
			   !ask(pump, entry, wire_pkts, ret_asked)) {
			if (ret_asked->answer[ret_asked->count - 1] ==
			    ENGINE_NO_GATE)
				ask_host = true;
			else
				may = false;
		}
	}
	if (ask_host && !ask(pump, place->host, wire_pkts, ret_asked))
		may = false;
	return may;
}

void pump_sent(struct pump *pump, const struct engine_place *place,
	       const struct pump_asked *asked, uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	for (unsigned int i = 0; asked && i < asked->count; i++)
		if (asked->answer[i] == ENGINE_OWES)
			gate_left(&suspect_of(pump, asked->entry[i]->suspect)
					   ->gate);
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope])
			engine_count(&pump->engine, entries[scope], wire_pkts,
				     0, pump->now_ns);
	pump->engine.stats.counter[STATS_sent_pkts] += wire_pkts;
}

uint32_t pump_rest(struct pump *pump, const struct engine_place *place)
{
	struct flow_entry *entries[] = { place->flow, place->pair };
	uint32_t id = 0;

	if (!place->flow && place->host->suspect &&
	    suspect_of(pump, place->host->suspect)->first)
		return place->host->suspect;
	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		if (scope == FLOW_SCOPE_FLOW && place->flow &&
		    place->flow->parked)
			continue;
		if (scope == FLOW_SCOPE_PAIR && place->flow &&
		    place->flow->flags & FLOW_ENTRY_WITH_HOST)
			break;
		if (entries[scope] &&
		    engine_enforces(&pump->engine, entries[scope]))
			id = engine_suspect(&pump->engine, entries[scope],
					    pump->now_ns);
		if (id)
			return id;
	}
	return engine_suspect(&pump->engine, place->host, pump->now_ns);
}

/* ------ rings: FIFOs that wait for a wider gate */

static void ring_join(struct pump *pump, uint32_t gate, uint32_t id)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct suspect *fifo = suspect_of(pump, id);
	int ring = wide->scope == FLOW_SCOPE_PAIR ? SUSPECT_RING_PAIR
						  : SUSPECT_RING_HOST;

	if (fifo->ring[ring].of)
		return;
	fifo->ring[ring].of = gate;
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
	wide->waiting++;
}

/* Nothing waits at this gate any more. */
static void rest_if_idle(struct pump *pump, uint32_t gate)
{
	struct suspect *suspect = suspect_of(pump, gate);

	if (suspect_waits(suspect))
		return;
	gate_lapse(&suspect->gate);
	deadlines_clear(&pump->deadlines, gate);
}

static void ring_leave(struct pump *pump, uint32_t id, int ring)
{
	struct suspect *fifo = suspect_of(pump, id);
	uint32_t gate = fifo->ring[ring].of;
	struct suspect *wide;

	if (!gate)
		return;
	wide = suspect_of(pump, gate);
	suspect_of(pump, fifo->ring[ring].prev)->ring[ring].next =
		fifo->ring[ring].next;
	suspect_of(pump, fifo->ring[ring].next)->ring[ring].prev =
		fifo->ring[ring].prev;
	if (wide->turn == id)
		wide->turn =
			fifo->ring[ring].next == id ? 0 : fifo->ring[ring].next;
	wide->waiting--;
	fifo->ring[ring].of = 0;
	rest_if_idle(pump, gate);
}

/* The gate's timer, or the moment when its window lets it open. */
static void schedule(struct pump *pump, uint32_t gate)
{
	struct suspect *suspect = suspect_of(pump, gate);
	const struct engine_params *params = engine_params(
		&pump->engine, engine_entry_of(&pump->engine, suspect));
	uint64_t at_ns = NS_NEVER;
	uint64_t falls_ns;

	if (suspect_waits(suspect) && suspect->over_since_ns) {
		if (suspect->gate.armed_ns)
			at_ns = suspect->gate.armed_ns;
		falls_ns = window_falls_ns(&suspect->window,
					   params->gate.window_ns,
					   params->gate.ratio_q16,
					   pump->now_ns);
		if (falls_ns < at_ns)
			at_ns = falls_ns;
	}
	if (at_ns == NS_NEVER)
		deadlines_clear(&pump->deadlines, gate);
	else
		deadlines_set(&pump->deadlines, gate, at_ns);
}

/* The head of FIFO `id` was refused: each gate that is closed will call it. */
static void wait_for(struct pump *pump, uint32_t id,
		     const struct pump_asked *asked)
{
	for (unsigned int i = 0; i < asked->count; i++) {
		if (asked->answer[i] != ENGINE_CLOSED)
			continue;
		if (asked->entry[i]->suspect != id)
			ring_join(pump, asked->entry[i]->suspect, id);
		schedule(pump, asked->entry[i]->suspect);
	}
}

/* ------ into a FIFO */

static void account(struct pump *pump, uint32_t id, int32_t pkts, int64_t bytes)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct flow_entry *entry = engine_entry_of(&pump->engine, fifo);
	uint32_t host_slot = engine_host_slot(&pump->engine, entry);
	struct engine_host *host = &pump->engine.hosts[host_slot];

	fifo->held_pkts += (uint32_t)pkts;
	host->held_pkts += (uint32_t)pkts;
	pump->held_pkts += (uint32_t)pkts;
	pump->held_bytes += (uint64_t)bytes;
	lengths_set(&host->fifos, pump->engine.fifo_links, id, fifo->held_pkts);
	lengths_set(&pump->busiest, pump->host_links, host_slot,
		    host->held_pkts);
}

static struct flow_entry *flow_of(struct pump *pump, const struct token *token)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];
	uint32_t slot = flowtable_find(flows, &token->key,
				       flowtable_hash(flows, &token->key));

	return slot == FLOWTABLE_NONE ? NULL : flowtable_entry(flows, slot);
}

static void unpark(struct pump *pump, const struct token *token)
{
	struct flow_entry *flow;

	if (!(token->flags & TOKEN_PARKED))
		return;
	flow = flow_of(pump, token);
	assert(flow && flow->parked > 0);
	if (--flow->parked == 0)
		flow->flags &= (uint8_t)~FLOW_ENTRY_WITH_HOST;
}

void pump_expel(struct pump *pump, uint32_t id, uint32_t token_id,
		enum pump_verdict verdict)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, token_id);

	unpark(pump, token);
	tokens_unlink(&pump->tokens, &fifo->first, &fifo->last, token_id);
	account(pump, id, -(int32_t)token->wire_pkts, -(int64_t)token->bytes);
	token->verdict = (uint8_t)verdict;
	tokens_append(&pump->tokens, &pump->leaving_first, &pump->leaving_last,
		      token_id);
	if (!pump->untold)
		pump->untold = token_id;
	pump_unrefuse(pump, id);
	if (fifo->first)
		return;
	for (int ring = 0; ring < SUSPECT_RINGS; ring++)
		ring_leave(pump, id, ring);
	rest_if_idle(pump, id);
}

bool pump_key_is_full(const struct pump *pump, const struct suspect *rest)
{
	uint32_t most = pump->engine.policy->limits.held_packets_per_key;

	return most && !pump->config.lift_bounds &&
	       rest->held_pkts + rest->aside_pkts >= most;
}

/* Which FIFO must give, so that one more packet of `id` may rest?  0: none. */
static uint32_t over_bound(struct pump *pump, uint32_t id, uint32_t bytes,
			   enum stats_counter *ret_counter)
{
	const struct policy_limits *limits = &pump->engine.policy->limits;
	struct suspect *fifo = suspect_of(pump, id);
	struct engine_host *host =
		host_of(pump, engine_entry_of(&pump->engine, fifo));
	uint32_t most = limits->held_packets_per_key;

	if (pump->config.lift_bounds)
		return 0;
	if (most && fifo->held_pkts >= most) {
		*ret_counter = STATS_dropped_key_bound;
		return id;
	}
	most = limits->held_packets_per_host;
	if (most && host->held_pkts >= most) {
		*ret_counter = STATS_dropped_host_bound;
		return lengths_longest(&host->fifos);
	}
	if ((limits->held_packets && pump->held_pkts >= limits->held_packets) ||
	    (limits->held_bytes &&
	     pump->held_bytes + bytes > limits->held_bytes)) {
		uint32_t busiest = lengths_longest(&pump->busiest);

		*ret_counter = STATS_dropped_bound;
		return busiest == UINT32_MAX
			       ? id
			       : lengths_longest(
					 &pump->engine.hosts[busiest].fifos);
	}
	return 0;
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
static void widen_place(struct pump *pump, const struct token *token,
			struct engine_place *place)
{
	const struct flowtable *pairs = &pump->engine.tables[FLOW_SCOPE_PAIR];
	struct flow_key key;
	uint32_t slot;

	if (place->flow)
		return;
	if (!place->pair) {
		flow_key_widen(&token->key, FLOW_SCOPE_PAIR, &key);
		slot = flowtable_find(pairs, &key, flowtable_hash(pairs, &key));
		if (slot != FLOWTABLE_NONE)
			place->pair = flowtable_entry(pairs, slot);
	}
	if (place->pair)
		place->flow = flow_of(pump, token);
}

/* `at_bound: release`: the head goes, counted as sent. */
static void release_at_bound(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, fifo->first);
	struct engine_place place;

	place_of_fifo(pump, fifo, &place);
	widen_place(pump, token, &place);
	pump_sent(pump, &place, NULL, token->wire_pkts);
	pump->engine.stats.counter[STATS_released_bound] += token->wire_pkts;
	pump_expel(pump, id, fifo->first, PUMP_PASS);
}

/* The longest FIFO gives its newest packet; what comes in has no better claim
 * than the longest, so when its own is the longest it is the one to go. */
static bool make_room(struct pump *pump, uint32_t id, uint32_t bytes)
{
	uint64_t *counter = pump->engine.stats.counter;
	enum stats_counter why = STATS_dropped_bound;
	uint32_t victim;

	while ((victim = over_bound(pump, id, bytes, &why)) != 0) {
		struct suspect *fifo = suspect_of(pump, victim);
		uint32_t token = fifo->last;

		pump_refuse(pump, victim);
		if (pump->engine.policy->limits.at_bound ==
			    POLICY_BOUND_RELEASE &&
		    fifo->first) {
			release_at_bound(pump, victim);
			continue;
		}
		counter[why]++;
		if (victim == id ||
		    fifo->held_pkts <= suspect_of(pump, id)->held_pkts ||
		    tokens_get(&pump->tokens, token)->wire_pkts > 1)
			return false;
		pump_expel(pump, victim, token, PUMP_DROP);
	}
	return true;
}

enum pump_verdict pump_enqueue(struct pump *pump,
			       const struct engine_place *place, uint32_t rest,
			       const struct flow_key *key,
			       const struct pump_packet *packet,
			       uint32_t wire_pkts, uint8_t flags)
{
	struct suspect *fifo = suspect_of(pump, rest);
	struct token *token;
	uint32_t id;

	if (place->flow && fifo->scope != FLOW_SCOPE_FLOW &&
	    engine_enforces(&pump->engine, place->flow)) {
		if (place->flow->parked == UINT8_MAX) {
			pump->engine.stats.counter[STATS_dropped_key_bound]++;
			return PUMP_DROP;
		}
		flags |= TOKEN_PARKED;
	}
	if (!make_room(pump, rest, packet->meta.length_bytes))
		return PUMP_DROP;
	id = tokens_take(&pump->tokens);
	if (!id) {
		pump->engine.stats.counter[STATS_dropped_bound] += wire_pkts;
		return PUMP_DROP;
	}
	if (flags & TOKEN_PARKED) {
		place->flow->parked++;
		if (fifo->scope == FLOW_SCOPE_HOST)
			place->flow->flags |= FLOW_ENTRY_WITH_HOST;
	}
	token = tokens_get(&pump->tokens, id);
	*token = (struct token){
		.key = *key,
		.id = packet->id,
		.arrived_ns = pump->now_ns,
		.bytes = packet->meta.length_bytes,
		.wire_pkts = (uint16_t)wire_pkts,
		.dst_zone = packet->dst_zone,
		.flags = flags,
		.shard = packet->shard,
	};
	tokens_append(&pump->tokens, &fifo->first, &fifo->last, id);
	account(pump, rest, (int32_t)wire_pkts, (int64_t)token->bytes);
	return PUMP_WAIT;
}

/* ------ out of a FIFO */

/* Let one wire packet of the head go.  A ghost of many goes one by one. */
static void leave(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, fifo->first);
	uint64_t *counter = pump->engine.stats.counter;

	counter[STATS_waited_pkts]++;
	counter[STATS_waited_ns] += pump->now_ns - token->arrived_ns;
	if (token->wire_pkts > 1) {
		token->wire_pkts--;
		account(pump, id, -1, 0);
		return;
	}
	pump_expel(pump, id, fifo->first, PUMP_PASS);
}

/*
 * Let the head of FIFO `id` go if its gates allow.  Otherwise each closed gate
 * will call it; *ret_shut is the widest of those.
 */
static bool leave_one(struct pump *pump, uint32_t id, uint32_t *ret_shut)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct pump_asked asked;
	struct engine_place place;

	*ret_shut = 0;
	if (!fifo->first)
		return false;
	place_of_fifo(pump, fifo, &place);
	if (!pump_ask(pump, &place, 1, &asked)) {
		for (unsigned int i = 0; i < asked.count; i++)
			if (asked.answer[i] == ENGINE_CLOSED)
				*ret_shut = asked.entry[i]->suspect;
		wait_for(pump, id, &asked);
		return false;
	}
	widen_place(pump, tokens_get(&pump->tokens, fifo->first), &place);
	pump_sent(pump, &place, &asked, 1);
	leave(pump, id);
	return true;
}

/* One packet of the next FIFO that may, of those that wait for `gate`. */
static bool take_turn(struct pump *pump, uint32_t gate)
{
	struct suspect *wide = suspect_of(pump, gate);
	int ring = wide->scope == FLOW_SCOPE_PAIR ? SUSPECT_RING_PAIR
						  : SUSPECT_RING_HOST;

	for (uint32_t tries = wide->waiting; tries > 0 && wide->turn; tries--) {
		uint32_t id = wide->turn;
		uint32_t shut;

		wide->turn = suspect_of(pump, id)->ring[ring].next;
		if (leave_one(pump, id, &shut))
			return true;
		if (shut == gate) {
			wide->turn = id; /* its turn has yet to come */
			return false;
		}
	}
	return false;
}

void pump_stir(struct pump *pump, uint32_t id)
{
	struct suspect *gate = suspect_of(pump, id);
	bool own, below;
	uint32_t shut;

	if (gate->scope == FLOW_SCOPES)
		return;
	gate_fire(&gate->gate, suspect_waits(gate), pump->now_ns);
	do {
		own = leave_one(pump, id, &shut);
		below = gate->waiting && take_turn(pump, id);
	} while (own || below);
	if (suspect_waits(gate))
		schedule(pump, id);
	else
		rest_if_idle(pump, id);
}

void pump_stir_all(struct pump *pump)
{
	const struct suspects *suspects = &pump->engine.suspects;

	for (uint32_t id = 1; id < suspects->fresh; id++)
		if (suspects_get(suspects, id)->scope != FLOW_SCOPES)
			pump_stir(pump, id);
	for (uint32_t slot = 0;
	     slot < pump->engine.tables[FLOW_SCOPE_HOST].fresh; slot++) {
		const struct flow_entry *host = flowtable_entry(
			&pump->engine.tables[FLOW_SCOPE_HOST], slot);

		if (host->suspect)
			pump_stir(pump, host->suspect);
	}
}

void pump_heard(struct pump *pump, const struct engine_place *place,
		uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope])
			engine_count(&pump->engine, entries[scope], 0,
				     wire_pkts, pump->now_ns);
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope] && entries[scope]->suspect &&
		    suspect_waits(suspect_of(pump, entries[scope]->suspect)))
			pump_stir(pump, entries[scope]->suspect);
}

/* Telling may let more leave, which is appended and told in its turn. */
void pump_tell(struct pump *pump)
{
	while (pump->untold) {
		struct token *token = tokens_get(&pump->tokens, pump->untold);
		struct engine_place place;
		struct flow_key key;

		pump->untold = token->next;
		if (!(token->flags & TOKEN_ONWARD) ||
		    token->verdict != PUMP_PASS)
			continue;
		flow_key_reverse(&token->key, token->dst_zone, &key);
		engine_place(
			&pump->engine, &key,
			flowtable_hash(&pump->engine.tables[FLOW_SCOPE_FLOW],
				       &key),
			FLOWTABLE_NONE, FLOW_IN, pump->now_ns, &place);
		pump_heard(pump, &place, 1);
	}
}
