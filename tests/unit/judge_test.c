/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "sim/judge_targets.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static const struct policy policy = { .host_prefix6 = 64 };

/* A packet from or to port 1000 + `flow` of the host to `target`. */
static struct replay_event event(enum flow_direction direction, uint8_t target,
				 uint16_t flow, uint64_t arrived_ns)
{
	return (struct replay_event){
		.flow = { .inside = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
			  .outside = { [10] = 0xff, 0xff, 192, 0, 2, target },
			  .inside_port = (uint16_t)(1000 + flow),
			  .outside_port = 80,
			  .proto = 17 },
		.arrived_ns = arrived_ns,
		.left_ns = arrived_ns,
		.wire_pkts = 1,
		.replies = direction == FLOW_IN,
		.direction = (uint8_t)direction,
		.kind = PACKET_UNICAST,
		.fate = REPLAY_PASSED,
	};
}

static void tell(struct judge *judge, struct replay_event event)
{
	struct replay_observer observer = judge_observer(judge);

	observer.packet(observer.self, &event);
}

static void delay(struct judge *judge, struct replay_event event,
		  uint64_t delay_ns)
{
	event.fate = REPLAY_DELAYED;
	event.left_ns += delay_ns;
	event.by = PUMP_BY_PAIR;
	tell(judge, event);
}

static void drop(struct judge *judge, struct replay_event event,
		 enum pump_by by)
{
	event.fate = REPLAY_DROPPED;
	event.by = (uint8_t)by;
	tell(judge, event);
}

static struct judge_figures conclude(struct judge *judge)
{
	struct judge_figures figures;

	judge_conclude(judge, &figures);
	judge_free(judge);
	return figures;
}

static void test_late_is_more_than_ten_milliseconds_or_dropped(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures figures;

	(void)state;
	tell(judge, event(FLOW_OUT, 1, 0, 0));
	delay(judge, event(FLOW_OUT, 2, 0, 0), 10 * MS);
	delay(judge, event(FLOW_OUT, 3, 0, 0), 10 * MS + 1);
	drop(judge, event(FLOW_OUT, 4, 0, 0), PUMP_BY_FLOW);
	figures = conclude(judge);
	assert_int_equal(4, figures.out_pkts);
	assert_int_equal(2, figures.late_pkts);
	assert_int_equal(2, figures.delayed_pkts);
	assert_int_equal(1, figures.dropped_pkts);
	assert_int_equal(4, figures.pairs);
	assert_int_equal(2, figures.late_pairs);
}

static void test_a_pair_is_late_by_the_sum_of_its_delays(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures figures;

	(void)state;
	for (uint16_t flow = 0; flow < 3; flow++)
		delay(judge, event(FLOW_OUT, 1, flow, 0), 4 * MS);
	delay(judge, event(FLOW_OUT, 2, 0, 0), 4 * MS);
	figures = conclude(judge);
	assert_int_equal(0, figures.late_pkts);
	assert_int_equal(1, figures.late_pairs);
	assert_int_equal(4 * MS, figures.worst_ns);
}

static void test_a_pair_that_only_hears_is_no_pair_of_ours(void **state)
{
	struct judge *judge = judge_new(&policy);

	(void)state;
	tell(judge, event(FLOW_IN, 1, 0, 0));
	assert_int_equal(0, conclude(judge).pairs);
}

static void test_a_conversation_is_long_beyond_100_ms_in_all(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures figures;
	struct judge_facts facts;

	(void)state;
	for (int i = 0; i < 10; i++)
		delay(judge, event(FLOW_OUT, 1, 1, 0), 10 * MS);
	for (int i = 0; i < 11; i++)
		delay(judge, event(FLOW_OUT, 1, 2, 0), 10 * MS);
	delay(judge, event(FLOW_OUT, 1, 3, 0), S + 1);
	figures = conclude(judge);
	assert_int_equal(2, figures.long_conversations);
	assert_int_equal(1, figures.never_conversations);
	assert_int_equal(2, figures.worst_count);
	assert_int_equal(1003, figures.worst[0].flow.inside_port);
	assert_int_equal(PUMP_BY_PAIR, figures.worst[0].by);
	judge_targets(JUDGE_LEGIT, &figures, &(struct judge_paces){ 20, 100 },
		      &facts);
	assert_false(judge_facts_pass(&facts));
}

static void test_two_exceptions_are_allowed_and_not_a_third(void **state)
{
	(void)state;
	for (uint16_t count = 0; count < 4; count++) {
		struct judge *judge = judge_new(&policy);
		struct judge_figures figures;
		struct judge_facts facts;

		/* Enough others that the shares do not matter. */
		for (uint16_t i = 0; i < 8000; i++)
			tell(judge, event(FLOW_OUT, (uint8_t)(i % 200), 0, i));
		for (uint16_t flow = 0; flow < count; flow++)
			delay(judge, event(FLOW_OUT, 1, flow, S), 200 * MS);
		figures = conclude(judge);
		judge_targets(JUDGE_LEGIT, &figures,
			      &(struct judge_paces){ 20, 100 }, &facts);
		assert_int_equal(count <= 2, judge_facts_pass(&facts));
	}
}

