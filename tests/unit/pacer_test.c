/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "shaper/pacer.h"
#include "tests/random.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* Events of the whole life of a pacer, for the naive count. */
enum { EVENTS_MAX = 20000 };

static void test_pacer_lets_out_its_pace_in_any_second(void **state)
{
	static uint64_t times_ns[EVENTS_MAX];

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct pacer pacer = { 0 };
		struct random random;
		uint64_t now_ns = 0;
		size_t count = 0, first = 0;
		uint32_t pace;

		random_init(&random, seed);
		pace = (uint32_t)random_in(&random, 1, 150);
		while (count < EVENTS_MAX && now_ns < 60 * S) {
			now_ns += random_in(&random, 0, 10 * MS);
			if (!pacer_allows(&pacer, pace, now_ns))
				continue;
			pacer_count(&pacer, 1, now_ns);
			times_ns[count++] = now_ns;
			while (times_ns[first] + S <= now_ns)
				first++;
			if (count - first > pace)
				fail_msg("seed %d: %zu in a second, pace %u",
					 (int)seed, count - first, pace);
		}
		/* 6 % less than the pace, and what was not asked for. */
		if (pace <= 50)
			assert_true(count >=
				    (size_t)pace * 60 * 16 / 17 - pace);
	}
}

static void test_pacer_says_when_it_has_a_place_again(void **state)
{
	struct pacer pacer = { 0 };
	uint64_t next_ns;

	(void)state;
	pacer_count(&pacer, 2, 10 * MS);
	pacer_count(&pacer, 1, 700 * MS);
	assert_false(pacer_allows(&pacer, 3, 700 * MS));
	assert_true(pacer_allows(&pacer, 4, 700 * MS));
	next_ns = pacer_next_ns(&pacer, 3, 700 * MS);
	assert_true(next_ns >= 10 * MS + S && next_ns <= 10 * MS + S + S / 16);
	assert_false(pacer_allows(&pacer, 3, next_ns - 1));
	assert_true(pacer_allows(&pacer, 3, next_ns));
	assert_int_equal(next_ns, pacer_next_ns(&pacer, 3, next_ns));
}

static void test_pacer_gives_back_what_it_still_counts(void **state)
{
	struct pacer pacer = { 0 };

	(void)state;
	pacer_count(&pacer, 1, 0);
	pacer_count(&pacer, 1, 900 * MS);
	pacer_give_back(&pacer, 0, 950 * MS);
	assert_true(pacer_allows(&pacer, 2, 950 * MS));
	assert_false(pacer_allows(&pacer, 1, 1800 * MS));
	/* Neither what it does not count any more, nor what it never did. */
	pacer_give_back(&pacer, 0, 1800 * MS);
	pacer_give_back(&pacer, 1700 * MS, 1800 * MS);
	pacer_give_back(&pacer, 5 * S, 1800 * MS);
	assert_false(pacer_allows(&pacer, 1, 1800 * MS));
	assert_true(pacer_is_idle(&pacer, 2 * S));
	pacer_give_back(&pacer, 1900 * MS, 2 * S);
	assert_true(pacer_is_idle(&pacer, 2 * S));
}

static void test_pacer_forgets_over_any_gap(void **state)
{
	struct pacer pacer = { 0 };

	(void)state;
	pacer_count(&pacer, 70000, 5 * S);
	assert_false(pacer_allows(&pacer, 65535, 5 * S));
	assert_true(pacer_is_idle(&pacer, UINT64_MAX / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pacer_lets_out_its_pace_in_any_second),
		cmocka_unit_test(test_pacer_says_when_it_has_a_place_again),
		cmocka_unit_test(test_pacer_gives_back_what_it_still_counts),
		cmocka_unit_test(test_pacer_forgets_over_any_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
