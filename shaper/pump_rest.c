/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a packet rests, and what the bounds say to it.
 *
 * All packets of a flow that wait are in one FIFO, so that none overtakes
 * another.  A flow's own FIFO is the first choice; without a place or a gate
 * its packets are parked in its pair's, or in its host's.
 */
#include <assert.h>

#include "policy/policy.h"
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* Are keys of this scope, or narrower ones, to hold packets? */
static bool enforces_up_to(const struct pump *pump, enum flow_scope scope)
{
	return pump->engine.policy->enforce & ((2u << scope) - 1);
}

/* ------ where */

static uint32_t suspect_for(struct pump *pump, struct flow_entry *entry)
{
	if (!entry || !engine_enforces(&pump->engine, entry))
		return 0;
	return engine_suspect(&pump->engine, entry, pump->now_ns);
}

uint32_t pump_rest(struct pump *pump, const struct engine_place *place)
{
	const struct flow_entry *flow = place->flow;
	const struct flow_entry *pair = place->pair;
	bool with_host = pair && pair->parked;
	uint32_t id = 0;

	if (flow && flow->parked) {
		with_host = flow->flags & FLOW_ENTRY_WITH_HOST;
		if (!with_host)
			return pair->suspect;
	} else {
		id = suspect_for(pump, place->flow);
	}
	if (!id && !with_host)
		id = suspect_for(pump, place->pair);
	return id ? id
		  : engine_suspect(&pump->engine, place->host, pump->now_ns);
}

static bool has_some(const struct pump *pump, const struct flow_entry *entry,
		     unsigned int where)
{
	const struct suspect *suspect;

	if (!entry->suspect)
		return false;
	suspect = suspect_of(pump, entry->suspect);
	return (where & PUMP_RESTING && suspect->first) ||
	       (where & PUMP_ASIDE && suspect->aside_pkts);
}

bool pump_is_exempt(const struct pump *pump, const struct engine_place *place,
		    const struct flow_key *key)
{
	struct flow_entry probe = { .key = *key };

	if (place->flow)
		return place->flow->flags & FLOW_ENTRY_EXEMPT;
	engine_classify(&pump->engine, &probe);
	return probe.flags & FLOW_ENTRY_EXEMPT;
}

bool pump_follows(const struct pump *pump, const struct engine_place *place,
		  unsigned int where)
{
	const struct flow_entry *flow = place->flow;
	const struct flow_entry *pair = place->pair;
	bool resting = where & PUMP_RESTING;

	if (flow && resting && flow->parked)
		return true;
	if (flow && where & PUMP_ASIDE && flow->flags & FLOW_ENTRY_ASIDE)
		return true;
	if (flow && enforces_up_to(pump, FLOW_SCOPE_FLOW))
		return has_some(pump, flow, where);
	if (pair && ((resting && pair->parked) || has_some(pump, pair, where)))
		return true;
	/* what rests at the host is counted by its pair, what comes is not */
	if (pair && enforces_up_to(pump, FLOW_SCOPE_PAIR))
		where &= PUMP_ASIDE;
	return has_some(pump, place->host, where);
}

/* ------ what is known of it meanwhile: its entries say that it is parked;
 * for those that it has not, engine_resting does */

struct flow_entry *pump_entry_of(const struct pump *pump,
				 const struct flow_key *flow,
				 enum flow_scope scope)
{
	const struct flowtable *table = &pump->engine.tables[scope];
	struct flow_key key;
	uint32_t slot;

	flow_key_widen(flow, scope, &key);
	slot = flowtable_find(table, &key, flowtable_hash(table, &key));
	return slot == FLOWTABLE_NONE ? NULL : flowtable_entry(table, slot);
}

/* Flags of a token that rests in a FIFO of this scope. */
static uint8_t flags_at(const struct pump *pump,
			const struct engine_place *place, uint8_t scope)
{
	uint8_t flags = 0;

	if (!place->flow)
		flags |= TOKEN_NO_FLOW;
	else if (scope > FLOW_SCOPE_FLOW &&
		 enforces_up_to(pump, FLOW_SCOPE_FLOW))
		flags |= TOKEN_PARKED;
	if (!place->pair)
		flags |= TOKEN_NO_PAIR;
	else if (scope > FLOW_SCOPE_PAIR &&
		 enforces_up_to(pump, FLOW_SCOPE_PAIR))
		flags |= TOKEN_PAIR_PARKED;
	if (!place->pair && place->host_slot == ENGINE_HOST_SHARED)
		flags |= TOKEN_NO_HOST;
	return flags;
}

