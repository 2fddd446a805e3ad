/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What observers of a replay are told, and what the tally makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "shaper/pump.h"
#include "sim/capture.h"
#include "sim/replay.h"
#include "sim/tally.h"

#define MS     1000000u
#define SECOND UINT64_C(1000000000)
#define BEGIN  (UINT64_C(1700000000) * SECOND)

enum { RAW_IP = 101, EVENTS_MAX = 4096 };

struct bed {
	struct policy *policy;
	struct tally *tally;
	struct replay *replay;
	struct replay_observer observers[2];
	struct replay_event events[EVENTS_MAX];
	size_t events_count, captured_count;
	uint64_t last_ns;
};

/* Told in the order in which packets leave, none of them twice. */
static void packet(void *self, const struct replay_event *event)
{
	struct bed *bed = self;

	assert_true(event->left_ns >= bed->last_ns);
	assert_true(event->left_ns >= event->arrived_ns);
	bed->last_ns = event->left_ns;
	assert_true(bed->events_count < EVENTS_MAX);
	bed->events[bed->events_count++] = *event;
}

static void captured(void *self, const struct replay_event *event)
{
	struct bed *bed = self;

	assert_int_equal(event->left_ns, 0);
	bed->captured_count++;
}

static void init(struct bed *bed, const char *yaml, enum replay_guarded guarded,
		 bool exact)
{
	static struct policy_errors errors;
	char text[1024];
	int bytes = snprintf(text, sizeof(text),
			     "mode: enforce\ninside: [10.0.0.0/8]\n%s", yaml);

	memset(bed, 0, sizeof(*bed));
	assert_true(policy_parse("bed", text, (size_t)bytes, &bed->policy,
				 &errors));
	bed->tally = tally_new(&(struct tally_config){
		.policy = bed->policy, .guarded = guarded, .exact = exact });
	assert_non_null(bed->tally);
	bed->observers[0] = (struct replay_observer){ .self = bed,
						      .packet = packet,
						      .captured = captured };
	bed->observers[1] = tally_observer(bed->tally);
	bed->replay =
		replay_new(&(struct replay_config){ .policy = bed->policy,
						    .guarded = guarded,
						    .exact = exact,
						    .observers = bed->observers,
						    .observers_count = 2 });
	assert_non_null(bed->replay);
}

static void fini(struct bed *bed)
{
	replay_free(bed->replay);
	tally_free(bed->tally);
	policy_free(bed->policy);
}

/* UDP from host to host; 10.x.y.z as x << 16 | y << 8 | z, others likewise
 * of 192.y.z with bit 24. */
static void send(struct bed *bed, uint32_t src, uint32_t dst, uint64_t at_ns)
{
	uint8_t bytes[28] = { 0x45, [3] = 28, [8] = 64, [9] = 17 };
	const uint32_t hosts[2] = { src, dst };

	for (int i = 0; i < 2; i++) {
		bytes[12 + 4 * i] = hosts[i] >> 24 ? 192 : 10;
		bytes[13 + 4 * i] = (uint8_t)(hosts[i] >> 16);
		bytes[14 + 4 * i] = (uint8_t)(hosts[i] >> 8);
		bytes[15 + 4 * i] = (uint8_t)hosts[i];
	}
	bytes[21] = bytes[23] = 9;
	bytes[25] = 8;
	replay_packet(bed->replay,
		      &(struct capture_packet){ .bytes = bytes,
						.captured_bytes = 28,
						.wire_bytes = 28,
						.link_type = RAW_IP,
						.time_ns = BEGIN + at_ns,
						.has_time = true });
}

enum { INSIDE = 1, OTHER_INSIDE = 2, OUTSIDE = 1 << 24 | 1 };

static void test_replay_tells_of_each_packet_when_it_leaves(void **state)
{
	static struct bed bed;
	static const uint64_t left_ms[] = { 0, 0, 0, 0, 2, 6, 14, 30 };

	(void)state;
	init(&bed, "limiter: {evidence: packets}\n", REPLAY_INITIATORS, false);
	for (int i = 0; i < 8; i++)
		send(&bed, INSIDE, OUTSIDE, 0);
	replay_finish(bed.replay);
	assert_int_equal(bed.captured_count, 8);
	assert_int_equal(bed.events_count, 8);
	for (size_t i = 0; i < 8; i++) {
		const struct replay_event *event = &bed.events[i];

		assert_int_equal(event->arrived_ns, 0);
		assert_int_equal(event->left_ns, left_ms[i] * MS);
		assert_int_equal(event->direction, FLOW_OUT);
		assert_int_equal(event->flow.inside[12], 10);
		assert_int_equal(event->fate,
				 left_ms[i] ? REPLAY_DELAYED : REPLAY_PASSED);
		if (left_ms[i])
			assert_in_range(event->by, PUMP_BY_FLOW, PUMP_BY_PAIR);
	}
	fini(&bed);
}

