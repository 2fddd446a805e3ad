/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "shaper/pump_lease.h"
#include "shaper/pump_state.h"
#include "tests/pump_bed.h"
#include "tests/pump_invariants.h"
#include "tests/random.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* No gate is ever closed: what waits, waits for the rate. */
#define OPEN "limiter: {threshold: 15.0}\nguards: {first_contacts: 0}\n"

static uint64_t offer(struct bed *bed, const char *src, uint16_t src_port,
		      uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", src, src_port, "192.0.2.1", 53);
	return bed_offer(bed, &packet, now_ns);
}

static void offer_many(struct bed *bed, const char *src, uint16_t src_port,
		       int count, uint64_t now_ns)
{
	for (int i = 0; i < count; i++)
		offer(bed, src, src_port, now_ns);
}

static void test_rate_lets_a_burst_go_and_delays_the_rest(void **state)
{
	struct bed bed;
	uint64_t start_ns;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 1000/s, burst: 10ms}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 30, start_ns);
	assert_int_equal(10, bed_passed(&bed, 0, 29, start_ns));
	bed_run(&bed, start_ns + S);
	for (uint64_t id = 10; id < 30; id++)
		assert_int_equal(bed.packets[id].left_ns,
				 start_ns + (id - 9) * MS);
	assert_int_equal(20, bed_counter(&bed, STATS_waited_rate_pkts));
	assert_int_equal(20, bed_counter(&bed, STATS_waited_pkts));
	bed_fini(&bed);
}

static void test_rate_counts_bytes(void **state)
{
	struct bed bed;
	uint64_t start_ns;

	(void)state;
	/* 128 bytes a packet */
	bed_init(&bed, OPEN "rate: {bytes: 128kB/s, burst: 5ms}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 10, start_ns);
	assert_int_equal(5, bed_passed(&bed, 0, 9, start_ns));
	bed_run(&bed, start_ns + S);
	assert_int_equal(bed.packets[9].left_ns, start_ns + 5 * MS);
	bed_fini(&bed);
}

static void test_rate_of_one_host_is_nothing_to_another(void **state)
{
	struct bed bed;
	uint64_t start_ns;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 1000/s, burst: 10ms}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 60, start_ns);
	offer_many(&bed, "10.0.0.2", 1000, 10, start_ns);
	assert_int_equal(10, bed_passed(&bed, 60, 69, start_ns));
	bed_fini(&bed);
}

static void test_rate_of_a_binding_is_for_all_its_addresses(void **state)
{
	struct bed bed;
	uint64_t start_ns;

	(void)state;
	bed_init(&bed, OPEN
		 "rate: {packets: 1000/s, burst: 1ms}\n"
		 "antispoof: {bindings: [\n"
		 "  {mac: 52:54:00:00:00:01, addresses: [10.0.0.1, 10.0.1.1], "
		 "rate: {packets: 2000/s, burst: 10ms}},\n"
		 "  {mac: 52:54:00:00:00:02, addresses: 10.0.0.2, "
		 "rate: {packets: any}},\n"
		 "  {mac: 52:54:00:00:00:03, addresses: 10.0.0.3}]}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 10, start_ns);
	offer_many(&bed, "10.0.1.1", 1000, 20, start_ns);
	assert_int_equal(20, bed_passed(&bed, 0, 29, start_ns));
	offer_many(&bed, "10.0.0.2", 1000, 50, start_ns);
	assert_int_equal(50, bed_passed(&bed, 30, 79, start_ns));
	offer_many(&bed, "10.0.0.3", 1000, 5, start_ns);
	assert_int_equal(1, bed_passed(&bed, 80, 84, start_ns));
	bed_fini(&bed);
}

static void test_rate_lets_conversations_take_turns(void **state)
{
	struct bed bed;
	uint64_t start_ns, late;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 1000/s, burst: 1ms}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 40, start_ns);
	late = offer(&bed, "10.0.0.1", 2000, start_ns);
	bed_run(&bed, start_ns + S);
	assert_true(bed.packets[late].left_ns <= start_ns + 2 * MS);
	assert_int_equal(bed.packets[39].left_ns, start_ns + 40 * MS);
	/* the next in line gets no more, however late it is called */
	bed_fini(&bed);
}