static bool may_park(const struct engine_place *place, uint8_t flags)
{
	return !(flags & TOKEN_PARKED && place->flow->parked == UINT8_MAX) &&
	       !(flags & TOKEN_PAIR_PARKED && place->pair->parked == UINT8_MAX);
}

static void park(const struct engine_place *place, uint8_t flags, uint8_t scope)
{
	if (flags & TOKEN_PARKED) {
		place->flow->parked++;
		if (scope == FLOW_SCOPE_HOST)
			place->flow->flags |= FLOW_ENTRY_WITH_HOST;
	}
	if (flags & TOKEN_PAIR_PARKED)
		place->pair->parked++;
}

static void unpark(const struct pump *pump, const struct token *token)
{
	struct flow_entry *entry;

	if (token->flags & TOKEN_PARKED) {
		entry = pump_entry_of(pump, &token->key, FLOW_SCOPE_FLOW);
		assert(entry && entry->parked > 0);
		if (--entry->parked == 0)
			entry->flags &= (uint8_t)~FLOW_ENTRY_WITH_HOST;
	}
	if (token->flags & TOKEN_PAIR_PARKED) {
		entry = pump_entry_of(pump, &token->key, FLOW_SCOPE_PAIR);
		assert(entry && entry->parked > 0);
		entry->parked--;
	}
}

static void note_resting(struct pump *pump, const struct token *token,
			 int32_t change)
{
	struct engine *engine = &pump->engine;

	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		struct flow_key key;

		if (!(token->flags & TOKEN_NO_FLOW << scope))
			continue;
		flow_key_widen(&token->key, (enum flow_scope)scope, &key);
		*engine_resting(engine,
				flowtable_hash(&engine->tables[scope], &key)) +=
			(uint32_t)change;
	}
	if (token->flags & TOKEN_NO_HOST)
		*engine_resting(engine, token->host) += (uint32_t)change;
}

/* ------ into a FIFO and out of it */

void pump_account(struct pump *pump, uint32_t id, int32_t pkts, int64_t bytes)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct flow_entry *entry = engine_entry_of(&pump->engine, fifo);
	uint32_t host_slot = engine_host_slot(&pump->engine, entry);
	struct engine_host *host = &pump->engine.hosts[host_slot];

	fifo->held_pkts += (uint32_t)pkts;
	if (fifo->scope == FLOW_SCOPE_FLOW)
		pump->engine.held_below[entry->up] += (uint32_t)pkts;
	host->held_pkts += (uint32_t)pkts;
	pump->held_pkts += (uint32_t)pkts;
	pump->held_bytes += (uint64_t)bytes;
	lengths_set(&host->fifos, pump->engine.fifo_links, id, fifo->held_pkts);
	lengths_set(&pump->busiest, pump->host_links, host_slot,
		    host->held_pkts);
}

static void enter(struct pump *pump, const struct engine_place *place,
		  uint32_t id, uint32_t token_id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, token_id);
	struct flow_key host;

	if (token->flags & TOKEN_NO_HOST)
		token->host = (uint16_t)(engine_host_key(&pump->engine,
							 &token->key, &host) %
					 ENGINE_RESTING);
	park(place, token->flags, fifo->scope);
	note_resting(pump, token, 1);
	tokens_append(&pump->tokens, &fifo->first, &fifo->last, token_id);
	pump_account(pump, id, (int32_t)token->wire_pkts,
		     (int64_t)token->bytes);
	pump_slots_account(pump, id, token->slots);
}

static void take_out(struct pump *pump, uint32_t id, uint32_t token_id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, token_id);

	unpark(pump, token);
	note_resting(pump, token, -1);
	token->flags &= TOKEN_GHOST | TOKEN_ONWARD | TOKEN_CONNECTION;
	tokens_unlink(&pump->tokens, &fifo->first, &fifo->last, token_id);
	pump_account(pump, id, -(int32_t)token->wire_pkts,
		     -(int64_t)token->bytes);
	pump_slots_account(pump, id, -(int32_t)token->slots);
}

void pump_let_go(struct pump *pump, uint32_t token_id,
		 enum pump_verdict verdict)
{
	struct token *token = tokens_get(&pump->tokens, token_id);

