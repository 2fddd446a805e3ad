/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shaper/ctl/cells.h"

static void test_counts_keep_three_figures(void **state)
{
	static const struct {
		double value;
		const char *cell;
	} rows[] = {
		{ 0, "0" },
		{ 42, "42" },
		{ 9999, "9999" },
		{ 9999.4, "9999" },
		{ 9999.5, "10.0k" },
		{ 12345, "12.3k" },
		{ 99949, "99.9k" },
		{ 123456, "123k" },
		{ 999499, "999k" },
		{ 999500, "1.00M" },
		{ 4560000, "4.56M" },
		{ 1e9, "1.00G" },
		{ 18446744073709551615.0, "18446744T" },
	};
	char cell[CELL_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(cell_count(rows[i].value, cell),
				    rows[i].cell);
}

static void test_spans_are_short(void **state)
{
	static const struct {
		double seconds;
		const char *cell;
	} rows[] = {
		{ 0, "0ms" },        { 0.002, "2ms" },   { 0.9994, "999ms" },
		{ 0.9996, "1.00s" }, { 1.024, "1.02s" }, { 9.996, "10s" },
		{ 119, "119s" },     { 120, "2m" },      { 7199, "120m" },
		{ 7200, "2h" },      { 172800, "2d" },   { 1e8, "1157d" },
	};
	char cell[CELL_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(cell_span(rows[i].seconds, cell),
				    rows[i].cell);
	assert_string_equal(cell_long_span(59.9, cell), "59 s");
	assert_string_equal(cell_long_span(61, cell), "1 min 1 s");
	assert_string_equal(cell_long_span(7265, cell), "2 h 1 min");
	assert_string_equal(cell_long_span(100000, cell), "1 d 3 h");
	assert_string_equal(cell_long_span(-1, cell), "0 s");
}

static void test_bytes_have_binary_units(void **state)
{
	char cell[CELL_BYTES];

	(void)state;
	assert_string_equal(cell_bytes(0, cell), "0 B");
	assert_string_equal(cell_bytes(64000, cell), "62.5 KiB");
	assert_string_equal(cell_bytes(67108864, cell), "64.0 MiB");
}

static void test_both_ends_of_an_address_stay(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *cell;
	} rows[] = {
		{ "10.20.0.7", 9, "10.20.0.7" },
		{ "10.20.0.7", 8, "10.~.0.7" },
		{ "2001:db8:20:1:2:3:4:5", 11, "2001:~3:4:5" },
		{ "10.20.0.7", 3, "1~7" },
		{ "", 3, "" },
	};
	char cell[CELL_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cell_shortened(rows[i].text, rows[i].width, cell);
		assert_string_equal(cell, rows[i].cell);
		assert_true(strlen(cell) <= rows[i].width);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_keep_three_figures),
		cmocka_unit_test(test_spans_are_short),
		cmocka_unit_test(test_bytes_have_binary_units),
		cmocka_unit_test(test_both_ends_of_an_address_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