static void test_rate_is_not_used_up_by_what_a_gate_holds(void **state)
{
	struct bed bed;
	uint64_t start_ns, first;

	(void)state;
	bed_init(&bed, "limiter: {enforce: [pair]}\n"
		       "guards: {first_contacts: 0}\n"
		       "rate: {packets: 100/s, burst: 10ms}\n");
	start_ns = bed.now_ns;
	offer_many(&bed, "10.0.0.1", 1000, 50, start_ns);
	bed_run(&bed, start_ns + 300 * MS);
	first = bed.count;
	for (int i = 0; i < 4; i++) {
		struct pump_packet packet;

		bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.9", 53);
		bed_offer(&bed, &packet, start_ns + 300 * MS);
	}
	bed_run(&bed, start_ns + 350 * MS);
	assert_int_equal(4, bed_passed(&bed, first, first + 3,
				       start_ns + 350 * MS));
	pump_check(bed.pump);
	bed_fini(&bed);
}

static void test_rate_tells_who_waits_for_it(void **state)
{
	struct snapshot_row row;
	struct bed bed;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 10/s, bytes: 10kB/s}\n");
	offer_many(&bed, "10.0.0.1", 1000, 20, bed.now_ns);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(PUMP_BY_RATE, row.by);
	assert_int_equal(19, row.held_pkts);
	assert_int_equal(10, row.rate_pkts_per_s);
	assert_int_equal(10000, row.rate_bytes_per_s);
	assert_true(bed_row(&bed, FLOW_SCOPE_HOST, "10.0.0.1", NULL, &row));
	assert_true(row.rate_line);
	bed_fini(&bed);
}

static void test_rate_that_is_lifted_holds_nothing(void **state)
{
	struct policy *before;
	struct bed bed, other;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 10/s}\n");
	bed_init(&other, OPEN);
	offer_many(&bed, "10.0.0.1", 1000, 20, bed.now_ns);
	pump_set_policy(bed.pump, other.policy, bed.now_ns);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(20, bed_passed(&bed, 0, 19, bed.now_ns));
	pump_check(bed.pump);
	before = bed.policy;
	bed.policy = other.policy;
	other.policy = before;
	bed_fini(&bed);
	bed_fini(&other);
}

static void test_rate_keeps_its_pairs_out_of_leases(void **state)
{
	static const char *const texts[] = { OPEN,
					     OPEN "rate: {packets: 10/s}\n" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct pump_lease lease;
		struct pump_packet packet;
		struct flow_key key;
		struct bed bed;

		bed_init(&bed, texts[i]);
		offer(&bed, "10.0.0.1", 1000, bed.now_ns);
		bed_packet(&packet, "udp", "192.0.2.1", 53, "10.0.0.1", 1000);
		bed_offer(&bed, &packet, bed.now_ns);
		flow_key_of(&packet.meta, FLOW_IN, 0, &key);
		flow_key_widen(&key, FLOW_SCOPE_PAIR, &key);
		assert_int_equal(i == 0, pump_may_lease(bed.pump, &key, &lease,
							bed.now_ns));
		bed_fini(&bed);
	}
}

static void test_rate_in_shadow_mode_delays_nothing(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 10/s, burst: 1ms}\n");
	bed.policy->mode = POLICY_SHADOW;
	offer_many(&bed, "10.0.0.1", 1000, 20, bed.now_ns);
	assert_int_equal(20, bed_passed(&bed, 0, 19, bed.now_ns));
	bed_run(&bed, bed.now_ns + 3 * S);
	assert_int_equal(19, bed_counter(&bed, STATS_waited_rate_pkts));
	bed_fini(&bed);
}

