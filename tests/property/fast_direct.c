/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `direct`: which packets of a leased pair leave past the bridge, and where
 * to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shaper/io/fast.h"
#include "tests/fast_bed.h"

#define S UINT64_C(1000000000)

enum { BRIDGE = 9, UPLINK = 5, OTHER_PORT = 7, LONG_BYTES = 1518 };

static const struct fast_port NOBODY = { 0 };

/* Who is outside, in frames; the bridge's own is another. */
static const uint8_t OUTSIDE_MAC[6] = { 2, 0, 0, 0, 0, 1 };

static void uplink(struct fastbed *world, size_t at, uint32_t ifindex)
{
	const struct fast_port port = { .ifindex = ifindex,
					.bridge = BRIDGE,
					.most_bytes = LONG_BYTES };

	fast_set_uplink(world->fast, at, &port);
}

static void answer(struct fastbed *world, uint32_t by)
{
	struct fast_frame frame = world->in;

	frame.came_by = by;
	fastbed_come(world, &frame);
}

/* Answered by the uplink just before; 0: it leaves by the bridge. */
static bool is_direct(struct fastbed *world)
{
	bool direct;

	fast_set_time(world->fast, world->now_ns);
	assert_int_equal(0,
			 fast_run_redirects(world->fast, &world->out, &direct));
	return direct;
}

static int begin(void **state)
{
	static struct fastbed world;
	int error = fastbed_init(&world, "pump");

	if (error != 0)
		return error;
	*state = &world;
	fast_set_direct(world.fast, 0, BRIDGE);
	uplink(&world, 0, UPLINK);
	fast_set_direct_until(world.fast, UINT64_MAX);
	fastbed_lease(&world);
	answer(&world, UPLINK);
	return 0;
}

static int end(void **state)
{
	fastbed_fini(*state);
	return 0;
}

static void test_one_packet_a_second_goes_by_the_bridge(void **state)
{
	struct fastbed *world = *state;
	uint32_t bridged = 0;

	for (int i = 0; i < 300; i++) {
		answer(world, UPLINK);
		bridged += !is_direct(world);
	}
	/* Of 3 s. */
	assert_in_range(bridged, 3, 4);
}

static void test_to_whom_it_answers_and_nobody_else(void **state)
{
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	assert_true(is_direct(world));
	world->out_bytes[5] ^= 1;
	assert_false(is_direct(world));
	world->out_bytes[5] ^= 1;
	assert_true(is_direct(world));
	world->out_bytes[0] = world->out_bytes[1] = 0;
	world->out_bytes[5] = 0;
	assert_false(is_direct(world));
}

static void test_who_sends_by_another_mac_is_shown_to_the_bridge(void **state)
{
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	for (int i = 0; i < 4; i++) {
		world->out_bytes[11] ^= 1;
		assert_false(is_direct(world));
	}
	assert_true(is_direct(world));
}

static void test_only_by_the_port_that_is_said_to_be_one(void **state)
{
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	assert_true(is_direct(world));
	answer(world, OTHER_PORT);
	assert_false(is_direct(world));
	answer(world, UPLINK);
	assert_true(is_direct(world));
}

static void test_a_place_that_is_anothers_is_forgotten(void **state)
{
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	assert_true(is_direct(world));
	fast_set_uplink(world->fast, 0, &NOBODY);
	assert_false(is_direct(world));
	uplink(world, 0, OTHER_PORT);
	assert_false(is_direct(world));
	answer(world, UPLINK);
	assert_false(is_direct(world));
	answer(world, OTHER_PORT);
	is_direct(world);
	assert_true(is_direct(world));
}

static void test_of_its_own_bridge(void **state)
{
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	assert_true(is_direct(world));
	fast_set_direct(world->fast, 0, BRIDGE + 1);
	assert_false(is_direct(world));
	answer(world, UPLINK);
	assert_false(is_direct(world));
	fast_set_direct(world->fast, 0, 0);
	assert_false(is_direct(world));
}

static void test_what_is_for_the_bridge_itself(void **state)
{
	struct fast_port own = { .ifindex = UPLINK,
				 .bridge = BRIDGE,
				 .most_bytes = LONG_BYTES };
	struct fastbed *world = *state;

	assert_false(is_direct(world));
	assert_true(is_direct(world));
	memcpy(own.bridge_mac, OUTSIDE_MAC, sizeof(own.bridge_mac));
	fast_set_uplink(world->fast, 0, &own);
	/* Somebody says that he is the bridge. */
	answer(world, UPLINK);
	assert_false(is_direct(world));
	answer(world, UPLINK);
	assert_false(is_direct(world));
}

static void test_a_sender_that_the_bridge_takes_for_none(void **state)
{
	static const uint8_t SENDERS[][6] = { { 3, 0, 0, 0, 0, 2 }, { 0 } };
	struct fastbed *world = *state;

	for (size_t i = 0; i < 2; i++) {
		memcpy(world->out_bytes + 6, SENDERS[i], sizeof(SENDERS[i]));
		for (int j = 0; j < 3; j++) {
			answer(world, UPLINK);
			assert_false(is_direct(world));
		}
	}
}

static void test_no_longer_than_the_daemon_looks(void **state)
{
	struct fastbed *world = *state;

	fast_set_direct_until(world->fast, world->now_ns);
	assert_false(is_direct(world));
	assert_true(is_direct(world));
	answer(world, UPLINK);
	assert_false(is_direct(world));
	fast_set_direct_until(world->fast, world->now_ns + S);
	assert_true(is_direct(world));
}

static void test_what_the_port_is_too_small_for(void **state)
{
	const struct fast_port narrow = { .ifindex = UPLINK,
					  .bridge = BRIDGE,
					  .most_bytes =
						  FASTBED_FRAME_BYTES - 1 };
	struct fastbed *world = *state;

	fast_set_uplink(world->fast, 0, &narrow);
	answer(world, UPLINK);
	assert_false(is_direct(world));
	assert_false(is_direct(world));
	/* It is taken apart there. */
	world->out.gso_size = 20;
	world->out.gso_segs = 2;
	is_direct(world);
	assert_true(is_direct(world));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_one_packet_a_second_goes_by_the_bridge),
		T(test_to_whom_it_answers_and_nobody_else),
		T(test_who_sends_by_another_mac_is_shown_to_the_bridge),
		T(test_only_by_the_port_that_is_said_to_be_one),
		T(test_a_place_that_is_anothers_is_forgotten),
		T(test_of_its_own_bridge),
		T(test_what_is_for_the_bridge_itself),
		T(test_a_sender_that_the_bridge_takes_for_none),
		T(test_no_longer_than_the_daemon_looks),
		T(test_what_the_port_is_too_small_for),
	};
	struct fastbed world;
	int error = fastbed_init(&world, "pump");

	if (error != 0)
		return error;
	fastbed_fini(&world);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
