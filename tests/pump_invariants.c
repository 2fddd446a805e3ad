/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/pump_state.h"
#include "tests/check.h"

/* What is counted anew, to be compared. */
struct recount {
	uint32_t *below[FLOW_SCOPES];    /* by slot */
	uint32_t *made[FLOW_SCOPE_HOST]; /* by host */
	uint32_t *borrowed, *held;       /* by host */
	uint32_t *parked[FLOW_SCOPES];   /* by slot: tokens */
	uint32_t *waiting;               /* by suspect */
	uint32_t outside[FLOW_SCOPES];
	uint32_t lent, over, tokens, held_pkts;
	uint32_t paced, in_paced_line;
	uint32_t rated, in_rated_line;
	uint32_t held_slots;
	uint32_t *slots; /* by host */
	uint64_t held_bytes, ids;
};

static uint32_t *counts(uint32_t count)
{
	uint32_t *all = calloc(count + 1u, sizeof(*all));

	CHECK(all);
	return all;
}

static void recount_init(struct recount *recount, const struct engine *engine)
{
	memset(recount, 0, sizeof(*recount));
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		recount->below[scope] = counts(engine->tables[scope].fresh);
		recount->parked[scope] = counts(engine->tables[scope].fresh);
	}
	for (int scope = 0; scope < FLOW_SCOPE_HOST; scope++)
		recount->made[scope] = counts(engine->hosts_count);
	recount->borrowed = counts(engine->hosts_count);
	recount->held = counts(engine->hosts_count);
	recount->slots = counts(engine->hosts_count);
	recount->waiting = counts(suspects_ids(&engine->suspects));
}

static void recount_fini(struct recount *recount)
{
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		free(recount->below[scope]);
		free(recount->parked[scope]);
	}
	for (int scope = 0; scope < FLOW_SCOPE_HOST; scope++)
		free(recount->made[scope]);
	free(recount->borrowed);
	free(recount->held);
	free(recount->slots);
	free(recount->waiting);
}

/* ------ entries */

static void check_up(const struct engine *engine,
		     const struct flow_entry *entry, struct recount *recount)
{
	const struct flowtable *wider = &engine->tables[entry->key.scope + 1];
	const struct flow_entry *up;
	struct flow_key key;

	CHECK(entry->up < wider->fresh && flowtable_in_use(wider, entry->up));
	up = flowtable_entry(wider, entry->up);
	recount->below[entry->key.scope + 1][entry->up]++;
	if (entry->key.scope == FLOW_SCOPE_FLOW) {
		flow_key_widen(&entry->key, FLOW_SCOPE_PAIR, &key);
		CHECK(flow_key_equal(&up->key, &key));
	}
	if (!(entry->flags & FLOW_ENTRY_OUTSIDE))
		recount->made[entry->key.scope]
			     [engine_host_slot(engine, entry)]++;
}

static void check_entry(const struct pump *pump, enum flow_scope scope,
			uint32_t slot, struct recount *recount)
{
	const struct engine *engine = &pump->engine;
	const struct flowtable *table = &engine->tables[scope];
	const struct flow_entry *entry = flowtable_entry(table, slot);

	CHECK(entry->key.scope == scope);
	CHECK(flowtable_find(table, &entry->key,
			     flowtable_hash(table, &entry->key)) == slot);
	if (entry->flags & FLOW_ENTRY_OUTSIDE)
		recount->outside[scope]++;
	if (entry->flags & (FLOW_ENTRY_ASIDE | FLOW_ENTRY_ASIDE_IN))
		CHECK(pump->marks_count > 0);
	CHECK(!(entry->flags & FLOW_ENTRY_WITH_HOST) || entry->parked);
	if (scope != FLOW_SCOPE_HOST)
		check_up(engine, entry, recount);
	if (entry->suspect) {
		const struct suspect *suspect =
			suspects_get(&engine->suspects, entry->suspect);

		CHECK(entry->suspect < suspects_ids(&engine->suspects));
		CHECK(suspect->scope == scope && suspect->slot == slot);
		for (int i = 0; i < FLOWTABLE_RUNS; i++)
			CHECK(entry->runs[i] == 0);
	}
}

