/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When only one direction comes by here, and when it only seems so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/pump_bed.h"

#define MS     1000000u
#define SECOND 1000000000u

static void test_pump_holds_nothing_when_it_sees_one_direction(void **state)
{
	static struct bed bed;
	struct pump_packet out;
	uint64_t id = 0, second = 0;

	(void)state;
	bed_init(&bed, "");
	for (; second < 12; second++) {
		bed_packet(&out, "tcp", "10.0.0.1", (uint16_t)(1000 + second),
			   "192.0.2.1", 443);
		out.meta.tcp_flags = 2; /* SYN */
		bed_offer(&bed, &out, bed.now_ns);
		out.meta.tcp_flags = 16; /* and on, although nothing came */
		for (int i = 0; i < 20; i++)
			id = bed_offer(&bed, &out, bed.now_ns + 10 * MS);
		bed_run(&bed, bed.now_ns + SECOND);
	}
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	assert_int_equal(bed.packets[id].left_ns / MS,
			 (bed.now_ns - SECOND) / MS);
	bed_fini(&bed);
}

/* A flood, and TCP that pretends that it was answered: SYN, and on. */
static void pretend_one_sidedness(struct bed *bed, const char *host, int round)
{
	struct pump_packet out;

	bed_packet(&out, "udp", host, 7, "198.51.100.1", 7);
	for (int i = 0; i < 2000; i++)
		bed_offer(bed, &out, bed->now_ns);
	for (int i = 0; i < 20; i++) {
		bed_packet(&out, "tcp", host, (uint16_t)(round * 20 + i),
			   "198.51.100.2", 80);
		out.meta.tcp_flags = 2;
		bed_offer(bed, &out, bed->now_ns);
		out.meta.tcp_flags = 16;
		bed_offer(bed, &out, bed->now_ns);
	}
}

static void test_pump_is_not_talked_into_one_sidedness(void **state)
{
	static const char *const others[] = {
		"10.0.0.2", /* another host, answered all the time */
		NULL,       /* itself, answered a minute ago */
	};

	(void)state;
	for (int row = 0; row < 2; row++) {
		static struct bed bed;
		struct snapshot_totals totals;
		struct pump_packet out, in;

		bed_init(&bed, "");
		bed_packet(&out, "tcp", "10.0.0.1", 9999, "192.0.2.1", 443);
		bed_packet(&in, "tcp", "192.0.2.1", 443, "10.0.0.1", 9999);
		out.meta.tcp_flags = 2;
		in.meta.tcp_flags = 2 | 16;
		bed_offer(&bed, &out, bed.now_ns);
		bed_offer(&bed, &in, bed.now_ns);
		bed_run(&bed, bed.now_ns + 60ull * SECOND);
		for (int round = 0; round < 40; round++) {
			pretend_one_sidedness(&bed, "10.0.0.1", round);
			if (others[row]) {
				bed_packet(&out, "udp", others[row], 1,
					   "192.0.2.1", 53);
				bed_packet(&in, "udp", "192.0.2.1", 53,
					   others[row], 1);
				bed_offer(&bed, &out, bed.now_ns);
				bed_offer(&bed, &in, bed.now_ns);
			}
			bed_run(&bed, bed.now_ns + SECOND / 2);
		}
		snapshot_totals(bed.pump, &totals);
		assert_false(totals.one_sided);
		assert_true(totals.held_pkts > 0);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_pump_holds_nothing_when_it_sees_one_direction),
		cmocka_unit_test(test_pump_is_not_talked_into_one_sidedness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
