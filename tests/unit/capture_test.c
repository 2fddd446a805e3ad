/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/capture.h"
#include "tests/capture_samples.h"
#include "tests/check_row.h"

#define CHECK_EQ(want, got) CHECK_ROW(row, want, got)

static void check_packet(const char *row, const struct capture_packet *want,
			 const struct capture_packet *got)
{
	CHECK_EQ(want->captured_bytes, got->captured_bytes);
	CHECK_EQ(want->wire_bytes, got->wire_bytes);
	CHECK_EQ(want->link_type, got->link_type);
	CHECK_EQ(want->interface, got->interface);
	CHECK_EQ(want->time_ns, got->time_ns);
	CHECK_EQ(want->has_time, got->has_time);
	for (size_t i = 0; i < got->captured_bytes; i++)
		CHECK_EQ(capture_file_fill(i), got->bytes[i]);
}

static bool is_border(const struct capture_file *file, size_t count)
{
	for (size_t i = 0; i < file->borders_count; i++) {
		if (file->borders[i] == count)
			return true;
	}
	return false;
}

/* Cut after `count` bytes: the packets before, and then what it should say. */
static void check_cut(const char *row, const struct capture_file *file,
		      size_t count)
{
	enum capture_status want = is_border(file, count) ? CAPTURE_END
							  : CAPTURE_DAMAGED;
	struct capture_packet got;
	int fd;
	struct capture *capture = capture_file_open(file->bytes, count, &fd);

	assert_non_null(capture);
	CHECK_EQ(count, capture_size_bytes(capture));
	for (size_t i = 0;
	     i < file->packets_count && file->packets_end[i] <= count; i++) {
		CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
		check_packet(row, &file->packets[i], &got);
	}
	CHECK_EQ(want, capture_next(capture, &got));
	CHECK_EQ(want, capture_next(capture, &got)); /* and no more */
	CHECK_EQ(count, capture_read_bytes(capture));
	if (want == CAPTURE_DAMAGED) {
		assert_true(capture_error(capture)[0] != '\0');
		assert_true(capture_offset(capture) <= count);
		assert_true(capture_offset(capture) == 0 ||
			    is_border(file, capture_offset(capture)));
	}
	capture_close(capture);
	close(fd);
}

static void test_capture_reads_each_sample_cut_at_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < capture_samples_count; i++) {
		const struct capture_sample *sample = &capture_samples[i];
		struct capture_file file = { 0 };

		sample->write(&file);
		assert_int_equal(!sample->damaged,
				 is_border(&file, file.count));
		for (size_t count = 0; count <= file.count; count++)
			check_cut(sample->name, &file, count);
	}
}

struct clock_row {
	const char *name;
	int resolution; /* -1: no option */
	int64_t offset_s;
	uint64_t ticks, time_ns;
};

static const struct clock_row clock_rows[] = {
	{ "none", -1, 0, 1, 1000 },
	{ "seconds", 0, 0, 1700000000, 1700000000000000000 },
	{ "tenths", 1, 0, 15, 1500000000 },
	{ "milli", 3, 0, 1700000000123, 1700000000123000000 },
	{ "micro", 6, 0, 1700000000123456, 1700000000123456000 },
	{ "nano", 9, 0, 1700000000123456789, 1700000000123456789 },
	{ "10^-10", 10, 0, 1234567890125, 123456789012 },
	{ "pico", 12, 0, 1234567890123456, 1234567890123 },
	{ "10^-19", 19, 0, 18000000000000000000u, 1800000000 },
	{ "10^-28", 28, 0, UINT64_MAX, 1 },
	{ "10^-29", 29, 0, UINT64_MAX, 1 },
	{ "10^-127", 127, 0, UINT64_MAX - 1, 0 },
	{ "too late", 0, 0, 18446744074, UINT64_MAX },
	{ "2^0", 0x80, 0, 3, 3000000000 },
	{ "2^-1", 0x81, 0, 3, 1500000000 },
	{ "2^-10", 0x8a, 0, 1024 * 1700000000ull + 512, 1700000000500000000 },
	{ "2^-32", 0xa0, 0, (5ull << 32) + (1ull << 31), 5500000000 },
	{ "2^-34", 0xa2, 0, (1ull << 34) - 1, 999999999 },
	{ "2^-35", 0xa3, 0, (3ull << 35) + (1ull << 33), 3250000000 },
	{ "2^-63", 0xbf, 0, (1ull << 63) + (1ull << 62), 1500000000 },
	{ "2^-64", 0xc0, 0, 1ull << 63, 500000000 },
	{ "2^-65", 0xc1, 0, 1ull << 63, 250000000 },
	{ "2^-98", 0xe2, 0, UINT64_MAX, 0 },
	{ "2^-127", 0xff, 0, UINT64_MAX, 0 },
	{ "2^0 too late", 0x80, 0, UINT64_MAX, UINT64_MAX },
	{ "offset", 6, 1700000000, 123456, 1700000000123456000 },
	{ "offset back", 6, -5, 6000001, 1000001000 },
	{ "before 1970", 6, -5, 4999999, 0 },
	{ "offset past all", 6, INT64_MAX, 1, UINT64_MAX },
	{ "offset before all", 6, INT64_MIN, UINT64_MAX, 0 },
};

