/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/toplist.h"

#define NS_PER_S 1000000000ull

static struct snapshot_row row_of(uint32_t offered, uint32_t heard,
				  uint32_t held, uint8_t last_byte)
{
	struct snapshot_row row = { .offered_pkts = offered,
				    .heard_pkts = heard,
				    .held_pkts = held,
				    .window_ns = NS_PER_S };

	row.key.inside[15] = last_byte;
	return row;
}

static void test_the_order_follows_what_was_asked_for(void **state)
{
	struct snapshot_row few = row_of(9, 0, 3, 1);       /* S 3.3 */
	struct snapshot_row many = row_of(1000, 999, 0, 2); /* S 0.0 */

	(void)state;
	assert_true(toplist_compare(REQUEST_BY_S, &few, &many) > 0);
	assert_true(toplist_compare(REQUEST_BY_RATE, &few, &many) < 0);
	assert_true(toplist_compare(REQUEST_BY_HELD, &few, &many) > 0);
	many.over = true;
	few.held_pkts = 0;
	assert_true(toplist_compare(REQUEST_BY_HELD, &few, &many) < 0);
}

static void test_a_rate_is_per_second_whatever_the_window(void **state)
{
	struct snapshot_row slow = row_of(300, 0, 0, 1);
	struct snapshot_row fast = row_of(200, 199, 0, 2);

	(void)state;
	slow.window_ns = 4 * NS_PER_S;
	assert_true(toplist_compare(REQUEST_BY_RATE, &slow, &fast) < 0);
}

static void test_the_largest_counts_do_not_overflow(void **state)
{
	struct snapshot_row most = row_of(UINT32_MAX, 0, 0, 1);
	struct snapshot_row less = row_of(UINT32_MAX - 1, 1, 0, 2);
	struct snapshot_row even = row_of(UINT32_MAX, UINT32_MAX, 0, 3);

	(void)state;
	assert_true(toplist_compare(REQUEST_BY_S, &most, &less) > 0);
	assert_true(toplist_compare(REQUEST_BY_S, &less, &even) > 0);
	assert_true(toplist_compare(REQUEST_BY_S, &even, &most) < 0);
}

/* Against sorting everything. */
static int by_s(const void *a, const void *b)
{
	return -toplist_compare(REQUEST_BY_S, a, b);
}

static void test_the_worst_are_kept_of_many(void **state)
{
	enum { ROWS = 5000, KEPT = 37 };
	struct snapshot_row *rows = calloc(ROWS, sizeof(*rows));
	struct toplist list, other;
	uint32_t seed = 12345;
	size_t i;

	(void)state;
	assert_true(toplist_init(&list, REQUEST_BY_S, KEPT));
	assert_true(toplist_init(&other, REQUEST_BY_S, KEPT));
	for (i = 0; i < ROWS; i++) {
		seed = seed * 1664525 + 1013904223;
		rows[i] = row_of(seed >> 20, (seed >> 8) & 0xff, 0, 0);
		memcpy(rows[i].key.outside, &i, sizeof(i));
		toplist_add(i % 2 == 0 ? &list : &other, &rows[i],
			    i % 2 == 0 ? "lan0"
				       : "a zone with a name that is "
					 "longer than it may be");
	}
	toplist_merge(&list, &other);
	toplist_sort(&list);
	qsort(rows, ROWS, sizeof(*rows), by_s);
	assert_int_equal(list.count, KEPT);
	assert_int_equal(list.seen, ROWS);
	for (i = 0; i < KEPT; i++) {
		assert_memory_equal(&list.rows[i].row, &rows[i],
				    sizeof(rows[i]));
		assert_true(strlen(list.rows[i].zone) < ZONE_NAME_SIZE);
	}
	toplist_fini(&list);
	toplist_fini(&other);
	free(rows);
}

static void test_fewer_rows_than_places(void **state)
{
	struct snapshot_row row = row_of(1, 0, 0, 1);
	struct toplist list;

	(void)state;
	assert_true(toplist_init(&list, REQUEST_BY_HELD, 10));
	toplist_sort(&list);
	assert_int_equal(list.count, 0);
	toplist_add(&list, &row, "lan0");
	toplist_sort(&list);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.rows[0].zone, "lan0");
	toplist_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_order_follows_what_was_asked_for),
		cmocka_unit_test(test_a_rate_is_per_second_whatever_the_window),
		cmocka_unit_test(test_the_largest_counts_do_not_overflow),
		cmocka_unit_test(test_the_worst_are_kept_of_many),
		cmocka_unit_test(test_fewer_rows_than_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
