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
#include "shaper/io/fast_left.h"
#include "shaper/io/fast_table.h"
#include "shaper/pump_lease.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { SLOTS = 64, IFINDEX = 7, ROUNDS = 3000 };

struct world {
	struct fast_slot slots[FAST_ELEMENTS * SLOTS];
	struct fasttable table;
	struct fast_config config;
	struct bed bed;
	uint32_t pair, flow; /* slots: one flow beside its pair, one not */
};

static void set_up(struct world *world)
{
	memset(world, 0, sizeof(*world));
	bed_init(&world->bed, "guards: {first_contacts: 0}\n");
	assert_true(fasttable_init(&world->table, world->slots, SLOTS, 1, 2));
	world->config = (struct fast_config){
		.version = FAST_VERSION,
		.slot_bytes = sizeof(struct fast_slot),
		.multipliers = world->table.multipliers,
		.slots_mask = SLOTS - 1,
		.interfaces = { [1] = { .ifindex = IFINDEX, .zone = 3 } },
	};
}

static void tear_down(struct world *world)
{
	fasttable_fini(&world->table);
	bed_fini(&world->bed);
}

static void key_of(enum flow_scope scope, uint16_t port,
		   struct flow_key *ret_key)
{
	struct pump_packet packet;
	struct flow_key flow;

	bed_packet(&packet, "udp", "10.0.0.1", port, "192.0.2.1", 53);
	memset(&flow, 0, sizeof(flow));
	flow_key_of(&packet.meta, FLOW_OUT, 3, &flow);
	flow_key_widen(&flow, scope, ret_key);
}

static void count_some(struct world *world, uint32_t at, enum flow_scope scope)
{
	struct fast_history *history;
	struct fast_window *window =
		fasttable_window(&world->table, at, scope, &history);

	fast_turn(window, history, fast_number(fast_span(S), BEGIN));
	fast_add(window, 5, 4);
}

/* A pair with two flows. */
static void put_all(struct world *world)
{
	struct flow_key key;

	key_of(FLOW_SCOPE_PAIR, 1000, &key);
	world->pair =
		fasttable_add_pair(&world->table, &key, fast_span(S), BEGIN);
	key_of(FLOW_SCOPE_FLOW, 1000, &key);
	assert_int_equal(fasttable_add_flow(&world->table, &key, world->pair,
					    BEGIN),
			 world->pair);
	key_of(FLOW_SCOPE_FLOW, 1001, &key);
	world->flow =
		fasttable_add_flow(&world->table, &key, world->pair, BEGIN);
	assert_int_not_equal(world->flow, world->pair);
	count_some(world, world->pair, FLOW_SCOPE_PAIR);
	count_some(world, world->pair, FLOW_SCOPE_FLOW);
	count_some(world, world->flow, FLOW_SCOPE_FLOW);
	world->slots[world->pair].state = FAST_IN_KERNEL;
	world->slots[world->pair].heard_pkts = 996;
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
	put_all(&world);
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
	assert_int_equal(lease.key.inside_port +
				 (world.flow < world.pair ? 0 : 1),
			 1001);
	assert_true(pump_take_back(world.bed.pump, &lease, BEGIN));
	assert_true(fastleft_next(&left, &lease, &ifindex, BEGIN));
	assert_int_equal(lease.key.scope, FLOW_SCOPE_FLOW);
	assert_true(pump_take_back(world.bed.pump, &lease, BEGIN));
	assert_false(fastleft_next(&left, &lease, &ifindex, BEGIN));
	assert_true(bed_row(&world.bed, FLOW_SCOPE_PAIR, "10.0.0.1",
			    "192.0.2.1", &row));
	assert_int_equal(row.sent_pkts, 5);
	assert_int_equal(row.heard_pkts, 4);
	tear_down(&world);
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
	world.config.version = 0;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  SLOTS),
			    "who pinned it ended before it was in use");
	world.config.version = FAST_VERSION;
	world.config.slot_bytes++;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  SLOTS),
			    "it is damaged");
	world.config.slot_bytes--;
	assert_string_equal(fastleft_init(&left, world.slots, &world.config,
					  2 * SLOTS),
			    "it is damaged");
	tear_down(&world);
}

static void test_what_makes_no_sense_is_left_out(void **state)
{
	static struct world world;
	struct fast_slot *pair, *flow;

	(void)state;
	set_up(&world);
	put_all(&world);
	pair = &world.slots[world.pair];
	flow = &world.slots[world.flow];
	assert_int_equal(count(&world), 3);
	flow->outside[1]++;
	assert_int_equal(count(&world), 2);
	flow->outside[1]--;
	flow->segment_bytes = 0x8000;
	assert_int_equal(count(&world), 2);
	flow->segment_bytes = 0;
	pair->span_64ns = UINT32_MAX;
	assert_int_equal(count(&world), 0);
	pair->span_64ns = fast_span(60 * S);
	assert_int_equal(count(&world), 2); /* its flow's is another */
	pair->span_64ns = fast_span(S);
	pair->has_flow = 0;
	assert_int_equal(count(&world), 2);
	pair->state = 0;
	assert_int_equal(count(&world), 0);
	pair->state = FAST_IN_KERNEL;
	world.config.interfaces[1].zone = 4;
	assert_int_equal(count(&world), 0);
	tear_down(&world);
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
		uint8_t *of[] = { (uint8_t *)&world.slots[world.pair],
				  (uint8_t *)&world.slots[world.flow] };

		memset(world.slots, 0, sizeof(world.slots));
		put_all(&world);
		for (uint64_t j = next_random(&seed) % 8; j > 0; j--)
			of[j % 2]
			  [next_random(&seed) % sizeof(struct fast_slot)] ^=
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
	tear_down(&world);
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
