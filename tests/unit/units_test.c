/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/units.h"

#define SECOND UINT64_C(1000000000)

static void test_units_reads_whole_numbers_in_range(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		enum units_result result;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 10, UNITS_OK, 0 },
		{ "10", 0, 10, UNITS_OK, 10 },
		{ "11", 0, 10, UNITS_OUT_OF_RANGE, 0 },
		{ "4", 5, 10, UNITS_OUT_OF_RANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX, UNITS_OK, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, UNITS_OUT_OF_RANGE,
		  0 },
		{ "99999999999999999999999", 0, UINT64_MAX, UNITS_OUT_OF_RANGE,
		  0 },
		{ "", 0, 10, UNITS_MALFORMED, 0 },
		{ "-1", 0, 10, UNITS_MALFORMED, 0 },
		{ "+1", 0, 10, UNITS_MALFORMED, 0 },
		{ " 1", 0, 10, UNITS_MALFORMED, 0 },
		{ "1 ", 0, 10, UNITS_MALFORMED, 0 },
		{ "01", 0, 10, UNITS_MALFORMED, 0 },
		{ "00", 0, 10, UNITS_MALFORMED, 0 },
		{ "0x1", 0, 10, UNITS_MALFORMED, 0 },
		{ "1e3", 0, 1000, UNITS_MALFORMED, 0 },
		{ "1_000", 0, 1000, UNITS_MALFORMED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 0;

		assert_int_equal(rows[i].result,
				 units_parse_count(rows[i].text, rows[i].min,
						   rows[i].max, &value));
		assert_int_equal(rows[i].value, value);
	}
}

static void test_units_reads_file_modes(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(UNITS_OK, units_parse_octal("0660", 0, 0777, &value));
	assert_int_equal(0660, value);
	assert_int_equal(UNITS_OK, units_parse_octal("7", 0, 0777, &value));
	assert_int_equal(7, value);
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_octal("1000", 0, 0777, &value));
	assert_int_equal(UNITS_MALFORMED,
			 units_parse_octal("0668", 0, 0777, &value));
	assert_int_equal(UNITS_MALFORMED,
			 units_parse_octal("", 0, 0777, &value));
}

static void test_units_reads_and_prints_times(void **state)
{
	static const struct {
		const char *text;
		enum units_result result;
		uint64_t ns;
		const char *printed;
	} rows[] = {
		{ "2ms", UNITS_OK, 2000000, "2ms" },
		{ "2000us", UNITS_OK, 2000000, "2ms" },
		{ "1024ms", UNITS_OK, 1024000000, "1024ms" },
		{ "1s", UNITS_OK, SECOND, "1s" },
		{ "60s", UNITS_OK, 60 * SECOND, "1m" },
		{ "90s", UNITS_OK, 90 * SECOND, "90s" },
		{ "10m", UNITS_OK, 600 * SECOND, "10m" },
		{ "1h", UNITS_OK, 3600 * SECOND, "1h" },
		{ "1ns", UNITS_OK, 1, "1ns" },
		{ "0", UNITS_OK, 0, "0" },
		{ "0ms", UNITS_OK, 0, "0" },
		{ "18446744073709551615ns", UNITS_OK, UINT64_MAX,
		  "18446744073709551615ns" },
		{ "18446744073709551616ns", UNITS_OUT_OF_RANGE, 0, NULL },
		{ "18446744073709552us", UNITS_OUT_OF_RANGE, 0, NULL },
		{ "5124096h", UNITS_OUT_OF_RANGE, 0, NULL },
		{ "1", UNITS_MALFORMED, 0, NULL },
		{ "ms", UNITS_MALFORMED, 0, NULL },
		{ "1 ms", UNITS_MALFORMED, 0, NULL },
		{ "1.5s", UNITS_MALFORMED, 0, NULL },
		{ "1S", UNITS_MALFORMED, 0, NULL },
		{ "1msec", UNITS_MALFORMED, 0, NULL },
		{ "99999999999999999999", UNITS_MALFORMED, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[UNITS_TEXT_SIZE];
		uint64_t ns = 0;

		assert_int_equal(rows[i].result,
				 units_parse_time(rows[i].text, 0, UINT64_MAX,
						  &ns));
		assert_int_equal(rows[i].ns, ns);
		if (rows[i].printed == NULL)
			continue;
		units_print_time(ns, text);
		assert_string_equal(rows[i].printed, text);
	}
}

static void test_units_keeps_times_and_bytes_in_range(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_time("9ms", 10000000, SECOND, &value));
	assert_int_equal(UNITS_OK,
			 units_parse_time("10ms", 10000000, SECOND, &value));
	assert_int_equal(UNITS_OK,
			 units_parse_time("1s", 10000000, SECOND, &value));
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_time("1001ms", 10000000, SECOND, &value));
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_time("0", 1, SECOND, &value));
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_bytes("1025B", 0, 1024, &value));
}

