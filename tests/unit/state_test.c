/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shaper/daemon/state.h"

#define WALL_NS 1700000000123456789ull

static char path[64];

static struct pump_record full_record(void)
{
	struct pump_record record = {
		.key = { .inside_port = 5001,
			 .outside_port = 53,
			 .zone = 7,
			 .proto = 17,
			 .scope = FLOW_SCOPE_FLOW },
		.releases = 9,
		.armed_in_ns = 512000000,
		.runs_count = PUMP_RECORD_RUNS,
	};
	uint32_t i;

	memset(record.key.inside, 0x11, 16);
	memset(record.key.outside, 0x22, 16);
	for (i = 0; i < PUMP_RECORD_RUNS; i++)
		record.runs[i] = (struct pump_record_run){
			.age_ns = 1000000000ull - i,
			.sent_pkts = i,
			.heard_pkts = UINT32_MAX - i,
		};
	return record;
}

static void write_state(struct state_writer *writer)
{
	struct pump_record record = full_record();
	uint8_t address[16] = { [15] = 9 };

	state_begin(writer, WALL_NS);
	state_add_counter(writer, "core.sent_pkts", UINT64_MAX);
	state_add_exemption(writer, address, 600000000000ull);
	state_add_record(writer, &record, "lan0.17");
	record.runs_count = 0;
	record.key.scope = FLOW_SCOPE_HOST;
	state_add_record(writer, &record,
			 "a zone name that is longer than it may be");
}

static void assert_is_what_was_written(struct state_reader *reader)
{
	struct pump_record want = full_record();
	struct state_item item;

	assert_int_equal(reader->wall_ns, WALL_NS);
	assert_true(state_next(reader, &item));
	assert_int_equal(item.kind, STATE_COUNTER);
	assert_string_equal(item.name, "core.sent_pkts");
	assert_int_equal(item.value, UINT64_MAX);
	assert_true(state_next(reader, &item));
	assert_int_equal(item.kind, STATE_EXEMPTION);
	assert_int_equal(item.address[15], 9);
	assert_int_equal(item.value, 600000000000ull);
	assert_true(state_next(reader, &item));
	assert_int_equal(item.kind, STATE_RECORD);
	assert_string_equal(item.zone, "lan0.17");
	want.key.zone = 0;
	assert_memory_equal(&item.record.key, &want.key, sizeof(want.key));
	assert_int_equal(item.record.releases, want.releases);
	assert_int_equal(item.record.armed_in_ns, want.armed_in_ns);
	assert_int_equal(item.record.runs_count, want.runs_count);
	assert_memory_equal(item.record.runs, want.runs, sizeof(want.runs));
	assert_true(state_next(reader, &item));
	assert_int_equal(item.record.runs_count, 0);
	assert_int_equal(strlen(item.zone), ZONE_NAME_SIZE - 1);
	assert_false(state_next(reader, &item));
}

static void test_what_is_written_is_read(void **state)
{
	struct state_writer writer;
	struct state_reader reader;

	(void)state;
	write_state(&writer);
	assert_int_equal(state_finish(&writer), 0);
	assert_null(state_open(&reader, writer.bytes, writer.used_bytes));
	assert_is_what_was_written(&reader);
	state_fini(&writer);
}

static void test_an_empty_state_is_good(void **state)
{
	struct state_writer writer;
	struct state_reader reader;
	struct state_item item;

	(void)state;
	state_begin(&writer, 1);
	assert_int_equal(state_finish(&writer), 0);
	assert_null(state_open(&reader, writer.bytes, writer.used_bytes));
	assert_false(state_next(&reader, &item));
	state_fini(&writer);
}

/* Copied to a block of its exact length, so that a sanitizer sees any read
 * past the end. */
static const char *open_copy(const uint8_t *bytes, size_t size_bytes)
{
	uint8_t *copy = malloc(size_bytes + 1);
	struct state_reader reader;
	const char *why;

	assert_non_null(copy);
	memcpy(copy + 1, bytes, size_bytes);
	why = state_open(&reader, copy + 1, size_bytes);
	free(copy);
	return why;
}

static void test_every_truncation_is_refused(void **state)
{
	struct state_writer writer;
	size_t i;

	(void)state;
	write_state(&writer);
	assert_int_equal(state_finish(&writer), 0);
	for (i = 0; i < writer.used_bytes; i++)
		assert_non_null(open_copy(writer.bytes, i));
	state_fini(&writer);
}

