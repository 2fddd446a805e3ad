/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "shaper/pump_state.h"
#include "tests/pump_bed.h"
#include "tests/pump_invariants.h"
#include "tests/random.h"

#define S UINT64_C(1000000000)

#define WAIT "guards: {first_contacts: 0}\nxen: {vifs: follow}\n"
#define SHED \
	"guards: {first_contacts: 0}\nxen: {vifs: follow, at_slots: shed}\n"

enum { LARGE_BYTES = 1000, SMALL_BYTES = 114 };

static void vif_init(struct bed *bed, const char *yaml, enum policy_way way)
{
	const struct policy_vif vif = { .interface = "lan0", .way = way };

	bed_init(bed, yaml);
	assert_true(policy_add_vif(bed->policy, &vif));
	pump_set_policy(bed->pump, bed->policy, bed->now_ns);
}

static uint64_t offer(struct bed *bed, const char *dst, uint32_t bytes)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", "10.0.0.1", 1000, dst, 53);
	packet.meta.length_bytes = bytes;
	return bed_offer(bed, &packet, bed->now_ns);
}

static size_t flood(struct bed *bed, const char *dst, int count, uint32_t bytes)
{
	size_t waiting = 0;

	for (int i = 0; i < count; i++) {
		uint64_t id = offer(bed, dst, bytes);

		waiting += bed->packets[id].fate == BED_WAITS;
	}
	return waiting;
}

static uint32_t slots_of(struct bed *bed, enum flow_scope scope,
			 const char *outside)
{
	struct snapshot_row row;

	assert_true(bed_row(bed, scope, "10.0.0.1", outside, &row));
	return row.held_slots;
}

