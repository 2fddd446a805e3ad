/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both windows against a list of every packet, and how far they stray. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/flowtable.h"
#include "shaper/asym.h"
#include "shaper/window.h"
#include "tests/random.h"

#define MS     1000000u
#define SECOND 1000000000u

/* ------ the naive one */

enum { LIST_MAX = 1 << 16 };

struct list {
	uint32_t count;
	struct {
		uint64_t at_ns;
		uint32_t sent, heard;
	} all[LIST_MAX];
};

static void list_add(struct list *list, uint32_t sent, uint32_t heard,
		     uint64_t now_ns)
{
	assert_true(list->count < LIST_MAX);
	list->all[list->count].at_ns = now_ns;
	list->all[list->count].sent = sent;
	list->all[list->count++].heard = heard;
}

/* Of those that came after now - window. */
static void list_sums(const struct list *list, uint64_t window_ns,
		      uint64_t now_ns, uint32_t *ret_sent, uint32_t *ret_heard)
{
	*ret_sent = *ret_heard = 0;
	for (uint32_t i = list->count; i > 0; i--) {
		if (list->all[i - 1].at_ns + window_ns <= now_ns)
			break;
		*ret_sent += list->all[i - 1].sent;
		*ret_heard += list->all[i - 1].heard;
	}
}

static uint32_t list_times(const struct list *list, uint64_t window_ns,
			   uint64_t now_ns)
{
	uint32_t times = 0;
	uint64_t last_ns = 0;

	for (uint32_t i = list->count; i > 0; i--) {
		uint64_t at_ns = list->all[i - 1].at_ns;

		if (at_ns + window_ns <= now_ns)
			break;
		times += at_ns != last_ns;
		last_ns = at_ns;
	}
	return times;
}

/* ------ exact */

static void test_window_is_exact_up_to_64_different_times(void **state)
{
	static const uint64_t windows_ns[] = { 10 * MS, SECOND,
					       60ull * SECOND };
	static struct list list;
	struct random random;

	(void)state;
	random_init(&random, random_seed("window", 1));
	for (int run = 0; run < 300; run++) {
		uint64_t window_ns = windows_ns[run % 3];
		uint64_t now_ns = 70ull * SECOND;
		struct window window = { 0 };

		list.count = 0;
		for (int step = 0; step < 400; step++) {
			uint32_t sent = random_below(&random, 3);
			uint32_t heard = random_below(&random, 3);
			uint32_t want_sent, want_heard;

			if (!random_once(&random, 4))
				now_ns +=
					random_next(&random) % (window_ns / 16);
			if (list_times(&list, window_ns, now_ns) == 64)
				continue;
			list_add(&list, sent, heard, now_ns);
			window_add(&window, window_ns, sent, heard, now_ns);
			if (random_once(&random, 3))
				now_ns += random_next(&random) % window_ns;
			window_slide(&window, window_ns, now_ns);
			list_sums(&list, window_ns, now_ns, &want_sent,
				  &want_heard);
			assert_int_equal(window.sent_pkts, want_sent);
			assert_int_equal(window.heard_pkts, want_heard);
		}
	}
}

static void test_window_that_grows_is_exact_whatever_comes(void **state)
{
	static struct list list;
	struct random random;

	(void)state;
	random_init(&random, random_seed("window grows", 2));
	for (int run = 0; run < 20; run++) {
		uint64_t now_ns = 70ull * SECOND;
		struct window window = { .grows = true };

		list.count = 0;
		for (int step = 0; step < 3000; step++) {
			uint32_t sent = random_below(&random, 3);
			uint32_t heard = random_below(&random, 3);
			uint32_t want_sent, want_heard;

			now_ns += random_below(&random,
					       300000 * (uint32_t)(run + 1));
			if (random_once(&random, 500))
				now_ns += random_next(&random) % SECOND;
			list_add(&list, sent, heard, now_ns);
			window_add(&window, SECOND, sent, heard, now_ns);
			list_sums(&list, SECOND, now_ns, &want_sent,
				  &want_heard);
			assert_int_equal(window.sent_pkts, want_sent);
			assert_int_equal(window.heard_pkts, want_heard);
		}
		assert_non_null(window.more);
		window_clear(&window);
		assert_null(window.more);
		assert_int_equal(window.sent_pkts, 0);
	}
}

static void test_window_forgets_at_w_and_not_before(void **state)
{
	struct window window = { 0 };

	(void)state;
	window_add(&window, SECOND, 1, 0, 5);
	window_slide(&window, SECOND, SECOND + 4);
	assert_int_equal(window.sent_pkts, 1);
	window_slide(&window, SECOND, SECOND + 5);
	assert_int_equal(window.sent_pkts, 0);
	assert_int_equal(window.count, 0);
}

