/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "shaper/daemon/explain.h"
#include "shaper/daemon/requests.h"
#include "shaper/daemon/toplist.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

static struct toplist_row flood(enum flow_scope scope)
{
	struct toplist_row entry = {
		.zone = "lan0",
		.row = { .offered_pkts = 11468,
			 .sent_pkts = 12,
			 .held_pkts = 64,
			 .releases = 9,
			 .armed_ns = 20 * NS_PER_S + 510 * NS_PER_MS,
			 .delay_ns = 512 * NS_PER_MS,
			 .held_since_ns = 13 * NS_PER_S,
			 .over_since_ns = 8 * NS_PER_S,
			 .window_ns = NS_PER_S,
			 .ratio_q16 = 4 << 16,
			 .over = true,
			 .enforced = true },
	};
	struct flow_key *key = &entry.row.key;

	key->scope = (uint8_t)scope;
	request_parse_address("10.20.0.7", key->inside);
	if (scope != FLOW_SCOPE_HOST)
		request_parse_address("192.0.2.7", key->outside);
	if (scope == FLOW_SCOPE_FLOW) {
		key->inside_port = 5001;
		key->outside_port = 53;
		key->proto = IPPROTO_UDP;
	}
	return entry;
}

static void test_s_is_a_binary_logarithm(void **state)
{
	static const struct {
		uint32_t out_pkts, in_pkts;
		double s;
	} rows[] = {
		{ 0, 0, 0.0 },         { 3, 0, 2.0 },    { 4, 0, 2.3219 },
		{ 7, 1, 2.0 },         { 8, 1, 2.1699 }, { 0, 3, -2.0 },
		{ 11468, 0, 13.4855 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_float_equal(explain_s(rows[i].out_pkts, rows[i].in_pkts),
				   rows[i].s, 0.0001);
	assert_float_equal(explain_threshold(4 << 16), 2.0, 1e-9);
	assert_float_equal(explain_threshold(484099), 2.885, 0.0001);
}

/* As many as the gate's own inequality asks for, and not one more. */
static void test_replies_needed_are_the_least_that_suffice(void **state)
{
	static const struct {
		uint32_t sent, heard, ratio_q16, replies;
	} rows[] = {
		{ 3, 0, 4 << 16, 0 },
		{ 4, 0, 4 << 16, 1 },
		{ 7, 0, 4 << 16, 1 },
		{ 8, 0, 4 << 16, 2 },
		{ 8, 1, 4 << 16, 1 },
		{ 12, 0, 4 << 16, 3 },
		{ 12, 5, 4 << 16, 0 },
		{ 5, 0, 1 << 16, 5 },
		{ 7, 0, 484099, 1 },
		{ 6, 0, 484099, 0 },
		{ UINT32_MAX, 0, 1 << 16, UINT32_MAX },
		{ 0, UINT32_MAX, 1 << 16, 0 },
		{ 5, 0, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot_row row = { .sent_pkts = rows[i].sent,
					    .heard_pkts = rows[i].heard,
					    .ratio_q16 = rows[i].ratio_q16 };

		assert_int_equal(explain_replies_needed(&row), rows[i].replies);
	}
}

static void test_a_held_pair_says_why_how_long_and_what_frees_it(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_PAIR);
	char sentence[EXPLAIN_SENTENCE_BYTES];

	(void)state;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_string_equal(
		sentence,
		"10.20.0.7 to 192.0.2.7 (pair, lan0) is held, for 12 s: in "
		"the last 1 s it offered 11468 packets, 12 were let out and 0 "
		"came back (S 13.49 offered, 3.70 let out, threshold 2.00); "
		"64 wait; the next may leave in 510 ms (delay 9 in a row, "
		"512 ms). 3 replies from 192.0.2.7 within 1 s would free it.");
}

static void test_each_scope_names_its_peer(void **state)
{
	char sentence[EXPLAIN_SENTENCE_BYTES];
	struct toplist_row entry = flood(FLOW_SCOPE_FLOW);

	(void)state;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "10.20.0.7 port 5001 to 192.0.2.7 "
					 "port 53/udp (flow, lan0) is held"));
	assert_non_null(strstr(sentence, "3 replies from 192.0.2.7 port 53 "
					 "within 1 s would free it."));
	entry = flood(FLOW_SCOPE_HOST);
	entry.row.sent_pkts = 4;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "10.20.0.7 to all others (host"));
	assert_non_null(strstr(sentence, "1 reply within 1 s would free it."));
}

