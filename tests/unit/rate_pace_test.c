/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xen-hooks/rate_pace.h"

#define MS UINT64_C(1000000)

static void test_rate_pace_pauses_while_an_engine_is_owed(void **state)
{
	struct ratepace pace = { 0 };

	(void)state;
	assert_int_equal(RATEPACE_NOTHING, ratepace_owes(&pace, 0, 0, 0));
	assert_int_equal(UINT64_MAX, ratepace_next_ns(&pace));
	assert_int_equal(RATEPACE_LIMIT, ratepace_owes(&pace, 0, 60, 0));
	assert_int_equal(0, pace.window_bytes);
	assert_int_equal(RATEPACE_NOTHING, ratepace_owes(&pace, 63, 1242, MS));
	assert_int_equal(RATEPACE_NOTHING, ratepace_owes(&pace, 0, 0, MS));
	assert_int_equal(RATEPACE_NOTHING, ratepace_advance(&pace, 1000 * MS));
	assert_int_equal(UINT64_MAX, ratepace_next_ns(&pace));
	assert_int_equal(RATEPACE_LIMIT,
			 ratepace_owes(&pace, 63, 0, 2000 * MS));
	assert_int_equal(64 * 1242, pace.window_bytes);
}

/* Of what it owes, within what can be sent at all. */
static void test_rate_pace_lets_a_burst_go(void **state)
{
	static const uint32_t rows[][2] = {
		{ 1, 1514 },       { 23, 1514 },     { 24, 64 * 24 },
		{ 102, 64 * 102 }, { 1514, 96896 },  { 1562, 99968 },
		{ 1563, 99968 },   { 65549, 99968 }, { UINT32_MAX, 99968 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ratepace pace = { 0 };

		ratepace_owes(&pace, 1, rows[i][0], 0);
		assert_int_equal(0, pace.window_bytes);
		ratepace_owes(&pace, 1, 0, MS);
		assert_int_equal(rows[i][1], pace.window_bytes);
	}
}

static void test_rate_pace_begins_again_slowly(void **state)
{
	static const uint32_t window_bytes[] = { 1514,  3028,  6056, 12112,
						 24224, 48448, 96896 };
	struct ratepace pace = { 0 };
	uint64_t now_ns = 5 * MS;

	(void)state;
	ratepace_owes(&pace, 1, 1242, 0);
	ratepace_owes(&pace, 1, 0, now_ns);
	for (int i = 0; i < 7; i++) {
		now_ns += 50 * MS;
		assert_int_equal(now_ns, ratepace_next_ns(&pace));
		assert_int_equal(RATEPACE_NOTHING,
				 ratepace_advance(&pace, now_ns - 1));
		assert_int_equal(RATEPACE_LIMIT,
				 ratepace_advance(&pace, now_ns));
		assert_int_equal(window_bytes[i], pace.window_bytes);
	}
	assert_int_equal(RATEPACE_FREE,
			 ratepace_advance(&pace, now_ns + 50 * MS));
	assert_int_equal(false, pace.limited);
	assert_int_equal(UINT64_MAX, ratepace_next_ns(&pace));
}

static void test_rate_pace_pauses_at_once_who_owes_again(void **state)
{
	struct ratepace pace = { 0 };

	(void)state;
	ratepace_owes(&pace, 1, 1242, 0);
	ratepace_owes(&pace, 1, 0, MS);
	assert_int_equal(RATEPACE_LIMIT, ratepace_advance(&pace, 51 * MS));
	assert_int_equal(RATEPACE_LIMIT, ratepace_owes(&pace, 2, 90, 52 * MS));
	assert_int_equal(0, pace.window_bytes);
	assert_int_equal(UINT64_MAX, ratepace_next_ns(&pace));
	assert_int_equal(RATEPACE_LIMIT, ratepace_owes(&pace, 2, 0, 60 * MS));
	assert_int_equal(64 * 90, pace.window_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_pace_pauses_while_an_engine_is_owed),
		cmocka_unit_test(test_rate_pace_lets_a_burst_go),
		cmocka_unit_test(test_rate_pace_begins_again_slowly),
		cmocka_unit_test(test_rate_pace_pauses_at_once_who_owes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