/* Traffic that strains a window: clumps and trains of every density. */
static uint64_t next_gap_ns(struct random *random, uint64_t window_ns,
			    uint64_t *train_ns, uint32_t *train)
{
	if (*train == 0) {
		*train = random_in(random, 1, 200);
		*train_ns = window_ns >> random_below(random, 16);
		if (random_once(random, 3)) /* just what 64 runs can bear */
			*train_ns = window_ns / random_in(random, 50, 130);
	}
	--*train;
	return random_once(random, 2) ? *train_ns
				      : random_next(random) % (*train_ns + 1);
}

/* All that is younger than W - early must count, nothing that is older than
 * W + late may. */
static void check_bias(uint64_t early_ns, uint64_t late_ns)
{
	static struct list list;
	uint64_t window_ns = SECOND;
	struct random random;

	random_init(&random, random_seed("window bias", 2));
	for (int run = 0; run < 400; run++) {
		struct window window = { 0 };
		uint64_t now_ns = 10ull * SECOND, train_ns = 0;
		uint32_t train = 0;

		list.count = 0;
		for (int step = 0; step < 1500; step++) {
			uint32_t least, most, unused;

			now_ns += next_gap_ns(&random, window_ns, &train_ns,
					      &train);
			list_add(&list, 1, 0, now_ns);
			window_add(&window, window_ns, 1, 0, now_ns);
			list_sums(&list, window_ns - early_ns, now_ns, &least,
				  &unused);
			list_sums(&list, window_ns + late_ns, now_ns, &most,
				  &unused);
			assert_in_range(window.sent_pkts, least, most);
		}
	}
}

static void test_window_strays_in_dense_traffic_as_stated(void **state)
{
	(void)state;
	check_bias(SECOND / 56, 2ull * SECOND / 63);
}

/* 64 runs at even gaps, then as slow as runs begin: were it always the oldest
 * that is joined to the next, it would grow older by a gap each time. */
static void test_window_does_not_join_the_same_run_over_and_over(void **state)
{
	struct window window = { 0 };
	uint64_t now_ns = 10ull * SECOND;
	uint64_t first_ns = now_ns;

	(void)state;
	for (int i = 0; i < 64; i++, now_ns += SECOND / 80)
		window_add(&window, SECOND, i == 0 ? 1000 : 1, 0, now_ns);
	for (; now_ns < first_ns + SECOND; now_ns += SECOND / 56 + 1)
		window_add(&window, SECOND, 1, 0, now_ns);
	window_slide(&window, SECOND, first_ns + SECOND + 2ull * SECOND / 63);
	assert_true(window.sent_pkts < 1000);
}

static void test_window_work_and_size_are_bounded(void **state)
{
	struct window window = { 0 };
	uint64_t now_ns = 10ull * SECOND;

	(void)state;
	for (int i = 0; i < 200000; i++, now_ns += 7)
		window_add(&window, SECOND, 1, 1, now_ns);
	assert_int_equal(window.sent_pkts, 200000);
	assert_int_equal(window.heard_pkts, 200000);
	assert_in_range(window.count, 1, WINDOW_RUNS);
	window_slide(&window, SECOND, now_ns + SECOND);
	assert_int_equal(window.sent_pkts, 0);
}

static void test_window_says_when_it_falls_to_the_threshold(void **state)
{
	struct window window = { 0 };
	uint32_t ratio_q16 = 4 << 16;

	(void)state;
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 7), 7);
	window_add(&window, SECOND, 4, 0, 10);
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 11),
			 SECOND + 10);
	window_add(&window, SECOND, 3, 0, 20);
	/* (7, 0) and (3, 0): the first to go is enough */
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 21),
			 SECOND + 10);
	window_add(&window, SECOND, 4, 0, 30);
	/* (11, 0), (7, 0), (4, 0), (0, 0) */
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 31),
			 SECOND + 30);
	/* what was heard leaves as well: (11, 2) conforms, (7, 2), (4, 0) */
	window_add(&window, SECOND, 0, 2, 30);
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 31), 31);
	window_add(&window, SECOND, 4, 0, 31);
	assert_int_equal(window_falls_ns(&window, SECOND, ratio_q16, 31),
			 SECOND + 10);
}

/* ------ small */

static void small_sums(struct flow_entry *entry, uint64_t window_ns,
		       uint64_t now_ns, uint32_t *ret_sent, uint32_t *ret_heard)
{
	window_small_slide(entry, window_ns, now_ns);
	window_small_sums(entry, ret_sent, ret_heard);
}