/* ------ any traffic, against a count of all that left */

enum { HOSTS = 3, FLOWS = 4, PACKETS = 1500 };

static const char *const hosts[HOSTS] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };

static int by_left(const void *a, const void *b)
{
	const struct bed_packet *const *left = a;
	const struct bed_packet *const *right = b;

	return ((*left)->left_ns > (*right)->left_ns) -
	       ((*left)->left_ns < (*right)->left_ns);
}

/* So many a second, and a burst of a tenth of that, in any interval. */
static void check_host(const struct bed *bed, const uint8_t *host_of,
		       unsigned int host, uint32_t pkts_per_s)
{
	static const struct bed_packet *left[PACKETS];
	size_t count = 0;

	for (size_t i = 0; i < PACKETS; i++)
		if (host_of[i] == host)
			left[count++] = &bed->packets[i];
	qsort(left, count, sizeof(left[0]), by_left);
	for (size_t i = 0; i < count; i++)
		for (size_t j = i; j < count; j++) {
			uint64_t span_ns = left[j]->left_ns - left[i]->left_ns;
			uint64_t burst = pkts_per_s / 10 ? pkts_per_s / 10 : 1;

			assert_true(j - i + 1 <=
				    burst + pkts_per_s * span_ns / S + 1);
		}
}

/* The last host sends no faster than the rate, each packet by itself. */
static uint64_t gap_ns(struct random *random, unsigned int host,
		       uint32_t pkts_per_s)
{
	uint64_t even_ns = S / pkts_per_s + 1;

	return host == HOSTS - 1 ? even_ns
				 : random_in(random, 0, (uint32_t)even_ns);
}

static void run(uint64_t seed)
{
	static uint8_t host_of[PACKETS];
	uint64_t next_ns[HOSTS], last_ns[HOSTS][FLOWS] = { { 0 } };
	static uint8_t flow_of[PACKETS];
	static uint64_t arrived_ns[PACKETS];
	struct random random;
	struct bed bed;
	uint32_t pkts_per_s;
	char yaml[512];

	random_init(&random, seed);
	pkts_per_s = (uint32_t)random_in(&random, 10, 2000);
	snprintf(yaml, sizeof(yaml),
		 OPEN "limits: {held_packets_per_key: 0, "
		      "held_packets_per_host: 0}\n"
		      "rate: {packets: %u/s}\n",
		 pkts_per_s);
	bed_init(&bed, yaml);
	for (int host = 0; host < HOSTS; host++)
		next_ns[host] = bed.now_ns;
	for (int i = 0; i < PACKETS; i++) {
		unsigned int host = 0;

		for (unsigned int other = 1; other < HOSTS; other++)
			if (next_ns[other] < next_ns[host])
				host = other;
		host_of[i] = (uint8_t)host;
		flow_of[i] = (uint8_t)random_in(&random, 0, FLOWS - 1);
		arrived_ns[i] = next_ns[host];
		offer(&bed, hosts[host], (uint16_t)(1000 + flow_of[i]),
		      next_ns[host]);
		next_ns[host] += gap_ns(&random, host, pkts_per_s);
		if (i % 100 == 0)
			pump_check(bed.pump);
	}
	bed_run(&bed, bed.now_ns + 400 * S);
	for (size_t i = 0; i < PACKETS; i++) {
		uint64_t *last = &last_ns[host_of[i]][flow_of[i]];

		assert_int_equal(BED_PASSED, bed.packets[i].fate);
		assert_true(bed.packets[i].left_ns >= *last);
		*last = bed.packets[i].left_ns;
		if (host_of[i] == HOSTS - 1)
			assert_int_equal(arrived_ns[i], bed.packets[i].left_ns);
	}
	for (unsigned int host = 0; host < HOSTS; host++)
		check_host(&bed, host_of, host, pkts_per_s);
	bed_fini(&bed);
}