static void check_tables(const struct pump *pump, struct recount *recount)
{
	const struct engine *engine = &pump->engine;

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		const struct flowtable *table = &engine->tables[scope];
		uint32_t used = 0;

		for (uint32_t slot = 0; slot < table->fresh; slot++) {
			if (!flowtable_in_use(table, slot))
				continue;
			used++;
			check_entry(pump, (enum flow_scope)scope, slot,
				    recount);
		}
		CHECK(used == table->used && used <= table->capacity);
		CHECK(recount->outside[scope] == engine->outside[scope]);
		CHECK(recount->outside[scope] <= engine->outside_max[scope]);
		CHECK(used - recount->outside[scope] <=
		      engine->inside_max[scope] + (scope == FLOW_SCOPE_HOST));
	}
}

static void check_counts_of_entries(const struct pump *pump,
				    const struct recount *recount)
{
	const struct engine *engine = &pump->engine;

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		const struct flowtable *table = &engine->tables[scope];

		for (uint32_t slot = 0; slot < table->fresh; slot++) {
			const struct flow_entry *entry =
				flowtable_entry(table, slot);

			if (!flowtable_in_use(table, slot))
				continue;
			CHECK(entry->parked == recount->parked[scope][slot]);
			if (scope != FLOW_SCOPE_FLOW)
				CHECK(entry->u.below ==
				      recount->below[scope][slot]);
		}
	}
	for (uint32_t slot = 0; slot < engine->hosts_count; slot++) {
		const struct engine_host *host = &engine->hosts[slot];

		for (int scope = 0; scope < FLOW_SCOPE_HOST; scope++)
			CHECK(host->made[scope] == recount->made[scope][slot]);
		CHECK(host->suspects == recount->borrowed[slot]);
		CHECK(host->held_pkts == recount->held[slot]);
	}
}

/* ------ suspects */

static bool has_deadline(const struct pump *pump, uint32_t id)
{
	return pump->deadlines.place[id] != 0;
}

static void note_parked(const struct pump *pump, const struct token *token,
			uint8_t flag, enum flow_scope scope,
			struct recount *recount)
{
	const struct flowtable *table = &pump->engine.tables[scope];
	struct flow_key key;
	uint32_t slot;

	if (!(token->flags & flag))
		return;
	flow_key_widen(&token->key, scope, &key);
	slot = flowtable_find(table, &key, flowtable_hash(table, &key));
	CHECK(slot != FLOWTABLE_NONE);
	recount->parked[scope][slot]++;
}

static void check_fifo(const struct pump *pump, const struct suspect *fifo,
		       uint32_t id, struct recount *recount)
{
	uint32_t host_slot = engine_host_slot(
		&pump->engine, engine_entry_of(&pump->engine, fifo));
	uint32_t pkts = 0, slots = 0, before = 0, at;

	for (at = fifo->first; at; at = tokens_get(&pump->tokens, at)->next) {
		const struct token *token = tokens_get(&pump->tokens, at);

		CHECK(token->prev == before && token->wire_pkts > 0);
		before = at;
		recount->tokens++;
		recount->ids += !(token->flags & TOKEN_GHOST);
		CHECK(!(token->flags & TOKEN_GHOST) == pump_holds(pump));
		pkts += token->wire_pkts;
		slots += token->slots;
		recount->held_bytes += token->bytes;
		note_parked(pump, token, TOKEN_PARKED, FLOW_SCOPE_FLOW,
			    recount);
		note_parked(pump, token, TOKEN_PAIR_PARKED, FLOW_SCOPE_PAIR,
			    recount);
	}
	CHECK(fifo->last == before && fifo->held_pkts == pkts);
	CHECK(fifo->held_slots == slots);
	recount->held_pkts += pkts;
	recount->held_slots += slots;
	recount->slots[host_slot] += slots;
	recount->held[host_slot] += pkts;
	for (int ring = 0; ring < SUSPECT_RINGS; ring++) {
		if (!fifo->ring[ring].of) {
			CHECK(!fifo->ring[ring].next);
			continue;
		}
		CHECK(fifo->first && fifo->ring[ring].of != id);
		recount->waiting[fifo->ring[ring].of]++;
	}
	CHECK(!(fifo->ring[0].next && fifo->ring[1].next));
}