static void test_every_flipped_bit_is_refused(void **state)
{
	struct state_writer writer;
	size_t i;

	(void)state;
	write_state(&writer);
	assert_int_equal(state_finish(&writer), 0);
	for (i = 0; i < 8 * writer.used_bytes; i++) {
		writer.bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
		assert_non_null(open_copy(writer.bytes, writer.used_bytes));
		writer.bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	assert_null(open_copy(writer.bytes, writer.used_bytes));
	state_fini(&writer);
}

static void test_the_reason_is_named(void **state)
{
	struct state_writer writer;

	(void)state;
	write_state(&writer);
	assert_int_equal(state_finish(&writer), 0);
	assert_string_equal(open_copy(writer.bytes, 10), "too short");
	assert_string_equal(open_copy(writer.bytes, 100),
			    "cut off, or longer than it was");
	writer.bytes[writer.used_bytes / 2] ^= 1;
	assert_string_equal(open_copy(writer.bytes, writer.used_bytes),
			    "damaged");
	writer.bytes[8]++;
	assert_string_equal(open_copy(writer.bytes, writer.used_bytes),
			    "of another version");
	writer.bytes[0] = 'S';
	assert_string_equal(open_copy(writer.bytes, writer.used_bytes),
			    "not a state file");
	state_fini(&writer);
}

static void test_its_size_is_bounded(void **state)
{
	struct pump_record record = full_record();
	struct state_writer writer;
	int i;

	(void)state;
	state_begin(&writer, 1);
	for (i = 0; writer.left_out < 10; i++)
		state_add_record(&writer, &record, "lan0");
	assert_true(i > 100000);
	assert_int_equal(state_finish(&writer), 0);
	assert_true(writer.used_bytes <= STATE_BYTES_MAX);
	assert_null(open_copy(writer.bytes, writer.used_bytes));
	state_fini(&writer);
}

static int make_path(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/state_test.%d", (int)getpid());
	return 0;
}

static int remove_path(void **state)
{
	char draft[80];

	(void)state;
	snprintf(draft, sizeof(draft), "%s.new", path);
	unlink(path);
	unlink(draft);
	return 0;
}

static void test_a_file_is_replaced_whole(void **state)
{
	struct state_writer writer;
	struct state_reader reader;
	uint8_t *bytes;
	size_t size_bytes;
	struct stat st;
	char draft[80];
	FILE *old;
	int round;

	(void)state;
	snprintf(draft, sizeof(draft), "%s.new", path);
	old = fopen(draft, "w"); /* left by one that was killed */
	assert_non_null(old);
	fclose(old);
	for (round = 0; round < 2; round++) {
		write_state(&writer);
		assert_int_equal(state_save(&writer, path), 0);
		state_fini(&writer);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(draft, F_OK), -1);
	assert_int_equal(state_load(path, &bytes, &size_bytes), 0);
	assert_null(state_open(&reader, bytes, size_bytes));
	assert_is_what_was_written(&reader);
	free(bytes);
}

static void test_files_that_cannot_be_are_errors(void **state)
{
	struct state_writer writer;
	uint8_t *bytes;
	size_t size_bytes;

	(void)state;
	assert_int_equal(state_load(path, &bytes, &size_bytes), -ENOENT);
	assert_int_equal(state_load("/dev/zero", &bytes, &size_bytes), -EINVAL);
	assert_int_equal(state_load("/tmp", &bytes, &size_bytes), -EINVAL);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(state_load(path, &bytes, &size_bytes), -ELOOP);
	unlink(path);
	close(creat(path, 0600));
	assert_int_equal(truncate(path, STATE_BYTES_MAX + 1), 0);
	assert_int_equal(state_load(path, &bytes, &size_bytes), -EFBIG);
	write_state(&writer);
	assert_int_equal(state_save(&writer, "/proc/none/state"), -ENOENT);
	state_fini(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_path, remove_path)
		T(test_what_is_written_is_read),
		T(test_an_empty_state_is_good),
		T(test_every_truncation_is_refused),
		T(test_every_flipped_bit_is_refused),
		T(test_the_reason_is_named),
		T(test_its_size_is_bounded),
		T(test_a_file_is_replaced_whole),
		T(test_files_that_cannot_be_are_errors),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
