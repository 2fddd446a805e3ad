/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of 24 bytes and its history, against each packet by its bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shaper/bpf/fast_window.h"

enum { BUCKETS = 4096, ROUNDS = 40 };
#define BEGIN UINT64_C(1000000)

struct world {
	struct fast_window window;
	struct fast_history history;
	uint64_t number;
	uint32_t sent[BUCKETS], heard[BUCKETS]; /* by number, from BEGIN */
};

static void begin(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->number = BEGIN;
	world->window.running = fast_bucket(BEGIN, 0, 0);
}

/* The running bucket and the 14 before it. */
static void check(struct world *world)
{
	uint32_t sent, heard, want_sent = 0, want_heard = 0;

	for (uint64_t age = 0; age <= FAST_SPANS; age++) {
		uint64_t at = world->number - age;

		if (at < BEGIN)
			break;
		want_sent += world->sent[at - BEGIN];
		want_heard += world->heard[at - BEGIN];
	}
	fast_sums(&world->window, &world->history, &sent, &heard);
	assert_int_equal(sent, want_sent);
	assert_int_equal(heard, want_heard);
}

static void count(struct world *world, uint32_t sent, uint32_t heard)
{
	fast_add(&world->window, sent, heard);
	world->sent[world->number - BEGIN] += sent;
	world->heard[world->number - BEGIN] += heard;
	check(world);
}

static void turn(struct world *world, uint32_t buckets)
{
	world->number += buckets;
	fast_turn(&world->window, &world->history, world->number);
	check(world);
}

static void test_window_forgets_a_bucket_after_fourteen_more(void **state)
{
	/* Around what four bits hold. */
	static const uint32_t COUNTS[] = { 1, 14, 15, 16, 1000 };
	static struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
		begin(&world);
		count(&world, COUNTS[i], COUNTS[i] / 2);
		for (uint32_t age = 1; age <= FAST_SPANS + 1; age++)
			turn(&world, 1);
		assert_int_equal(fast_bucket_sent(world.window.running), 0);
	}
}

static void test_window_with_many_in_each_bucket_counts_them_all(void **state)
{
	static struct world world;

	(void)state;
	begin(&world);
	for (uint32_t i = 0; i < 100; i++) {
		count(&world, 20 + i, 3 * i);
		turn(&world, 1);
	}
}

/* A bucket of few among those of many is in the sum, too, and the other way
 * round. */
static void test_window_counts_few_and_many_in_any_order(void **state)
{
	static struct world world;
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		begin(&world);
		while (world.number < BEGIN + BUCKETS - FAST_SPANS - 2) {
			uint32_t dice;

			seed = seed * UINT64_C(6364136223846793005) + 1;
			dice = (uint32_t)(seed >> 33);
			count(&world, dice % 3 ? dice % 16 : dice % 500,
			      dice % 5 ? dice / 16 % 15 : dice / 16 % 300);
			if (dice % 7 > 2)
				turn(&world, dice % 64 == 0 ? 1 + dice % 19
							    : 1 + dice % 2);
		}
	}
}

/* Another processor is ahead: nothing turns back. */
static void test_window_does_not_turn_back(void **state)
{
	static struct world world;

	(void)state;
	begin(&world);
	turn(&world, 3);
	count(&world, 5, 2);
	fast_turn(&world.window, &world.history, world.number - 2);
	check(&world);
}

/* As a number has 18 bits, half of all others seem to be yet to come. */
static void test_window_forgets_what_is_hours_old(void **state)
{
	static const uint64_t LATER[] = { FAST_SPANS + 1, 1 << 16, 1 << 17,
					  (1 << 17) + 1,  200000,  3 << 17 };
	struct fast_history history = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(LATER) / sizeof(LATER[0]); i++) {
		struct fast_window window = { .running = fast_bucket(BEGIN, 3,
								     1) };
		uint64_t number = BEGIN + LATER[i] + i;
		uint32_t sent, heard;

		assert_true(fast_is_behind(&window, number));
		fast_turn(&window, &history, number);
		fast_sums(&window, &history, &sent, &heard);
		assert_int_equal(0, sent + heard);
		assert_false(fast_is_behind(&window, number));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_window_forgets_a_bucket_after_fourteen_more),
		cmocka_unit_test(
			test_window_with_many_in_each_bucket_counts_them_all),
		cmocka_unit_test(test_window_counts_few_and_many_in_any_order),
		cmocka_unit_test(test_window_does_not_turn_back),
		cmocka_unit_test(test_window_forgets_what_is_hours_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
