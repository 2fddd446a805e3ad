/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The check figures of the limiter, and who waits for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "tests/pump_bed.h"

#define MS     1000000u
#define SECOND 1000000000u

static const char *const enforcements[] = {
	"[flow]", "[pair]", "[pair, flow]", "[host, pair, flow]", "[host]",
};
enum { ENFORCEMENTS = sizeof(enforcements) / sizeof(enforcements[0]) };

#define UNBOUND                                                            \
	"limits: {pairs: 1000, flows: 1000, hosts: 100, held_packets: 0, " \
	"held_bytes: 0, held_packets_per_host: 0, held_packets_per_key: 0}\n"

static void init(struct bed *bed, const char *threshold, const char *enforce)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml),
		 "limiter: {threshold: %s, enforce: %s}\n" UNBOUND, threshold,
		 enforce);
	bed_init(bed, yaml);
}

/* 3,000 packets waiting at once, nobody answers. */
static void check_figures(const char *threshold, const char *enforce,
			  size_t burst, size_t first_second,
			  const uint16_t release_ms[9], double lowest,
			  double highest)
{
	static struct bed bed;
	struct pump_packet packet;
	uint64_t start_ns;
	double per_s;

	init(&bed, threshold, enforce);
	start_ns = bed.now_ns;
	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 3000; i++)
		bed_offer(&bed, &packet, start_ns);
	assert_int_equal(bed_passed(&bed, 0, 2999, start_ns), burst);

	bed_run(&bed, start_ns + 60ull * SECOND);
	assert_int_equal(bed_passed(&bed, 0, 2999, start_ns + SECOND - 1),
			 first_second);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(bed.packets[burst + i].left_ns - start_ns,
				 (uint64_t)release_ms[i] * MS);
	/* every one that waited was let out by a timer of its own, or by the
	 * window, which needs one as well when it closes again */
	assert_true(bed_counter(&bed, STATS_releases_armed) >=
		    first_second - burst);
	per_s = (double)(bed_passed(&bed, 0, 2999, start_ns + 60ull * SECOND) -
			 bed_passed(&bed, 0, 2999, start_ns + 10ull * SECOND)) /
		50;
	if (per_s < lowest || per_s > highest)
		fail_msg("%s %s: %.2f packets/s", threshold, enforce, per_s);
	bed_fini(&bed);
}

static void test_pump_reproduces_the_check_figures(void **state)
{
	static const uint16_t two[] = { 2, 6, 14, 30, 62, 126, 254, 510, 1022 };
	static const uint16_t natural[] = { 2,   6,   14,  30,  62,
					    126, 254, 510, 1006 };
	static const uint16_t three[] = {
		2, 6, 14, 30, 62, 126, 254, 510, 1002
	};

	(void)state;
	for (int i = 0; i < ENFORCEMENTS; i++) {
		check_figures("2.0", enforcements[i], 4, 12, two, 8.975, 8.985);
		check_figures("2.885", enforcements[i], 7, 15, natural, 8.995,
			      9.005);
		check_figures("3.0", enforcements[i], 8, 16, three, 8.995,
			      9.005);
	}
}

static void test_pump_passes_at_the_threshold_and_holds_above_it(void **state)
{
	static const struct {
		int sent, heard;
		bool passes;
	} rows[] = {
		{ 3, 0, true },  { 4, 0, false }, { 7, 1, true },
		{ 8, 1, false }, { 11, 2, true }, { 12, 2, false },
	};
	static struct bed bed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pump_packet out, in;
		uint64_t id = 0;

		init(&bed, "2.0", "[pair, flow]");
		bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
		bed_packet(&in, "udp", "192.0.2.1", 53, "10.0.0.1", 1000);
		for (int k = 0; k < rows[i].heard; k++)
			bed_offer(&bed, &in, bed.now_ns);
		for (int k = 0; k <= rows[i].sent; k++)
			id = bed_offer(&bed, &out, bed.now_ns);
		assert_int_equal(bed.packets[id].fate,
				 rows[i].passes ? BED_PASSED : BED_WAITS);
		bed_fini(&bed);
	}
}

