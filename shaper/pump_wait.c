/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For whom a FIFO waits.
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
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

int pump_wait_ring(const struct suspect *gate)
{
	return gate->scope == FLOW_SCOPE_PAIR ? SUSPECT_RING_PAIR
					      : SUSPECT_RING_HOST;
}

static void line_join(struct pump *pump, uint32_t gate, uint32_t id)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct suspect *fifo = suspect_of(pump, id);
	int ring = pump_wait_ring(wide);

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

void pump_wait_schedule(struct pump *pump, uint32_t gate)
{
	struct suspect *suspect = suspect_of(pump, gate);

	if (!suspect_waits(suspect))
		gate_lapse(&suspect->gate);
	schedule(pump, gate);
}

/* No packet waits at this gate any more; those in line at its pacer or its rate
 * may. */
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

/* Each gate that is closed will fire, and the narrowest will call it.  Returns
 * that one. */
static uint32_t wait_for_gates(struct pump *pump, uint32_t id,
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
		ring = pump_wait_ring(suspect_of(pump, gate));
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

uint32_t pump_wait(struct pump *pump, uint32_t id,
		   const struct pump_asked *asked)
{
	if (!asked->guard)
		return wait_for_gates(pump, id, asked);
	if (asked->by == PUMP_BY_RATE)
		wait_for_rate(pump, id, asked);
	else
		wait_for_guard(pump, id, asked);
	return 0;
}