	token->verdict = (uint8_t)verdict;
	token->left_ns = pump->now_ns;
	token->after = pump->taken;
	tokens_append(&pump->tokens, &pump->leaving_first, &pump->leaving_last,
		      token_id);
	if (!pump->untold)
		pump->untold = token_id;
}

void pump_expel(struct pump *pump, uint32_t id, uint32_t token_id,
		enum pump_verdict verdict)
{
	take_out(pump, id, token_id);
	pump_let_go(pump, token_id, verdict);
	pump_unrefuse(pump, id);
	if (!suspect_of(pump, id)->first)
		pump_wait_ends(pump, id);
}

/* ------ bounds */

bool pump_key_is_full(const struct pump *pump, const struct suspect *rest,
		      uint32_t slots)
{
	uint32_t most = pump->engine.policy->limits.held_packets_per_key;

	return most && !pump_slots_are_unbound(pump, slots) &&
	       !pump->config.lift_bounds &&
	       rest->held_pkts + rest->aside_pkts >= most;
}

/* Which FIFO must give, so that `pkts` more may rest in `id`?  0: none. */
static uint32_t over_bound(struct pump *pump, uint32_t id, uint32_t pkts,
			   uint32_t bytes, bool unbound,
			   enum stats_counter *ret_counter)
{
	const struct policy_limits *limits = &pump->engine.policy->limits;
	struct suspect *fifo = suspect_of(pump, id);
	struct engine_host *host = &pump->engine.hosts[engine_host_slot(
		&pump->engine, engine_entry_of(&pump->engine, fifo))];
	uint32_t most = limits->held_packets_per_key;

