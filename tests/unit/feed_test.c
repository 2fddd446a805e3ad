/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/feed.h"
#include "sim/link.h"
#include "tests/capture_samples.h"
#include "tests/link_samples.h"

/* Frames of all kinds, several times as many as are ever ahead. */
enum { FRAMES = 20 * FEED_FRAMES + 77 };

struct file {
	uint8_t *bytes;
	size_t count;
};

static void put(struct file *file, const void *bytes, size_t count)
{
	memcpy(file->bytes + file->count, bytes, count);
	file->count += count;
}

static void put_enhanced(struct file *file, const struct link_sample *sample,
			 uint32_t interface, uint32_t time_us)
{
	uint8_t bytes[LINK_SAMPLE_MAX_BYTES + 3] = { 0 };
	uint32_t count = link_sample_bytes(sample, bytes);
	uint32_t padded = (count + 3) & ~3u;
	uint32_t head[7] = {
		6, 32 + padded, interface, 0, time_us, count, count
	};

	put(file, head, sizeof(head));
	put(file, bytes, padded);
	put(file, &head[1], 4);
}

/* An interface for each link type that there is. */
static void make_file(struct file *file)
{
	struct capture_file head = { 0 };

	file->bytes = malloc((size_t)FRAMES * (LINK_SAMPLE_MAX_BYTES + 64));
	assert_non_null(file->bytes);
	capture_file_section(&head, false);
	put(file, head.bytes, head.count);
	for (size_t i = 0; i < link_samples_count; i++) {
		head.count = 0;
		head.borders_count = 0;
		capture_file_interface(
			&head, (uint16_t)link_samples[i].link_type, 0, NULL, 0);
		put(file, head.bytes, head.count);
	}
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t which = i % (uint32_t)link_samples_count;

		put_enhanced(file, &link_samples[which], which, i);
	}
}

static void check_frame(size_t at, const struct frame *want,
			const struct frame *got)
{
	if (want->time_ns != got->time_ns || want->status != got->status ||
	    want->error != got->error || want->link_type != got->link_type ||
	    want->has_mac != got->has_mac || want->has_time != got->has_time ||
	    (want->has_mac && memcmp(want->mac, got->mac, 6) != 0) ||
	    (want->status == LINK_PARSED &&
	     memcmp(&want->meta, &got->meta, sizeof(got->meta)) != 0))
		fail_msg("frame %zu differs", at);
}

/* As read one by one, to the last frame and what comes behind it. */
static void check_file(const struct file *file, size_t count)
{
	const struct frame *frames = NULL;
	struct capture_packet packet;
	struct capture *fed, *read;
	enum capture_status status;
	struct frame want;
	struct feed *feed;
	size_t here = 0, next = 0, all = 0;
	int fd, fed_fd;

	read = capture_file_open(file->bytes, count, &fd);
	fed = capture_file_open(file->bytes, count, &fed_fd);
	assert_non_null(read);
	assert_non_null(fed);
	feed = feed_new(fed);
	assert_non_null(feed);
	while ((status = capture_next(read, &packet)) == CAPTURE_PACKET) {
		frame_parse(&packet, &want);
		if (next == here) {
			here = feed_next(feed, &frames);
			next = 0;
		}
		assert_true(next < here);
		check_frame(all++, &want, &frames[next++]);
	}
	assert_int_equal(next, here);
	assert_int_equal(0, feed_next(feed, &frames));
	assert_int_equal(0, feed_next(feed, &frames));
	assert_int_equal(status, feed_status(feed));
	assert_int_equal(capture_read_bytes(read), feed_read_bytes(feed));
	assert_int_equal(capture_offset(read), capture_offset(fed));
	assert_string_equal(capture_error(read), capture_error(fed));
	feed_free(feed);
	capture_close(fed);
	capture_close(read);
	close(fd);
	close(fed_fd);
}

static void test_feed_gives_what_reading_gives(void **state)
{
	struct file file = { 0 };

	(void)state;
	make_file(&file);
	check_file(&file, file.count);
	check_file(&file, file.count - 1);
	check_file(&file, file.count / 2 + 1);
	check_file(&file, 28);
	check_file(&file, 0);
	free(file.bytes);
}

static void test_feed_may_be_left_at_any_time(void **state)
{
	struct file file = { 0 };

	(void)state;
	make_file(&file);
	for (int chunks = 0; chunks < 4; chunks++) {
		const struct frame *frames;
		int fd;
		struct capture *capture =
			capture_file_open(file.bytes, file.count, &fd);
		struct feed *feed = feed_new(capture);

		assert_non_null(feed);
		for (int i = 0; i < chunks; i++)
			assert_int_equal(FEED_FRAMES, feed_next(feed, &frames));
		feed_free(feed);
		capture_close(capture);
		close(fd);
	}
	feed_free(NULL);
	free(file.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed_gives_what_reading_gives),
		cmocka_unit_test(test_feed_may_be_left_at_any_time),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
