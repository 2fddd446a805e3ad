/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shaper/daemon/explain.h"
#include "shaper/daemon/requests.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"

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
					    .replies = rows[i].heard,
					    .ratio_q16 = rows[i].ratio_q16 };

		assert_int_equal(explain_replies_needed(&row), rows[i].replies);
	}
}

/* What reason, and what state it makes, when nothing of the mode is against. */
static void test_every_reason_is_told_apart(void **state)
{
	static const struct {
		struct snapshot_row row;
		enum explain_reason reason;
		enum explain_state state;
	} rows[] = {
		{ { .sent_pkts = 3, .by = PUMP_BYS },
		  EXPLAIN_BY_S,
		  EXPLAIN_QUIET },
		{ { .sent_pkts = 3, .by = PUMP_BYS, .leased = true },
		  EXPLAIN_BY_S,
		  EXPLAIN_KERNEL },
		{ { .sent_pkts = 12, .over = true, .leased = true },
		  EXPLAIN_BY_S,
		  EXPLAIN_OVER },
		{ { .sent_pkts = 12, .over = true },
		  EXPLAIN_BY_S,
		  EXPLAIN_OVER },
		{ { .sent_pkts = 12, .over = true, .held_pkts = 1, .by = 1 },
		  EXPLAIN_BY_S,
		  EXPLAIN_HELD },
		{ { .sent_pkts = 1320, .heard_pkts = 30, .replies = 660 },
		  EXPLAIN_EVIDENCE,
		  EXPLAIN_QUIET },
		{ { .sent_pkts = 40, .heard_pkts = 40, .over = true },
		  EXPLAIN_REFUSED,
		  EXPLAIN_OVER },
		{ { .sent_pkts = 8,
		    .over = true,
		    .below_floor = true,
		    .stream = true,
		    .patience_pkts = 8 },
		  EXPLAIN_FLOOR,
		  EXPLAIN_PASSES },
		{ { .sent_pkts = 40, .over = true, .patience_pkts = 8 },
		  EXPLAIN_PATIENCE,
		  EXPLAIN_PASSES },
		{ { .sent_pkts = 40,
		    .over = true,
		    .patience_pkts = 8,
		    .earned_pkts = 9 },
		  EXPLAIN_PATIENCE,
		  EXPLAIN_PASSES },
		{ { .sent_pkts = 40, .over = true, .earned_pkts = 9 },
		  EXPLAIN_CREDIT,
		  EXPLAIN_PASSES },
		{ { .sent_pkts = 40, .over = true, .stream = true },
		  EXPLAIN_STREAM,
		  EXPLAIN_PASSES },
		/* what waits is not paid for */
		{ { .sent_pkts = 40,
		    .over = true,
		    .earned_pkts = 9,
		    .held_pkts = 1,
		    .by = PUMP_BY_PAIR },
		  EXPLAIN_BY_S,
		  EXPLAIN_HELD },
		{ { .held_pkts = 1, .by = PUMP_BY_CONTACTS },
		  EXPLAIN_CONTACTS,
		  EXPLAIN_HELD },
		{ { .held_pkts = 1, .by = PUMP_BY_CONNECTIONS },
		  EXPLAIN_CONNECTIONS,
		  EXPLAIN_HELD },
		{ { .held_pkts = 1, .by = PUMP_BY_RATE },
		  EXPLAIN_RATE,
		  EXPLAIN_HELD },
		{ { .key = { .scope = FLOW_SCOPE_HOST }, .rate_line = true },
		  EXPLAIN_RATE,
		  EXPLAIN_HELD },
		{ { .key = { .scope = FLOW_SCOPE_HOST }, .line = 1 },
		  EXPLAIN_CONTACTS,
		  EXPLAIN_HELD },
		{ { .key = { .scope = FLOW_SCOPE_PAIR }, .line = 1 },
		  EXPLAIN_CONNECTIONS,
		  EXPLAIN_HELD },
		{ { .exempt = true, .over = true, .line = 1 },
		  EXPLAIN_SPARED,
		  EXPLAIN_EXEMPT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct snapshot_row row = rows[i].row;

		row.ratio_q16 = 4 << 16;
		row.enforced = true;
		assert_int_equal(explain_reason(&row), rows[i].reason);
		assert_int_equal(explain_state(&row, EXPLAIN_ENFORCES),
				 rows[i].state);
	}
}

/* A purse is of no use to a scope that holds nothing; a guard holds whatever
 * the scope. */
static void test_scopes_that_are_not_enforced_only_count(void **state)
{
	struct snapshot_row row = { .sent_pkts = 40,
				    .over = true,
				    .earned_pkts = 9,
				    .ratio_q16 = 4 << 16 };

	(void)state;
	assert_int_equal(explain_reason(&row), EXPLAIN_BY_S);
	assert_int_equal(explain_state(&row, EXPLAIN_ENFORCES),
			 EXPLAIN_COUNTED);
	row.enforced = true;
	row.key.scope = FLOW_SCOPE_HOST;
	assert_int_equal(explain_reason(&row), EXPLAIN_BY_S);
	row.enforced = false;
	row.line = 1;
	assert_int_equal(explain_state(&row, EXPLAIN_ENFORCES), EXPLAIN_HELD);
	assert_int_equal(explain_state(&row, EXPLAIN_SHADOW), EXPLAIN_COUNTED);
}

static void test_every_reason_and_state_has_its_name(void **state)
{
	(void)state;
	for (int i = EXPLAIN_BY_S; i <= EXPLAIN_SPARED; i++)
		assert_true(strlen(explain_reason_name(
				    (enum explain_reason)i)) > 0);
	for (int i = EXPLAIN_QUIET; i <= EXPLAIN_HELD; i++)
		assert_string_not_equal(
			explain_state_name((enum explain_state)i), "?");
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
		T(test_every_reason_is_told_apart),
		T(test_scopes_that_are_not_enforced_only_count),
		T(test_every_reason_and_state_has_its_name),
		T(test_addresses_and_protocols_read_well),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