static void test_replay_guards_who_began_or_who_answers(void **state)
{
	static const enum replay_guarded guarded[] = { REPLAY_INITIATORS,
						       REPLAY_RESPONDERS };
	static struct bed bed;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		init(&bed, "", guarded[i], false);
		send(&bed, OUTSIDE, INSIDE, 0);
		send(&bed, INSIDE, OUTSIDE, MS);
		replay_finish(bed.replay);
		assert_int_equal(bed.events_count, 2);
		assert_int_equal(bed.events[0].direction,
				 i == 0 ? FLOW_OUT : FLOW_IN);
		assert_int_equal(bed.events[1].direction,
				 i == 0 ? FLOW_IN : FLOW_OUT);
		assert_true(flow_key_equal(&bed.events[0].flow,
					   &bed.events[1].flow));
		assert_int_equal(bed.events[0].flow.inside[12],
				 i == 0 ? 192 : 10);
		fini(&bed);
	}
}

static void test_replay_tells_of_both_guarded_ends(void **state)
{
	static struct bed bed;
	const struct tally_summary *summary;
	size_t again = 0;

	(void)state;
	init(&bed, "limiter: {evidence: packets}\n", REPLAY_BY_PREFIX, false);
	for (int i = 0; i < 6; i++)
		send(&bed, INSIDE, OTHER_INSIDE, 0);
	send(&bed, OUTSIDE, OUTSIDE + 1, MS);
	replay_finish(bed.replay);
	assert_int_equal(bed.events_count, 13);
	for (size_t i = 0; i < bed.events_count; i++) {
		if (!bed.events[i].again)
			continue;
		again++;
		assert_int_equal(bed.events[i].direction, FLOW_IN);
		assert_int_equal(bed.events[i].flow.inside[15], OTHER_INSIDE);
		assert_int_equal(bed.events[i].left_ns,
				 bed.events[i - 1].left_ns);
	}
	assert_int_equal(again, 6);
	summary = tally_summary(bed.tally);
	assert_int_equal(summary->out_pkts, 6);
	assert_int_equal(summary->in_pkts, 0);
	assert_int_equal(summary->transit_pkts, 1);
	assert_int_equal(summary->held.delayed_pkts, 2);
	assert_int_equal(summary->held.delay_ns, 8 * MS);
	assert_int_equal(summary->held.delay_max_ns, 6 * MS);
	assert_int_equal(summary->keys[FLOW_SCOPE_HOST], 2);
	fini(&bed);
}

static void test_replay_clamps_time_and_does_not_loop_over_months(void **state)
{
	static struct bed bed;
	const struct replay_counts *counts;

	(void)state;
	init(&bed, "", REPLAY_INITIATORS, false);
	send(&bed, INSIDE, OUTSIDE, 5 * SECOND);
	send(&bed, INSIDE, OUTSIDE, 0);
	send(&bed, INSIDE, OUTSIDE, 300 * 86400 * SECOND);
	replay_finish(bed.replay);
	counts = replay_counts(bed.replay);
	assert_int_equal(counts->time_ran_back, 1);
	assert_int_equal(counts->first_ns, BEGIN + 5 * SECOND);
	assert_int_equal(bed.events[1].arrived_ns, 0);
	assert_int_equal(bed.events[2].arrived_ns, (300 * 86400 - 5) * SECOND);
	fini(&bed);
}

static void test_replay_survives_any_time_that_a_file_may_claim(void **state)
{
	static const uint64_t times_ns[] = {
		0, 1, UINT64_C(1) << 62, UINT64_MAX - 1, UINT64_MAX, 5,
	};
	static struct bed bed;

	(void)state;
	init(&bed, "", REPLAY_INITIATORS, false);
	for (size_t i = 0; i < sizeof(times_ns) / sizeof(times_ns[0]); i++)
		for (int j = 0; j < 8; j++)
			send(&bed, INSIDE, OUTSIDE, times_ns[i] - BEGIN);
	replay_finish(bed.replay);
	assert_int_equal(bed.events_count, 48);
	assert_int_equal(replay_counts(bed.replay)->last_ns, UINT64_C(1) << 62);
	fini(&bed);
}

