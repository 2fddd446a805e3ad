/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard_state.h"

#include <stddef.h>

#include "shaper/asym.h"
#include "xen-hooks/netback/guard_keys.h"

enum { VLANS = 4096 };

/* Longer than any window. */
#define AGE_MOST_NS UINT64_C(120000000000)

#define MINUTE_NS UINT64_C(60000000000)

/* ------ windows */

/* As of its last moment: where it is given back, it falls into the bucket that
 * it came from, or a younger one. */
static void add_run(const struct guard *guard, struct guard_record *record,
		    uint64_t number, uint64_t bucket)
{
	uint64_t end_ns = (number + 1) * guard->span_64ns << FAST_SPAN_SHIFT;
	struct guard_run run = { .sent_pkts = fast_bucket_sent(bucket),
				 .heard_pkts = fast_bucket_heard(bucket) };

	if (run.sent_pkts == 0 && run.heard_pkts == 0)
		return;
	if (end_ns <= guard->now_ns)
		run.age_ns = guard->now_ns - end_ns + 1;
	record->runs[record->runs_count++] = run;
}

static void read_window(struct guard *guard, struct guard_key *key,
			struct guard_record *record)
{
	uint64_t number = guard->number;

	guard_turn(guard, key);
	for (uint32_t age = FAST_SPANS; age > 0; age--)
		add_run(guard, record, number - age,
			fast_older(&key->window, &key->history, number, age));
	add_run(guard, record, number, key->window.running);
}

static void write_window(struct guard *guard, struct guard_key *key,
			 const struct guard_record *record)
{
	key->window = (struct fast_window){ 0 };
	key->history = (struct fast_history){ 0 };
	for (uint32_t i = 0; i < record->runs_count; i++) {
		const struct guard_run *run = &record->runs[i];
		uint64_t at_ns = guard->now_ns - run->age_ns;

		if (run->age_ns > guard->now_ns)
			continue;
		fast_turn(&key->window, &key->history,
			  fast_number(guard->span_64ns, at_ns));
		fast_add(&key->window, run->sent_pkts, run->heard_pkts);
	}
	guard_turn(guard, key);
}

/* ------ told */

static uint64_t waits_ns(const struct guard *guard, const struct guard_key *key)
{
	uint64_t ns = guard->now_ns - key->since_ns;

	if (key->waiting_pkts == 0)
		return 0;
	return ns > 0 ? ns : 1;
}

static void read_key(struct guard *guard, struct guard_key *key,
		     struct guard_record *ret_record)
{
	*ret_record = (struct guard_record){
		.key = key->key,
		.waits_ns = waits_ns(guard, key),
		.releases = key->gate.releases,
		.waiting_pkts = key->waiting_pkts,
		.waiting_slots = key->waiting_slots,
	};
	if (key->gate.armed_ns > guard->now_ns)
		ret_record->armed_in_ns = key->gate.armed_ns - guard->now_ns;
	read_window(guard, key, ret_record);
}

/* A penalty with an empty window is none: the gate is open. */
static bool is_worth_telling(struct guard *guard, struct guard_key *key)
{
	uint32_t sent, heard;

	if (key->last_ns == 0)
		return false;
	guard_sums(guard, key, &sent, &heard);
	return (key->gate.releases > 0 && sent > 0) ||
	       asym_exceeds(sent, heard, guard->params.gate.ratio_q16 / 2);
}

/* false: not this one. */
static bool tell_at(struct guard *guard, uint32_t position,
		    struct guard_record *ret_record)
{
	const uint32_t count = guard->keys_count;
	struct guard_key *key = &guard->keys[position % count];

	if (position >= 2 * count) {
		if (position - 2 * count >= guard->expected_count)
			return false;
		*ret_record = guard->expected[position - 2 * count];
		return true;
	}
	if ((key->waiting_pkts > 0) != (position < count))
		return false;
	if (position >= count && !is_worth_telling(guard, key))
		return false;
	read_key(guard, key, ret_record);
	return true;
}

uint32_t guard_state_tell(struct guard *guard, uint32_t *position,
			  uint32_t steps, struct guard_record *ret_records,
			  uint32_t max, uint64_t now_ns)
{
	const uint32_t end = 2 * guard->keys_count + GUARD_EXPECTED_MOST;
	uint32_t told = 0;

	guard_clamp(guard, now_ns);
	for (; steps > 0 && told < max && *position < end; steps--)
		told += tell_at(guard, (*position)++, &ret_records[told]);
	if (*position >= end)
		*position = 0;
	return told;
}

static void sum_key(struct guard *guard, struct guard_key *key,
		    struct guard_summary *summary)
{
	uint32_t sent, heard;
	uint64_t waited_ns;

