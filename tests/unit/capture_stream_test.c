/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the bytes of a capture come: compressed, through a pipe, many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/capture.h"
#include "tests/capture_compress.h"
#include "tests/capture_samples.h"
#include "tests/check_row.h"
#include "tests/random.h"

enum { PACKED_BYTES = 2 * CAPTURE_SAMPLE_MAX_BYTES };

#define CHECK_EQ(want, got) CHECK_ROW(row, want, got)

/* Returns how many packets there were, all of them as expected. */
static size_t read_all(const char *row, const struct capture_file *file,
		       struct capture *capture, enum capture_status *ret_status)
{
	struct capture_packet got;
	size_t count = 0;

	while ((*ret_status = capture_next(capture, &got)) == CAPTURE_PACKET) {
		assert_true(count < file->packets_count);
		CHECK_EQ(file->packets[count].captured_bytes,
			 got.captured_bytes);
		CHECK_EQ(file->packets[count].time_ns, got.time_ns);
		for (size_t i = 0; i < got.captured_bytes; i++)
			CHECK_EQ(capture_file_fill(i), got.bytes[i]);
		count++;
	}
	return count;
}

static void check_packed(const char *row, const struct capture_file *file,
			 const uint8_t *bytes, size_t count, bool damaged)
{
	enum capture_status status;
	int fd;
	struct capture *capture = capture_file_open(bytes, count, &fd);

	assert_non_null(capture);
	CHECK_EQ(file->packets_count, read_all(row, file, capture, &status));
	CHECK_EQ(damaged ? CAPTURE_DAMAGED : CAPTURE_END, status);
	CHECK_EQ(count, capture_read_bytes(capture));
	capture_close(capture);
	close(fd);
}

/* However little is there, it is a beginning; and never taken for the whole. */
static void check_packed_cuts(const char *row, const struct capture_file *file,
			      const uint8_t *bytes, size_t count)
{
	for (size_t cut = 0; cut < count; cut++) {
		enum capture_status status;
		struct capture *capture;
		int fd;

		capture = capture_file_open(bytes, cut, &fd);
		if (capture) {
			read_all(row, file, capture, &status);
			CHECK_EQ(CAPTURE_DAMAGED, status);
		} else {
			/* Not even its magic: as any other file. */
			assert_true(cut >= 4 && cut < 6);
		}
		capture_close(capture);
		close(fd);
	}
}

static void test_capture_reads_each_compression_cut_at_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < capture_samples_count; i++) {
		struct capture_file file = { 0 };

		capture_samples[i].write(&file);
		for (size_t j = 0; j < capture_compressions_count; j++) {
			uint8_t packed[PACKED_BYTES];
			size_t count = capture_compressions[j].compress(
				file.bytes, file.count, packed, sizeof(packed));

			check_packed(capture_samples[i].name, &file, packed,
				     count, capture_samples[i].damaged);
			check_packed_cuts(capture_compressions[j].name, &file,
					  packed, count);
		}
	}
}

/* As `cat a.gz b.gz`, or a compressor that works in pieces, makes them. */
static void test_capture_reads_members_as_one_file(void **state)
{
	(void)state;
	for (size_t j = 0; j < capture_compressions_count; j++) {
		const struct capture_compression *with =
			&capture_compressions[j];
		struct capture_file file = { 0 };
		uint8_t packed[PACKED_BYTES];
		size_t half, count;

		capture_samples[0].write(&file);
		half = file.count / 2;
		count = with->compress(file.bytes, half, packed,
				       sizeof(packed));
		count += with->compress(file.bytes + half, file.count - half,
					packed + count, sizeof(packed) - count);
		check_packed(with->name, &file, packed, count, false);
		memcpy(packed + count, "garbage", 8);
		check_packed(with->name, &file, packed, count + 8, true);
	}
}

static void check_refused(const char *row, const uint8_t *bytes, size_t count)
{
	struct capture_packet packet;
	struct rusage before, after;
	struct capture *capture;
	int fd;

	getrusage(RUSAGE_SELF, &before);
	capture = capture_file_open(bytes, count, &fd);
	assert_non_null(capture);
	CHECK_EQ(CAPTURE_DAMAGED, capture_next(capture, &packet));
	assert_true(strstr(capture_error(capture), row) != NULL);
	capture_close(capture);
	close(fd);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
}

static void test_capture_grants_no_window_of_gigabytes(void **state)
{
	/* RFC 8878: one raw block of a byte, in a window of 2^31. */
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00,
					0xa8, 0x09, 0x00, 0x00, 0x0a };
	struct capture_file file = { 0 };
	uint8_t xz[PACKED_BYTES];
	size_t count = 0, header_bytes;
	uint32_t crc;

	(void)state;
	check_refused("zstd", zstd, sizeof(zstd));
	capture_samples[0].write(&file);
	for (size_t j = 0; j < capture_compressions_count; j++) {
		if (strcmp(capture_compressions[j].name, "xz") == 0)
			count = capture_compressions[j].compress(
				file.bytes, file.count, xz, sizeof(xz));
	}
	/* A block's header: its size, flags, LZMA2, one byte of properties,
	 * which says how large the dictionary is, 40: 4 GiB. */
	header_bytes = ((size_t)xz[12] + 1) * 4;
	for (size_t i = 13; i < 12 + header_bytes - 4; i++) {
		if (xz[i] == 0x21 && xz[i + 1] == 1) {
			xz[i + 2] = 40;
			break;
		}
	}
	crc = lzma_crc32(xz + 12, header_bytes - 4, 0);
	for (size_t i = 0; i < 4; i++)
		xz[12 + header_bytes - 4 + i] = (uint8_t)(crc >> (8 * i));
	check_refused("xz", xz, count);
}