	if (pump->config.lift_bounds)
		return 0;
	if (most && !unbound && fifo->held_pkts + pkts > most) {
		*ret_counter = STATS_dropped_key_bound;
		return id;
	}
	most = limits->held_packets_per_host;
	if (most && !unbound && host->held_pkts + pkts > most) {
		*ret_counter = STATS_dropped_host_bound;
		return host->held_pkts ? lengths_longest(&host->fifos) : id;
	}
	if ((limits->held_packets &&
	     pump->held_pkts + pkts > limits->held_packets) ||
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

/* `at_bound: release`: the head goes, counted as sent. */
static void release_at_bound(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct token *token = tokens_get(&pump->tokens, fifo->first);
	struct engine_place place;

	pump_place_of_token(pump, fifo, token, &place);
	pump_sent(pump, &place, NULL, token->wire_pkts);
	pump->engine.stats.counter[STATS_released_bound] += token->wire_pkts;
	pump_expel(pump, id, fifo->first, PUMP_PASS);
	if (fifo->first)
		pump_stir_later(pump, id);
}

/* The longest FIFO gives its newest packet; what comes in has no better claim
 * than the longest, so when its own is the longest it is the one to go. */
static bool make_room(struct pump *pump, uint32_t id, uint32_t pkts,
		      uint32_t bytes, bool unbound)
{
	const struct policy_limits *limits = &pump->engine.policy->limits;
	uint64_t *counter = pump->engine.stats.counter;
	enum stats_counter why = STATS_dropped_bound;
	uint32_t victim;

	while ((victim = over_bound(pump, id, pkts, bytes, unbound, &why)) !=
	       0) {
		struct suspect *fifo = suspect_of(pump, victim);
		uint32_t token = fifo->last;

		pump_refuse(pump, victim);
		if (limits->at_bound == POLICY_BOUND_RELEASE && fifo->first) {
			release_at_bound(pump, victim);
			continue;
		}
		if (victim == id ||
		    fifo->held_pkts < suspect_of(pump, id)->held_pkts + pkts) {
			counter[why] += pkts;
			return false;
		}
		counter[why] += tokens_get(&pump->tokens, token)->wire_pkts;
		pump_expel(pump, victim, token, PUMP_DROP);
	}
	return true;
}

/* As many packets of this key are parked as can be counted. */
static bool make_room_to_park(struct pump *pump,
			      const struct engine_place *place, uint32_t id,
			      uint32_t wire_pkts, uint8_t flags)
{
	bool release = pump->engine.policy->limits.at_bound ==
		       POLICY_BOUND_RELEASE;

	while (!may_park(place, flags)) {
		if (!release) {
			pump->engine.stats.counter[STATS_dropped_key_bound] +=
				wire_pkts;
			return false;
		}
		release_at_bound(pump, id);
	}
	return true;
}

enum pump_verdict pump_enqueue(struct pump *pump,
			       const struct engine_place *place, uint32_t rest,
			       const struct flow_key *key,
			       const struct pump_packet *packet,
			       uint32_t wire_pkts, uint8_t flags)
{
	uint8_t scope = suspect_of(pump, rest)->scope;
	uint32_t slots =
		flags & TOKEN_GHOST
			? 0
			: pump_slots_of(pump, place->host_slot, &packet->meta);
	uint32_t id;

	flags |= flags_at(pump, place, scope);
	if (!make_room_to_park(pump, place, rest, wire_pkts, flags) ||
	    !pump_slots_make_room(pump, rest, wire_pkts, slots) ||
	    !make_room(pump, rest, wire_pkts, packet->meta.length_bytes,
		       pump_slots_are_unbound(pump, slots)))
		return PUMP_DROP;
	id = tokens_take(&pump->tokens);
	if (!id) {
		pump->engine.stats.counter[STATS_dropped_bound] += wire_pkts;
		return PUMP_DROP;
	}
	*tokens_get(&pump->tokens, id) = (struct token){
		.key = *key,
		.id = packet->id,
		.arrived_ns = pump->now_ns,
		.bytes = packet->meta.length_bytes,
		.wire_pkts = (uint16_t)wire_pkts,
		.whole_pkts = (uint16_t)wire_pkts,
		.dst_zone = packet->dst_zone,
		.slots = (uint16_t)slots,
		.flags = flags,
		.shard = packet->shard,
	};
	enter(pump, place, rest, id);
	if (suspect_of(pump, rest)->first == id)
		pump_stir(pump, rest);
	return PUMP_WAIT;
}

/* ------ everything anew: rules, mode or exemptions have changed */

static void detach(struct pump *pump, uint32_t id, uint32_t *first,
		   uint32_t *last)
{
	struct suspect *fifo = suspect_of(pump, id);

	while (fifo->first) {
		uint32_t token = fifo->first;

		take_out(pump, id, token);
		tokens_append(&pump->tokens, first, last, token);
	}
	pump_wait_elsewhere(pump, id);
}

static void rehome(struct pump *pump, uint32_t id)
{
	const struct engine *engine = &pump->engine;
	struct token *token = tokens_get(&pump->tokens, id);
	const struct flow_key key = token->key;
	struct engine_place place;
	uint8_t flags, scope;
	uint32_t rest;

	if (token->flags & TOKEN_GHOST && pump_holds(pump)) {
		pump_note_sent(pump, token);
		tokens_give_back(&pump->tokens, id);
		return;
	}
	if (!policy_is_inside(engine->policy, key.inside)) {
		pump_note_sent(pump, token);
		pump_let_go(pump, id, PUMP_PASS);
		return;
	}
	engine_place(&pump->engine, &key,
		     flowtable_hash(&engine->tables[FLOW_SCOPE_FLOW], &key),
		     FLOWTABLE_NONE, FLOW_OUT, pump->now_ns, &place);
	rest = pump_rest(pump, &place);
	scope = suspect_of(pump, rest)->scope;
	flags = flags_at(pump, &place, scope);
	if ((!(token->flags & TOKEN_GHOST) && !pump_holds(pump)) ||
	    (pump_is_exempt(pump, &place, &key) &&
	     !pump_follows(pump, &place, PUMP_RESTING))) {
		pump_sent(pump, &place, NULL, token->wire_pkts);
		pump_let_go(pump, id, PUMP_PASS);
		return;
	}
	/* the oldest of them go first, so that none overtakes another */
	while (!may_park(&place, flags))
		release_at_bound(pump, rest);
	token->flags |= flags;
	enter(pump, &place, rest, id);
	pump_stir_later(pump, rest);
}

/* The packets of a flow stay in order: they come from one FIFO. */
void pump_rehome(struct pump *pump)
{
	uint32_t first = 0, last = 0, host, id;

	while ((host = lengths_longest(&pump->busiest)) != UINT32_MAX) {
		id = lengths_longest(&pump->engine.hosts[host].fifos);
		detach(pump, id, &first, &last);
	}
	while ((id = first) != 0) {
		tokens_unlink(&pump->tokens, &first, &last, id);
		rehome(pump, id);
	}
	pump_tell(pump);
}