static void check_line(const struct pump *pump, const struct suspect *gate,
		       uint32_t id)
{
	const struct suspects *suspects = &pump->engine.suspects;
	int ring = gate->scope == FLOW_SCOPE_PAIR ? SUSPECT_RING_PAIR
						  : SUSPECT_RING_HOST;
	uint32_t at = gate->turn;

	if (!at)
		return;
	do {
		const struct suspect *fifo = suspects_get(suspects, at);
		uint32_t next = fifo->ring[ring].next;

		CHECK(fifo->ring[ring].of == id && next);
		CHECK(suspects_get(suspects, next)->ring[ring].prev == at);
		at = next;
	} while (at != gate->turn);
}

/* The FIFOs in line at this pacer, and nobody else, say so. */
static void check_paced(const struct pump *pump, const struct suspect *gate,
			uint32_t id, struct recount *recount)
{
	const struct suspects *suspects = &pump->engine.suspects;
	uint32_t before = 0, at;

	for (at = gate->paced_first; at;
	     at = suspects_get(suspects, at)->paced_next) {
		const struct suspect *fifo = suspects_get(suspects, at);

		CHECK(fifo->paced_at == id && fifo->paced_prev == before);
		CHECK(fifo->first);
		before = at;
		recount->paced++;
	}
	CHECK(gate->paced_last == before);
	recount->in_paced_line += gate->paced_at != 0;
}

/* The same of those in line for a host's rate. */
static void check_rated(const struct pump *pump, const struct suspect *gate,
			uint32_t id, struct recount *recount)
{
	const struct suspects *suspects = &pump->engine.suspects;
	uint32_t before = 0, at;

	for (at = gate->rated_first; at;
	     at = suspects_get(suspects, at)->rated_next) {
		const struct suspect *fifo = suspects_get(suspects, at);

		CHECK(fifo->rated_at == id && fifo->rated_prev == before);
		CHECK(fifo->first && !fifo->paced_at);
		CHECK(!fifo->ring[0].next && !fifo->ring[1].next);
		CHECK(fifo->by == PUMP_BY_RATE || fifo->scope);
		before = at;
		recount->rated++;
	}
	CHECK(gate->rated_last == before);
	CHECK(!gate->rated_first || gate->scope == FLOW_SCOPE_HOST);
	recount->in_rated_line += gate->rated_at != 0;
}

/* Somebody stands in the host's line for the FIFOs in line at this pair. */
static bool has_proxy(const struct pump *pump, uint32_t pair)
{
	const struct suspects *suspects = &pump->engine.suspects;
	uint32_t slot = suspects_get(suspects, pair)->slot;

	for (uint32_t id = 1; id < suspects->fresh; id++) {
		const struct suspect *fifo = suspects_get(suspects, id);

		if (fifo->scope != FLOW_SCOPES &&
		    fifo->ring[SUSPECT_RING_HOST].next &&
		    has_deadline(pump, fifo->ring[SUSPECT_RING_HOST].of) &&
		    (id == pair ||
		     (fifo->scope == FLOW_SCOPE_FLOW &&
		      engine_entry_of(&pump->engine, fifo)->up == slot)))
			return true;
	}
	return false;
}

/* What waits will be called: by its own timer, or by that of the gate in whose
 * line it stands. */
static void check_is_called(const struct pump *pump, const struct suspect *fifo,
			    uint32_t id)
{
	bool called = has_deadline(pump, id);

	for (int ring = 0; ring < SUSPECT_RINGS; ring++) {
		uint32_t gate = fifo->ring[ring].of;

		if (fifo->ring[ring].next)
			called |= has_deadline(pump, gate) ||
				  (ring == SUSPECT_RING_PAIR &&
				   has_proxy(pump, gate));
	}
	if (fifo->paced_at)
		called |= has_deadline(pump, fifo->paced_at);
	if (fifo->rated_at)
		called |= has_deadline(pump, fifo->rated_at);
	CHECK(!fifo->first || called);
}

static void check_suspect(const struct pump *pump, uint32_t id,
			  struct recount *recount)
{
	const struct engine *engine = &pump->engine;
	const struct suspect *suspect = suspects_get(&engine->suspects, id);
	const struct flow_entry *entry;

	CHECK(flowtable_in_use(&engine->tables[suspect->scope], suspect->slot));
	entry = engine_entry_of(engine, suspect);
	CHECK(entry->suspect == id && !suspect->stirs);
	if (suspect->scope != FLOW_SCOPE_HOST) {
		recount->lent++;
		recount->borrowed[engine_host_slot(engine, entry)]++;
	}
	recount->over += suspect->over_since_ns != 0;
	check_fifo(pump, suspect, id, recount);
	check_line(pump, suspect, id);
	check_paced(pump, suspect, id, recount);
	check_rated(pump, suspect, id, recount);
	check_is_called(pump, suspect, id);
	if (has_deadline(pump, id)) {
		CHECK(suspect_waits(suspect));
	}
	CHECK(!suspect->gate.owes || suspect_waits(suspect));
	CHECK(!suspect->aside_pkts || pump->marks_count);
}