static void test_pump_opens_when_a_reply_brings_s_to_the_threshold(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;
	struct snapshot_row row;
	uint64_t start_ns;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	start_ns = bed.now_ns;
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(&in, "udp", "192.0.2.1", 53, "10.0.0.1", 1000);
	for (int i = 0; i < 100; i++)
		bed_offer(&bed, &out, start_ns);
	/* 4 at once, 4 more by 30 ms: (9, 1) after one reply is 4.5 > 4 */
	bed_run(&bed, start_ns + 40 * MS);
	assert_int_equal(bed_passed(&bed, 0, 99, bed.now_ns), 8);
	bed_offer(&bed, &in, bed.now_ns);
	/* (9 / 2) is above 4: neither n nor the timer change */
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(row.releases, 5);
	assert_int_equal(row.armed_ns - start_ns, 62 * MS);
	/* (9 / 3) = 3: open for 12 - 8 packets, then closed with n = 1 */
	bed_offer(&bed, &in, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, 99, bed.now_ns), 12);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(row.releases, 1);
	assert_int_equal(row.armed_ns, bed.now_ns + 2 * MS);
	bed_fini(&bed);
}

static void test_pump_forgets_when_the_window_slides(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint64_t start_ns, id;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	start_ns = bed.now_ns;
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 6; i++)
		bed_offer(&bed, &out, start_ns);
	/* 4 at 0, one at 2 ms, one at 6 ms; at W the 4 are gone */
	bed_run(&bed, start_ns + SECOND - 1);
	id = bed_offer(&bed, &out, start_ns + SECOND - 1);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_run(&bed, start_ns + SECOND);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	assert_int_equal(bed.packets[id].left_ns, start_ns + SECOND);
	/* and n starts anew */
	for (int i = 0; i < 2; i++)
		id = bed_offer(&bed, &out, start_ns + SECOND);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_run(&bed, start_ns + SECOND + 2 * MS);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	bed_fini(&bed);
}

static void test_pump_delays_only_the_guilty_key(void **state)
{
	static struct bed bed;
	struct pump_packet bad, good, neighbour;
	uint64_t id;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&bad, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(&good, "udp", "10.0.0.1", 1000, "192.0.2.2", 53);
	bed_packet(&neighbour, "udp", "10.0.0.2", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 100; i++)
		bed_offer(&bed, &bad, bed.now_ns);
	id = bed_offer(&bed, &good, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	id = bed_offer(&bed, &neighbour, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	bed_fini(&bed);
}

static void test_pump_lets_flows_of_a_closed_pair_take_turns(void **state)
{
	static struct bed bed;
	struct pump_packet packets[3];
	uint64_t ids[3][10], start_ns;
	size_t most = 0, least = 1000;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	start_ns = bed.now_ns;
	for (int flow = 0; flow < 3; flow++)
		bed_packet(&packets[flow], "udp", "10.0.0.1",
			   (uint16_t)(1000 + flow), "192.0.2.1", 53);
	for (int i = 0; i < 10; i++)
		for (int flow = 0; flow < 3; flow++)
			ids[flow][i] =
				bed_offer(&bed, &packets[flow], start_ns);
	bed_run(&bed, start_ns + 900 * MS);
	/* all three together leave as many as one flow would */
	assert_int_equal(bed_passed(&bed, 0, 29, bed.now_ns), 12);
	for (int flow = 0; flow < 3; flow++) {
		size_t passed = 0;

		for (int i = 0; i < 10; i++)
			passed += bed_passed(&bed, ids[flow][i], ids[flow][i],
					     bed.now_ns);
		most = passed > most ? passed : most;
		least = passed < least ? passed : least;
	}
	assert_true(most - least <= 1);
	bed_fini(&bed);
}

static void test_pump_judges_both_guarded_ends(void **state)
{
	static struct bed bed;
	struct pump_packet there;
	struct snapshot_row row;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&there, "udp", "10.0.0.1", 1000, "10.0.0.2", 53);
	for (int i = 0; i < 10; i++)
		bed_offer(&bed, &there, bed.now_ns);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1", "10.0.0.2", &row));
	assert_int_equal(row.sent_pkts, 4);
	assert_int_equal(row.held_pkts, 0); /* they rest at the flow */
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.2", "10.0.0.1", &row));
	assert_int_equal(row.heard_pkts, 4); /* what left, not what waits */
	bed_run(&bed, bed.now_ns + 6 * MS);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.2", "10.0.0.1", &row));
	assert_int_equal(row.heard_pkts, 6);
	bed_fini(&bed);
}

static void test_pump_attributes_icmp_errors_and_counts_none(void **state)
{
	static struct bed bed;
	struct pump_packet out, error;
	struct snapshot_row row;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(&error, "icmp", "198.51.100.1", 0, "10.0.0.1", 0);
	error.meta.kind = PACKET_ICMP_ERROR;
	error.meta.quoted = out.meta.ends;
	for (int i = 0; i < 6; i++)
		bed_offer(&bed, &out, bed.now_ns);
	for (int i = 0; i < 3; i++)
		bed_offer(&bed, &error, bed.now_ns);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(row.icmp_errors, 3);
	assert_int_equal(row.heard_pkts, 0);
	assert_int_equal(row.sent_pkts, 4);
	bed_fini(&bed);
}

static void test_pump_leaves_transit_alone(void **state)
{
	static struct bed bed;
	struct pump_packet transit;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&transit, "udp", "198.51.100.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 100; i++)
		bed_offer(&bed, &transit, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, 99, bed.now_ns), 100);
	assert_int_equal(bed_counter(&bed, STATS_transit_pkts), 100);
	bed_fini(&bed);
}

