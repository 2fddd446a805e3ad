/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What S never holds, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/pump_bed.h"

#define GUARDED "2001:db8::7"

enum { MANY = 100, BURST = 4 };

static void neighbour_packet(struct pump_packet *packet, const char *src,
			     const char *dst)
{
	bed_packet(packet, "udp", src, 0, dst, 0);
	packet->meta.ethertype = 0x86dd;
	packet->meta.ends.proto = 58;
	packet->meta.kind = PACKET_NEIGHBOUR;
}

static void test_neighbour_discovery_on_the_link_never_waits(void **state)
{
	static const char *const to[] = { "ff02::1:ff00:1", "ff02::1",
					  "fe80::1", "febf::1" };
	static struct bed bed;
	struct pump_packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		bed_init(&bed, "");
		neighbour_packet(&packet, GUARDED, to[i]);
		for (int k = 0; k < MANY; k++)
			bed_offer(&bed, &packet, bed.now_ns);
		assert_int_equal(bed_passed(&bed, 0, MANY - 1, bed.now_ns),
				 MANY);
		assert_int_equal(bed_counter(&bed, STATS_neighbour_pkts), MANY);
		assert_int_equal(bed_counter(&bed, STATS_out_pkts), 0);
		bed_fini(&bed);
	}
}

/* Whoever floods somebody far away may call it so. */
static void test_neighbour_discovery_of_one_far_away_is_judged(void **state)
{
	static const char *const to[] = { "2001:db9::1", "fec0::1", "fd00::1" };
	static struct bed bed;
	struct pump_packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		bed_init(&bed, "");
		neighbour_packet(&packet, GUARDED, to[i]);
		for (int k = 0; k < MANY; k++)
			bed_offer(&bed, &packet, bed.now_ns);
		assert_int_equal(bed_passed(&bed, 0, MANY - 1, bed.now_ns),
				 BURST);
		assert_int_equal(bed_counter(&bed, STATS_neighbour_pkts), 0);
		bed_fini(&bed);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_neighbour_discovery_on_the_link_never_waits),
		cmocka_unit_test(
			test_neighbour_discovery_of_one_far_away_is_judged),
		cmocka_unit_test(test_neighbours_that_answer_never_wait),
		cmocka_unit_test(test_arp_never_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
