/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The largest S of a key against a list of every packet. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/peak.h"
#include "tests/random.h"

#define SECOND 1000000000u

enum { PACKETS = 20000 };

struct list {
	size_t first, count;
	uint64_t at_ns[PACKETS];
	bool out[PACKETS];
	double most;
};

static void list_add(struct list *list, bool out, uint64_t now_ns)
{
	size_t sent = 0, heard = 0;
	double s;

	list->at_ns[list->count] = now_ns;
	list->out[list->count++] = out;
	while (list->at_ns[list->first] + SECOND <= now_ns)
		list->first++;
	for (size_t i = list->first; i < list->count; i++)
		*(list->out[i] ? &sent : &heard) += 1;
	s = log2((double)(sent + 1) / (double)(heard + 1));
	if (s > list->most)
		list->most = s;
}

static double most(const struct peak *peak)
{
	return log2((peak->most_sent_pkts + 1.0) /
		    (peak->most_heard_pkts + 1.0));
}

/* Bursts, rests, and times at which everything slides out. */
static void run(struct random *random, struct peak_budget *budget,
		uint32_t spread_ns, double may_stray)
{
	static struct list list;
	struct peak peak = { 0 };
	uint64_t before = budget->runs, now_ns = SECOND;

	list = (struct list){ 0 };
	for (int i = 0; i < 3000; i++) {
		bool out = random_below(random, 10) > (uint32_t)(i / 300);

		if (!random_once(random, 3))
			now_ns += random_below(random, spread_ns);
		if (random_once(random, 400))
			now_ns += random_next(random) % (2ull * SECOND);
		list_add(&list, out, now_ns);
		peak_add(&peak, budget, SECOND, out, !out, now_ns);
		assert_true(fabs(most(&peak) - list.most) <= may_stray);
	}
	peak_fini(&peak, budget);
	assert_true(fabs(most(&peak) - list.most) <= may_stray);
	assert_int_equal(budget->runs, before);
}

static void test_peak_is_exact_while_it_may_grow(void **state)
{
	struct peak_budget budget = { .runs = 1 << 20 };
	struct random random;

	(void)state;
	random_init(&random, random_seed("peak", 1));
	for (uint32_t spread_ns = 1000; spread_ns < SECOND; spread_ns *= 10)
		run(&random, &budget, spread_ns, 1e-9);
}

static void test_peak_without_room_strays_little(void **state)
{
	struct peak_budget budget = { .runs = 64 };
	struct random random;

	(void)state;
	random_init(&random, random_seed("peak bounded", 2));
	for (uint32_t spread_ns = 1000; spread_ns < SECOND; spread_ns *= 10)
		run(&random, &budget, spread_ns, 0.25);
}

static void test_peak_of_nothing_sent_is_0(void **state)
{
	struct peak_budget budget = { .runs = 64 };
	struct peak peak = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		peak_add(&peak, &budget, SECOND, 0, 1, SECOND);
	assert_true(most(&peak) == 0);
	peak_fini(&peak, &budget);
}

static void test_peak_takes_no_memory_for_few_times(void **state)
{
	struct peak_budget budget = { 0 };
	struct peak peak = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		peak_add(&peak, &budget, SECOND, 1, 0, (uint64_t)i / 500);
	assert_null(peak.more);
	assert_int_equal(peak.most_sent_pkts, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peak_is_exact_while_it_may_grow),
		cmocka_unit_test(test_peak_without_room_strays_little),
		cmocka_unit_test(test_peak_of_nothing_sent_is_0),
		cmocka_unit_test(test_peak_takes_no_memory_for_few_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