static size_t clock_options(const struct clock_row *row, bool big_endian,
			    uint8_t ret_options[32])
{
	struct capture_file file = { .big_endian = big_endian };

	if (row->resolution >= 0) {
		capture_file_u16(&file, 9);
		capture_file_u16(&file, 1);
		file.bytes[file.count] = (uint8_t)row->resolution;
		file.count += 4;
	}
	if (row->offset_s != 0) {
		uint32_t high = (uint32_t)((uint64_t)row->offset_s >> 32);
		uint32_t low = (uint32_t)(uint64_t)row->offset_s;

		capture_file_u16(&file, 14);
		capture_file_u16(&file, 8);
		capture_file_u32(&file, big_endian ? high : low);
		capture_file_u32(&file, big_endian ? low : high);
	}
	memcpy(ret_options, file.bytes, file.count);
	return file.count;
}

static void check_clock(const struct clock_row *clock, bool big_endian)
{
	const char *row = clock->name;
	struct capture_file file = { 0 };
	struct capture_packet got;
	struct capture *capture;
	uint8_t options[32];
	size_t count;
	int fd;

	count = clock_options(clock, big_endian, options);
	capture_file_section(&file, big_endian);
	capture_file_interface(&file, 1, 0, options, count);
	capture_file_enhanced(&file, 0, clock->ticks, 1, 1);
	capture = capture_file_open(file.bytes, file.count, &fd);
	assert_non_null(capture);
	CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
	CHECK_EQ(clock->time_ns, got.time_ns);
	CHECK_EQ(CAPTURE_END, capture_next(capture, &got));
	capture_close(capture);
	close(fd);
}

static void test_capture_knows_every_clock(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clock_rows) / sizeof(clock_rows[0]);
	     i++) {
		check_clock(&clock_rows[i], false);
		check_clock(&clock_rows[i], true);
	}
}

static void test_capture_takes_options_that_overrun_for_damage(void **state)
{
	static const uint8_t options[] = { 9, 0, 9, 0, 6, 0, 0, 0 };
	const char *row = "overrun";
	struct capture_file file = { 0 };
	struct capture_packet got;
	struct capture *capture;
	int fd;

	(void)state;
	capture_file_section(&file, false);
	capture_file_interface(&file, 1, 0, options, sizeof(options));
	capture = capture_file_open(file.bytes, file.count, &fd);
	assert_non_null(capture);
	CHECK_EQ(CAPTURE_DAMAGED, capture_next(capture, &got));
	CHECK_EQ(28, capture_offset(capture));
	capture_close(capture);
	close(fd);
}

/* A whole file of them must not become a whole memory of them. */
static void test_capture_bounds_a_sections_interfaces(void **state)
{
	enum { INTERFACES_MAX = 1 << 16 };
	static uint8_t bytes[28 + (INTERFACES_MAX + 1) * 20];
	const char *row = "interfaces";
	struct capture_file section = { 0 }, interface = { 0 };
	struct capture_packet got;
	struct capture *capture;
	int fd;

	(void)state;
	capture_file_section(&section, false);
	capture_file_interface(&interface, 1, 0, NULL, 0);
	assert_int_equal(28, section.count);
	assert_int_equal(20, interface.count);
	memcpy(bytes, section.bytes, 28);
	for (size_t i = 0; i <= INTERFACES_MAX; i++)
		memcpy(bytes + 28 + i * 20, interface.bytes, 20);
	capture = capture_file_open(bytes, sizeof(bytes), &fd);
	assert_non_null(capture);
	CHECK_EQ(CAPTURE_DAMAGED, capture_next(capture, &got));
	CHECK_EQ(28 + INTERFACES_MAX * 20, capture_offset(capture));
	capture_close(capture);
	close(fd);
}

static void test_capture_says_what_it_cannot_open(void **state)
{
	static const struct {
		const char *bytes, *error;
	} rows[] = {
		{ "once upon a time", "is no pcap or pcapng file" },
		{ "\xa1\xb2\xc3\xd4\0\1\0\4................",
		  "is a pcap file of version 1.4" },
	};
	char path[64], error[128];

	(void)state;
	assert_null(capture_open("/nonexistent", error, sizeof(error)));
	assert_string_equal("No such file or directory", error);
	assert_null(capture_open("/proc", error, sizeof(error)));
	assert_string_equal("Is a directory", error);
	capture_close(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fds[2];

		assert_int_equal(0, pipe(fds));
		assert_true(write(fds[1], rows[i].bytes, 16) == 16);
		assert_true(write(fds[1], "        ", 8) == 8);
		close(fds[1]);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
		assert_null(capture_open(path, error, sizeof(error)));
		assert_string_equal(rows[i].error, error);
		close(fds[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_capture_reads_each_sample_cut_at_each_byte),
		cmocka_unit_test(test_capture_knows_every_clock),
		cmocka_unit_test(
			test_capture_takes_options_that_overrun_for_damage),
		cmocka_unit_test(test_capture_bounds_a_sections_interfaces),
		cmocka_unit_test(test_capture_says_what_it_cannot_open),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
