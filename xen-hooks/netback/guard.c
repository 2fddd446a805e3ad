/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard.h"

#include "flowtable/packet_l4.h"
#include "flowtable/siphash.h"
#include "shaper/asym.h"

/* A note: both keys, slots, packets on the wire. */
enum {
	NONE = (1 << 17) - 1, /* no key */
	WIDE_SHIFT = 17,
	SLOTS_SHIFT = 34,
	WIRE_SHIFT = 42,
	WIRE_MOST = 1 << 20,
};

_Static_assert((int)GUARD_KEYS_MOST < (int)NONE, "a key fits into a note");

/* Those of one packet, narrowest first. */
struct asked {
	uint32_t at[2];
	uint32_t count;
};

/* ------ keys */

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
	if (guard->span_64ns != 0 && guard->span_64ns != span_64ns)
		forget_windows(guard);
	guard->span_64ns = span_64ns;
}

static void clamp(struct guard *guard, uint64_t now_ns)
{
	if (guard->now_ns < now_ns)
		guard->now_ns = now_ns;
}

static bool is_equal(const struct flow_key *a, const struct flow_key *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

static uint32_t first_way(const struct guard *guard, const struct flow_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)];
	struct siphash state;

	__builtin_memcpy(words, key, sizeof(*key));
	siphash_init(&state, guard->seed[0], guard->seed[1]);
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		siphash_word(&state, words[i]);
	return (uint32_t)siphash_finish(state) & (guard->keys_count - 1) &
	       ~(uint32_t)(GUARD_WAYS - 1);
}

static uint32_t find(const struct guard *guard, const struct flow_key *key)
{
	uint32_t first = first_way(guard, key);

	for (uint32_t at = first; at < first + GUARD_WAYS; at++)
		if (guard->keys[at].last_ns != 0 &&
		    is_equal(&guard->keys[at].key, key))
			return at;
	return NONE;
}

/* Nothing of it is in the window, the running bucket included. */
static bool is_empty(const struct guard *guard, const struct guard_key *key)
{
	uint64_t kept_ns = (uint64_t)guard->span_64ns * (FAST_SPANS + 2)
			   << FAST_SPAN_SHIFT;

	return key->last_ns == 0 || (key->waiting_pkts == 0 &&
				     key->last_ns + kept_ns <= guard->now_ns);
}

/* Where a new key may stand: what is empty, else for the guest's own the oldest
 * that it never sent to; or NONE. */
static uint32_t room_at(const struct guard *guard, uint32_t first, bool outside)
{
	uint32_t oldest = NONE;

	for (uint32_t at = first; at < first + GUARD_WAYS; at++) {
		const struct guard_key *key = &guard->keys[at];

		if (is_empty(guard, key))
			return at;
		if (!outside && key->outside &&
		    (oldest == NONE ||
		     key->last_ns < guard->keys[oldest].last_ns))
			oldest = at;
	}
	return oldest;
}

static uint32_t find_or_make(struct guard *guard, const struct flow_key *key,
			     bool outside)
{
	uint32_t at = find(guard, key);

	if (at != NONE)
		return at;
	at = room_at(guard, first_way(guard, key), outside);
	if (at == NONE)
		return NONE;
	if (guard->keys[at].last_ns == 0)
		guard->counters[GUARD_keys]++;
	guard->keys[at] = (struct guard_key){ .key = *key, .outside = outside };
	guard->keys[at].last_ns = guard->now_ns;
	return at;
}

static void find_keys(struct guard *guard, const struct guard_packet *packet,
		      struct asked *asked)
{
	uint32_t flow = NONE, pair;

	asked->count = 0;
	if (guard->params.scopes & GUARD_FLOW) {
		flow = find_or_make(guard, &packet->flow, false);
		if (flow != NONE)
			asked->at[asked->count++] = flow;
		else
			guard->counters[GUARD_no_place_pkts]++;
	}
	if (flow != NONE && !(guard->params.scopes & GUARD_PAIR))
		return;
	pair = find_or_make(guard, &packet->pair, false);
	if (pair == NONE) {
		guard->counters[GUARD_no_place_pkts]++;
		pair = guard->keys_count;
	}
	asked->at[asked->count++] = pair;
}

/* ------ windows */

static uint64_t turn(struct guard *guard, struct guard_key *key)
{
	uint64_t number = fast_number(guard->span_64ns, guard->now_ns);

	if (fast_is_behind(&key->window, number))
		fast_turn(&key->window, &key->history, number);
	return number;
}

static void add(struct guard *guard, uint32_t at, uint32_t sent, uint32_t heard)
{
	struct guard_key *key = &guard->keys[at];

	turn(guard, key);
	fast_add(&key->window, sent, heard);
	key->last_ns = guard->now_ns;
}

static bool exceeds(struct guard *guard, struct guard_key *key)
{
	uint32_t sent, heard;

	turn(guard, key);
	fast_sums(&key->window, &key->history, &sent, &heard);
	return asym_exceeds(sent, heard, guard->params.gate.ratio_q16);
}