static void test_replay_lets_all_out_at_the_end_when_exact(void **state)
{
	static struct bed bed;

	(void)state;
	init(&bed, "", REPLAY_INITIATORS, true);
	for (int i = 0; i < 500; i++)
		send(&bed, INSIDE, OUTSIDE, 0);
	replay_finish(bed.replay);
	assert_int_equal(bed.events_count, 500);
	for (size_t i = 0; i < 500; i++)
		assert_int_not_equal(bed.events[i].fate, REPLAY_DROPPED);
	assert_true(bed.events[499].left_ns > 40 * SECOND);
	fini(&bed);
}

static void test_replay_drops_at_the_bound(void **state)
{
	static struct bed bed;
	const struct tally_held *held;

	(void)state;
	init(&bed,
	     "limiter: {evidence: packets}\n"
	     "limits: {held_packets_per_key: 10}\n",
	     REPLAY_INITIATORS, false);
	for (int i = 0; i < 100; i++)
		send(&bed, INSIDE, OUTSIDE, 0);
	replay_finish(bed.replay);
	held = &tally_summary(bed.tally)->held;
	assert_int_equal(bed.events_count, 100);
	assert_int_equal(held->delayed_pkts, 10);
	assert_int_equal(held->dropped_pkts, 86);
	assert_int_equal(
		held->by_pkts[PUMP_BY_FLOW] + held->by_pkts[PUMP_BY_PAIR], 96);
	fini(&bed);
}

static void test_tally_is_bounded_and_says_what_it_omits(void **state)
{
	static struct bed bed;
	const struct tally_summary *summary;
	const struct tally_key *worst[3];

	(void)state;
	init(&bed, "limits: {flows: 1024, pairs: 1024, hosts: 16}\n",
	     REPLAY_INITIATORS, false);
	for (uint32_t i = 0; i < 3000; i++)
		send(&bed, INSIDE, OUTSIDE + i, i * MS);
	replay_finish(bed.replay);
	summary = tally_summary(bed.tally);
	assert_int_equal(summary->out_pkts, 3000);
	assert_int_equal(summary->keys[FLOW_SCOPE_PAIR], 1024);
	assert_int_equal(tally_count(bed.tally, 1u << FLOW_SCOPE_PAIR), 1024);
	/* Some are taken for others, by a hash of a seed of each run's own. */
	assert_in_range(summary->keys_omitted, 2 * 1950, 2 * 1976);
	assert_int_equal(
		tally_worst(bed.tally, 1u << FLOW_SCOPE_HOST, worst, 3), 1);
	assert_int_equal(worst[0]->out_pkts, 3000);
	fini(&bed);
}

static void test_tally_puts_the_worst_first(void **state)
{
	static struct bed bed;
	const struct tally_key *all[64], *some[5];
	size_t count;

	(void)state;
	init(&bed, "limiter: {evidence: packets}\n", REPLAY_INITIATORS, false);
	for (uint32_t i = 0; i < 20; i++)
		for (uint32_t j = 0; j < (i * 7) % 20; j++)
			send(&bed, INSIDE + 1 + i, OUTSIDE + i, SECOND * i);
	replay_finish(bed.replay);
	count = tally_worst(bed.tally, 1u << FLOW_SCOPE_PAIR, all, 64);
	assert_int_equal(count, 19);
	for (size_t i = 1; i < count; i++) {
		assert_true(tally_compare(all[i - 1], all[i]) < 0);
		assert_true(all[i - 1]->held.delayed_pkts >=
			    all[i]->held.delayed_pkts);
	}
	assert_int_equal(all[0]->out_pkts, 19);
	assert_int_equal(tally_worst(bed.tally, 1u << FLOW_SCOPE_PAIR, some, 5),
			 5);
	assert_memory_equal(all, some, sizeof(some));
	fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_replay_tells_of_each_packet_when_it_leaves),
		cmocka_unit_test(test_replay_guards_who_began_or_who_answers),
		cmocka_unit_test(test_replay_tells_of_both_guarded_ends),
		cmocka_unit_test(
			test_replay_clamps_time_and_does_not_loop_over_months),
		cmocka_unit_test(
			test_replay_survives_any_time_that_a_file_may_claim),
		cmocka_unit_test(
			test_replay_lets_all_out_at_the_end_when_exact),
		cmocka_unit_test(test_replay_drops_at_the_bound),
		cmocka_unit_test(test_tally_is_bounded_and_says_what_it_omits),
		cmocka_unit_test(test_tally_puts_the_worst_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