static void test_pump_keeps_zones_apart(void **state)
{
	static struct bed bed;
	struct pump_packet here, elsewhere;
	uint64_t id;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&here, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(&elsewhere, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	elsewhere.src_zone = zones_id(bed.zones, bed.policy, "lan1", 7);
	assert_int_not_equal(elsewhere.src_zone, here.src_zone);
	for (int i = 0; i < 100; i++)
		bed_offer(&bed, &here, bed.now_ns);
	id = bed_offer(&bed, &elsewhere, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	bed_fini(&bed);
}

static void test_pump_drops_at_the_bound_of_a_key_and_of_a_host(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	char address[32];
	struct pump_refusal refusals[4];

	(void)state;
	bed_init(&bed, "limits: {held_packets_per_key: 5, "
		       "held_packets_per_host: 12}\n");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 20; i++)
		bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed_counter(&bed, STATS_dropped_key_bound), 11);
	assert_int_equal(pump_refusals(bed.pump, refusals, 4), 1);
	assert_int_equal(refusals[0].kind, PUMP_REFUSE);
	/* other destinations: 5 + 5, and then the longest gives */
	for (int peer = 2; peer < 5; peer++) {
		snprintf(address, sizeof(address), "192.0.2.%d", peer);
		bed_packet(&out, "udp", "10.0.0.1", 1000, address, 53);
		for (int i = 0; i < 9; i++)
			bed_offer(&bed, &out, bed.now_ns);
	}
	assert_true(bed_counter(&bed, STATS_dropped_host_bound) > 0);
	for (int peer = 1; peer < 5; peer++) {
		struct snapshot_row row;

		snprintf(address, sizeof(address), "192.0.2.%d", peer);
		assert_true(bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.1", address,
				    &row));
		assert_int_equal(row.held_pkts, 3);
	}
	bed_fini(&bed);
}

static void test_pump_shadow_holds_nothing_and_says_what_it_would(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	struct snapshot_row row;
	uint64_t start_ns;

	(void)state;
	bed_init(&bed, "");
	bed.policy->mode = POLICY_SHADOW;
	start_ns = bed.now_ns;
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 50; i++)
		bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, 49, start_ns), 50);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(row.held_pkts, 46);
	assert_int_equal(row.sent_pkts, 4);
	assert_int_equal(row.offered_pkts, 50);
	bed_run(&bed, start_ns + SECOND - 1);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 12);
	assert_int_equal(bed_counter(&bed, STATS_waited_pkts), 8);
	bed_fini(&bed);
}

