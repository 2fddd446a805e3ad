/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one engine hands on to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_post.h"

enum { EVENTS = 200000 };

struct reader {
	uint32_t next;
	bool in_order;
};

static void on_event(void *self, const struct fast_event *event)
{
	struct reader *reader = self;

	reader->in_order &= event->ifindex == reader->next++;
}

static bool is_readable(const struct fastpost *post, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fastpost_fd(post), .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void test_post_is_full_at_its_bound_and_loses_nothing(void **state)
{
	struct reader reader = { 0, true };
	struct fast_event event = { 0 };
	struct fastpost *post;

	(void)state;
	assert_int_equal(fastpost_new(&post), 0);
	for (uint32_t i = 0; i < FASTPOST_EVENTS; i++) {
		event.ifindex = i;
		assert_true(fastpost_put(post, &event));
	}
	assert_false(fastpost_put(post, &event));
	assert_int_equal(fastpost_take(post, on_event, &reader),
			 FASTPOST_EVENTS);
	assert_int_equal(fastpost_take(post, on_event, &reader), 0);
	assert_true(reader.in_order);
	assert_true(fastpost_put(post, &event));
	fastpost_free(post);
	fastpost_free(NULL);
}

static void test_post_rings_once_for_what_was_put(void **state)
{
	struct fast_event event = { 0 };
	struct fastpost *post;

	(void)state;
	assert_int_equal(fastpost_new(&post), 0);
	fastpost_ring(post);
	assert_false(is_readable(post, 0));
	assert_true(fastpost_put(post, &event));
	assert_false(is_readable(post, 0));
	fastpost_ring(post);
	assert_true(is_readable(post, 0));
	fastpost_silence(post);
	assert_false(is_readable(post, 0));
	fastpost_ring(post);
	assert_false(is_readable(post, 0));
	fastpost_silence(post);
	fastpost_free(post);
}

static void *write_all(void *self)
{
	struct fastpost *post = self;
	struct fast_event event = { 0 };

	while (event.ifindex < EVENTS) {
		if (fastpost_put(post, &event))
			event.ifindex++;
		if (event.ifindex % 100 == 0)
			fastpost_ring(post);
	}
	fastpost_ring(post);
	return NULL;
}

/* Who sleeps until it rings misses nothing. */
static void test_post_goes_from_thread_to_thread_in_order(void **state)
{
	struct reader reader = { 0, true };
	struct fastpost *post;
	pthread_t thread;

	(void)state;
	assert_int_equal(fastpost_new(&post), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_all, post), 0);
	while (reader.next < EVENTS) {
		assert_true(is_readable(post, 10000));
		fastpost_silence(post);
		fastpost_take(post, on_event, &reader);
	}
	pthread_join(thread, NULL);
	assert_true(reader.in_order);
	fastpost_free(post);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_post_is_full_at_its_bound_and_loses_nothing),
		cmocka_unit_test(test_post_rings_once_for_what_was_put),
		cmocka_unit_test(test_post_goes_from_thread_to_thread_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