static void test_every_state_has_its_sentence(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_PAIR);
	char sentence[EXPLAIN_SENTENCE_BYTES];

	(void)state;
	explain_row(&entry, EXPLAIN_SHADOW, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "would be held (mode: shadow)"));
	explain_row(&entry, EXPLAIN_ONE_SIDED, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "would be held, if both directions"));
	entry.row.enforced = false;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "this scope is not enforced"));
	entry.row.enforced = true;
	entry.row.held_pkts = 0;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "is over the threshold, for 12 s"));
	entry.row.exempt = true;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "is exempt and never held"));
	assert_null(strstr(sentence, "would free it"));
	entry.row.exempt = false;
	entry.row.over = false;
	explain_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "(pair, lan0) is not held: in the"));
	assert_null(strstr(sentence, "would free it"));
}

static void test_the_longest_sentence_is_cut_not_overrun(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_FLOW);
	char sentence[EXPLAIN_SENTENCE_BYTES];

	(void)state;
	request_parse_address("2001:db8:1111:2222:3333:4444:5555:6666",
			      entry.row.key.inside);
	request_parse_address("2001:db8:1111:2222:3333:4444:5555:7777",
			      entry.row.key.outside);
	memset(entry.zone, 'z', sizeof(entry.zone) - 1);
	entry.row.offered_pkts = entry.row.sent_pkts = UINT32_MAX;
	entry.row.held_pkts = entry.row.releases = UINT32_MAX;
	entry.row.over_since_ns = 1;
	entry.row.armed_ns = UINT64_MAX;
	entry.row.delay_ns = UINT64_MAX;
	entry.row.window_ns = 60 * NS_PER_S;
	explain_row(&entry, EXPLAIN_ENFORCES, UINT64_MAX / 2, sentence);
	assert_true(strlen(sentence) < EXPLAIN_SENTENCE_BYTES);
	assert_true(strlen(sentence) > 400);
}

static void test_the_summary_counts_keys(void **state)
{
	struct toplist_row rows[3] = { flood(FLOW_SCOPE_FLOW),
				       flood(FLOW_SCOPE_PAIR),
				       flood(FLOW_SCOPE_HOST) };
	char sentence[EXPLAIN_SENTENCE_BYTES];
	uint8_t address[16];

	(void)state;
	request_parse_address("10.20.0.7", address);
	rows[2].row.enforced = false;
	explain_summary(address, rows, 3, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence, "10.20.0.7 is held in 2 of 3 keys.");
	explain_summary(address, rows, 0, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence, "Nothing was seen of 10.20.0.7 lately, "
				      "and nothing of it waits.");
	explain_summary(address, rows, 3, EXPLAIN_SHADOW, sentence);
	assert_string_equal(sentence, "10.20.0.7 is not held, though 3 of 3 "
				      "keys are over the threshold.");
	rows[0].row.over = rows[1].row.over = rows[2].row.over = false;
	rows[0].row.held_pkts = rows[1].row.held_pkts = rows[2].row.held_pkts =
		0;
	explain_summary(address, rows, 3, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence,
			    "10.20.0.7 is not held in any of 3 keys.");
}

static void test_addresses_and_protocols_read_well(void **state)
{
	char text[EXPLAIN_ADDRESS_BYTES];
	uint8_t address[16];
	char number[4];

	(void)state;
	request_parse_address("::ffff:192.0.2.1", address);
	explain_address(address, text);
	assert_string_equal(text, "192.0.2.1");
	request_parse_address("2001:db8::1", address);
	explain_address(address, text);
	assert_string_equal(text, "2001:db8::1");
	assert_string_equal(explain_proto(6, number), "tcp");
	assert_string_equal(explain_proto(58, number), "icmpv6");
	assert_string_equal(explain_proto(255, number), "255");
	assert_string_equal(explain_proto(0, number), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_s_is_a_binary_logarithm),
		T(test_replies_needed_are_the_least_that_suffice),
		T(test_a_held_pair_says_why_how_long_and_what_frees_it),
		T(test_each_scope_names_its_peer),
		T(test_every_state_has_its_sentence),
		T(test_the_longest_sentence_is_cut_not_overrun),
		T(test_the_summary_counts_keys),
		T(test_addresses_and_protocols_read_well),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
