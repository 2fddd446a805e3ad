/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody might try, or an operator do at a bad moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "tests/pump_bed.h"
#include "tests/pump_invariants.h"

#define MS     1000000u
#define SECOND 1000000000u

#define UNBOUND                                                   \
	"held_packets: 0, held_bytes: 0, held_packets_per_host: " \
	"0, held_packets_per_key: 0"

static void swap_policy(struct bed *bed, struct policy *policy)
{
	struct policy *before = bed->policy;

	pump_set_policy(bed->pump, policy, bed->now_ns);
	bed->policy = policy;
	bed_run(bed, bed->now_ns);
	policy_free(before);
}

static void offer_many(struct bed *bed, const struct pump_packet *packet,
		       int count)
{
	for (; count > 0; count--)
		bed_offer(bed, packet, bed->now_ns);
}

static size_t passed(const struct bed *bed)
{
	return bed_passed(bed, 0, bed->count - 1, bed->now_ns);
}

/* All are of one flow: they leave as they came, and what waits is the rest. */
static void check_order(const struct bed *bed)
{
	for (size_t i = 1; i < bed->count; i++) {
		if (bed->packets[i].fate != BED_PASSED)
			continue;
		assert_int_equal(bed->packets[i - 1].fate, BED_PASSED);
		assert_true(bed->packets[i].left_ns >=
			    bed->packets[i - 1].left_ns);
	}
	for (size_t i = 1; i < bed->order_count; i++)
		assert_true(bed->order[i] > bed->order[i - 1]);
}

/* ------ the operator */

static void test_release_reaches_the_first_key_of_a_table(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint8_t address[16];

	(void)state;
	bed_init(&bed, "");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	offer_many(&bed, &out, 20);
	bed_address("192.0.2.1", address);
	assert_int_equal(pump_release_address(bed.pump, address, bed.now_ns),
			 16);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(passed(&bed), 20);
	/* forgiven: four more at once */
	offer_many(&bed, &out, 5);
	assert_int_equal(passed(&bed), 24);
	pump_check(bed.pump);
	bed_fini(&bed);
}

/* Two flows of a host wait at the host, since only one key may borrow. */
static void test_release_reaches_what_rests_in_a_wider_key(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint8_t address[16];
	uint64_t id;

	(void)state;
	bed_init(&bed, "limiter: {enforce: [flow]}\nlimits: {pairs: 64, "
		       "flows: 64, suspects: 64, flows_per_host: 64}\n");
	/* its share of 64 suspects is 17 */
	for (uint16_t port = 1; port <= 40; port++) {
		bed_packet(&out, "udp", "10.0.0.1", port, "192.0.2.1", 53);
		offer_many(&bed, &out, 5);
	}
	bed_packet(&out, "udp", "10.0.0.1", 99, "192.0.2.2", 53);
	offer_many(&bed, &out, 5);
	id = bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_address("192.0.2.2", address);
	assert_in_range(pump_release_address(bed.pump, address, bed.now_ns), 1,
			6);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	assert_int_equal(bed.packets[4].fate, BED_WAITS);
	pump_check(bed.pump);
	bed_fini(&bed);
}

static void test_reload_lets_go_at_once_what_it_exempts(void **state)
{
	static struct bed bed;
	struct pump_packet out;

	(void)state;
	bed_init(&bed, "");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	offer_many(&bed, &out, 20);
	assert_int_equal(passed(&bed), 4);
	swap_policy(&bed,
		    bed_policy("mode: enforce\nrules: [{priority: 1, "
			       "match: {proto: udp}, action: exempt}]\n"));
	assert_int_equal(passed(&bed), 20);
	check_order(&bed);
	pump_check(bed.pump);
	bed_fini(&bed);
}

/* The rule that limited it is another's now: index 1 of the parameters. */
static void test_reload_judges_what_waits_by_the_new_rules(void **state)
{
	static struct bed bed;
	struct pump_packet out;

	(void)state;
	bed_init(&bed, "rules: [{priority: 1, match: {dst: 192.0.2.1/32}, "
		       "action: limit, threshold: 3.0}]\n");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	offer_many(&bed, &out, 20);
	assert_int_equal(passed(&bed), 8);
	swap_policy(&bed,
		    bed_policy("mode: enforce\nlimiter: {threshold: 4.0}\n"
			       "rules: [{priority: 1, match: {dst: "
			       "192.0.2.9/32}, action: limit, "
			       "threshold: 0.0}]\n"));
	assert_int_equal(passed(&bed), 16);
	check_order(&bed);
	bed_fini(&bed);
}