static void test_pump_exempts_by_rule_and_by_the_operators_word(void **state)
{
	static struct bed bed;
	struct pump_packet flows[2];
	uint8_t address[16];
	uint64_t id = 0;

	(void)state;
	bed_init(&bed, "rules: [{priority: 20, match: {proto: udp, "
		       "dst_port: 514}, action: exempt}]\n");
	bed_packet(&flows[0], "udp", "10.0.0.1", 1000, "192.0.2.1", 514);
	bed_packet(&flows[1], "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 50; i++)
		id = bed_offer(&bed, &flows[0], bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, 49, bed.now_ns), 50);
	/* what is exempt does not count against the pair */
	for (int i = 0; i < 4; i++)
		id = bed_offer(&bed, &flows[1], bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	id = bed_offer(&bed, &flows[1], bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);

	bed_address("192.0.2.1", address);
	assert_true(pump_exempt_address(bed.pump, address, bed.now_ns + SECOND,
					bed.now_ns));
	bed_run(&bed, bed.now_ns + 1);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	for (int i = 0; i < 50; i++)
		id = bed_offer(&bed, &flows[1], bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	bed_run(&bed, bed.now_ns + 2ull * SECOND);
	for (int i = 0; i < 5; i++)
		id = bed_offer(&bed, &flows[1], bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_fini(&bed);
}

static void test_pump_carries_a_penalty_over_a_restart(void **state)
{
	static struct bed before, after;
	struct pump_record records[16];
	struct snapshot_cursor cursor = { 0 };
	struct pump_packet out;
	size_t count = 0;
	uint64_t id;

	(void)state;
	init(&before, "2.0", "[pair, flow]");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 100; i++)
		bed_offer(&before, &out, before.now_ns);
	bed_run(&before, before.now_ns + 300 * MS);
	while (!cursor.ended)
		count += pump_export(before.pump, &cursor, 10, records + count,
				     16 - count, before.now_ns);
	assert_int_equal(count, 3);

	init(&after, "2.0", "[pair, flow]");
	for (size_t i = 0; i < count; i++)
		assert_true(pump_import(after.pump, &records[i], 50 * MS,
					after.now_ns));
	/* no fresh burst: the ninth doubling goes on where it was */
	id = bed_offer(&after, &out, after.now_ns);
	assert_int_equal(after.packets[id].fate, BED_WAITS);
	bed_run(&after, after.now_ns + 160 * MS - 1);
	assert_int_equal(after.packets[id].fate, BED_WAITS);
	bed_run(&after, after.now_ns + 1);
	assert_int_equal(after.packets[id].fate, BED_PASSED);
	records[0].runs_count = 17;
	assert_false(pump_import(after.pump, &records[0], 0, after.now_ns));
	bed_fini(&before);
	bed_fini(&after);
}

static bool is_before(void *self, uint64_t id)
{
	return id < *(const uint64_t *)self;
}

static void test_pump_forgets_what_is_lost_and_no_penalty(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint64_t id, lost;

	(void)state;
	init(&bed, "2.0", "[pair, flow]");
	bed_packet(&out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (int i = 0; i < 100; i++)
		bed_offer(&bed, &out, bed.now_ns);
	bed_run(&bed, bed.now_ns + 300 * MS);
	lost = bed.count;
	id = bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(pump_forget(bed.pump,
				     &(struct pump_lost){ is_before, &lost },
				     bed.now_ns),
			 100 - bed_passed(&bed, 0, 99, bed.now_ns));
	bed_run(&bed, bed.now_ns + 1);
	assert_int_equal(bed.packets[id - 1].fate, BED_DROPPED);
	/* it has the turn that was theirs, 2 + 4 + .. + 512 ms after the first,
	 * and none sooner */
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_run(&bed, bed.now_ns + 206 * MS);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_run(&bed, bed.now_ns + 306 * MS);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts) +
				 bed_counter(&bed, STATS_dropped_lost),
			 101);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pump_reproduces_the_check_figures),
		cmocka_unit_test(
			test_pump_passes_at_the_threshold_and_holds_above_it),
		cmocka_unit_test(
			test_pump_opens_when_a_reply_brings_s_to_the_threshold),
		cmocka_unit_test(test_pump_forgets_when_the_window_slides),
		cmocka_unit_test(test_pump_delays_only_the_guilty_key),
		cmocka_unit_test(
			test_pump_lets_flows_of_a_closed_pair_take_turns),
		cmocka_unit_test(test_pump_judges_both_guarded_ends),
		cmocka_unit_test(
			test_pump_attributes_icmp_errors_and_counts_none),
		cmocka_unit_test(test_pump_leaves_transit_alone),
		cmocka_unit_test(test_pump_keeps_zones_apart),
		cmocka_unit_test(
			test_pump_drops_at_the_bound_of_a_key_and_of_a_host),
		cmocka_unit_test(
			test_pump_shadow_holds_nothing_and_says_what_it_would),
		cmocka_unit_test(
			test_pump_exempts_by_rule_and_by_the_operators_word),
		cmocka_unit_test(test_pump_carries_a_penalty_over_a_restart),
		cmocka_unit_test(test_pump_forgets_what_is_lost_and_no_penalty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