/* All that passed at once passed before anything waited: 4 of each. */
static void test_wait_loses_nothing_whatever_a_key_holds(void **state)
{
	struct bed bed;

	(void)state;
	vif_init(&bed, WAIT, POLICY_WAY_QUEUE);
	assert_int_equal(236, flood(&bed, "192.0.2.1", 240, LARGE_BYTES));
	assert_int_equal(236, slots_of(&bed, FLOW_SCOPE_FLOW, "192.0.2.1"));
	assert_int_equal(236, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	assert_int_equal(196, bed_counter(&bed, STATS_slots_over_pkts));
	assert_int_equal(0, bed_counter(&bed, STATS_dropped_key_bound));
	bed_run(&bed, bed.now_ns + S);
	assert_int_equal(0, bed_counter(&bed, STATS_shed_key_pkts) +
				    bed_counter(&bed, STATS_shed_vif_pkts));
	pump_check(bed.pump);
	pump_drain(bed.pump, PUMP_PASS, bed.now_ns);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(240, bed_passed(&bed, 0, 239, bed.now_ns));
	assert_int_equal(0, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	bed_fini(&bed);
}

static void test_small_packets_hold_no_slot(void **state)
{
	struct bed bed;

	(void)state;
	vif_init(&bed, WAIT, POLICY_WAY_QUEUE);
	assert_int_equal(64, flood(&bed, "192.0.2.1", 100, SMALL_BYTES));
	assert_int_equal(0, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	assert_int_equal(32, bed_counter(&bed, STATS_dropped_key_bound));
	assert_int_equal(1, flood(&bed, "192.0.2.1", 1, SMALL_BYTES + 1));
	assert_int_equal(1, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	bed_fini(&bed);
}

static void test_a_packet_has_a_slot_for_each_page(void **state)
{
	struct bed bed;

	(void)state;
	vif_init(&bed, WAIT, POLICY_WAY_QUEUE);
	flood(&bed, "192.0.2.1", 4, LARGE_BYTES);
	offer(&bed, "192.0.2.1", 9000);
	assert_int_equal(3, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	bed_fini(&bed);
}

static void test_only_ways_that_leave_them_there_hold_slots(void **state)
{
	static const struct {
		enum policy_way way;
		uint32_t slots;
	} rows[] = { { POLICY_WAY_QUEUE, 1 },
		     { POLICY_WAY_RING, 1 },
		     { POLICY_WAY_RATE, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bed bed;

		vif_init(&bed, WAIT, rows[i].way);
		flood(&bed, "192.0.2.1", 5, LARGE_BYTES);
		assert_int_equal(rows[i].slots,
				 slots_of(&bed, FLOW_SCOPE_HOST, NULL));
		bed_fini(&bed);
	}
}

static void test_what_waited_on_the_ring_does_not_wait_again(void **state)
{
	struct bed bed;

	(void)state;
	vif_init(&bed, WAIT, POLICY_WAY_NETBACK);
	assert_int_equal(0, flood(&bed, "192.0.2.1", 100, LARGE_BYTES));
	bed_fini(&bed);
}

static void test_shed_drops_what_a_key_has_above_its_share(void **state)
{
	struct bed bed;

	(void)state;
	vif_init(&bed, SHED, POLICY_WAY_QUEUE);
	assert_int_equal(40, flood(&bed, "192.0.2.1", 100, LARGE_BYTES));
	assert_int_equal(56, bed_counter(&bed, STATS_shed_key_pkts));
	assert_int_equal(0, bed_counter(&bed, STATS_dropped_key_bound));
	/* another conversation of the guest does not notice */
	assert_int_equal(0, flood(&bed, "192.0.2.2", 4, LARGE_BYTES));
	pump_check(bed.pump);
	bed_fini(&bed);
}

static void
test_shed_lets_the_longest_give_at_the_bound_of_the_vif(void **state)
{
	char dst[16];
	struct bed bed;

	(void)state;
	vif_init(&bed, SHED, POLICY_WAY_QUEUE);
	for (int i = 1; i <= 5; i++) {
		snprintf(dst, sizeof(dst), "192.0.2.%d", i);
		assert_int_equal(40, flood(&bed, dst, 44, LARGE_BYTES));
	}
	assert_int_equal(200, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	assert_int_equal(0, bed_counter(&bed, STATS_shed_vif_pkts));
	assert_int_equal(30, flood(&bed, "192.0.2.6", 34, LARGE_BYTES));
	assert_int_equal(200, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
	assert_int_equal(30, slots_of(&bed, FLOW_SCOPE_FLOW, "192.0.2.6"));
	assert_int_equal(30, bed_counter(&bed, STATS_shed_vif_pkts));
	pump_check(bed.pump);
	bed_fini(&bed);
}

/* What is shed is no reason to refuse the key in the kernel, nor is what only
 * waits: there it would be lost. */
static void test_slots_refuse_nobody(void **state)
{
	static const char *const texts[] = { WAIT, SHED };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pump_refusal refusal;
		struct bed bed;

		vif_init(&bed, texts[i], POLICY_WAY_QUEUE);
		flood(&bed, "192.0.2.1", 200, LARGE_BYTES);
		assert_int_equal(0, pump_refusals(bed.pump, &refusal, 1));
		bed_fini(&bed);
	}
}

static void test_slots_keep_their_bounds_in_any_traffic(void **state)
{
	uint64_t first = random_seed("pump_slots", 1);

	(void)state;
	for (uint64_t seed = first; seed < first + 10; seed++) {
		uint64_t lost, held_bytes = 0;
		struct random random;
		struct bed bed;

		random_init(&random, seed);
		vif_init(&bed, seed % 2 ? SHED : WAIT, POLICY_WAY_QUEUE);
		for (int i = 0; i < 3000; i++) {
			char dst[16];

			snprintf(dst, sizeof(dst), "192.0.2.%u",
				 (unsigned)random_in(&random, 1, 9));
			held_bytes = random_in(&random, 30, 1500);
			offer(&bed, dst, (uint32_t)held_bytes);
			if (random_in(&random, 0, 20) == 0)
				bed_run(&bed, bed.now_ns + random_in(&random, 0,
								     S / 10));
			assert_true(seed % 2 == 0 ||
				    slots_of(&bed, FLOW_SCOPE_HOST, NULL) <=
					    200);
			if (i % 100 == 0)
				pump_check(bed.pump);
		}
		lost = bed_counter(&bed, STATS_shed_key_pkts) +
		       bed_counter(&bed, STATS_shed_vif_pkts);
		assert_true(seed % 2 ? lost > 0 : lost == 0);
		pump_drain(bed.pump, PUMP_DROP, bed.now_ns);
		assert_int_equal(0, slots_of(&bed, FLOW_SCOPE_HOST, NULL));
		pump_check(bed.pump);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_loses_nothing_whatever_a_key_holds),
		cmocka_unit_test(test_small_packets_hold_no_slot),
		cmocka_unit_test(test_a_packet_has_a_slot_for_each_page),
		cmocka_unit_test(
			test_only_ways_that_leave_them_there_hold_slots),
		cmocka_unit_test(
			test_what_waited_on_the_ring_does_not_wait_again),
		cmocka_unit_test(
			test_shed_drops_what_a_key_has_above_its_share),
		cmocka_unit_test(
			test_shed_lets_the_longest_give_at_the_bound_of_the_vif),
		cmocka_unit_test(test_slots_refuse_nobody),
		cmocka_unit_test(test_slots_keep_their_bounds_in_any_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
