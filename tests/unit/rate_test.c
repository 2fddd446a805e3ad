/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static void add(struct rate *rate, uint64_t at_ns)
{
	rate_add(rate, at_ns, at_ns);
}

static void test_seconds_are_counted_from_the_first_packet(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	add(&rate, 700 * MS);
	add(&rate, 700 * MS + S - 1); /* the last nanosecond of the first */
	add(&rate, 700 * MS + S);     /* the second one */
	add(&rate, 700 * MS + S + 1);
	add(&rate, 700 * MS + 2 * S - 1);
	rate_finish(&rate);
	assert_int_equal(2, rate.first_max);
	assert_int_equal(3, rate.later_max);
}

static void test_a_second_slides_over_the_border_of_two(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	add(&rate, 0);
	for (uint64_t i = 0; i < 5; i++)
		add(&rate, 2 * S + 900 * MS + i * 40 * MS);
	rate_finish(&rate);
	assert_int_equal(3, rate.later_max);
	assert_int_equal(5, rate.sliding_max);
}

static void test_a_sliding_second_is_open_at_its_begin(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	add(&rate, 5 * S);
	add(&rate, 6 * S);
	assert_int_equal(1, rate.any_max);
	add(&rate, 7 * S - 1);
	assert_int_equal(2, rate.any_max);
	rate_finish(&rate);
}

static void test_what_is_heard_excuses_its_own_second_only(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	add(&rate, 0);
	for (uint64_t i = 0; i < 14; i++)
		add(&rate, S + i * MS);
	rate_hear(&rate, 1, S + 500 * MS);
	for (uint64_t i = 0; i < 11; i++)
		add(&rate, 2 * S + i * MS);
	rate_finish(&rate);
	/* 14 - 4 is less than 11. */
	assert_int_equal(11, rate.later_max);
	assert_int_equal(0, rate.later_heard);
}

static void test_after_a_silence_the_first_second_is_a_first_one(void **state)
{
	struct rate rate = { .silence_ns = 60 * S };

	(void)state;
	add(&rate, 0);
	for (uint64_t i = 0; i < 30; i++)
		add(&rate, 60 * S + i);
	rate_finish(&rate);
	assert_int_equal(30, rate.first_max);
	assert_int_equal(0, rate.later_max);

	rate = (struct rate){ .silence_ns = 60 * S };
	add(&rate, 0);
	rate_hear(&rate, 1, 1); /* not silent for sixty seconds */
	for (uint64_t i = 0; i < 30; i++)
		add(&rate, 60 * S + i);
	rate_finish(&rate);
	assert_int_equal(1, rate.first_max);
	assert_int_equal(30, rate.later_max);
}

static void test_a_packet_that_waited_counts_when_it_leaves(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	rate_add(&rate, 0, 0);
	rate_add(&rate, 0, 3 * S);
	rate_finish(&rate);
	assert_int_equal(1, rate.first_max);
	assert_int_equal(1, rate.later_max);
}

static void test_time_that_runs_back_stands_still(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	add(&rate, 10 * S);
	add(&rate, 12 * S);
	rate_add(&rate, 11 * S, 11 * S);
	rate_finish(&rate);
	assert_int_equal(1, rate.first_max);
	assert_int_equal(2, rate.later_max);
}

static void test_many_in_a_second_are_all_counted(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 5000; i++)
		add(&rate, i * MS / 2);
	rate_finish(&rate);
	assert_int_equal(2000, rate.first_max);
	assert_int_equal(2000, rate.any_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_seconds_are_counted_from_the_first_packet),
		cmocka_unit_test(test_a_second_slides_over_the_border_of_two),
		cmocka_unit_test(test_a_sliding_second_is_open_at_its_begin),
		cmocka_unit_test(
			test_what_is_heard_excuses_its_own_second_only),
		cmocka_unit_test(
			test_after_a_silence_the_first_second_is_a_first_one),
		cmocka_unit_test(
			test_a_packet_that_waited_counts_when_it_leaves),
		cmocka_unit_test(test_time_that_runs_back_stands_still),
		cmocka_unit_test(test_many_in_a_second_are_all_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