static void test_small_window_is_exact_with_three_times(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, random_seed("small window", 3));
	for (int run = 0; run < 2000; run++) {
		uint64_t now_ns = 100ull * SECOND + random_next(&random) % MS;
		uint64_t window_ns = run % 2 ? SECOND : 60ull * SECOND;
		static struct list list;
		struct flow_entry entry = { 0 };

		list.count = 0;
		for (int step = 0; step < 40; step++) {
			uint32_t sent = random_below(&random, 3);
			uint32_t want[2], got[2];

			/* times a tick or more apart, or the same */
			if (!random_once(&random, 3))
				now_ns +=
					4096 + random_next(&random) % window_ns;
			if (list_times(&list, window_ns, now_ns) == 3)
				continue;
			list_add(&list, sent, 1, now_ns);
			window_small_add(&entry, window_ns, sent, 1, now_ns);
			small_sums(&entry, window_ns, now_ns, &got[0], &got[1]);
			list_sums(&list, window_ns, now_ns, &want[0], &want[1]);
			assert_int_equal(got[0], want[0]);
			assert_int_equal(got[1], want[1]);
		}
	}
}

/* Beyond three times: nothing younger than 3/4 W is forgotten, nothing older
 * than 7/4 W kept; a tick of rounding comes on top. */
static void test_small_window_strays_as_stated(void **state)
{
	static struct list list;
	struct random random;
	uint64_t early_ns = SECOND / 4 + 8192;
	uint64_t late_ns = 3ull * SECOND / 4 + 8192;

	(void)state;
	random_init(&random, random_seed("small window bias", 4));
	for (int run = 0; run < 600; run++) {
		struct flow_entry entry = { 0 };
		uint64_t now_ns = 10ull * SECOND, train_ns = 0;
		uint32_t train = 0;

		list.count = 0;
		for (int step = 0; step < 1000; step++) {
			uint32_t least, most, got, unused;

			now_ns +=
				next_gap_ns(&random, SECOND, &train_ns, &train);
			list_add(&list, 1, 0, now_ns);
			window_small_add(&entry, SECOND, 1, 0, now_ns);
			window_small_sums(&entry, &got, &unused);
			list_sums(&list, SECOND - early_ns, now_ns, &least,
				  &unused);
			list_sums(&list, SECOND + late_ns, now_ns, &most,
				  &unused);
			assert_in_range(got, least, most);
		}
	}
}

static void test_small_window_saturates_and_recovers(void **state)
{
	enum { MOST = (1 << 20) - 1 };
	struct flow_entry entry = { 0 };
	uint32_t sent, heard;

	(void)state;
	for (int i = 0; i < 5; i++)
		window_small_add(&entry, SECOND, 1 << 19, 3, SECOND);
	small_sums(&entry, SECOND, SECOND, &sent, &heard);
	assert_int_equal(sent, MOST);
	assert_int_equal(heard, 15); /* the other count is not touched */
	window_small_add(&entry, SECOND, UINT32_MAX, UINT32_MAX, SECOND);
	small_sums(&entry, SECOND, SECOND, &sent, &heard);
	assert_int_equal(sent, MOST);
	assert_int_equal(heard, MOST);
	small_sums(&entry, SECOND, 2ull * SECOND, &sent, &heard);
	assert_int_equal(sent, 0);
	assert_int_equal(window_small_newest_ns(&entry), 0);
}

static void test_small_window_survives_long_windows_and_long_rests(void **state)
{
	struct flow_entry entry = { 0 };
	uint64_t now_ns = 1;
	uint32_t sent, heard;

	(void)state;
	/* the span of a run's time is 68 s; a window is at most 60 s */
	for (int i = 0; i < 1000; i++, now_ns += 59ull * SECOND) {
		window_small_add(&entry, 60ull * SECOND, 1, 1, now_ns);
		small_sums(&entry, 60ull * SECOND, now_ns, &sent, &heard);
		assert_int_equal(sent, i == 0 ? 1 : 2);
	}
	now_ns += 1000000ull * SECOND;
	window_small_add(&entry, 60ull * SECOND, 1, 0, now_ns);
	small_sums(&entry, 60ull * SECOND, now_ns, &sent, &heard);
	assert_int_equal(sent, 1);
	assert_int_equal(window_small_newest_ns(&entry), now_ns);
}

