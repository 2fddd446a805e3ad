/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/packet_l4.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/netback/guard_state.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (1000 * SECOND)

enum { KEYS = 64, MANY = GUARD_EXPECTED_MOST + 2 * KEYS, FLOOD = 50 };

static const struct guard_params PARAMS = {
	.gate = { .ratio_q16 = 4 << 16,
		  .window_ns = SECOND,
		  .first_delay_ns = 2 * MS,
		  .max_delay_ns = 1024 * MS },
	.scopes = GUARD_PAIR,
	.other_pkts_per_s = 10,
};

/* Packets that wait, oldest first. */
struct line {
	uint64_t notes[FLOOD];
	uint32_t count, round;
};

static struct guard *guard_new(void)
{
	static const uint64_t seed[2] = { 1, 2 };
	struct guard *guard = calloc(1, guard_bytes(KEYS));

	assert_non_null(guard);
	guard_init(guard, &PARAMS, seed, KEYS);
	return guard;
}

static void set_mode(struct guard *guard, enum guard_mode mode)
{
	struct guard_params params = PARAMS;

	params.mode = mode;
	guard_set(guard, &params);
}

static struct guard_packet packet_of(uint8_t pair)
{
	static const struct packet_meta udp = { .ends.proto =
							PACKET_PROTO_UDP };
	struct guard_packet packet = { .meta = &udp,
				       .wire_pkts = 1,
				       .slots = 1 };

	packet.pair.inside[15] = 7;
	packet.pair.outside[15] = pair;
	packet.pair.scope = FLOW_SCOPE_PAIR;
	packet.flow = packet.pair;
	packet.flow.scope = FLOW_SCOPE_FLOW;
	return packet;
}

static enum guard_verdict sends(struct guard *guard, uint8_t pair,
				struct line *line, uint64_t now_ns)
{
	struct guard_packet packet = packet_of(pair);
	uint64_t until_ns = GUARD_NEVER, note = 0;
	enum guard_verdict verdict =
		guard_ask(guard, &packet, &note, &until_ns, now_ns);

	if (verdict == GUARD_WITHHOLD)
		line->notes[line->count++] = note;
	return verdict;
}

/* One round.  Returns how many went on. */
static uint32_t ask_all(struct guard *guard, struct line *line, uint64_t now_ns)
{
	uint64_t until_ns = GUARD_NEVER;
	uint32_t kept = 0, gone = 0;

	line->round++;
	for (uint32_t i = 0; i < line->count; i++)
		switch (guard_ask_again(guard, line->notes[i], 100, line->round,
					&until_ns, now_ns)) {
		case GUARD_GO_ON:
			gone++;
			break;
		case GUARD_WITHHOLD:
			line->notes[kept++] = line->notes[i];
			break;
		case GUARD_DROP:
			break;
		}
	line->count = kept;
	return gone;
}

static void end(struct guard *guard, struct line *line)
{
	while (line->count > 0)
		guard_let_go(guard, line->notes[--line->count]);
	free(guard);
}

/* Until the gate has fired a few times.  Returns what time it is then. */
static uint64_t flood(struct guard *guard, uint8_t pair, struct line *line)
{
	uint64_t now_ns;

	for (uint32_t i = 0; i < FLOOD; i++)
		sends(guard, pair, line, START);
	for (now_ns = START; now_ns < START + 300 * MS; now_ns += MS)
		ask_all(guard, line, now_ns);
	return now_ns;
}

static uint32_t tell_all(struct guard *guard, struct guard_record *records,
			 uint64_t now_ns)
{
	uint32_t position = 0, count = 0;

	/* In small steps, as they are asked for. */
	do {
		assert_true(count + 7 <= MANY);
		count += guard_state_tell(guard, &position, 5, records + count,
					  7, now_ns);
	} while (position != 0);
	return count;
}

static struct guard_summary sum_all(struct guard *guard, uint64_t now_ns)
{
	struct guard_summary summary = { 0 };
	uint32_t position = 0;

	do {
		guard_state_sum(guard, &position, 9, &summary, now_ns);
	} while (position != 0);
	return summary;
}

static uint32_t sent_of(const struct guard_record *record)
{
	uint32_t sent = 0;

	for (uint32_t i = 0; i < record->runs_count; i++)
		sent += record->runs[i].sent_pkts;
	return sent;
}

/* ------ told */

