/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hundreds of interfaces that come and go, and the place that each is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_index.h"

/* All places, whose interfaces have numbers in steps of so many. */
static void fill(struct fast_config *config, uint32_t first, uint32_t step)
{
	for (uint32_t i = 0; i < FAST_INTERFACES; i++)
		config->interfaces[i].ifindex = first + i * step;
	fastindex_make(config);
}

static void test_each_is_found_where_it_is(void **state)
{
	static const uint32_t steps[] = { 1, 2, 3, 7, 256, 512, 4096, 65521 };
	struct fast_config config = { 0 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fill(&config, 3, steps[i]);
		for (uint32_t at = 0; at < FAST_INTERFACES; at++)
			assert_int_equal(
				fast_place_of(&config, 3 + at * steps[i]), at);
		assert_int_equal(fast_place_of(&config, 2), FAST_INTERFACES);
	}
}

static void test_one_that_went_is_not_found(void **state)
{
	struct fast_config config = { 0 };

	(void)state;
	fill(&config, 100, 1);
	for (uint32_t at = 0; at < FAST_INTERFACES; at += 2)
		config.interfaces[at].ifindex = 0;
	fastindex_make(&config);
	for (uint32_t at = 0; at < FAST_INTERFACES; at++)
		assert_int_equal(fast_place_of(&config, 100 + at),
				 at % 2 == 0 ? FAST_INTERFACES : at);
	assert_int_equal(fast_place_of(&config, 0), FAST_INTERFACES);
}

/* What is in the memory is not ours alone: a pinned one may hold anything. */
static void test_any_index_is_harmless(void **state)
{
	struct fast_config config = { 0 };

	(void)state;
	for (uint32_t i = 0; i < FAST_INDEX; i++)
		config.index[i] = UINT16_MAX;
	assert_int_equal(fast_place_of(&config, 5), FAST_INTERFACES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_found_where_it_is),
		cmocka_unit_test(test_one_that_went_is_not_found),
		cmocka_unit_test(test_any_index_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