static void test_rate_bounds_any_traffic_and_delays_none_within_it(void **state)
{
	uint64_t first = random_seed("pump_rate", 1);

	(void)state;
	for (uint64_t seed = first; seed < first + 12; seed++)
		run(seed);
}

/* ------ hosts take turns */

static void lift(struct bed *bed, const struct bed *other)
{
	pump_set_policy(bed->pump, other->policy, bed->now_ns);
	bed_run(bed, bed->now_ns);
}

/* When all may leave at once, between two packets of one host stand no more
 * than a quantum of each other one. */
static void test_hosts_take_turns_by_a_quantum(void **state)
{
	struct bed bed, other;
	size_t since = 0, met = 0;
	uint64_t first;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 10/s, burst: 1ms}\n");
	bed_init(&other, OPEN);
	for (uint16_t port = 0; port < 50; port++)
		offer_many(&bed, "10.0.0.1", (uint16_t)(1000 + port), 20,
			   bed.now_ns);
	first = bed.count;
	offer_many(&bed, "10.0.0.2", 1000, 60, bed.now_ns);
	assert_int_equal(0, bed.order_count);
	lift(&bed, &other);
	assert_int_equal(999 + 59, bed.order_count);
	for (size_t i = 0; i < bed.order_count && met < 59; i++) {
		since = bed.order[i] >= first ? 0 : since + 1;
		met += bed.order[i] >= first;
		assert_true(since <= PUMP_QUANTUM_PKTS);
	}
	assert_int_equal(59, met);
	pump_check(bed.pump);
	pump_free(bed.pump);
	bed.pump = NULL;
	bed_fini(&bed);
	bed_fini(&other);
}

/* The same when a late wake-up finds both due. */
static void test_hosts_take_turns_when_called_late(void **state)
{
	size_t longest = 0, since = 0;
	uint64_t first, start_ns;
	struct pump_release releases[64];
	struct bed bed;
	size_t count;

	(void)state;
	bed_init(&bed, OPEN "rate: {packets: 10000/s, burst: 100ms}\n");
	start_ns = bed.now_ns;
	for (uint16_t port = 0; port < 100; port++)
		offer_many(&bed, "10.0.0.1", (uint16_t)(1000 + port), 20,
			   start_ns);
	first = bed.count;
	for (uint16_t port = 0; port < 100; port++)
		offer_many(&bed, "10.0.0.2", (uint16_t)(1000 + port), 20,
			   start_ns);
	pump_advance(bed.pump, start_ns + 80 * MS);
	while ((count = pump_collect(bed.pump, releases, 64)) > 0)
		for (size_t i = 0; i < count; i++) {
			bool second = releases[i].id >= first;

			since = i > 0 && second == (releases[i - 1].id >= first)
					? since + 1
					: 1;
			longest = since > longest ? since : longest;
		}
	assert_in_range(longest, 1, 2 * PUMP_QUANTUM_PKTS);
	pump_check(bed.pump);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_lets_a_burst_go_and_delays_the_rest),
		cmocka_unit_test(test_rate_counts_bytes),
		cmocka_unit_test(test_rate_of_one_host_is_nothing_to_another),
		cmocka_unit_test(
			test_rate_of_a_binding_is_for_all_its_addresses),
		cmocka_unit_test(test_rate_lets_conversations_take_turns),
		cmocka_unit_test(test_rate_is_not_used_up_by_what_a_gate_holds),
		cmocka_unit_test(test_rate_tells_who_waits_for_it),
		cmocka_unit_test(test_rate_that_is_lifted_holds_nothing),
		cmocka_unit_test(test_rate_keeps_its_pairs_out_of_leases),
		cmocka_unit_test(test_rate_in_shadow_mode_delays_nothing),
		cmocka_unit_test(
			test_rate_bounds_any_traffic_and_delays_none_within_it),
		cmocka_unit_test(test_hosts_take_turns_by_a_quantum),
		cmocka_unit_test(test_hosts_take_turns_when_called_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