static void test_netback_state_tells_who_waits_first(void **state)
{
	static struct guard_record records[MANY];
	struct line line = { 0 }, own = { 0 };
	struct guard *guard = guard_new();
	struct guard_summary summary;
	uint64_t now_ns;

	(void)state;
	now_ns = flood(guard, 1, &line);
	for (int i = 0; i < 4; i++)
		assert_int_equal(GUARD_GO_ON, sends(guard, 2, &own, now_ns));
	assert_int_equal(GUARD_GO_ON, sends(guard, 3, &own, now_ns));
	/* 4 are over the threshold of 4 to 1; 1 is far below it. */
	assert_int_equal(2, tell_all(guard, records, now_ns));
	assert_int_equal(1, records[0].key.outside[15]);
	assert_int_equal(2, records[1].key.outside[15]);
	assert_int_equal(8, records[0].releases);
	assert_int_equal(FLOOD - 4 - 7, records[0].waiting_pkts);
	assert_int_equal(FLOOD - 4 - 7, records[0].waiting_slots);
	assert_int_equal(4 + 7, sent_of(&records[0]));
	assert_int_equal(300 * MS, records[0].waits_ns);
	assert_in_range(records[0].armed_in_ns, 200 * MS, 212 * MS);
	assert_int_equal(0, records[1].waits_ns);

	summary = sum_all(guard, now_ns);
	assert_int_equal(2, summary.over_keys);
	assert_int_equal(300 * MS, summary.waits_ns);
	assert_int_equal(FLOOD, summary.offered_pkts);
	assert_int_equal(0, summary.heard_pkts);
	end(guard, &line);
}

static void test_netback_state_tells_of_no_one_who_conforms(void **state)
{
	static struct guard_record records[MANY];
	struct guard *guard = guard_new();
	struct guard_packet reply = packet_of(1);
	struct guard_summary summary;
	struct line line = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		guard_hear(guard, &reply, START);
		assert_int_equal(GUARD_GO_ON, sends(guard, 1, &line, START));
	}
	assert_int_equal(0, tell_all(guard, records, START));
	summary = sum_all(guard, START);
	assert_int_equal(0, summary.over_keys);
	assert_int_equal(0, summary.waits_ns);
	end(guard, &line);
}

/* ------ given back */

static void test_netback_state_is_as_strict_elsewhere(void **state)
{
	static struct guard_record records[MANY];
	struct line line = { 0 }, other_line = { 0 };
	struct guard *guard = guard_new(), *other = guard_new();
	const uint64_t later_ns = START + 3000 * SECOND;
	uint64_t now_ns = flood(guard, 1, &line);
	uint32_t gone = 0;

	(void)state;
	assert_int_equal(1, tell_all(guard, records, now_ns));
	assert_true(guard_state_put(other, &records[0], START));
	/* Its guest comes up, and for a long time sends nothing. */
	assert_int_equal(1, sum_all(other, later_ns).expected_keys);
	assert_int_equal(GUARD_WITHHOLD,
			 sends(other, 1, &other_line, later_ns));
	assert_int_equal(0, sum_all(other, later_ns).expected_keys);
	assert_int_equal(GUARD_GO_ON, sends(other, 2, &other_line, later_ns));
	for (uint64_t ns = 0; ns < 300 * MS; ns += MS) {
		gone += ask_all(other, &other_line, later_ns + ns);
		if (gone == 0)
			assert_true(ns < 212 * MS);
	}
	assert_int_equal(1, gone);
	end(guard, &line);
	end(other, &other_line);
}

static void
test_netback_state_travels_once_more_if_it_was_not_used(void **state)
{
	static struct guard_record records[MANY], again[MANY];
	struct line line = { 0 };
	struct guard *guard = guard_new(), *other = guard_new();
	uint64_t now_ns = flood(guard, 1, &line);

	(void)state;
	assert_int_equal(1, tell_all(guard, records, now_ns));
	assert_true(guard_state_put(other, &records[0], now_ns));
	assert_int_equal(1, tell_all(other, again, now_ns + 60 * SECOND));
	assert_int_equal(records[0].releases, again[0].releases);
	assert_memory_equal(records[0].runs, again[0].runs,
			    sizeof(again[0].runs));
	assert_int_equal(0, again[0].waiting_pkts);
	end(guard, &line);
	free(other);
}

/* What outsiders send makes nothing come true before its time. */
static void test_netback_state_waits_for_the_guest_itself(void **state)
{
	static struct guard_record records[MANY];
	struct line line = { 0 }, other_line = { 0 };
	struct guard *guard = guard_new(), *other = guard_new();
	struct guard_packet reply = packet_of(1);
	uint64_t now_ns = flood(guard, 1, &line);

	(void)state;
	assert_int_equal(1, tell_all(guard, records, now_ns));
	guard_hear(other, &reply, now_ns);
	assert_true(guard_state_put(other, &records[0], now_ns));
	guard_hear(other, &reply, now_ns + 20 * SECOND);
	assert_int_equal(1, sum_all(other, now_ns).expected_keys);
	assert_int_equal(GUARD_WITHHOLD,
			 sends(other, 1, &other_line, now_ns + 20 * SECOND));
	end(guard, &line);
	end(other, &other_line);
}

