/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard.h"

#include "xen-hooks/netback/guard_evidence.h"
#include "xen-hooks/netback/guard_gates.h"
#include "xen-hooks/netback/guard_keys.h"
#include "xen-hooks/netback/guard_paces.h"
#include "xen-hooks/netback/guard_state.h"

/* A note: both keys, slots, packets on the wire, does it open a connection, is
 * the flow's its line. */
enum {
	PAIR_SHIFT = 17,
	SLOTS_SHIFT = 34,
	WIRE_SHIFT = 42,
	WIRE_MOST = (1 << 20) - 1,
	CONNECTION_SHIFT = 62,
	LINE_SHIFT = 63,
};

_Static_assert((int)GUARD_KEYS_MOST < (int)GUARD_NONE,
	       "a key fits into a note");

/* ------ the guard */

uint64_t guard_bytes(uint32_t keys_count)
{
	return sizeof(struct guard) +
	       ((uint64_t)keys_count + 1) * sizeof(struct guard_key);
}

void guard_init(struct guard *guard, const struct guard_params *params,
		const uint64_t seed[2], uint32_t keys_count)
{
	guard->seed[0] = seed[0];
	guard->seed[1] = seed[1];
	guard->keys_count = keys_count;
	guard_set(guard, params);
}

/* Buckets of another length cannot be told from the old ones. */
static void forget_windows(struct guard *guard)
{
	for (uint32_t i = 0; i <= guard->keys_count; i++) {
		guard->keys[i].window = (struct fast_window){ 0 };
		guard->keys[i].history = (struct fast_history){ 0 };
	}
}

void guard_set(struct guard *guard, const struct guard_params *params)
{
	uint32_t span_64ns = fast_span(params->gate.window_ns);

	guard->params = *params;
	if (!params->wants_consent)
		guard->params.credit = (struct credit_params){ 0 };
	guard->rated_ns = 0;
	if (guard->span_64ns != 0 && guard->span_64ns != span_64ns)
		forget_windows(guard);
	guard->span_64ns = span_64ns;
	guard->number_ends_ns = 0;
}

/* ------ places */

/* The pair first: a flow that is made may take the place of one that is of no
 * use, which this one's would be as yet. */
static struct guard_place place_out(struct guard *guard,
				    const struct guard_packet *packet)
{
	bool is_judged = guard->params.scopes & GUARD_FLOW;
	struct guard_place place = {
		.flow = GUARD_NONE,
		.pair = guard_make(guard, &packet->pair, false),
	};

	if (is_judged || guard_is_tcp(packet->meta) ||
	    packet->meta->rtp_ssrc != 0)
		place.flow = guard_make(guard, &packet->flow, false);
	if (is_judged && place.flow == GUARD_NONE)
		guard->counters[GUARD_no_place_pkts]++;
	if (place.pair != GUARD_NONE)
		return place;
	guard->counters[GUARD_no_place_pkts]++;
	place.pair = guard->keys_count;
	return place;
}

static struct guard_place place_in(struct guard *guard,
				   const struct guard_packet *packet)
{
	bool is_judged = guard->params.scopes & GUARD_FLOW;
	struct guard_place place = {
		.flow = GUARD_NONE,
		.pair = guard_make(guard, &packet->pair, true),
	};

	if (is_judged)
		place.flow = guard_make(guard, &packet->flow, true);
	else if (guard_is_tcp(packet->meta))
		place.flow = guard_at(guard, &packet->flow);
	if (place.pair == GUARD_NONE)
		place.pair = guard->keys_count;
	return place;
}

/* ------ what is heard */

bool guard_hear(struct guard *guard, const struct guard_packet *packet,
		uint64_t now_ns)
{
	struct guard_place place;
	bool wakes = false;
	uint32_t replies;

	guard_clamp(guard, now_ns);
	guard->counters[GUARD_heard_pkts]++;
	place = place_in(guard, packet);
	replies = guard_replies_of(guard, packet, guard_flow(guard, &place));
	if (!(packet->meta->tcp_flags & EVIDENCE_TCP_RST))
		wakes = guard_paces_heard(guard, &place);
	return guard_count_heard(guard, &place, replies, packet->wire_pkts) ||
	       wakes;
}

/* ------ waiting */

static uint64_t note_of(const struct guard_asked *asked, uint32_t slots,
			bool in_flow)
{
	uint64_t wire = asked->wire_pkts < WIRE_MOST ? asked->wire_pkts
						     : WIRE_MOST;

	return asked->place.flow | (uint64_t)asked->place.pair << PAIR_SHIFT |
	       (uint64_t)slots << SLOTS_SHIFT | wire << WIRE_SHIFT |
	       (uint64_t)asked->connection << CONNECTION_SHIFT |
	       (uint64_t)in_flow << LINE_SHIFT;
}