static void test_small_window_takes_no_run_of_nothing(void **state)
{
	struct flow_entry entry = { 0 };
	uint32_t sent, heard;

	(void)state;
	/* a SYN, its SYN-ACK, which does not count yet, and what follows */
	window_small_add(&entry, SECOND, 1, 0, SECOND);
	window_small_add(&entry, SECOND, 0, 0, SECOND + 10 * MS);
	window_small_add(&entry, SECOND, 0, 1, SECOND + 20 * MS);
	window_small_add(&entry, SECOND, 1, 0, SECOND + 30 * MS);
	small_sums(&entry, SECOND, 2ull * SECOND + 10 * MS, &sent, &heard);
	assert_int_equal(sent, 1);
	assert_int_equal(heard, 1);
	small_sums(&entry, SECOND, 3ull * SECOND, &sent, &heard);
	assert_int_equal(sent, 0);
	assert_int_equal(heard, 0);
}

/* ------ what came, and what it counted for */

/* As a window would in which every packet counts for one. */
static void test_window_keeps_how_many_came(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, random_seed("window plain", 8));
	for (int run = 0; run < 60; run++) {
		struct window window = { .grows = run % 2 };
		struct window plain = { .grows = run % 2 };
		uint64_t now_ns = 10ull * SECOND;

		for (int step = 0; step < 2000; step++) {
			uint32_t sent = random_below(&random, 3);
			uint32_t came = random_below(&random, 5);

			now_ns += random_below(&random,
					       1000000 * (uint32_t)(run + 1));
			window_add(&window, SECOND, sent, 0, now_ns);
			window_add(&plain, SECOND, sent, 0, now_ns);
			window_hear(&window, SECOND, random_below(&random, 30),
				    came, now_ns);
			window_hear(&plain, SECOND, came, came, now_ns);
			assert_int_equal(window.plain_pkts, plain.heard_pkts);
			assert_int_equal(window.sent_pkts, plain.sent_pkts);
		}
		window_slide(&window, SECOND, now_ns + SECOND);
		assert_int_equal(window.plain_pkts, 0);
		window_clear(&window);
		window_clear(&plain);
	}
}

/* ------ from one to the other */

static void test_windows_keep_their_sums_when_they_grow_and_shrink(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, random_seed("grow and shrink", 5));
	for (int run = 0; run < 2000; run++) {
		struct flow_entry entry = { 0 };
		struct window window;
		uint64_t now_ns = 10ull * SECOND;
		uint32_t sent[2], heard[2];

		for (uint32_t i = random_in(&random, 0, 100); i > 0; i--) {
			now_ns += random_next(&random) % (SECOND / 20);
			window_small_add(&entry, SECOND,
					 random_below(&random, 5),
					 random_below(&random, 5), now_ns);
		}
		small_sums(&entry, SECOND, now_ns, &sent[0], &heard[0]);
		window_grow(&window, &entry, SECOND);
		assert_int_equal(window.sent_pkts, sent[0]);
		assert_int_equal(window.heard_pkts, heard[0]);
		for (int i = 0; i < FLOWTABLE_RUNS; i++)
			assert_int_equal(entry.runs[i], 0);

		for (uint32_t i = random_in(&random, 0, 200); i > 0; i--) {
			now_ns += random_next(&random) % (SECOND / 50);
			window_add(&window, SECOND, random_below(&random, 5),
				   random_below(&random, 5), now_ns);
		}
		sent[0] = window.sent_pkts;
		heard[0] = window.heard_pkts;
		window_shrink(&entry, &window, SECOND);
		window_small_sums(&entry, &sent[1], &heard[1]);
		assert_int_equal(sent[0], sent[1]);
		assert_int_equal(heard[0], heard[1]);
		assert_int_equal(window.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_is_exact_up_to_64_different_times),
		cmocka_unit_test(
			test_window_that_grows_is_exact_whatever_comes),
		cmocka_unit_test(test_window_forgets_at_w_and_not_before),
		cmocka_unit_test(test_window_strays_in_dense_traffic_as_stated),
		cmocka_unit_test(
			test_window_does_not_join_the_same_run_over_and_over),
		cmocka_unit_test(test_window_work_and_size_are_bounded),
		cmocka_unit_test(
			test_window_says_when_it_falls_to_the_threshold),
		cmocka_unit_test(test_small_window_is_exact_with_three_times),
		cmocka_unit_test(test_small_window_strays_as_stated),
		cmocka_unit_test(test_small_window_saturates_and_recovers),
		cmocka_unit_test(test_small_window_takes_no_run_of_nothing),
		cmocka_unit_test(
			test_small_window_survives_long_windows_and_long_rests),
		cmocka_unit_test(test_window_keeps_how_many_came),
		cmocka_unit_test(
			test_windows_keep_their_sums_when_they_grow_and_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