static void test_netback_state_keeps_the_stricter(void **state)
{
	static struct guard_record records[MANY];
	struct line line = { 0 };
	struct guard *guard = guard_new();
	uint64_t now_ns = flood(guard, 1, &line);
	struct guard_record milder;

	(void)state;
	assert_int_equal(1, tell_all(guard, records, now_ns));
	milder = records[0];
	milder.releases = 1;
	assert_true(guard_state_put(guard, &milder, now_ns));
	assert_int_equal(1, tell_all(guard, records, now_ns));
	assert_int_equal(8, records[0].releases);
	milder.releases = 10;
	milder.armed_in_ns = 100 * SECOND; /* longer than any delay */
	assert_true(guard_state_put(guard, &milder, now_ns));
	assert_int_equal(1, tell_all(guard, records, now_ns));
	assert_int_equal(10, records[0].releases);
	assert_int_equal(1024 * MS, records[0].armed_in_ns);
	assert_int_equal(FLOOD - 4 - 7, records[0].waiting_pkts);
	end(guard, &line);
}

static void test_netback_state_refuses_what_makes_no_sense(void **state)
{
	static const struct guard_record good = {
		.key = { .scope = FLOW_SCOPE_PAIR, .inside = { 1 } },
		.runs_count = 1,
		.runs = { { .sent_pkts = 9 } },
	};
	struct guard *guard = guard_new();
	struct guard_record bad[4] = { good, good, good, good };
	struct guard_record record = good;

	(void)state;
	bad[0].key.scope = FLOW_SCOPE_HOST;
	bad[1].key.zone = 4096;
	bad[2].runs_count = GUARD_RECORD_RUNS + 1;
	bad[3].runs[0].age_ns = 121 * SECOND;
	for (int i = 0; i < 4; i++)
		assert_false(guard_state_put(guard, &bad[i], START));
	for (uint32_t i = 0; i < GUARD_EXPECTED_MOST; i++) {
		record.key.outside[0] = (uint8_t)i;
		assert_true(guard_state_put(guard, &record, START));
		assert_true(guard_state_put(guard, &record, START));
	}
	record.key.outside[1] = 1;
	assert_false(guard_state_put(guard, &record, START));
	free(guard);
}

/* ------ modes */

static void test_netback_state_observes_and_withholds_nothing(void **state)
{
	struct guard *guard = guard_new();
	struct line line = { 0 };
	uint64_t *counters = guard->counters;

	(void)state;
	set_mode(guard, GUARD_OBSERVE);
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_int_equal(GUARD_GO_ON, sends(guard, 1, &line, START));
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_true(guard_allows_other(guard, 1, START));
	assert_int_equal(FLOOD - 4, counters[GUARD_observed_pkts]);
	assert_int_equal(FLOOD, counters[GUARD_passed_pkts]);
	assert_int_equal(FLOOD, sum_all(guard, START).offered_pkts);
	/* And from now on it waits. */
	set_mode(guard, GUARD_INTERPOSE);
	assert_int_equal(GUARD_WITHHOLD, sends(guard, 1, &line, START));
	end(guard, &line);
}

static void test_netback_state_changes_its_mode_under_a_flood(void **state)
{
	struct guard *guard = guard_new();
	struct line line = { 0 };
	uint64_t *counters = guard->counters;
	uint64_t now_ns = flood(guard, 1, &line);
	uint32_t waited = line.count;

	(void)state;
	set_mode(guard, GUARD_OBSERVE);
	assert_int_equal(waited, ask_all(guard, &line, now_ns));
	assert_int_equal(0, line.count);
	set_mode(guard, GUARD_INTERPOSE);
	assert_int_equal(GUARD_WITHHOLD, sends(guard, 1, &line, now_ns));
	set_mode(guard, GUARD_INTERCEPT);
	assert_int_equal(GUARD_DROP, sends(guard, 1, &line, now_ns));
	assert_false(guard_allows_other(guard, 1, now_ns));
	ask_all(guard, &line, now_ns);
	assert_int_equal(0, line.count);
	/* Each packet has one outcome. */
	assert_int_equal(FLOOD + 2, counters[GUARD_asked_pkts]);
	assert_int_equal(FLOOD + 2, counters[GUARD_passed_pkts] +
					    counters[GUARD_released_pkts] +
					    counters[GUARD_intercepted_pkts]);
	assert_int_equal(2, counters[GUARD_intercepted_pkts]);
	assert_int_equal(0, counters[GUARD_waiting_pkts]);
	free(guard);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netback_state_tells_who_waits_first),
		cmocka_unit_test(
			test_netback_state_tells_of_no_one_who_conforms),
		cmocka_unit_test(test_netback_state_is_as_strict_elsewhere),
		cmocka_unit_test(
			test_netback_state_travels_once_more_if_it_was_not_used),
		cmocka_unit_test(test_netback_state_waits_for_the_guest_itself),
		cmocka_unit_test(test_netback_state_keeps_the_stricter),
		cmocka_unit_test(
			test_netback_state_refuses_what_makes_no_sense),
		cmocka_unit_test(
			test_netback_state_observes_and_withholds_nothing),
		cmocka_unit_test(
			test_netback_state_changes_its_mode_under_a_flood),
	};

	return cmocka_run_group_tests_name("netback_state", tests, NULL, NULL);
}