static uint32_t wire_of(uint64_t note)
{
	return (uint32_t)(note >> WIRE_SHIFT) & WIRE_MOST;
}

static uint32_t slots_of(uint64_t note)
{
	return (uint32_t)(note >> SLOTS_SHIFT) & 255;
}

static struct guard_asked read_note(uint64_t note)
{
	return (struct guard_asked){
		.place = { .flow = (uint32_t)note & GUARD_NONE,
			   .pair = (uint32_t)(note >> PAIR_SHIFT) &
				   GUARD_NONE },
		.wire_pkts = wire_of(note),
		.connection = note >> CONNECTION_SHIFT & 1,
	};
}

/* Of one that is new. */
static struct guard_key *line_of(struct guard *guard,
				 const struct guard_place *place)
{
	struct guard_key *keys[2];

	guard_deciders(guard, place, keys);
	return keys[0];
}

/* Of one that waits, whatever is enforced meanwhile. */
static struct guard_key *line_of_note(struct guard *guard, uint64_t note)
{
	const struct guard_asked asked = read_note(note);

	return note >> LINE_SHIFT ? guard_flow(guard, &asked.place)
				  : guard_pair(guard, &asked.place);
}

static void begin_waiting_at(struct guard *guard, struct guard_key *key)
{
	if (key->waiting_pkts++ == 0)
		key->since_ns = guard->now_ns;
	key->last_ns = guard->now_ns;
}

static void begin_waiting(struct guard *guard, uint64_t note)
{
	const struct guard_asked asked = read_note(note);
	struct guard_key *flow = guard_flow(guard, &asked.place);

	begin_waiting_at(guard, guard_pair(guard, &asked.place));
	if (flow)
		begin_waiting_at(guard, flow);
	line_of_note(guard, note)->waiting_slots += slots_of(note);
	guard->counters[GUARD_withheld_pkts] += wire_of(note);
	guard->counters[GUARD_waiting_pkts] += wire_of(note);
}

static void end_waiting_at(struct guard_key *key)
{
	if (--key->waiting_pkts > 0)
		return;
	gate_lapse(&key->gate);
	key->paid_pkts = 0;
}

static void end_waiting(struct guard *guard, uint64_t note)
{
	const struct guard_asked asked = read_note(note);
	struct guard_key *flow = guard_flow(guard, &asked.place);

	end_waiting_at(guard_pair(guard, &asked.place));
	if (flow)
		end_waiting_at(flow);
	line_of_note(guard, note)->waiting_slots -= slots_of(note);
	guard->counters[GUARD_waiting_pkts] -= wire_of(note);
}

void guard_let_go(struct guard *guard, uint64_t note)
{
	end_waiting(guard, note);
	guard->counters[GUARD_lost_pkts] += wire_of(note);
}

/* ------ what is asked */

static bool may_go(struct guard *guard, struct guard_asked *asked,
		   uint64_t *until_ns)
{
	if (guard->params.scopes == 0)
		return true;
	if (!guard_is_in_pace(guard, asked, until_ns))
		return false;
	if (guard_may_leave(guard, asked))
		return true;
	guard_wait_for(guard, asked, until_ns);
	return false;
}

static void leave(struct guard *guard, const struct guard_asked *asked)
{
	struct guard_key *flow = guard_flow(guard, &asked->place);

	guard_paces_sent(guard, asked);
	guard_gates_sent(guard, asked);
	guard_add(guard, guard_pair(guard, &asked->place), asked->wire_pkts, 0);
	if (flow)
		guard_add(guard, flow, asked->wire_pkts, 0);
}

static enum guard_verdict refuse(struct guard *guard,
				 enum guard_counter counter, uint32_t wire_pkts)
{
	guard->counters[counter] += wire_pkts;
	return GUARD_DROP;
}

static enum guard_verdict withhold(struct guard *guard,
				   const struct guard_asked *asked,
				   uint32_t slots, uint64_t *ret_note)
{
	const struct guard_key *line = line_of(guard, &asked->place);
	uint32_t most = guard->params.slots_per_key;

	if (most != 0 && line->waiting_slots + slots > most)
		return refuse(guard, GUARD_shed_pkts, asked->wire_pkts);
	*ret_note =
		note_of(asked, slots, line == guard_flow(guard, &asked->place));
	begin_waiting(guard, *ret_note);
	return GUARD_WITHHOLD;
}

static void meet(struct guard *guard, const struct guard_place *place)
{
	struct guard_key *pair = guard_pair(guard, place);
	struct guard_key *flow = guard_flow(guard, place);

	if (!pair->met)
		guard_state_meet(guard, pair);
	if (flow && !flow->met)
		guard_state_meet(guard, flow);
}