static void test_an_answer_that_is_no_evidence_excuses_nothing(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct replay_event reset = event(FLOW_IN, 1, 0, S + 1);
	struct judge_figures figures;
	struct judge_facts facts;

	(void)state;
	reset.replies = 0;
	tell(judge, event(FLOW_OUT, 1, 0, 0));
	tell(judge, reset);
	for (uint64_t i = 0; i < 13; i++)
		tell(judge, event(FLOW_OUT, 1, 0, S + 2 + i));
	figures = conclude(judge);
	assert_int_equal(13, figures.later_second.pkts);
	assert_int_equal(0, figures.later_second.heard_pkts);
	judge_targets(JUDGE_SILENT_TARGET, &figures,
		      &(struct judge_paces){ 20, 100 }, &facts);
	assert_false(judge_facts_pass(&facts));
}

static void test_each_packet_of_evidence_excuses_four(void **state)
{
	(void)state;
	for (uint64_t out = 16; out <= 17; out++) {
		struct judge *judge = judge_new(&policy);
		struct judge_figures figures;
		struct judge_facts facts;

		tell(judge, event(FLOW_OUT, 1, 0, 0));
		tell(judge, event(FLOW_IN, 1, 0, S + 1));
		for (uint64_t i = 0; i < out; i++)
			tell(judge, event(FLOW_OUT, 1, 0, S + 2 + i));
		figures = conclude(judge);
		judge_targets(JUDGE_SILENT_TARGET, &figures,
			      &(struct judge_paces){ 20, 100 }, &facts);
		assert_int_equal(out == 16, judge_facts_pass(&facts));
	}
}

static void test_64_are_allowed_in_the_first_second(void **state)
{
	(void)state;
	for (uint64_t out = 64; out <= 65; out++) {
		struct judge *judge = judge_new(&policy);
		struct judge_figures figures;
		struct judge_facts facts;

		for (uint64_t i = 0; i < out; i++)
			tell(judge, event(FLOW_OUT, 1, 0, i));
		figures = conclude(judge);
		assert_int_equal(out, figures.first_second.pkts);
		judge_targets(JUDGE_SILENT_TARGET, &figures,
			      &(struct judge_paces){ 20, 100 }, &facts);
		assert_int_equal(out == 64, judge_facts_pass(&facts));
	}
}

static void test_a_first_contact_is_one_that_was_never_heard(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures figures;

	(void)state;
	tell(judge, event(FLOW_IN, 1, 0, 0)); /* it spoke first */
	tell(judge, event(FLOW_OUT, 1, 0, 1));
	tell(judge, event(FLOW_OUT, 2, 0, 2));
	tell(judge, event(FLOW_OUT, 2, 1, 3)); /* the same target */
	drop(judge, event(FLOW_OUT, 3, 0, 4), PUMP_BY_CONTACTS);
	delay(judge, event(FLOW_OUT, 4, 0, 5), 2 * S);
	figures = conclude(judge);
	assert_int_equal(2, figures.first_contacts);
	assert_int_equal(1, figures.contacts.pkts);
}

static void test_a_conversation_answered_before_must_not_wait(void **state)
{
	struct judge *judge = judge_new(&policy);

	(void)state;
	/* It waited while nobody had answered. */
	delay(judge, event(FLOW_OUT, 1, 0, 0), 5 * MS);
	tell(judge, event(FLOW_IN, 1, 0, 7 * MS));
	/* It came before the answer and left after it. */
	delay(judge, event(FLOW_OUT, 1, 0, 6 * MS), 5 * MS);
	delay(judge, event(FLOW_OUT, 1, 0, 20 * MS), 1 * MS);
	assert_int_equal(1, conclude(judge).answered_delayed_pkts);
}

static void test_connections_are_counted_when_they_leave(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures figures;

	(void)state;
	for (uint16_t flow = 0; flow < 3; flow++)
		tell(judge, event(FLOW_OUT, 1, flow, flow));
	tell(judge, event(FLOW_OUT, 1, 2, 9)); /* not a new one */
	delay(judge, event(FLOW_OUT, 1, 3, 3), S);
	drop(judge, event(FLOW_OUT, 1, 4, 4), PUMP_BY_CONNECTIONS);
	figures = conclude(judge);
	assert_int_equal(4, figures.new_connections);
	assert_int_equal(3, figures.connections.pkts);
	assert_int_equal(1, figures.connections_delayed);
	assert_int_equal(1, figures.connections_dropped);
}

static void test_multicast_may_meet_its_plain_limit_only(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct replay_event group = event(FLOW_OUT, 1, 0, 0);
	struct judge_figures figures;

	(void)state;
	group.kind = PACKET_MULTICAST;
	tell(judge, group);
	drop(judge, group, PUMP_BYS);
	drop(judge, group, PUMP_BY_HOST);
	delay(judge, group, MS);
	figures = conclude(judge);
	assert_int_equal(4, figures.group_pkts);
	assert_int_equal(2, figures.group_held_pkts);
	assert_int_equal(1, figures.limited_pkts);
	assert_int_equal(0, figures.pairs);
}