/* Packets of every size, so that they lie across every block of the reader;
 * the first four bytes of each say which it is. */
struct many {
	uint8_t *bytes;
	size_t count, packets;
};

enum { MANY_BYTES = 6 << 20, PACKET_MAX_BYTES = 1 << 18 };

static void put_u32(struct many *many, uint32_t value)
{
	memcpy(many->bytes + many->count, &value, 4);
	many->count += 4;
}

static void make_many(struct many *many, bool pcapng)
{
	struct capture_file head = { 0 };
	struct random random;

	random_init(&random, 7);
	many->bytes = calloc(1, MANY_BYTES + (3 << 20));
	assert_non_null(many->bytes);
	if (pcapng) {
		capture_file_section(&head, false);
		capture_file_interface(&head, 1, 0, NULL, 0);
	} else {
		capture_file_pcap(&head, false, 0xa1b2c3d4, 1);
	}
	memcpy(many->bytes, head.bytes, head.count);
	many->count = head.count;
	while (many->count < MANY_BYTES) {
		uint32_t bytes = random_in(&random, 4, 3000);

		if (random_once(&random, 50))
			bytes = random_in(&random, 4, PACKET_MAX_BYTES);
		if (random_once(&random, 500))
			bytes = PACKET_MAX_BYTES;
		if (pcapng) {
			put_u32(many, 6);
			put_u32(many, 32 + ((bytes + 3) & ~3u));
			put_u32(many, 0);
		}
		put_u32(many, 0);
		put_u32(many, (uint32_t)many->packets);
		put_u32(many, bytes);
		put_u32(many, bytes);
		memset(many->bytes + many->count, (int)(many->packets & 0xff),
		       bytes);
		many->count += pcapng ? (bytes + 3) & ~3u : bytes;
		if (pcapng)
			put_u32(many, 32 + ((bytes + 3) & ~3u));
		many->packets++;
		/* Longer than the reader's block, and nothing in it. */
		if (pcapng && many->packets == 100) {
			put_u32(many, 0xbad);
			put_u32(many, 12 + (2 << 20));
			many->count += 2 << 20;
			put_u32(many, 12 + (2 << 20));
		}
	}
}

static void check_many(const char *row, const struct many *many,
		       const uint8_t *bytes, size_t count)
{
	struct capture_packet got;
	struct capture *capture;
	int fd;

	capture = capture_file_open(bytes, count, &fd);
	assert_non_null(capture);
	for (size_t i = 0; i < many->packets; i++) {
		CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
		CHECK_EQ(i * 1000, got.time_ns);
		CHECK_EQ(i & 0xff, got.bytes[0]);
		CHECK_EQ(i & 0xff, got.bytes[got.captured_bytes - 1]);
		CHECK_EQ(0, memcmp(got.bytes, got.bytes + 1,
				   got.captured_bytes - 1));
	}
	CHECK_EQ(CAPTURE_END, capture_next(capture, &got));
	capture_close(capture);
	close(fd);
}

static void test_capture_reads_packets_across_its_blocks(void **state)
{
	(void)state;
	for (int pcapng = 0; pcapng < 2; pcapng++) {
		struct many many = { 0 };
		size_t room;
		uint8_t *packed;

		make_many(&many, pcapng);
		room = capture_compress_room(many.count);
		packed = malloc(room);
		assert_non_null(packed);
		check_many(pcapng ? "pcapng" : "pcap", &many, many.bytes,
			   many.count);
		for (size_t j = 0; j < capture_compressions_count; j++)
			check_many(capture_compressions[j].name, &many, packed,
				   capture_compressions[j].compress(
					   many.bytes, many.count, packed,
					   room));
		free(packed);
		free(many.bytes);
	}
}

/* What has come is told before more comes. */
static void test_capture_follows_a_pipe_on_standard_input(void **state)
{
	const char *row = "pipe";
	struct capture_file file = { 0 };
	struct capture_packet got;
	struct capture *capture;
	int fds[2], kept = dup(STDIN_FILENO);
	char error[128];

	(void)state;
	capture_samples[0].write(&file);
	assert_int_equal(0, pipe(fds));
	assert_true(write(fds[1], file.bytes, file.packets_end[0]) ==
		    (ssize_t)file.packets_end[0]);
	assert_int_equal(STDIN_FILENO, dup2(fds[0], STDIN_FILENO));
	close(fds[0]);
	capture = capture_open("-", error, sizeof(error));
	assert_non_null(capture);
	CHECK_EQ(0, capture_size_bytes(capture));
	CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
	assert_true(write(fds[1], file.bytes + file.packets_end[0],
			  file.count - file.packets_end[0]) ==
		    (ssize_t)(file.count - file.packets_end[0]));
	CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
	CHECK_EQ(CAPTURE_PACKET, capture_next(capture, &got));
	close(fds[1]);
	CHECK_EQ(CAPTURE_END, capture_next(capture, &got));
	CHECK_EQ(file.count, capture_read_bytes(capture));
	capture_close(capture);
	if (kept >= 0) {
		dup2(kept, STDIN_FILENO);
		close(kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_capture_reads_each_compression_cut_at_each_byte),
		cmocka_unit_test(test_capture_reads_members_as_one_file),
		cmocka_unit_test(test_capture_grants_no_window_of_gigabytes),
		cmocka_unit_test(test_capture_reads_packets_across_its_blocks),
		cmocka_unit_test(test_capture_follows_a_pipe_on_standard_input),
	};

	return cmocka_run_group_tests_name("capture_stream", tests, NULL, NULL);
}