	if (key->last_ns == 0)
		return;
	waited_ns = waits_ns(guard, key);
	guard_sums(guard, key, &sent, &heard);
	summary->over_keys +=
		asym_exceeds(sent, heard, guard->params.gate.ratio_q16);
	if (waited_ns > summary->waits_ns)
		summary->waits_ns = waited_ns;
	sent += key->waiting_pkts;
	if ((sent + 1ull) * (summary->heard_pkts + 1ull) <=
	    (summary->offered_pkts + 1ull) * (heard + 1ull))
		return;
	summary->offered_pkts = sent;
	summary->heard_pkts = heard;
}

void guard_state_sum(struct guard *guard, uint32_t *position, uint32_t steps,
		     struct guard_summary *summary, uint64_t now_ns)
{
	guard_clamp(guard, now_ns);
	for (; steps > 0 && *position <= guard->keys_count; steps--)
		sum_key(guard, &guard->keys[(*position)++], summary);
	if (*position > guard->keys_count)
		*position = 0;
	summary->expected_keys = guard->expected_count;
}

/* ------ given back */

static bool is_sound(const struct guard_record *record)
{
	if (record->key.scope > FLOW_SCOPE_PAIR || record->key.zone >= VLANS ||
	    record->runs_count > GUARD_RECORD_RUNS)
		return false;
	for (uint32_t i = 0; i < record->runs_count; i++)
		if (record->runs[i].age_ns > AGE_MOST_NS)
			return false;
	return true;
}

static uint64_t sent_of(const struct guard_record *record)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; i < record->runs_count; i++)
		sent += record->runs[i].sent_pkts;
	return sent;
}

static bool is_stricter(const struct guard_record *a,
			const struct guard_record *b)
{
	if (a->releases != b->releases)
		return a->releases > b->releases;
	return sent_of(a) > sent_of(b);
}

/* What waits goes on waiting. */
static void give(struct guard *guard, struct guard_key *key,
		 const struct guard_record *record)
{
	const struct gate_params *gate = &guard->params.gate;
	struct guard_record own;

	read_key(guard, key, &own);
	if (!is_stricter(record, &own))
		return;
	write_window(guard, key, record);
	key->gate.releases = record->releases;
	key->gate.armed_ns = 0;
	if (record->armed_in_ns > gate->max_delay_ns)
		key->gate.armed_ns = guard->now_ns + gate->max_delay_ns;
	else if (record->armed_in_ns > 0)
		key->gate.armed_ns = guard->now_ns + record->armed_in_ns;
	key->last_ns = guard->now_ns;
	/* It was held, so it has had its patience. */
	if (record->releases > 0)
		guard->forgot_until_ns = guard->now_ns + MINUTE_NS;
	if (key->key.scope == FLOW_SCOPE_PAIR)
		floor_left(&key->pair.floor, (uint32_t)sent_of(record),
			   guard->now_ns);
}

static struct guard_record *find_expected(struct guard *guard,
					  const struct flow_key *key)
{
	for (uint32_t i = 0; i < guard->expected_count; i++)
		if (__builtin_memcmp(&guard->expected[i].key, key,
				     sizeof(*key)) == 0)
			return &guard->expected[i];
	return NULL;
}

static bool expect(struct guard *guard, const struct guard_record *record)
{
	struct guard_record *expected = find_expected(guard, &record->key);

	if (expected == NULL && guard->expected_count == GUARD_EXPECTED_MOST)
		return false;
	if (expected == NULL)
		expected = &guard->expected[guard->expected_count++];
	else if (!is_stricter(record, expected))
		return true;
	*expected = *record;
	expected->waits_ns = 0;
	expected->waiting_pkts = expected->waiting_slots = 0;
	return true;
}

bool guard_state_put(struct guard *guard, const struct guard_record *record,
		     uint64_t now_ns)
{
	struct guard_key *key;
	uint32_t sent, heard;

	if (!is_sound(record))
		return false;
	guard_clamp(guard, now_ns);
	key = guard_find(guard, &record->key);
	if (key == NULL)
		return expect(guard, record);
	guard_sums(guard, key, &sent, &heard);
	if (key->met && (sent > 0 || key->waiting_pkts > 0)) {
		give(guard, key, record);
		return true;
	}
	key->met = false;
	return expect(guard, record);
}

void guard_state_meet(struct guard *guard, struct guard_key *key)
{
	struct guard_record *expected = find_expected(guard, &key->key);

	key->met = true;
	if (expected == NULL)
		return;
	give(guard, key, expected);
	*expected = guard->expected[--guard->expected_count];
}
