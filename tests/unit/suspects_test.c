/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/flow.h"
#include "shaper/suspects.h"
#include "tests/random.h"

#define SECOND 1000000000u

enum { LENT = 50, HOSTS = 7 };

static void check_fresh(const struct suspect *suspect, uint8_t scope,
			uint32_t slot)
{
	struct suspect fresh;

	memset(&fresh, 0, sizeof(fresh)); /* holes as well */
	fresh.scope = scope;
	fresh.slot = slot;
	assert_memory_equal(suspect, &fresh, sizeof(fresh));
}

static void test_suspects_lends_each_once_and_zeroed(void **state)
{
	struct suspects suspects;
	struct random random;
	bool lent[LENT + 1] = { false };
	uint32_t used = 0;

	(void)state;
	random_init(&random, random_seed("suspects", 1));
	assert_true(suspects_init(&suspects, LENT, HOSTS));
	for (uint32_t step = 0; step < 20000; step++) {
		uint32_t id;

		if (random_once(&random, 2)) {
			id = suspects_lend(&suspects, FLOW_SCOPE_PAIR, step);
			if (used == LENT) {
				assert_int_equal(id, 0);
				continue;
			}
			assert_in_range(id, 1, LENT);
			assert_false(lent[id]);
			check_fresh(suspects_get(&suspects, id),
				    FLOW_SCOPE_PAIR, step);
			lent[id] = true;
			used++;
			memset(suspects_get(&suspects, id)->window.runs, 0xff,
			       sizeof(struct window_run) * WINDOW_RUNS);
			suspects_get(&suspects, id)->held_pkts = 7;
		} else {
			id = random_in(&random, 1, LENT);
			if (!lent[id])
				continue;
			suspects_take_back(&suspects, id);
			assert_int_equal(suspects_get(&suspects, id)->scope,
					 FLOW_SCOPES);
			lent[id] = false;
			used--;
		}
		assert_int_equal(suspects.used, used);
	}
	suspects_fini(&suspects);
}

static void test_suspects_always_has_one_for_a_host(void **state)
{
	struct suspects suspects;

	(void)state;
	assert_true(suspects_init(&suspects, LENT, HOSTS));
	for (uint32_t slot = 0; slot < LENT; slot++)
		assert_int_not_equal(
			suspects_lend(&suspects, FLOW_SCOPE_FLOW, slot), 0);
	assert_int_equal(suspects_lend(&suspects, FLOW_SCOPE_FLOW, 99), 0);
	for (uint32_t slot = 0; slot < HOSTS; slot++) {
		uint32_t id = suspects_of_host(&suspects, slot);

		assert_in_range(id, LENT + 1, suspects_ids(&suspects) - 1);
		check_fresh(suspects_get(&suspects, id), FLOW_SCOPE_HOST, slot);
	}
	/* a host's own never goes to anybody else */
	suspects_take_back(&suspects, LENT + 1);
	assert_int_equal(suspects_lend(&suspects, FLOW_SCOPE_FLOW, 99), 0);
	assert_int_equal(suspects_of_host(&suspects, 0), LENT + 1);
	assert_int_equal(suspects.used, LENT);
	suspects_fini(&suspects);
}

/* Counts at least the last 15/16 W and at most the last 17/16 W. */
static void test_suspect_offered_keeps_a_window(void **state)
{
	static uint64_t at_ns[5000];
	struct suspect suspect = { 0 };
	struct random random;
	uint64_t now_ns = 1000ull * SECOND;

	(void)state;
	random_init(&random, random_seed("offered", 2));
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t least = 0, most = 0, got;

		now_ns += random_next(&random) % (SECOND / 10);
		if (random_once(&random, 50))
			now_ns += random_next(&random) % (4ull * SECOND);
		at_ns[i] = now_ns;
		suspect_offer(&suspect, SECOND, 3, now_ns);
		now_ns += random_next(&random) % (SECOND / 10);
		for (uint32_t k = 0; k <= i; k++) {
			least += at_ns[k] + SECOND / 16 * 15 > now_ns ? 3 : 0;
			most += at_ns[k] + SECOND / 16 * 17 > now_ns ? 3 : 0;
		}
		got = suspect_offered(&suspect, SECOND, now_ns);
		assert_in_range(got, least, most);
	}
	assert_int_equal(
		suspect_offered(&suspect, SECOND, now_ns + 2ull * SECOND), 0);
}

static void test_suspect_offered_is_exact_when_steady(void **state)
{
	struct suspect suspect = { 0 };

	(void)state;
	for (uint32_t i = 1; i <= 10000; i++) {
		uint64_t now_ns = i * 1000000ull;

		suspect_offer(&suspect, SECOND, 10, now_ns);
		if (i >= 2000)
			assert_in_range(suspect_offered(&suspect, SECOND,
							now_ns),
					9980, 10010);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suspects_lends_each_once_and_zeroed),
		cmocka_unit_test(test_suspects_always_has_one_for_a_host),
		cmocka_unit_test(test_suspect_offered_keeps_a_window),
		cmocka_unit_test(test_suspect_offered_is_exact_when_steady),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
