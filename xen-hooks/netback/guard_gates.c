/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard_gates.h"

#include "shaper/asym.h"

/* ------ gates */

/* How many of these packets its gate does not let go, less those that were
 * owed or paid for. */
static uint32_t lacks(struct guard *guard, struct guard_key *key,
		      uint32_t wire_pkts)
{
	uint32_t sent, heard, beyond;

	guard_sums(guard, key, &sent, &heard);
	beyond = asym_beyond(sent, heard, wire_pkts,
			     guard->params.gate.ratio_q16);
	return beyond > key->paid_pkts ? beyond - key->paid_pkts : 0;
}

/* A super-packet asks as if all but its last packet had left. */
static enum gate_answer ask_gate(struct guard *guard, struct guard_key *key,
				 uint32_t wire_pkts)
{
	uint32_t sent, heard;

	guard_sums(guard, key, &sent, &heard);
	return gate_ask(&key->gate, &guard->params.gate, sent + wire_pkts - 1,
			heard, guard->now_ns);
}

/* What a key owes, it owes those that wait, and not one that is new. */
static bool lets_go(struct guard *guard, struct guard_key *key,
		    const struct guard_asked *asked)
{
	uint32_t sent, heard, lacking;
	enum gate_answer answer;

	guard_sums(guard, key, &sent, &heard);
	if (gate_is_open(&key->gate, &guard->params.gate,
			 sent + asked->wire_pkts - 1, heard))
		return true;
	gate_fire(&key->gate, key->waiting_pkts > 0, guard->now_ns);
	answer = ask_gate(guard, key, asked->wire_pkts);
	lacking = lacks(guard, key, asked->wire_pkts);
	if (lacking == 0)
		return true;
	if (answer == GATE_CLOSED || (asked->is_new && key->waiting_pkts > 0))
		return false;
	if (lacking == 1)
		return true;
	gate_left(&key->gate);
	key->paid_pkts++;
	ask_gate(guard, key, asked->wire_pkts);
	return false;
}

/* ------ floor */

static void waive(struct guard_key *key, uint32_t pkts)
{
	if (key)
		gate_waive(&key->gate, floor_releases(pkts));
}

static bool passes_below_floor(struct guard *guard,
			       const struct guard_asked *asked)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	struct floor_log *log = &pair->pair.floor;
	uint64_t window_ns = guard->params.gate.window_ns;
	uint32_t pkts;

	if (floor_next_ns(log, guard->params.credit.floor_pkts,
			  asked->wire_pkts, window_ns) > guard->now_ns)
		return false;
	floor_left(log, asked->wire_pkts, guard->now_ns);
	pkts = floor_pkts(log, window_ns, guard->now_ns);
	guard->counters[GUARD_floor_pkts] += asked->wire_pkts;
	waive(pair, pkts);
	waive(guard_flow(guard, &asked->place), pkts);
	return true;
}

/* ------ purse */

static void note_sent(struct guard *guard, struct guard_key *pair)
{
	struct credit *credit = &pair->pair.credit;

	credit_sent(credit, &guard->params.credit,
		    !credit_must_stay(credit, guard->now_ns) &&
			    guard->forgot_until_ns <= guard->now_ns &&
			    guard->patience_from_ns <= guard->now_ns,
		    guard->now_ns);
}

/* A super-packet cannot leave in part, but be paid for in part. */
static void pay_part(struct guard *guard, struct guard_key *pair,
		     struct guard_key *const keys[], uint32_t count)
{
	uint32_t patience, earned;

	credit_purse(&pair->pair.credit, guard->now_ns, &patience, &earned);
	credit_pay(&pair->pair.credit, patience + earned, guard->now_ns);
	for (uint32_t i = 0; i < count; i++)
		keys[i]->paid_pkts += patience + earned;
}

