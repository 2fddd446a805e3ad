/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "shaper/daemon/refusals.h"

static bool is_readable(const struct refusals *refusals)
{
	struct pollfd poll_fd = { .fd = refusals_fd(refusals),
				  .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_refusals_come_out_in_order(void **state)
{
	struct refusals_entry entry = { .interface = "lan0" };
	struct refusals_entry out[3];
	struct refusals *refusals;

	(void)state;
	assert_int_equal(refusals_new(&refusals), 0);
	for (entry.refusal.until_ns = 1; entry.refusal.until_ns <= 5;
	     entry.refusal.until_ns++)
		assert_true(refusals_push(refusals, &entry));
	assert_false(is_readable(refusals));
	refusals_ring(refusals);
	assert_true(is_readable(refusals));
	assert_int_equal(refusals_take(refusals, out, 3), 3);
	assert_int_equal(out[0].refusal.until_ns, 1);
	assert_int_equal(out[2].refusal.until_ns, 3);
	assert_string_equal(out[2].interface, "lan0");
	/* What is left keeps it readable. */
	assert_true(is_readable(refusals));
	assert_int_equal(refusals_take(refusals, out, 3), 2);
	assert_int_equal(out[1].refusal.until_ns, 5);
	assert_false(is_readable(refusals));
	assert_int_equal(refusals_take(refusals, out, 3), 0);
	refusals_free(refusals);
}

static void test_refusals_are_bounded(void **state)
{
	struct refusals_entry entry = { .interface = "" };
	static struct refusals_entry out[REFUSALS_MAX];
	struct refusals *refusals;

	(void)state;
	assert_int_equal(refusals_new(&refusals), 0);
	for (int i = 0; i < REFUSALS_MAX; i++)
		assert_true(refusals_push(refusals, &entry));
	assert_false(refusals_push(refusals, &entry));
	assert_int_equal(refusals_take(refusals, out, 1), 1);
	assert_true(refusals_push(refusals, &entry));
	assert_false(refusals_push(refusals, &entry));
	assert_int_equal(refusals_take(refusals, out, REFUSALS_MAX),
			 REFUSALS_MAX);
	refusals_free(refusals);
}

enum { MANY = 200000 };

static void *writer_main(void *self)
{
	struct refusals_entry entry = { .interface = "lan0" };
	struct refusals *refusals = self;

	for (uint64_t i = 0; i < MANY; i++) {
		entry.refusal.until_ns = i;
		while (!refusals_push(refusals, &entry))
			sched_yield();
		refusals_ring(refusals);
	}
	return NULL;
}

static void test_refusals_cross_threads_whole_and_in_order(void **state)
{
	struct refusals_entry out[64];
	struct refusals *refusals;
	uint64_t next = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(refusals_new(&refusals), 0);
	assert_int_equal(pthread_create(&thread, NULL, writer_main, refusals),
			 0);
	while (next < MANY) {
		struct pollfd poll_fd = { .fd = refusals_fd(refusals),
					  .events = POLLIN };
		size_t count;

		assert_int_equal(poll(&poll_fd, 1, 10000), 1);
		count = refusals_take(refusals, out, 64);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(out[i].refusal.until_ns, next++);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	refusals_free(refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals_come_out_in_order),
		cmocka_unit_test(test_refusals_are_bounded),
		cmocka_unit_test(
			test_refusals_cross_threads_whole_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