static void test_reload_forgets_no_penalty_and_loses_no_packet(void **state)
{
	static const char *const others[] = {
		"mode: enforce\nlimiter: {enforce: [flow]}\n",
		"mode: enforce\nlimiter: {enforce: [pair]}\n",
		"mode: enforce\nlimiter: {enforce: [host, pair, flow]}\n",
		"mode: enforce\nlimiter: {window: 1s}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		static struct bed bed;
		struct pump_packet out;
		uint64_t start_ns;

		bed_init(&bed, "");
		start_ns = bed.now_ns;
		bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
		offer_many(&bed, &out, 30);
		bed_run(&bed, start_ns + 300 * MS);
		swap_policy(&bed, bed_policy(others[i]));
		assert_int_equal(passed(&bed), 11);
		/* the ninth delay ends when it would have */
		bed_run(&bed, start_ns + 510 * MS - 1);
		assert_int_equal(passed(&bed), 11);
		bed_run(&bed, start_ns + 60ull * SECOND);
		assert_int_equal(passed(&bed), 30);
		if (i != 2) /* the host's gate begins with the reload */
			assert_int_equal(bed.packets[11].left_ns - start_ns,
					 510 * MS);
		check_order(&bed);
		pump_check(bed.pump);
		bed_fini(&bed);
	}
}

#define PLAIN "limiter: {evidence: packets}\n"

static void test_ghosts_do_not_hold_real_packets_up(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint64_t first;

	(void)state;
	bed_init(&bed, "");
	swap_policy(&bed, bed_policy("mode: shadow\n" PLAIN));
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	offer_many(&bed, &out, 50);
	assert_int_equal(passed(&bed), 50);
	swap_policy(&bed, bed_policy("mode: enforce\n" PLAIN));
	first = bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed.packets[first].fate, BED_WAITS);
	/* the first delay, not those of 46 ghosts */
	bed_run(&bed, bed.now_ns + 2 * MS);
	assert_int_equal(bed.packets[first].fate, BED_PASSED);
	/* and back: what really waits leaves */
	offer_many(&bed, &out, 20);
	swap_policy(&bed, bed_policy("mode: shadow\n" PLAIN));
	assert_int_equal(passed(&bed), bed.count);
	check_order(&bed);
	pump_check(bed.pump);
	bed_fini(&bed);
}

/* In one batch: a super-packet that only its segments can tell, and a plain
 * packet after it. */
static void test_shadow_keeps_order_behind_what_it_takes_apart(void **state)
{
	static struct bed bed;
	struct pump_packet packets[2];

	(void)state;
	bed_init(&bed, "");
	swap_policy(&bed, bed_policy("mode: shadow\n"));
	for (int i = 0; i < 2; i++)
		bed_packet(&packets[i], "udp", "10.0.0.1", 1000, "192.0.2.1",
			   53);
	packets[0].super_packet = true;
	packets[0].wire_pkts = 0;
	packets[0].meta.length_bytes = 28 + 3000;
	assert_int_equal(pump_offer(bed.pump, packets, 2, bed.now_ns), 1);
	assert_int_equal(packets[0].verdict, PUMP_WAIT);
	assert_int_equal(pump_offer(bed.pump, packets + 1, 1, bed.now_ns), 1);
	assert_int_equal(packets[1].verdict, PUMP_WAIT);
	bed_fini(&bed);
}

/* ------ an import while packets come in already */

