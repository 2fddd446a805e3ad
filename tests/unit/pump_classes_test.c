/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What S never holds, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/pump_bed.h"

#define GUARDED "2001:db8::7"

#define MS 1000000u

enum { MANY = 100, BURST = 4 };

static void neighbour_packet(struct pump_packet *packet, const char *src,
			     const char *dst)
{
	bed_packet(packet, "udp", src, 0, dst, 0);
	packet->meta.ethertype = 0x86dd;
	packet->meta.ends.proto = 58;
	packet->meta.kind = PACKET_NEIGHBOUR;
}

/* As many solicitations as there are to this address; how many left at once. */
static void check_solicitations(const char *to, size_t passed, uint64_t counted)
{
	static struct bed bed;
	struct pump_packet packet;

	bed_init(&bed, "");
	neighbour_packet(&packet, GUARDED, to);
	for (int k = 0; k < MANY; k++)
		bed_offer(&bed, &packet, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, MANY - 1, bed.now_ns), passed);
	assert_int_equal(bed_counter(&bed, STATS_neighbour_pkts), counted);
	assert_int_equal(bed_counter(&bed, STATS_out_pkts), counted ? 0 : MANY);
	bed_fini(&bed);
}

static void test_neighbour_discovery_on_the_link_never_waits(void **state)
{
	static const char *const to[] = { "ff02::1:ff00:1", "ff02::1",
					  "fe80::1", "febf::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		check_solicitations(to[i], MANY, MANY);
}

/* Whoever floods somebody far away may call it so. */
static void test_neighbour_discovery_of_one_far_away_is_judged(void **state)
{
	static const char *const to[] = { "2001:db9::1", "fec0::1", "fd00::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		check_solicitations(to[i], BURST, 0);
}

/* "Are you still there?" is answered, by whoever is. */
static void test_neighbours_that_answer_never_wait(void **state)
{
	static struct bed bed;
	struct pump_packet asks, answers;

	(void)state;
	bed_init(&bed, "");
	neighbour_packet(&asks, GUARDED, "2001:db9::1");
	neighbour_packet(&answers, "2001:db9::1", GUARDED);
	for (int i = 0; i < MANY; i++) {
		uint64_t id = bed_offer(&bed, &asks, bed.now_ns);

		assert_int_equal(bed.packets[id].fate, BED_PASSED);
		bed_offer(&bed, &answers, bed.now_ns);
	}
	assert_int_equal(bed_counter(&bed, STATS_waited_pkts), 0);
	bed_fini(&bed);
}

/* ARP has no way out of its link. */
static void test_arp_never_waits(void **state)
{
	static struct bed bed;
	struct pump_packet packet;

	(void)state;
	bed_init(&bed, "");
	bed_packet(&packet, "udp", "10.0.0.1", 0, "192.0.2.1", 0);
	packet.meta.ethertype = 0x0806;
	packet.meta.kind = PACKET_NEIGHBOUR;
	for (int k = 0; k < MANY; k++)
		bed_offer(&bed, &packet, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, MANY - 1, bed.now_ns), MANY);
	bed_fini(&bed);
}

static size_t passed_of_class(struct bed *bed, struct pump_packet *packet,
			      uint8_t kind, size_t count)
{
	size_t passed = 0;

	packet->meta.kind = kind;
	for (; count > 0; count--) {
		struct pump_packet copy = *packet;

		pump_offer(bed->pump, &copy, 1, bed->now_ns);
		passed += copy.verdict == PUMP_PASS;
	}
	return passed;
}

static void test_pump_limits_each_hosts_multicast_and_dhcp(void **state)
{
	static const struct {
		uint8_t kind;
		const char *yaml;
	} rows[] = {
		{ PACKET_MULTICAST, "multicast: {packets_per_s: 50}\n" },
		{ PACKET_DHCP, "dhcp: {packets_per_s: 50}\n" },
		{ PACKET_ICMP_ERROR, "icmp_errors: {packets_per_s: 50}\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct bed bed;
		struct pump_packet bad, good, outside;
		uint64_t start_ns;
		size_t passed = 0;

		bed_init(&bed, rows[i].yaml);
		start_ns = bed.now_ns;
		bed_packet(&bad, "udp", "10.0.0.1", 1, "192.0.2.9", 2);
		bed_packet(&good, "udp", "10.0.0.2", 1, "192.0.2.9", 2);
		bed_packet(&outside, "udp", "192.0.2.9", 1, "10.0.0.1", 2);
		/* a place that is swept meanwhile would start a new burst */
		for (int ms = 0; ms < 10000; ms += 10) {
			passed += passed_of_class(&bed, &bad, rows[i].kind, 5);
			bed_run(&bed, start_ns + (uint64_t)ms * MS);
		}
		assert_in_range(passed, 540, 551);
		assert_int_equal(passed_of_class(&bed, &good, rows[i].kind, 50),
				 50);
		assert_int_equal(passed_of_class(&bed, &outside, rows[i].kind,
						 500),
				 500);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_neighbour_discovery_on_the_link_never_waits),
		cmocka_unit_test(
			test_neighbour_discovery_of_one_far_away_is_judged),
		cmocka_unit_test(test_neighbours_that_answer_never_wait),
		cmocka_unit_test(test_arp_never_waits),
		cmocka_unit_test(
			test_pump_limits_each_hosts_multicast_and_dhcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