static void check_suspects(const struct pump *pump, struct recount *recount)
{
	const struct engine *engine = &pump->engine;
	const struct suspects *suspects = &engine->suspects;
	const struct flowtable *hosts = &engine->tables[FLOW_SCOPE_HOST];

	for (uint32_t id = 1; id < suspects->fresh; id++)
		if (suspects_get(suspects, id)->scope != FLOW_SCOPES)
			check_suspect(pump, id, recount);
	CHECK(recount->lent == suspects->used);
	for (uint32_t slot = 0; slot < hosts->fresh; slot++)
		if (flowtable_in_use(hosts, slot) &&
		    flowtable_entry(hosts, slot)->suspect)
			check_suspect(pump,
				      flowtable_entry(hosts, slot)->suspect,
				      recount);
	for (uint32_t id = 1; id < suspects_ids(suspects); id++)
		if (recount->waiting[id])
			CHECK(suspects_get(suspects, id)->waiting ==
			      recount->waiting[id]);
		else
			CHECK(!suspects_get(suspects, id)->waiting ||
			      suspects_get(suspects, id)->scope == FLOW_SCOPES);
	CHECK(recount->over == engine->penalties);
	CHECK(recount->paced == recount->in_paced_line);
	CHECK(recount->rated == recount->in_rated_line);
}

/* ------ the pump's own */

static void check_tokens(const struct pump *pump, struct recount *recount)
{
	const struct tokens *tokens = &pump->tokens;
	uint32_t at, free_count = 0;

	for (at = pump->leaving_first; at; at = tokens_get(tokens, at)->next) {
		recount->tokens++;
		recount->ids += !(tokens_get(tokens, at)->flags & TOKEN_GHOST);
	}
	for (at = tokens->freed; at; at = tokens_get(tokens, at)->next)
		free_count++;
	CHECK(recount->tokens + free_count == tokens->fresh);
}

static void check_deadlines(const struct deadlines *deadlines)
{
	for (uint32_t i = 0; i < deadlines->count; i++) {
		CHECK(deadlines->place[deadlines->heap[i].id] == i + 1);
		if (i > 0)
			CHECK(deadlines->heap[(i - 1) / 2].at_ns <=
			      deadlines->heap[i].at_ns);
	}
}

/* What was offered was let out, waits or was dropped: one of these, and once.
 */
static void check_outcomes(const struct pump *pump)
{
	const uint64_t *counter = pump->engine.stats.counter;

	CHECK(counter[STATS_out_pkts] ==
	      counter[STATS_sent_pkts] + pump->held_pkts +
		      counter[STATS_dropped_key_bound] +
		      counter[STATS_dropped_host_bound] +
		      counter[STATS_dropped_bound] +
		      counter[STATS_shed_key_pkts] +
		      counter[STATS_shed_vif_pkts] +
		      counter[STATS_dropped_drain] +
		      counter[STATS_dropped_lost]);
}

uint64_t pump_check(const struct pump *pump)
{
	struct recount recount;

	recount_init(&recount, &pump->engine);
	CHECK(!pump->turn_first && !pump->turn_last && !pump->untold);
	CHECK(!pump->rate_turn);
	check_tables(pump, &recount);
	check_suspects(pump, &recount);
	check_counts_of_entries(pump, &recount);
	check_tokens(pump, &recount);
	check_deadlines(&pump->deadlines);
	check_outcomes(pump);
	for (uint32_t slot = 0; slot < pump->engine.hosts_count; slot++)
		CHECK(pump->engine.hosts[slot].held_slots ==
		      recount.slots[slot]);
	CHECK(pump->held_slots == recount.held_slots);
	CHECK(pump->held_pkts == recount.held_pkts);
	CHECK(pump->held_bytes == recount.held_bytes);
	CHECK((lengths_longest(&pump->busiest) == UINT32_MAX) ==
	      (recount.held_pkts == 0));
	recount_fini(&recount);
	return recount.ids;
}