static void test_import_into_a_key_in_use_keeps_its_window_whole(void **state)
{
	static struct bed before, after;
	struct pump_record records[8];
	struct snapshot_cursor cursor = { 0 };
	struct snapshot_row row;
	struct pump_packet out;
	size_t count = 0;

	(void)state;
	bed_init(&before, "");
	bed_init(&after, "");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	offer_many(&before, &out, 40);
	bed_run(&before, before.now_ns + 200 * MS);
	while (!cursor.ended)
		count += pump_export(before.pump, &cursor, 8, records + count,
				     8 - count, before.now_ns);
	offer_many(&after, &out, 1);
	bed_run(&after, after.now_ns + 100 * MS);
	offer_many(&after, &out, 1);
	for (size_t i = 0; i < count; i++)
		assert_true(
			pump_import(after.pump, &records[i], 0, after.now_ns));
	offer_many(&after, &out, 5);
	assert_true(bed_row(&after, FLOW_SCOPE_FLOW, "10.0.0.1", "192.0.2.1",
			    &row));
	assert_int_equal(row.sent_pkts, 12);
	assert_true(row.held_pkts == 5);
	pump_check(after.pump);
	/* nothing of it counts longer than W from now */
	bed_run(&after, after.now_ns + 10ull * SECOND);
	assert_int_equal(passed(&after), after.count);
	pump_check(after.pump);
	bed_fini(&before);
	bed_fini(&after);
}

/* ------ a threshold below 1 */

static void test_pump_takes_suspects_back_whatever_the_threshold(void **state)
{
	static const char *const thresholds[] = { "0.0", "0.4", "0.9", "2.0" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		static struct bed bed;
		struct snapshot_totals totals;
		struct pump_packet out;
		char yaml[128];

		snprintf(yaml, sizeof(yaml), "limiter: {threshold: %s}\n",
			 thresholds[i]);
		bed_init(&bed, yaml);
		for (uint16_t port = 1; port < 50; port++) {
			bed_packet(&out, "udp", "10.0.0.1", port, "192.0.2.1",
				   53);
			offer_many(&bed, &out, 1);
		}
		bed_run(&bed, bed.now_ns + 300ull * SECOND);
		snapshot_totals(bed.pump, &totals);
		assert_int_equal(totals.suspects, 0);
		assert_int_equal(totals.flows, 0);
		assert_int_equal(totals.hosts, 0);
		bed_fini(&bed);
	}
}

/* ------ no place */

/* With one place for a pair, the others of the host rest at the host; when the
 * place is free again they must not use it to overtake themselves. */
static void test_a_flow_without_a_place_does_not_overtake_itself(void **state)
{
	static const char *const enforcements[] = { "[flow]", "[pair]",
						    "[pair, flow]",
						    "[host, pair, flow]" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		static struct bed bed;
		struct pump_packet out, in;
		uint64_t last = 0;
		static bool ours[2048]; /* by id: of the flow that is watched */
		char yaml[256];

		snprintf(yaml, sizeof(yaml),
			 "limiter: {enforce: %s}\nlimits: {pairs: 64, flows: "
			 "64, pairs_per_host: 64, " UNBOUND "}\n",
			 enforcements[i]);
		bed_init(&bed, yaml);
		memset(ours, 0, sizeof(ours));
		for (uint16_t peer = 1; peer <= 64; peer++) {
			char address[32];

			snprintf(address, sizeof(address), "192.0.2.%d", peer);
			bed_packet(&out, "udp", "10.0.0.1", 1, address, 53);
			offer_many(&bed, &out, 1);
		}
		bed_packet(&out, "udp", "10.0.0.1", 2, "198.51.100.1", 53);
		bed_packet(&in, "udp", "198.51.100.1", 53, "10.0.0.1", 2);
		for (int k = 0; k < 400; k++) {
			uint64_t id = bed_offer(&bed, &out, bed.now_ns);

			ours[id] = true;
			if (k % 7 == 0)
				bed_offer(&bed, &in, bed.now_ns);
			bed_run(&bed, bed.now_ns + 10 * MS);
			pump_check(bed.pump);
		}
		bed_run(&bed, bed.now_ns + 100ull * SECOND);
		for (size_t k = 0; k < bed.order_count; k++) {
			if (!ours[bed.order[k]])
				continue;
			assert_true(bed.order[k] >= last);
			last = bed.order[k];
		}
		/* those that never waited must not have passed others */
		last = 0;
		for (size_t id = 0; id < bed.count; id++) {
			if (!ours[id])
				continue;
			assert_int_equal(bed.packets[id].fate, BED_PASSED);
			assert_true(bed.packets[id].left_ns >= last);
			last = bed.packets[id].left_ns;
		}
		bed_fini(&bed);
	}
}

