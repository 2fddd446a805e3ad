/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes back and is no consent: resets, handshakes that nobody ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum {
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	LATER_PKTS_PER_S = 12, /* the most, without patience */
};

/* As shipped, but for the floor: floor_test.c. */
static const char NO_FLOOR[] = "limiter: {evidence: consent, floor: 0}\n";

/* Offered 1000/s for ten seconds, each drawing an answer with these flags. */
static size_t let_out_late(const char *yaml, uint8_t in_flags)
{
	static struct bed bed;
	struct pump_packet out = bed_tcp(1000, TCP_ACK, false);
	struct pump_packet in = bed_tcp(1000, in_flags, true);
	size_t passed;

	bed_init(&bed, yaml);
	for (uint64_t i = 0; i < 10000; i++) {
		bed_offer(&bed, &out, BEGIN + i * MS);
		if (in_flags && i % 4 == 0)
			bed_offer(&bed, &in, BEGIN + i * MS);
	}
	passed = bed_passed_between(&bed, BEGIN + 5 * S, BEGIN + 6 * S);
	bed_fini(&bed);
	return passed - (in_flags ? 250 : 0);
}

static void test_forged_packets_that_are_no_consent_buy_nothing(void **state)
{
	(void)state;
	assert_in_range(let_out_late(NO_FLOOR, 0), 1, LATER_PKTS_PER_S);
	assert_in_range(let_out_late(NO_FLOOR, TCP_RST), 1, LATER_PKTS_PER_S);
	assert_in_range(let_out_late(NO_FLOOR, TCP_RST | TCP_ACK), 1,
			LATER_PKTS_PER_S);
	/* and count when all do */
	assert_in_range(let_out_late("limiter: {evidence: packets}\n", TCP_RST),
			900, 1000);
}

/* SYNs are answered, and nobody goes on. */
static void test_an_unfinished_handshake_buys_nothing(void **state)
{
	static struct bed bed;
	struct snapshot_row row;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint16_t i = 0; i < 10000; i++) {
		struct pump_packet out =
			bed_tcp((uint16_t)(1000 + i), TCP_SYN, false);
		struct pump_packet in =
			bed_tcp((uint16_t)(1000 + i), TCP_SYN | TCP_ACK, true);
		uint64_t id = bed_offer(&bed, &out, BEGIN + i * MS);

		if (bed.packets[id].fate == BED_PASSED)
			bed_offer(&bed, &in, BEGIN + i * MS);
	}
	assert_true(
		bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(0, row.heard_pkts);
	assert_true(bed_counter(&bed, STATS_refused_syn_ack) > 50);
	for (uint64_t at_ns = BEGIN + S; at_ns < BEGIN + 9 * S;
	     at_ns += 100 * MS)
		/* half of them are answers, at most */
		assert_in_range(bed_passed_between(&bed, at_ns, at_ns + S), 0,
				2 * LATER_PKTS_PER_S);
	bed_fini(&bed);
}

static void test_a_handshake_counts_when_it_is_completed(void **state)
{
	static const struct {
		uint8_t third;
		uint32_t heard;
	} rows[] = {
		{ TCP_ACK, 1 },           { TCP_ACK | 8, 1 }, /* with data */
		{ TCP_RST | TCP_ACK, 0 }, { TCP_RST, 0 },
		{ TCP_SYN, 0 },           { TCP_SYN | TCP_ACK, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct bed bed;
		struct pump_packet syn = bed_tcp(1000, TCP_SYN, false);
		struct pump_packet syn_ack =
			bed_tcp(1000, TCP_SYN | TCP_ACK, true);
		struct pump_packet third = bed_tcp(1000, rows[i].third, false);
		struct snapshot_row row;

		bed_init(&bed, NO_FLOOR);
		bed_offer(&bed, &syn, BEGIN);
		bed_offer(&bed, &syn_ack, BEGIN + MS);
		bed_offer(&bed, &syn_ack, BEGIN + 2 * MS);
		for (int k = 0; k < 2; k++)
			bed_offer(&bed, &third, BEGIN + 3 * MS);
		assert_true(bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1",
				    "192.0.2.1", &row));
		assert_int_equal(rows[i].heard, row.heard_pkts);
		/* From then on everything that is heard counts. */
		third = bed_tcp(1000, TCP_ACK, true);
		bed_offer(&bed, &third, BEGIN + 4 * MS);
		assert_true(bed_row(&bed, FLOW_SCOPE_PAIR, "10.0.0.1",
				    "192.0.2.1", &row));
		assert_int_equal(rows[i].heard + 1, row.heard_pkts);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_forged_packets_that_are_no_consent_buy_nothing),
		cmocka_unit_test(test_an_unfinished_handshake_buys_nothing),
		cmocka_unit_test(test_a_handshake_counts_when_it_is_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