/* Where it is counted, and what it tells besides.  true: something that waits
 * may go. */
static bool note_packet(struct guard *guard, const struct guard_packet *packet,
			struct guard_asked *asked)
{
	struct guard_key *flow;
	bool wakes;

	asked->place = place_out(guard, packet);
	meet(guard, &asked->place);
	flow = guard_flow(guard, &asked->place);
	if (flow && packet->meta->rtp_ssrc != 0)
		media_sent(&flow->flow.media, packet->meta);
	wakes = guard_finish_handshake(guard, packet, &asked->place);
	guard_note_evidence(flow, packet);
	asked->connection = guard_begins(guard, &asked->place, packet->meta);
	return wakes;
}

/* Who came before it may wait in another queue of the vif, and for what no gate
 * knows of: then it is asked about on its own, for the first time soon. */
static void wait_behind(struct guard *guard, const struct guard_asked *asked,
			uint64_t *until_ns)
{
	guard_wait_for(guard, asked, until_ns);
	if (*until_ns == GUARD_NEVER)
		*until_ns = guard->now_ns + guard->params.gate.first_delay_ns;
}

static bool may_pass(struct guard *guard, struct guard_asked *asked,
		     uint64_t *until_ns)
{
	if (guard->params.scopes == 0)
		return true;
	if (line_of(guard, &asked->place)->waiting_pkts > 0)
		wait_behind(guard, asked, until_ns);
	else if (may_go(guard, asked, until_ns))
		return true;
	if (guard->params.mode != GUARD_OBSERVE)
		return false;
	guard->counters[GUARD_observed_pkts] += asked->wire_pkts;
	return true;
}

enum guard_verdict guard_ask(struct guard *guard,
			     const struct guard_packet *packet,
			     uint64_t *ret_note, uint64_t *until_ns,
			     uint64_t now_ns)
{
	struct guard_asked asked = { .wire_pkts = packet->wire_pkts,
				     .bytes = packet->bytes,
				     .is_new = true };
	bool wakes;

	guard_clamp(guard, now_ns);
	guard->counters[GUARD_asked_pkts] += asked.wire_pkts;
	if (guard->params.mode == GUARD_INTERCEPT)
		return refuse(guard, GUARD_intercepted_pkts, asked.wire_pkts);
	wakes = note_packet(guard, packet, &asked);
	if (may_pass(guard, &asked, until_ns)) {
		leave(guard, &asked);
		guard->counters[GUARD_passed_pkts] += asked.wire_pkts;
		return GUARD_GO_ON;
	}
	if (wakes)
		*until_ns = guard->now_ns + 1;
	return withhold(guard, &asked, packet->slots, ret_note);
}

static bool waits_no_more(struct guard *guard, struct guard_asked *asked,
			  uint64_t *until_ns)
{
	return guard->params.mode == GUARD_OBSERVE ||
	       may_go(guard, asked, until_ns);
}

enum guard_verdict guard_ask_again(struct guard *guard, uint64_t note,
				   uint32_t bytes, uint32_t round,
				   uint64_t *until_ns, uint64_t now_ns)
{
	struct guard_asked asked = read_note(note);
	struct guard_key *line = line_of_note(guard, note);

	guard_clamp(guard, now_ns);
	asked.bytes = bytes;
	if (guard->params.mode == GUARD_INTERCEPT) {
		end_waiting(guard, note);
		return refuse(guard, GUARD_intercepted_pkts, asked.wire_pkts);
	}
	if (line->round == round)
		return GUARD_WITHHOLD;
	if (!waits_no_more(guard, &asked, until_ns)) {
		line->round = round;
		return GUARD_WITHHOLD;
	}
	leave(guard, &asked);
	end_waiting(guard, note);
	guard->counters[GUARD_released_pkts] += asked.wire_pkts;
	return GUARD_GO_ON;
}

/* A second's worth at once, then evenly. */
bool guard_allows_other(struct guard *guard, uint32_t wire_pkts,
			uint64_t now_ns)
{
	const uint64_t second_ns = 1000000000;
	uint32_t rate = guard->params.other_pkts_per_s;

	guard_clamp(guard, now_ns);
	guard->counters[GUARD_other_pkts] += wire_pkts;
	if (guard->params.mode == GUARD_INTERCEPT) {
		guard->counters[GUARD_other_dropped_pkts] += wire_pkts;
		return false;
	}
	if (rate == 0 || guard->params.mode == GUARD_OBSERVE)
		return true;
	if (guard->other_ns < guard->now_ns)
		guard->other_ns = guard->now_ns;
	if (guard->other_ns >= guard->now_ns + second_ns) {
		guard->counters[GUARD_other_dropped_pkts] += wire_pkts;
		return false;
	}
	guard->other_ns += wire_pkts * second_ns / rate;
	return true;
}