static void test_units_reads_and_prints_bytes(void **state)
{
	static const struct {
		const char *text;
		enum units_result result;
		uint64_t bytes;
		const char *printed;
	} rows[] = {
		{ "64KiB", UNITS_OK, 65536, "64KiB" },
		{ "65536B", UNITS_OK, 65536, "64KiB" },
		{ "65537B", UNITS_OK, 65537, "65537B" },
		{ "1024MiB", UNITS_OK, 1 << 30, "1GiB" },
		{ "1TiB", UNITS_OK, UINT64_C(1) << 40, "1TiB" },
		{ "16777215TiB", UNITS_OK,
		  UINT64_C(16777215) * (UINT64_C(1) << 40), "16777215TiB" },
		{ "16777216TiB", UNITS_OUT_OF_RANGE, 0, NULL },
		{ "0", UNITS_OK, 0, "0" },
		{ "64", UNITS_MALFORMED, 0, NULL },
		{ "64KB", UNITS_MALFORMED, 0, NULL },
		{ "64kib", UNITS_MALFORMED, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[UNITS_TEXT_SIZE];
		uint64_t bytes = 0;

		assert_int_equal(rows[i].result,
				 units_parse_bytes(rows[i].text, 0, UINT64_MAX,
						   &bytes));
		assert_int_equal(rows[i].bytes, bytes);
		if (rows[i].printed == NULL)
			continue;
		units_print_bytes(bytes, text);
		assert_string_equal(rows[i].printed, text);
	}
}

static void test_units_reads_and_prints_rates(void **state)
{
	static const struct {
		const char *text;
		enum units_result result;
		uint64_t per_s;
		const char *printed;
	} bytes[] = {
		{ "100MB/s", UNITS_OK, 100000000, "100MB/s" },
		{ "1000MB/s", UNITS_OK, 1000000000, "1GB/s" },
		{ "64KiB/s", UNITS_OK, 65536, "64KiB/s" },
		{ "1500B/s", UNITS_OK, 1500, "1500B/s" },
		{ "128kB/s", UNITS_OK, 128000, "125KiB/s" },
		{ "100MB", UNITS_MALFORMED, 0, NULL },
		{ "100 MB/s", UNITS_MALFORMED, 0, NULL },
		{ "100Mb/s", UNITS_MALFORMED, 0, NULL },
		{ "99999999999999GB/s", UNITS_OUT_OF_RANGE, 0, NULL },
	};
	char text[UNITS_TEXT_SIZE];
	uint64_t count = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		uint64_t per_s = 0;

		assert_int_equal(bytes[i].result,
				 units_parse_bytes_per_s(bytes[i].text, 0,
							 UINT64_MAX, &per_s));
		assert_int_equal(bytes[i].per_s, per_s);
		if (!bytes[i].printed)
			continue;
		units_print_bytes_per_s(per_s, text);
		assert_string_equal(bytes[i].printed, text);
	}
	assert_int_equal(UNITS_OK,
			 units_parse_count_per_s("20000/s", 1, 20000, &count));
	units_print_count_per_s(count, text);
	assert_string_equal("20000/s", text);
	assert_int_equal(UNITS_MALFORMED,
			 units_parse_count_per_s("20000", 1, 20000, &count));
	assert_int_equal(UNITS_OUT_OF_RANGE,
			 units_parse_count_per_s("20001/s", 1, 20000, &count));
}

/* Ratios from sixty decimal digits of 2^T x 65536, rounded. */
static const struct {
	const char *text;
	uint32_t ratio_q16;
	const char *printed;
} logarithms[] = {
	{ "0", 65536, "0.0" },
	{ "0.0", 65536, "0.0" },
	{ "0.000000001", 65536, "0.0" },
	{ "0.000022", 65537, "0.00002" },
	{ "0.5", 92682, "0.5" },
	{ "1", 131072, "1.0" },
	{ "1.5", 185364, "1.5" },
	{ "2", 4 * 65536, "2.0" },
	{ "2.0", 4 * 65536, "2.0" },
	{ "2.000", 4 * 65536, "2.0" },
	{ "2.885", 484118, "2.885" },
	{ "3.0", 8 * 65536, "3.0" },
	{ "7.123456789", 9138062, "7.1234568" },
	{ "14.999999999", 2147483647, "14.999999999" },
	{ "15", UINT32_C(1) << 31, "15.0" },
	{ "15.000000000", UINT32_C(1) << 31, "15.0" },
};