static bool pays(struct guard *guard, const struct guard_asked *asked)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	const struct guard_key *flow = guard_flow(guard, &asked->place);
	const struct credit_params *params = &guard->params.credit;
	struct guard_key *keys[2];
	uint32_t count = guard_deciders(guard, &asked->place, keys);
	uint32_t pkts = 0;

	if (params->patience_pkts == 0 && params->earned_pkts == 0)
		return false;
	note_sent(guard, pair);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t lacking = lacks(guard, keys[i], asked->wire_pkts);

		pkts = lacking > pkts ? lacking : pkts;
	}
	if (!credit_pay_for(&pair->pair.credit, params, pkts,
			    flow && media_is_stream(&flow->flow.media),
			    guard->now_ns)) {
		if (asked->wire_pkts > 1)
			pay_part(guard, pair, keys, count);
		return false;
	}
	guard->counters[GUARD_paid_pkts] += pkts;
	/* It did not wait. */
	for (uint32_t i = 0; i < count; i++)
		if (keys[i]->waiting_pkts == 0)
			gate_unask(&keys[i]->gate, &guard->params.gate,
				   guard->now_ns);
	return true;
}

bool guard_may_leave(struct guard *guard, struct guard_asked *asked)
{
	struct guard_key *keys[2];
	uint32_t count = guard_deciders(guard, &asked->place, keys);
	bool may = true;

	for (uint32_t i = 0; i < count; i++)
		may = lets_go(guard, keys[i], asked) && may;
	asked->is_paid =
		!may && guard->params.wants_consent &&
		guard_has_pair(guard, &asked->place) &&
		(passes_below_floor(guard, asked) || pays(guard, asked));
	return may || asked->is_paid;
}

/* What is paid for leaves to others what one of its gates owes. */
void guard_gates_sent(struct guard *guard, const struct guard_asked *asked)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	struct guard_key *keys[2];
	uint32_t count = guard_deciders(guard, &asked->place, keys);

	for (uint32_t i = 0; i < count; i++) {
		if (!asked->is_paid)
			gate_left(&keys[i]->gate);
		keys[i]->paid_pkts = 0;
	}
	if (!guard_has_pair(guard, &asked->place))
		return;
	note_sent(guard, pair);
	if (!asked->is_paid)
		floor_left(&pair->pair.floor, asked->wire_pkts, guard->now_ns);
}

/* What waits is asked about at each reply, as far as its purse goes: that is
 * not answered yet. */
void guard_purse_heard(struct guard *guard, const struct guard_place *place,
		       uint32_t pkts)
{
	struct guard_key *pair = guard_pair(guard, place);

	if (!guard_has_pair(guard, place))
		return;
	credit_heard(&pair->pair.credit, &guard->params.credit, pkts,
		     guard->now_ns);
	if (pair->waiting_pkts > 0)
		note_sent(guard, pair);
}

bool guard_has_purse(struct guard *guard, const struct guard_place *place)
{
	uint32_t patience = 0, earned = 0;

	if (guard->params.wants_consent && guard_has_pair(guard, place))
		credit_purse(&guard_pair(guard, place)->pair.credit,
			     guard->now_ns, &patience, &earned);
	return patience + earned > 0;
}

/* ------ waiting */

static void lower(const struct guard *guard, uint64_t *until_ns, uint64_t at_ns)
{
	if (at_ns > guard->now_ns && at_ns < *until_ns)
		*until_ns = at_ns;
}

void guard_wait_for(struct guard *guard, const struct guard_asked *asked,
		    uint64_t *until_ns)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	uint32_t more = asked->wire_pkts - 1;
	struct guard_key *keys[2];
	uint32_t count = guard_deciders(guard, &asked->place, keys);

	for (uint32_t i = 0; i < count; i++) {
		if (!guard_exceeds(guard, keys[i], more))
			continue;
		lower(guard, until_ns, guard_falls_ns(guard, keys[i], more));
		lower(guard, until_ns, keys[i]->gate.armed_ns);
	}
	if (guard->params.wants_consent && guard_has_pair(guard, &asked->place))
		lower(guard, until_ns,
		      floor_next_ns(&pair->pair.floor,
				    guard->params.credit.floor_pkts,
				    asked->wire_pkts,
				    guard->params.gate.window_ns));
}