static void
test_packets_from_outside_make_nothing_below_the_shared_host(void **state)
{
	static struct bed bed;
	struct snapshot_totals totals;
	struct pump_packet in;
	char address[32];

	(void)state;
	bed_init(&bed, "limits: {hosts: 16}\n");
	for (int host = 1; host < 200; host++) {
		snprintf(address, sizeof(address), "10.1.0.%d", host);
		bed_packet(&in, "udp", "192.0.2.1", 53, address, 1000);
		offer_many(&bed, &in, 1);
	}
	snapshot_totals(bed.pump, &totals);
	assert_in_range(totals.hosts, 1, 3); /* an eighth of 16, and one */
	assert_int_equal(totals.pairs, totals.hosts);
	assert_true(bed_counter(&bed, STATS_keys_ignored_in) > 190);
	assert_int_equal(passed(&bed), 199);
	bed_fini(&bed);
}

/* ------ work for each packet */

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Mean cost of a reply that comes in while so many flows wait. */
static double cost_of_a_reply(const char *enforce, uint32_t flows)
{
	enum { REPLIES = 500 };
	static struct bed bed;
	struct pump_release releases[64];
	struct pump_packet packet;
	double spent_ns = 0;
	char yaml[512];

	snprintf(yaml, sizeof(yaml),
		 "limiter: {enforce: %s}\nlimits: {pairs: 20000, flows: 20000, "
		 "flows_per_host: 20000, suspects: 20000, " UNBOUND "}\n",
		 enforce);
	bed_init(&bed, yaml);
	for (uint32_t i = 0; i < 8 * flows; i++) {
		bed_packet(&packet, "udp", "10.0.0.1", (uint16_t)(i % flows),
			   "192.0.2.1", 53);
		bed_offer(&bed, &packet, bed.now_ns);
	}
	for (uint32_t i = 0; i < REPLIES; i++) {
		double start_ns;

		bed_packet(&packet, "udp", "192.0.2.1", 53, "10.0.0.1",
			   (uint16_t)(i % flows));
		start_ns = cpu_ns();
		pump_offer(bed.pump, &packet, 1, bed.now_ns);
		while (pump_collect(bed.pump, releases, 64) > 0)
			;
		spent_ns += cpu_ns() - start_ns;
	}
	bed_fini(&bed);
	return spent_ns / REPLIES;
}

static void test_a_reply_costs_the_same_however_many_wait(void **state)
{
	static const char *const enforcements[] = { "[pair, flow]",
						    "[host, pair, flow]",
						    "[host, flow]", "[host]" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		double few = cost_of_a_reply(enforcements[i], 20);
		double many = cost_of_a_reply(enforcements[i], 4000);

		/* cold memory is all that may come on top; a walk over 4,000
		 * FIFOs would cost 500 times as much */
		if (many > 40 * few)
			fail_msg("%s: %.0f ns with few, %.0f with many",
				 enforcements[i], few, many);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release_reaches_the_first_key_of_a_table),
		cmocka_unit_test(
			test_release_reaches_what_rests_in_a_wider_key),
		cmocka_unit_test(test_reload_lets_go_at_once_what_it_exempts),
		cmocka_unit_test(
			test_reload_judges_what_waits_by_the_new_rules),
		cmocka_unit_test(
			test_reload_forgets_no_penalty_and_loses_no_packet),
		cmocka_unit_test(test_ghosts_do_not_hold_real_packets_up),
		cmocka_unit_test(
			test_shadow_keeps_order_behind_what_it_takes_apart),
		cmocka_unit_test(
			test_import_into_a_key_in_use_keeps_its_window_whole),
		cmocka_unit_test(
			test_pump_takes_suspects_back_whatever_the_threshold),
		cmocka_unit_test(
			test_a_flow_without_a_place_does_not_overtake_itself),
		cmocka_unit_test(
			test_packets_from_outside_make_nothing_below_the_shared_host),
		cmocka_unit_test(test_a_reply_costs_the_same_however_many_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
