/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/ledger.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world/parcel.h"

#define SECOND UINT64_C(1000000000)

static struct ledger ledger;

static void begin(void)
{
	ledger_init(&ledger, SECOND, 0, 100 * SECOND);
}

static void let_out(uint8_t to, uint64_t offered_ns, uint64_t now_ns)
{
	struct parcel parcel = { .ends.dst = { [15] = to },
				 .offered_ns = offered_ns };

	ledger_offered(&ledger, offered_ns);
	ledger_let_out(&ledger, &parcel, now_ns);
}

static void assert_near(double want, double got)
{
	assert_true(fabs(want - got) < 1e-9);
}

/* limiter.md's boundary rows, and that the window ends where it says. */
static void test_ledger_shows_plain_s(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		let_out(1, 0, 0);
	assert_near(2.0, ledger_s(&ledger, 0));
	let_out(1, 0, 0);
	assert_near(log2(5), ledger_s(&ledger, SECOND - 1));
	ledger_heard(&ledger, SECOND - 1);
	assert_near(log2(2.5), ledger_s(&ledger, SECOND - 1));
	assert_near(-1.0, ledger_s(&ledger, SECOND));
	assert_near(log2(5), ledger.s_max);
	ledger_fini(&ledger);
}

static void test_ledger_counts_by_destination_and_second(void **state)
{
	struct ledger_totals totals;

	(void)state;
	begin();
	for (uint64_t i = 0; i < 30; i++)
		let_out(1, i * SECOND / 10, i * SECOND / 10);
	for (uint64_t i = 0; i < 5; i++)
		let_out((uint8_t)(2 + i), 3 * SECOND, 3 * SECOND);
	ledger_totals(&ledger, 0, &totals);
	assert_int_equal(6, totals.destinations);
	assert_int_equal(10, totals.first_second_pkts);
	assert_int_equal(10, totals.any_second_pkts);
	assert_int_equal(5, totals.any_second_contacts);
	assert_near(20 / 99.0, totals.let_out_per_s);
	assert_near(6 / 100.0, totals.contacts_per_s);
	ledger_fini(&ledger);
}

static void test_ledger_finds_each_of_many_destinations(void **state)
{
	struct ledger_totals totals;

	(void)state;
	begin();
	for (uint32_t i = 0; i < 20000; i++) {
		struct parcel parcel = { .offered_ns = 0 };

		memcpy(&parcel.ends.dst[12], &i, sizeof(i));
		ledger_let_out(&ledger, &parcel, 0);
		ledger_let_out(&ledger, &parcel, 0);
	}
	ledger_totals(&ledger, 0, &totals);
	assert_int_equal(20000, totals.destinations);
	assert_int_equal(2, totals.any_second_pkts);
	ledger_fini(&ledger);
}

/* The delay of the first one that waited, then the times between. */
static void test_ledger_keeps_the_first_releases(void **state)
{
	(void)state;
	begin();
	let_out(1, 0, 0);
	let_out(1, 5, 2005);
	let_out(1, 6, 6005);
	assert_int_equal(3, ledger.releases);
	assert_int_equal(5, ledger.releases_ns[0]);
	assert_int_equal(2005, ledger.releases_ns[1]);
	assert_int_equal(6005, ledger.releases_ns[2]);
	ledger_fini(&ledger);
}

static void test_delays_are_known_to_three_percent(void **state)
{
	static struct delays delays;

	(void)state;
	assert_int_equal(0, delays_percentile(&delays, 50));
	for (uint64_t i = 1; i <= 1000; i++)
		delays_add(&delays, i * 1000000);
	assert_in_range(delays_percentile(&delays, 50), 500000000, 516000000);
	assert_in_range(delays_percentile(&delays, 99), 990000000, 1000000000);
	assert_int_equal(1000000000, delays_percentile(&delays, 100));
	assert_int_equal(990, delays.over_10ms);
	delays_add(&delays, UINT64_MAX);
	assert_int_equal(UINT64_MAX, delays.max_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ledger_shows_plain_s),
		cmocka_unit_test(test_ledger_counts_by_destination_and_second),
		cmocka_unit_test(test_ledger_finds_each_of_many_destinations),
		cmocka_unit_test(test_ledger_keeps_the_first_releases),
		cmocka_unit_test(test_delays_are_known_to_three_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
