/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/floor.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

static const char FLOOR[] =
	"limiter: {evidence: consent, floor: 10, patience: 0, credit: 0}\n";

static void test_floor_counts_what_left_in_the_window(void **state)
{
	struct floor_log log = { 0 };

	(void)state;
	assert_int_equal(UINT64_MAX, floor_next_ns(&log, 0, 1, S));
	assert_int_equal(UINT64_MAX, floor_next_ns(&log, 3, 4, S));
	assert_int_equal(0, floor_next_ns(&log, 3, 3, S));
	floor_left(&log, 1, 5 * S);
	floor_left(&log, 1, 5 * S + MS);
	assert_int_equal(0, floor_next_ns(&log, 3, 1, S));
	assert_int_equal(6 * S, floor_next_ns(&log, 3, 2, S));
	floor_left(&log, 1, 5 * S + 2 * MS);
	assert_int_equal(6 * S, floor_next_ns(&log, 3, 1, S));
	assert_int_equal(3, floor_pkts(&log, S, 6 * S - 1));
	assert_int_equal(2, floor_pkts(&log, S, 6 * S));
	floor_left(&log, 1000, 7 * S);
	assert_int_equal(8 * S, floor_next_ns(&log, FLOOR_MAX, 1, S));
	assert_int_equal(FLOOR_MAX, floor_pkts(&log, S, 7 * S));
}

static uint64_t send(struct bed *bed, uint16_t port, uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", "10.0.0.1", port, "192.0.2.1", 53);
	return bed_offer(bed, &packet, now_ns);
}

static void test_who_stays_below_the_floor_is_not_held(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, FLOOR);
	for (unsigned i = 0; i < 500; i++) {
		uint64_t now_ns = BEGIN + i * 100 * MS;
		uint64_t id = send(&bed, (uint16_t)(1000 + i % 7), now_ns);

		assert_int_equal(BED_PASSED, bed.packets[id].fate);
		assert_int_equal(now_ns, bed.packets[id].left_ns);
	}
	assert_true(bed_counter(&bed, STATS_floor_pkts) > 400);
	bed_fini(&bed);
}

/* Slightly more than the floor waits for the floor, not for the delays. */
static void test_who_is_just_above_waits_for_a_place(void **state)
{
	struct bed bed;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed, FLOOR);
	for (unsigned i = 0; i < 24; i++)
		last = send(&bed, 1000, BEGIN + i * 83 * MS);
	bed_run(&bed, BEGIN + 4 * S);
	for (uint64_t id = 0; id <= last; id++)
		assert_in_range(bed.packets[id].left_ns, BEGIN + id * 83 * MS,
				BEGIN + id * 83 * MS + 450 * MS);
	bed_fini(&bed);
}

/* However it sends, and over however many conversations. */
static void test_a_flood_gets_no_more_than_twelve_in_any_second(void **state)
{
	static const struct {
		unsigned flows, pause_at;
		uint64_t gap_ns, pause_ns;
	} floods[] = {
		{ 1, 1 << 30, MS, 0 },        { 50, 1 << 30, MS, 0 },
		{ 1, 20, MS, 2 * S },         { 50, 100, MS, 1500 * MS },
		{ 3, 13, 80 * MS, 900 * MS }, { 1, 1 << 30, 90 * MS, 0 },
	};

	(void)state;
	for (size_t flood = 0; flood < sizeof(floods) / sizeof(floods[0]);
	     flood++) {
		struct bed bed;
		uint64_t now_ns = BEGIN, last = 0;

		bed_init(&bed, FLOOR);
		for (unsigned i = 0; now_ns < BEGIN + 20 * S; i++) {
			last = send(&bed,
				    (uint16_t)(1000 + i % floods[flood].flows),
				    now_ns);
			now_ns += floods[flood].gap_ns;
			if ((i + 1) % floods[flood].pause_at == 0)
				now_ns += floods[flood].pause_ns;
		}
		bed_run(&bed, BEGIN + 40 * S);
		for (uint64_t at_ns = BEGIN + S; at_ns < BEGIN + 20 * S;
		     at_ns += 10 * MS)
			assert_in_range(
				bed_passed(&bed, 0, last, at_ns + S - 1) -
					bed_passed(&bed, 0, last, at_ns - 1),
				0, 12);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floor_counts_what_left_in_the_window),
		cmocka_unit_test(test_who_stays_below_the_floor_is_not_held),
		cmocka_unit_test(test_who_is_just_above_waits_for_a_place),
		cmocka_unit_test(
			test_a_flood_gets_no_more_than_twelve_in_any_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