static void test_what_was_forged_and_let_out_is_told_apart(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct replay_event stray = { .wire_pkts = 3, .fate = REPLAY_FORGED };
	struct judge_figures figures;
	struct judge_facts facts;

	(void)state;
	tell(judge, stray);
	stray.fate = REPLAY_TRANSIT; /* it went on its way */
	tell(judge, stray);
	figures = conclude(judge);
	assert_int_equal(3, figures.forged_pkts);
	judge_targets(JUDGE_FORGED, &figures, &(struct judge_paces){ 20, 100 },
		      &facts);
	assert_int_equal(3, (int)facts.list[0].found);
	assert_false(judge_facts_pass(&facts));
}

static void test_sums_are_sums_and_maxima_are_maxima(void **state)
{
	struct judge *judge = judge_new(&policy);
	struct judge_figures one, total = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		tell(judge, event(FLOW_OUT, 1, 0, i));
	delay(judge, event(FLOW_OUT, 1, 0, 5), 20 * MS);
	one = conclude(judge);
	judge_merge(&total, &one);
	judge_merge(&total, &one);
	assert_int_equal(12, total.out_pkts);
	assert_int_equal(2, total.late_pkts);
	assert_int_equal(2, total.pairs);
	assert_int_equal(20 * MS, total.worst_ns);
	assert_int_equal(6, total.first_second.pkts);
	assert_int_equal(0, judge_delay_ns(&total, 0.5));
	assert_in_range(judge_delay_ns(&total, 0.99), 20 * MS, 40 * MS);
}

static void test_a_reason_is_one_sentence_with_its_figures(void **state)
{
	struct judge_worst worst = { .out_pkts = 7,
				     .delayed_pkts = 3,
				     .delay_ns = 120 * MS,
				     .longest_ns = 80 * MS,
				     .begin_ns = 1500 * MS,
				     .by = PUMP_BY_PAIR };
	char text[JUDGE_TEXT_SIZE];

	(void)state;
	judge_explain(&worst, text);
	assert_string_equal(
		"held by the pair gate from 1.500 s on, before anything was "
		"heard: 3 of 7 packets waited 120.0 ms in all, the longest "
		"80.0 ms, 0 were dropped",
		text);
}

static void test_keys_are_written_as_wide_as_they_are(void **state)
{
	struct flow_key key = event(FLOW_OUT, 9, 0, 0).flow;
	char text[JUDGE_KEY_SIZE];

	(void)state;
	judge_print_key(&key, text);
	assert_string_equal("10.0.0.1:1000 > 192.0.2.9:80 udp", text);
	flow_key_widen(&key, FLOW_SCOPE_PAIR, &key);
	judge_print_key(&key, text);
	assert_string_equal("10.0.0.1 > 192.0.2.9", text);
	flow_key_widen(&key, FLOW_SCOPE_HOST, &key);
	judge_print_key(&key, text);
	assert_string_equal("10.0.0.1", text);
	memset(key.inside, 0xfd, sizeof(key.inside));
	memset(key.outside, 0xfd, sizeof(key.outside));
	key.scope = FLOW_SCOPE_FLOW;
	key.inside_port = key.outside_port = 65535;
	key.proto = 132;
	judge_print_key(&key, text);
	assert_string_equal(
		"[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:65535 > "
		"[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:65535 sctp",
		text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_late_is_more_than_ten_milliseconds_or_dropped),
		cmocka_unit_test(test_a_pair_is_late_by_the_sum_of_its_delays),
		cmocka_unit_test(
			test_a_pair_that_only_hears_is_no_pair_of_ours),
		cmocka_unit_test(
			test_a_conversation_is_long_beyond_100_ms_in_all),
		cmocka_unit_test(
			test_two_exceptions_are_allowed_and_not_a_third),
		cmocka_unit_test(
			test_an_answer_that_is_no_evidence_excuses_nothing),
		cmocka_unit_test(test_each_packet_of_evidence_excuses_four),
		cmocka_unit_test(test_64_are_allowed_in_the_first_second),
		cmocka_unit_test(
			test_a_first_contact_is_one_that_was_never_heard),
		cmocka_unit_test(
			test_a_conversation_answered_before_must_not_wait),
		cmocka_unit_test(test_connections_are_counted_when_they_leave),
		cmocka_unit_test(test_multicast_may_meet_its_plain_limit_only),
		cmocka_unit_test(
			test_what_was_forged_and_let_out_is_told_apart),
		cmocka_unit_test(test_sums_are_sums_and_maxima_are_maxima),
		cmocka_unit_test(
			test_a_reason_is_one_sentence_with_its_figures),
		cmocka_unit_test(test_keys_are_written_as_wide_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