/* When S is at or below the threshold if nothing is sent and nothing heard. */
static uint64_t falls_ns(struct guard *guard, struct guard_key *key)
{
	uint64_t number = turn(guard, key);
	uint32_t sent, heard, age;

	fast_sums(&key->window, &key->history, &sent, &heard);
	for (age = FAST_SPANS; age > 0; age--) {
		uint64_t bucket =
			fast_older(&key->window, &key->history, number, age);

		sent -= fast_bucket_sent(bucket);
		heard -= fast_bucket_heard(bucket);
		if (!asym_exceeds(sent, heard, guard->params.gate.ratio_q16))
			break;
	}
	return (number - age + FAST_SPANS + 1) * guard->span_64ns
	       << FAST_SPAN_SHIFT;
}

/* ------ questions */

static enum gate_answer gate_of(struct guard *guard, struct guard_key *key)
{
	uint32_t sent, heard;

	turn(guard, key);
	fast_sums(&key->window, &key->history, &sent, &heard);
	return gate_ask(&key->gate, &guard->params.gate, sent, heard,
			guard->now_ns);
}

/* A super-packet is owed for packet by packet. */
static enum gate_answer ask_key(struct guard *guard, struct guard_key *key,
				uint32_t wire_pkts)
{
	enum gate_answer answer;

	gate_fire(&key->gate, key->waiting_pkts > 0, guard->now_ns);
	answer = gate_of(guard, key);
	if (answer == GATE_OPEN)
		key->paid_pkts = 0;
	if (answer != GATE_OWES || key->paid_pkts + 1 >= wire_pkts)
		return answer;
	gate_left(&key->gate);
	key->paid_pkts++;
	return gate_of(guard, key);
}

/* Ask all.  What a key owes, it owes those that wait, and not one that is
 * new. */
static bool may_leave(struct guard *guard, const struct asked *asked,
		      uint32_t wire_pkts, bool is_new)
{
	bool may = true;

	for (uint32_t i = 0; i < asked->count; i++) {
		struct guard_key *key = &guard->keys[asked->at[i]];
		enum gate_answer answer = ask_key(guard, key, wire_pkts);

		if (answer == GATE_CLOSED ||
		    (answer == GATE_OWES && is_new && key->waiting_pkts > 0))
			may = false;
	}
	return may;
}

static void leave(struct guard *guard, const struct asked *asked,
		  uint32_t wire_pkts)
{
	for (uint32_t i = 0; i < asked->count; i++) {
		struct guard_key *key = &guard->keys[asked->at[i]];

		gate_left(&key->gate);
		key->paid_pkts = 0;
		key->outside = false;
		add(guard, asked->at[i], wire_pkts, 0);
	}
}

static void wait_for(struct guard *guard, const struct asked *asked,
		     uint64_t *until_ns)
{
	for (uint32_t i = 0; i < asked->count; i++) {
		struct guard_key *key = &guard->keys[asked->at[i]];
		uint64_t at_ns;

		if (!exceeds(guard, key))
			continue;
		at_ns = falls_ns(guard, key);
		if (key->gate.armed_ns != 0 && key->gate.armed_ns < at_ns)
			at_ns = key->gate.armed_ns;
		if (at_ns < *until_ns)
			*until_ns = at_ns;
	}
}

/* ------ waiting */

static uint64_t note_of(const struct asked *asked,
			const struct guard_packet *packet)
{
	uint64_t wire = packet->wire_pkts < WIRE_MOST ? packet->wire_pkts
						      : WIRE_MOST;
	uint64_t wide = asked->count > 1 ? asked->at[1] : NONE;

	return asked->at[0] | wide << WIDE_SHIFT |
	       (uint64_t)packet->slots << SLOTS_SHIFT | wire << WIRE_SHIFT;
}

static uint32_t slots_of(uint64_t note)
{
	return (uint32_t)(note >> SLOTS_SHIFT) & 255;
}

static void read_note(uint64_t note, struct asked *asked)
{
	asked->at[0] = (uint32_t)note & NONE;
	asked->at[1] = (uint32_t)(note >> WIDE_SHIFT) & NONE;
	asked->count = asked->at[1] == NONE ? 1 : 2;
}

static void begin_waiting(struct guard *guard, const struct asked *asked,
			  uint32_t slots)
{
	for (uint32_t i = 0; i < asked->count; i++) {
		struct guard_key *key = &guard->keys[asked->at[i]];

		key->waiting_pkts++;
		key->outside = false;
		if (key->last_ns == 0)
			key->last_ns = guard->now_ns;
	}
	guard->keys[asked->at[0]].waiting_slots += slots;
	guard->counters[GUARD_withheld_pkts]++;
	guard->counters[GUARD_waiting_pkts]++;
}

static void end_waiting(struct guard *guard, uint64_t note)
{
	struct asked asked;

	read_note(note, &asked);
	for (uint32_t i = 0; i < asked.count; i++) {
		struct guard_key *key = &guard->keys[asked.at[i]];

		if (--key->waiting_pkts > 0)
			continue;
		gate_lapse(&key->gate);
		key->paid_pkts = 0;
	}
	guard->keys[asked.at[0]].waiting_slots -= slots_of(note);
	guard->counters[GUARD_waiting_pkts]--;
}

