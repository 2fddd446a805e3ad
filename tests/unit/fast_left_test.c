/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a killed daemon's program left behind: read as it was, and harmless
 * whatever it has become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/fast_left.h"
#include "shaper/pump_lease.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { SLOTS = 64, IFINDEX = 7, ROUNDS = 3000 };

struct world {
	struct fast_slot slots[SLOTS];
	struct fast_config config;
	struct bed bed;
};

static void set_up(struct world *world)
{
	memset(world, 0, sizeof(*world));
	bed_init(&world->bed, "guards: {first_contacts: 0}\n");
	world->config = (struct fast_config){
		.version = FAST_VERSION,
		.slot_bytes = sizeof(struct fast_slot),
		.slots_mask = SLOTS - 1,
		.interfaces = { { 0, 0 }, { IFINDEX, 3 } },
	};
}

static void put(struct world *world, uint32_t at, enum flow_scope scope)
{
	struct fast_slot *slot = &world->slots[at];
	struct pump_packet packet;
	struct flow_key flow;

	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	memset(&flow, 0, sizeof(flow));
	flow_key_of(&packet.meta, FLOW_OUT, 3, &flow);
	flow_key_widen(&flow, scope, &slot->key);
	slot->span_64ns = fast_span(S);
	fast_add(slot, fast_number(slot->span_64ns, BEGIN), 5, 4);
}

static void put_both(struct world *world)
{
	put(world, 9, FLOW_SCOPE_PAIR);
	put(world, 2, FLOW_SCOPE_FLOW);
	world->slots[9].state = FAST_IN_KERNEL;
	world->slots[9].heard_pkts = 1000;
	world->slots[2].up = 9;
}

static size_t count(struct world *world)
{
	struct pump_lease lease;
	struct fastleft left;
	uint32_t ifindex;
	size_t found = 0;

	assert_null(fastleft_init(&left, world->slots, &world->config, SLOTS));
	while (fastleft_next(&left, &lease, &ifindex, BEGIN))
		found++;
	return found;
}

static void test_leases_go_on_in_another_pump(void **state)
{
	static struct world world;
	struct snapshot_row row;
	struct pump_lease lease;
	struct fastleft left;
	uint32_t ifindex;

	(void)state;
	set_up(&world);
	put_both(&world);
	assert_null(fastleft_init(&left, world.slots, &world.config, SLOTS));
	assert_true(fastleft_next(&left, &lease, &ifindex, BEGIN));
	assert_int_equal(lease.key.scope, FLOW_SCOPE_PAIR);
	assert_int_equal(ifindex, IFINDEX);
	assert_int_equal(lease.key.zone, 0);
	assert_int_equal(lease.sent_pkts, 5);
	assert_int_equal(lease.heard_pkts, 4);
	assert_int_equal(lease.heard_all_pkts, 1000);
	assert_true(pump_take_back(world.bed.pump, &lease, BEGIN));
	assert_true(fastleft_next(&left, &lease, &ifindex, BEGIN));
	assert_int_equal(lease.key.scope, FLOW_SCOPE_FLOW);
	assert_true(pump_take_back(world.bed.pump, &lease, BEGIN));
	assert_false(fastleft_next(&left, &lease, &ifindex, BEGIN));
	assert_true(bed_row(&world.bed, FLOW_SCOPE_PAIR, "10.0.0.1",
			    "192.0.2.1", &row));
	assert_int_equal(row.sent_pkts, 5);
	assert_int_equal(row.heard_pkts, 4);
	bed_fini(&world.bed);
}

static void test_another_version_is_not_read(void **state)
{
	static struct world world;
	struct fastleft left;

	(void)state;
	set_up(&world);
	world.config.version++;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  SLOTS),
			    "it is of another version");
	world.config.version--;
	world.config.slot_bytes++;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  SLOTS),
			    "it is damaged");
	world.config.slot_bytes--;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  2 * SLOTS),
			    "it is damaged");
	bed_fini(&world.bed);
}

static void test_what_makes_no_sense_is_left_out(void **state)
{
	static struct world world;
	struct fast_slot *pair = &world.slots[9], *flow = &world.slots[2];

	(void)state;
	set_up(&world);
	put_both(&world);
	assert_int_equal(count(&world), 2);
	flow->up = SLOTS;
	assert_int_equal(count(&world), 1);
	flow->up = 2;
	assert_int_equal(count(&world), 1);
	flow->up = 9;
	flow->key.outside[15]++;
	assert_int_equal(count(&world), 1);
	flow->key.outside[15]--;
	flow->segment_bytes = 0x8000;
	assert_int_equal(count(&world), 1);
	flow->segment_bytes = 0;
	pair->span_64ns = UINT32_MAX;
	assert_int_equal(count(&world), 0);
	pair->span_64ns = fast_span(60 * S);
	assert_int_equal(count(&world), 2);
	pair->key.inside_port = 1;
	assert_int_equal(count(&world), 0);
	pair->key.inside_port = 0;
	pair->state = 0;
	assert_int_equal(count(&world), 0);
	pair->state = FAST_IN_KERNEL;
	world.config.interfaces[1].zone = 4;
	assert_int_equal(count(&world), 0);
	bed_fini(&world.bed);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 24;
}

/* Good ones, with some of their bytes changed: they are left out, or the pump
 * lives with them. */
static void test_no_content_does_harm(void **state)
{
	static struct world world;
	const char *given = getenv("SYMTAP_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
	struct pump_lease lease;
	struct fastleft left;
	uint32_t ifindex;
	size_t taken = 0;

	(void)state;
	print_message("SYMTAP_SEED=%llu\n", (unsigned long long)seed);
	set_up(&world);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t *bytes = (uint8_t *)world.slots;

		memset(world.slots, 0, sizeof(world.slots));
		put_both(&world);
		for (uint64_t j = next_random(&seed) % 8; j > 0; j--)
			bytes[next_random(&seed) %
			      (10 * sizeof(*world.slots))] ^=
				(uint8_t)next_random(&seed);
		assert_null(fastleft_init(&left, world.slots, &world.config,
					  SLOTS));
		while (fastleft_next(&left, &lease, &ifindex, BEGIN)) {
			assert_true(lease.runs_count <= PUMP_LEASE_RUNS);
			taken += pump_take_back(world.bed.pump, &lease, BEGIN);
		}
		bed_run(&world.bed, BEGIN + (uint64_t)i * MS);
	}
	assert_true(taken > ROUNDS);
	bed_fini(&world.bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leases_go_on_in_another_pump),
		cmocka_unit_test(test_another_version_is_not_read),
		cmocka_unit_test(test_what_makes_no_sense_is_left_out),
		cmocka_unit_test(test_no_content_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
