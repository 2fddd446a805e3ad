/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/lengths.h"
#include "tests/random.h"

enum { ITEMS = 100 };

static void check(const struct lengths *lengths, const uint32_t all[ITEMS],
		  const uint8_t owner[ITEMS], uint8_t self)
{
	uint32_t got = lengths_longest(lengths);
	uint32_t most = 0;

	for (int i = 0; i < ITEMS; i++)
		if (owner[i] == self && all[i] > most)
			most = all[i];
	if (most == 0) {
		assert_int_equal(got, UINT32_MAX);
		return;
	}
	assert_in_range(got, 0, ITEMS - 1);
	assert_int_equal(owner[got], self);
	if (most < 64)
		assert_int_equal(all[got], most);
	else
		assert_in_range(all[got], most / 2 + 1, most);
}

/* Two of them share one array of links; an item moves only when it is out. */
static void test_lengths_finds_the_longest(void **state)
{
	static const uint32_t scales[] = { 4, 70, 1000, UINT32_MAX };
	struct lengths lengths[2] = { 0 };
	struct lengths_link links[ITEMS] = { 0 };
	uint32_t all[ITEMS] = { 0 };
	uint8_t owner[ITEMS] = { 0 };
	struct random random;

	(void)state;
	random_init(&random, random_seed("lengths", 1));
	for (int step = 0; step < 200000; step++) {
		uint32_t i = random_below(&random, ITEMS);

		if (all[i] == 0)
			owner[i] = (uint8_t)random_below(&random, 2);
		all[i] = random_once(&random, 3)
				 ? 0
				 : random_below(
					   &random,
					   scales[random_below(&random, 4)]);
		lengths_set(&lengths[owner[i]], links, i, all[i]);
		check(&lengths[0], all, owner, 0);
		check(&lengths[1], all, owner, 1);
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		lengths_set(&lengths[owner[i]], links, i, 0);
	assert_int_equal(lengths_longest(&lengths[0]), UINT32_MAX);
	assert_int_equal(lengths_longest(&lengths[1]), UINT32_MAX);
}

static void test_lengths_takes_the_largest_of_all(void **state)
{
	struct lengths lengths = { 0 };
	struct lengths_link links[3] = { 0 };

	(void)state;
	lengths_set(&lengths, links, 0, 1u << 31);
	lengths_set(&lengths, links, 1, UINT32_MAX);
	lengths_set(&lengths, links, 2, 63);
	assert_int_not_equal(lengths_longest(&lengths), 2);
	lengths_set(&lengths, links, 0, 64);
	lengths_set(&lengths, links, 1, 0);
	assert_int_equal(lengths_longest(&lengths), 0);
	lengths_set(&lengths, links, 0, 62);
	assert_int_equal(lengths_longest(&lengths), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths_finds_the_longest),
		cmocka_unit_test(test_lengths_takes_the_largest_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
