/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xen-hooks/way.h"

static void test_way_auto_is_the_best_that_lacks_nothing(void **state)
{
	static const struct {
		struct way_lacks lacks;
		bool can;
		enum policy_way way;
		const char *why;
	} rows[] = {
		{ { { NULL } }, true, POLICY_WAY_NETBACK, "the best of all" },
		{ { { [POLICY_WAY_NETBACK] = "no hook" } },
		  true,
		  POLICY_WAY_QUEUE,
		  "netback: no hook" },
		{ { { [POLICY_WAY_NETBACK] = "no hook",
		      [POLICY_WAY_QUEUE] = "routed" } },
		  true,
		  POLICY_WAY_RING,
		  "netback: no hook; queue: routed" },
		{ { { [POLICY_WAY_NETBACK] = "no hook",
		      [POLICY_WAY_QUEUE] = "routed",
		      [POLICY_WAY_RING] = "a tap" } },
		  true,
		  POLICY_WAY_RATE,
		  "netback: no hook; queue: routed; ring: a tap" },
		{ { { [POLICY_WAY_NETBACK] = "no hook",
		      [POLICY_WAY_QUEUE] = "routed",
		      [POLICY_WAY_RING] = "a tap",
		      [POLICY_WAY_RATE] = "zone" } },
		  false,
		  POLICY_WAY_AUTO,
		  "netback: no hook; queue: routed; ring: a tap; rate: zone" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum policy_way way = POLICY_WAY_AUTO;
		char why[WAY_TEXT_BYTES];

		assert_int_equal(rows[i].can,
				 way_choose(POLICY_WAY_AUTO, &rows[i].lacks,
					    &way, why));
		assert_int_equal(rows[i].way, way);
		assert_string_equal(rows[i].why, why);
	}
}

static void test_way_that_is_asked_for_is_never_another(void **state)
{
	const struct way_lacks lacks = {
		.of = { [POLICY_WAY_RING] = "a tap" },
	};
	enum policy_way way = POLICY_WAY_AUTO;
	char why[WAY_TEXT_BYTES];

	(void)state;
	assert_false(way_choose(POLICY_WAY_RING, &lacks, &way, why));
	assert_int_equal(POLICY_WAY_AUTO, way);
	assert_string_equal("ring: a tap", why);
	assert_true(way_choose(POLICY_WAY_RATE, &lacks, &way, why));
	assert_int_equal(POLICY_WAY_RATE, way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_way_auto_is_the_best_that_lacks_nothing),
		cmocka_unit_test(test_way_that_is_asked_for_is_never_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
