/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/deadlines.h"
#include "tests/random.h"

enum { IDS = 200 };

static void check(const struct deadlines *deadlines, const uint64_t at_ns[IDS])
{
	const struct deadline *first = deadlines_first(deadlines);
	uint32_t count = 0, best = IDS;

	for (uint32_t id = 0; id < IDS; id++) {
		count += at_ns[id] != 0;
		if (at_ns[id] && (best == IDS || at_ns[id] < at_ns[best]))
			best = id;
	}
	assert_int_equal(deadlines->count, count);
	if (!count) {
		assert_null(first);
		return;
	}
	assert_int_equal(first->id, best);
	assert_int_equal(first->at_ns, at_ns[best]);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(deadlines->place[deadlines->heap[i].id],
				 i + 1);
}

static void test_deadlines_agree_with_a_naive_list(void **state)
{
	struct random random;
	struct deadlines deadlines;
	uint64_t at_ns[IDS] = { 0 }; /* 0: none */

	(void)state;
	random_init(&random, random_seed("deadlines", 1));
	assert_true(deadlines_init(&deadlines, IDS));
	for (int step = 0; step < 100000; step++) {
		/* small ranges, so that ids and times come again */
		uint32_t id = random_below(&random, IDS);

		if (random_once(&random, 3)) {
			deadlines_clear(&deadlines, id);
			at_ns[id] = 0;
		} else {
			at_ns[id] = random_in(&random, 1, 500);
			deadlines_set(&deadlines, id, at_ns[id]);
		}
		check(&deadlines, at_ns);
	}
	deadlines_fini(&deadlines);
}

static void test_deadlines_come_out_in_order_of_time_and_id(void **state)
{
	struct deadlines deadlines;
	struct deadline last = { 0 };
	struct random random;

	(void)state;
	random_init(&random, random_seed("deadlines in order", 2));
	assert_true(deadlines_init(&deadlines, IDS));
	for (uint32_t id = 0; id < IDS; id++)
		deadlines_set(&deadlines, id, random_in(&random, 1, 20));
	for (int i = 0; i < IDS; i++) {
		struct deadline first = *deadlines_first(&deadlines);

		assert_true(first.at_ns > last.at_ns ||
			    (first.at_ns == last.at_ns &&
			     (i == 0 || first.id > last.id)));
		last = first;
		deadlines_clear(&deadlines, first.id);
	}
	assert_null(deadlines_first(&deadlines));
	deadlines_fini(&deadlines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlines_agree_with_a_naive_list),
		cmocka_unit_test(
			test_deadlines_come_out_in_order_of_time_and_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