static void test_units_reads_logarithms_to_the_last_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logarithms) / sizeof(logarithms[0]);
	     i++) {
		uint32_t ratio_q16 = 0;

		assert_int_equal(UNITS_OK, units_parse_log2(logarithms[i].text,
							    &ratio_q16));
		assert_int_equal(logarithms[i].ratio_q16, ratio_q16);
	}
}

static void test_units_prints_the_shortest_logarithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logarithms) / sizeof(logarithms[0]);
	     i++) {
		char text[UNITS_TEXT_SIZE];

		units_print_log2(logarithms[i].ratio_q16, text);
		assert_string_equal(logarithms[i].printed, text);
	}
}

static void test_units_prints_every_ratio_that_can_be_read(void **state)
{
	uint32_t ratio_q16 = 65536;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[UNITS_TEXT_SIZE];
		uint32_t again = 0, read = 0;

		units_print_log2(ratio_q16, text);
		assert_int_equal(UNITS_OK, units_parse_log2(text, &read));
		units_print_log2(read, text);
		assert_int_equal(UNITS_OK, units_parse_log2(text, &again));
		assert_int_equal(read, again);
		assert_true(read <= ratio_q16 && ratio_q16 - read <= 2);
		ratio_q16 += 65521; /* a prime: all kinds of low bits */
	}
}

static void test_units_refuses_what_is_no_logarithm(void **state)
{
	static const struct {
		const char *text;
		enum units_result result;
	} rows[] = {
		{ "15.000000001", UNITS_OUT_OF_RANGE },
		{ "16", UNITS_OUT_OF_RANGE },
		{ "99999999999999999999.0", UNITS_OUT_OF_RANGE },
		{ "-1", UNITS_MALFORMED },
		{ "2.", UNITS_MALFORMED },
		{ ".5", UNITS_MALFORMED },
		{ "02.0", UNITS_MALFORMED },
		{ "2,0", UNITS_MALFORMED },
		{ "2.0.0", UNITS_MALFORMED },
		{ "2.0e0", UNITS_MALFORMED },
		{ "2.0000000001", UNITS_MALFORMED },
		{ "nan", UNITS_MALFORMED },
		{ "inf", UNITS_MALFORMED },
		{ "", UNITS_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ratio_q16 = 1;

		assert_int_equal(rows[i].result,
				 units_parse_log2(rows[i].text, &ratio_q16));
		assert_int_equal(1, ratio_q16);
	}
}

/* Packets let out at once: the least tx with (tx + 1) > 2^T. */
static void
test_units_thresholds_make_the_bursts_of_the_check_figures(void **state)
{
	static const struct {
		const char *threshold;
		uint32_t burst_pkts;
	} rows[] = { { "2.0", 4 }, { "2.885", 7 }, { "3.0", 8 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ratio_q16 = 0, sent_pkts = 0;

		units_parse_log2(rows[i].threshold, &ratio_q16);
		while ((sent_pkts + 1) * UINT64_C(65536) <= ratio_q16)
			sent_pkts++;
		assert_int_equal(rows[i].burst_pkts, sent_pkts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units_reads_whole_numbers_in_range),
		cmocka_unit_test(test_units_reads_file_modes),
		cmocka_unit_test(test_units_reads_and_prints_times),
		cmocka_unit_test(test_units_keeps_times_and_bytes_in_range),
		cmocka_unit_test(test_units_reads_and_prints_bytes),
		cmocka_unit_test(test_units_reads_and_prints_rates),
		cmocka_unit_test(test_units_reads_logarithms_to_the_last_bit),
		cmocka_unit_test(test_units_prints_the_shortest_logarithm),
		cmocka_unit_test(
			test_units_prints_every_ratio_that_can_be_read),
		cmocka_unit_test(test_units_refuses_what_is_no_logarithm),
		cmocka_unit_test(
			test_units_thresholds_make_the_bursts_of_the_check_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