/* ------ what an acknowledgement is worth */

static bool is_tcp(const struct packet_meta *meta)
{
	return meta->ends.proto == PACKET_PROTO_TCP &&
	       meta->fragment == PACKET_WHOLE && meta->header_bytes > 0;
}

/* One that is withheld, too: nobody acknowledges it before it leaves. */
static void note_sent(struct guard *guard, const struct guard_packet *packet)
{
	struct guard_key *key;
	uint32_t at;

	if (!is_tcp(packet->meta) || evidence_payload_bytes(packet->meta) == 0)
		return;
	at = find_or_make(guard, &packet->flow, false);
	if (at == NONE)
		return;
	key = &guard->keys[at];
	key->last_ns = guard->now_ns;
	evidence_sent(&key->evidence, packet->meta);
	if (packet->segment_bytes > key->segment_bytes)
		key->segment_bytes = packet->segment_bytes;
}

static uint32_t replies(struct guard *guard, const struct guard_packet *packet)
{
	struct guard_key *key;
	uint32_t at;

	if (!is_tcp(packet->meta))
		return packet->wire_pkts;
	at = find(guard, &packet->flow);
	if (at == NONE)
		return packet->wire_pkts;
	key = &guard->keys[at];
	at = evidence_replies(&key->evidence, packet->meta, key->segment_bytes);
	return at > packet->wire_pkts ? at : packet->wire_pkts;
}

/* ------ what is asked */

enum guard_verdict guard_ask(struct guard *guard,
			     const struct guard_packet *packet,
			     uint64_t *ret_note, uint64_t *until_ns,
			     uint64_t now_ns)
{
	const uint32_t most = guard->params.slots_per_key;
	const struct guard_key *line;
	struct asked asked;

	clamp(guard, now_ns);
	guard->counters[GUARD_asked_pkts]++;
	find_keys(guard, packet, &asked);
	note_sent(guard, packet);
	line = &guard->keys[asked.at[0]];
	if (guard->params.scopes == 0 ||
	    (line->waiting_pkts == 0 &&
	     may_leave(guard, &asked, packet->wire_pkts, true))) {
		leave(guard, &asked, packet->wire_pkts);
		return GUARD_GO_ON;
	}
	if (most != 0 && line->waiting_slots + packet->slots > most) {
		guard->counters[GUARD_shed_pkts]++;
		return GUARD_DROP;
	}
	begin_waiting(guard, &asked, packet->slots);
	/* Who came before it may wait in another queue of the vif. */
	wait_for(guard, &asked, until_ns);
	*ret_note = note_of(&asked, packet);
	return GUARD_WITHHOLD;
}

enum guard_verdict guard_ask_again(struct guard *guard, uint64_t note,
				   uint32_t round, uint64_t *until_ns,
				   uint64_t now_ns)
{
	uint32_t wire_pkts = (uint32_t)(note >> WIRE_SHIFT);
	struct guard_key *line;
	struct asked asked;

	clamp(guard, now_ns);
	read_note(note, &asked);
	line = &guard->keys[asked.at[0]];
	if (line->round == round)
		return GUARD_WITHHOLD;
	if (guard->params.scopes == 0 ||
	    may_leave(guard, &asked, wire_pkts, false)) {
		leave(guard, &asked, wire_pkts);
		end_waiting(guard, note);
		guard->counters[GUARD_released_pkts]++;
		return GUARD_GO_ON;
	}
	line->round = round;
	wait_for(guard, &asked, until_ns);
	return GUARD_WITHHOLD;
}

/* A second's worth at once, then evenly. */
bool guard_allows_other(struct guard *guard, uint32_t wire_pkts,
			uint64_t now_ns)
{
	const uint64_t second_ns = 1000000000;
	uint32_t rate = guard->params.other_pkts_per_s;

	clamp(guard, now_ns);
	guard->counters[GUARD_other_pkts] += wire_pkts;
	if (rate == 0)
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

void guard_let_go(struct guard *guard, uint64_t note)
{
	end_waiting(guard, note);
	guard->counters[GUARD_lost_pkts]++;
}

/* true: it waits, and is open. */
static bool hear(struct guard *guard, const struct flow_key *key, uint32_t pkts)
{
	uint32_t at = find_or_make(guard, key, true);

	if (at == NONE)
		at = guard->keys_count;
	add(guard, at, 0, pkts);
	return guard->keys[at].waiting_pkts > 0 &&
	       !exceeds(guard, &guard->keys[at]);
}

bool guard_hear(struct guard *guard, const struct guard_packet *packet,
		uint64_t now_ns)
{
	uint32_t count;
	bool wakes;

	clamp(guard, now_ns);
	guard->counters[GUARD_heard_pkts]++;
	count = replies(guard, packet);
	wakes = hear(guard, &packet->pair, count);
	if (guard->params.scopes & GUARD_FLOW)
		wakes = hear(guard, &packet->flow, count) || wakes;
	return wakes;
}
