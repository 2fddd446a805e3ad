/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 1250 bytes with their frame take a millisecond. */
static const struct wire_params ten_mbit = { .rate_bits_per_s = 10000000,
					     .delay_ns = 5000000,
					     .queue_bytes = 2500 };

enum { PACKET_BYTES = 1250 - WIRE_FRAME_BYTES };

static void test_wire_sends_one_after_the_other(void **state)
{
	static const uint64_t want_ns[] = { 6000000, 7000000, 8000000 };
	struct wire wire = { 0 };
	uint64_t at_ns;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(
			wire_send(&wire, &ten_mbit, PACKET_BYTES, 0, &at_ns));
		assert_int_equal(want_ns[i], at_ns);
	}
}

static void test_wire_is_idle_in_between(void **state)
{
	struct wire wire = { 0 };
	uint64_t at_ns;

	(void)state;
	assert_true(wire_send(&wire, &ten_mbit, PACKET_BYTES, 0, &at_ns));
	assert_true(
		wire_send(&wire, &ten_mbit, PACKET_BYTES, 50000000, &at_ns));
	assert_int_equal(56000000, at_ns);
}

/* One is under way and two may wait; the fourth would be past the bound. */
static void test_wire_drops_what_its_queue_has_no_room_for(void **state)
{
	struct wire wire = { 0 };
	uint64_t at_ns;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(
			wire_send(&wire, &ten_mbit, PACKET_BYTES, 0, &at_ns));
	assert_false(wire_send(&wire, &ten_mbit, PACKET_BYTES, 0, &at_ns));
	assert_int_equal(1, wire.dropped_pkts);
	assert_true(wire_send(&wire, &ten_mbit, PACKET_BYTES, 1000000, &at_ns));
	assert_int_equal(9000000, at_ns);
}

static void test_wire_loses_the_share_it_is_told(void **state)
{
	struct wire_params params = ten_mbit;
	struct wire wire = { .dice = { 1 } };
	uint64_t at_ns;

	(void)state;
	params.loss_in_million = 100000;
	for (uint64_t i = 0; i < 100000; i++)
		wire_send(&wire, &params, PACKET_BYTES, i * 1000000, &at_ns);
	assert_in_range(wire.lost_pkts, 9700, 10300);
	assert_int_equal(0, wire.dropped_pkts);
}

static void test_wire_that_loses_nothing_rolls_no_dice(void **state)
{
	struct wire wire = { .dice = { 7 } };
	uint64_t at_ns;

	(void)state;
	assert_true(wire_send(&wire, &ten_mbit, PACKET_BYTES, 0, &at_ns));
	assert_int_equal(7, wire.dice.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_sends_one_after_the_other),
		cmocka_unit_test(test_wire_is_idle_in_between),
		cmocka_unit_test(
			test_wire_drops_what_its_queue_has_no_room_for),
		cmocka_unit_test(test_wire_loses_the_share_it_is_told),
		cmocka_unit_test(test_wire_that_loses_nothing_rolls_no_dice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
