/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the purse of a pair, and what counts as consent, let out: by the shipped
 * default, seen from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "tests/pump_bed.h"

#define S      UINT64_C(1000000000)
#define MS     UINT64_C(1000000)
#define MINUTE (60 * S)
#define BEGIN  (1001 * S)

enum {
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	BURST = 4,
	PATIENCE = 48,
	LATER_PKTS_PER_S = 12, /* the most, without patience */
};

/* As shipped, but for the floor: floor_test.c. */
static const char NO_FLOOR[] = "limiter: {evidence: consent, floor: 0}\n";

/* ------ packets */

static struct pump_packet udp(const char *host, const char *peer, bool in)
{
	struct pump_packet packet;

	if (in)
		bed_packet(&packet, "udp", peer, 53, host, 1000);
	else
		bed_packet(&packet, "udp", host, 1000, peer, 53);
	return packet;
}

/* How many of 200, offered at once, leave at once. */
static size_t flood(struct bed *bed, const struct pump_packet *packet,
		    uint64_t now_ns)
{
	uint64_t first = bed_offer(bed, packet, now_ns), last = first;

	for (int i = 1; i < 200; i++)
		last = bed_offer(bed, packet, now_ns);
	return bed_passed(bed, first, last, now_ns);
}

static size_t flood_udp(struct bed *bed, const char *host, const char *peer,
			uint64_t now_ns)
{
	struct pump_packet packet = udp(host, peer, false);

	return flood(bed, &packet, now_ns);
}

/* One packet each way, as one turn of a conversation. */
static void turn(struct bed *bed, const char *host, const char *peer,
		 uint64_t now_ns)
{
	struct pump_packet out = udp(host, peer, false);
	struct pump_packet in = udp(host, peer, true);

	bed_offer(bed, &out, now_ns);
	bed_offer(bed, &in, now_ns + MS);
}

/* ------ patience */

static void test_a_silent_target_gets_64_then_12_a_second(void **state)
{
	struct pump_packet packet = udp("10.0.0.1", "192.0.2.1", false);
	static struct bed bed;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint64_t now_ns = BEGIN; now_ns < BEGIN + 10 * S; now_ns += MS)
		bed_offer(&bed, &packet, now_ns);
	assert_int_equal(BURST + PATIENCE + 8,
			 bed_passed_between(&bed, BEGIN, BEGIN + S));
	for (uint64_t at_ns = BEGIN + S; at_ns < BEGIN + 9 * S;
	     at_ns += 10 * MS)
		assert_in_range(bed_passed_between(&bed, at_ns, at_ns + S), 0,
				LATER_PKTS_PER_S);
	bed_fini(&bed);
}

static void test_patience_is_of_the_pair_whatever_its_flows(void **state)
{
	static struct bed bed;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint16_t port = 1; port <= 1000; port++) {
		struct pump_packet packet;

		bed_packet(&packet, "udp", "10.0.0.1", port, "192.0.2.1", port);
		bed_offer(&bed, &packet, BEGIN + port * MS);
	}
	assert_in_range(bed_passed_between(&bed, BEGIN, BEGIN + 2 * S),
			BURST + PATIENCE, 64);
	bed_fini(&bed);
}

/* It knows window and patience: in each second it is quiet until those of the
 * last one have left the window. */
static void test_pulses_gain_no_more_than_a_flood(void **state)
{
	static struct bed bed;
	size_t passed;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint64_t second = 0; second < 300; second++)
		flood_udp(&bed, "10.0.0.1", "192.0.2.1",
			  BEGIN + second * 61 * S / 60);
	passed = bed_passed_between(&bed, BEGIN + S, BEGIN + 301 * S);
	assert_in_range(passed, 1, 300 * LATER_PKTS_PER_S);
	bed_fini(&bed);
}

static void test_patience_is_given_once_a_minute_of_silence(void **state)
{
	static struct bed bed;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	assert_int_equal(BURST + PATIENCE,
			 flood_udp(&bed, "10.0.0.1", "192.0.2.1", BEGIN));
	/* What waited has left by then, the last of it a minute ago. */
	bed_run(&bed, BEGIN + 20 * S);
	assert_int_equal(BURST, flood_udp(&bed, "10.0.0.1", "192.0.2.1",
					  BEGIN + 60 * S));
	bed_run(&bed, BEGIN + 80 * S);
	assert_int_equal(BURST + PATIENCE,
			 flood_udp(&bed, "10.0.0.1", "192.0.2.1",
				   BEGIN + 150 * S));
	bed_fini(&bed);
}

/* ------ streams */

/* A voice, or a flood, with RTP headers, so many packets in ten seconds. */
static void send_rtp(struct bed *bed, uint32_t count)
{
	struct pump_packet packet;

	bed_init(bed, NO_FLOOR);
	bed_packet(&packet, "udp", "10.0.0.1", 5004, "192.0.2.1", 5004);
	for (uint32_t i = 0; i < count; i++) {
		packet.meta.rtp_ssrc = 7;
		packet.meta.rtp_seq = (uint16_t)i;
		bed_offer(bed, &packet, BEGIN + i * (10 * S / count));
	}
	bed_run(bed, BEGIN + 20 * S);
}

static void test_a_call_that_rings_is_not_held_for_three_seconds(void **state)
{
	static struct bed bed;

	(void)state;
	send_rtp(&bed, 500);
	for (uint64_t id = 0; id < 3 * 50; id++)
		assert_int_equal(BEGIN + id * 20 * MS, bed.packets[id].left_ns);
	bed_fini(&bed);
}

static void test_rtp_headers_gain_a_flood_three_seconds(void **state)
{
	static const uint32_t rates[] = { 500, 600, 1000, 3000, 10000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		static struct bed bed;

		send_rtp(&bed, rates[i]);
		for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 12 * S;
		     at_ns += 10 * MS)
			assert_in_range(
				bed_passed_between(&bed, at_ns, at_ns + S), 0,
				at_ns < BEGIN + 3 * S ? 64 : LATER_PKTS_PER_S);
		bed_fini(&bed);
	}
}

/* ------ what is not known to have been silent */

static void test_a_reload_that_turns_patience_on_gives_it_later(void **state)
{
	static const struct {
		const char *before;
		uint64_t after_ns;
		size_t passed;
	} rows[] = {
		{ "limiter: {evidence: packets}\n", 59 * S, BURST },
		{ "limiter: {evidence: packets}\n", 61 * S, BURST + PATIENCE },
		{ "limiter: {evidence: consent, floor: 0, patience: 0}\n",
		  59 * S, BURST },
		{ "limiter: {evidence: consent, floor: 0, patience: 0}\n",
		  61 * S, BURST + PATIENCE },
		/* it was silent all the time, as was seen */
		{ "limiter: {evidence: consent, floor: 0, patience: 48}\n", 0,
		  BURST + PATIENCE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy *before;
		struct bed bed;

		bed_init(&bed, rows[i].before);
		before = bed.policy;
		bed_run(&bed, BEGIN);
		bed.policy = bed_policy(NO_FLOOR);
		pump_set_policy(bed.pump, bed.policy, BEGIN);
		policy_free(before);
		assert_int_equal(rows[i].passed,
				 flood_udp(&bed, "10.0.0.1", "192.0.2.1",
					   BEGIN + rows[i].after_ns));
		bed_fini(&bed);
	}
}

static void test_a_restart_gives_no_patience_for_a_minute(void **state)
{
	static const struct {
		uint64_t after_ns;
		size_t passed;
	} rows[] = {
		{ 0, BURST },
		{ 59 * S, BURST },
		{ 61 * S, BURST + PATIENCE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pump_record record = {
			.key = { .scope = FLOW_SCOPE_PAIR },
			.runs_count = 1,
			.runs = { { .age_ns = MS, .sent_pkts = 1 } },
		};
		struct bed bed;

		bed_init(&bed, NO_FLOOR);
		bed_address("10.0.0.9", record.key.inside);
		bed_address("192.0.2.9", record.key.outside);
		bed_run(&bed, BEGIN);
		assert_true(pump_import(bed.pump, &record, 0, BEGIN));
		/* nor to other pairs: what was idle is not in the file */
		assert_int_equal(rows[i].passed,
				 flood_udp(&bed, "10.0.0.1", "192.0.2.1",
					   BEGIN + rows[i].after_ns));
		bed_fini(&bed);
	}
}

/* ------ a start amid traffic */

static struct pump_packet segment(uint8_t flags, uint32_t payload_bytes)
{
	struct pump_packet packet = bed_tcp(1000, flags, false);

	packet.meta.length_bytes = packet.meta.header_bytes + payload_bytes;
	return packet;
}

static void test_who_is_met_amid_a_connection_goes_on_for_a_second(void **state)
{
	struct pump_packet first = segment(TCP_ACK, 1000);
	struct pump_packet other = udp("10.0.0.1", "192.0.2.1", false);
	static struct bed bed;

	(void)state;
	bed_init_amid(&bed, NO_FLOOR);
	assert_int_equal(200, flood(&bed, &first, BEGIN));
	/* and what else is between the two */
	assert_int_equal(200, flood(&bed, &other, BEGIN + 500 * MS));
	assert_int_equal(200, flood(&bed, &first, BEGIN + 999 * MS));
	assert_true(bed_counter(&bed, STATS_met_pkts) > 600 - 2 * BURST - 1);
	assert_int_equal(0, flood(&bed, &first, BEGIN + S));
	bed_fini(&bed);
}

static void test_who_begins_after_a_start_is_not_met(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t payload_bytes;
		const char *yaml;
		uint64_t after_ns;
		size_t passed;
	} rows[] = {
		{ TCP_ACK, 1, NO_FLOOR, 999 * MS, 200 },
		{ TCP_ACK, 1, NO_FLOOR, S, BURST + PATIENCE },
		{ TCP_ACK, 0, NO_FLOOR, 0, BURST + PATIENCE },
		{ TCP_SYN, 1, NO_FLOOR, 0, BURST + PATIENCE },
		{ TCP_SYN | TCP_ACK, 1, NO_FLOOR, 0, BURST + PATIENCE },
		{ TCP_RST | TCP_ACK, 1, NO_FLOOR, 0, BURST + PATIENCE },
		{ 0, 1, NO_FLOOR, 0, BURST + PATIENCE },
		{ TCP_ACK, 1, "limiter: {evidence: packets}\n", 0, BURST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pump_packet elsewhere =
			udp("10.0.0.9", "192.0.2.9", false);
		struct pump_packet packet =
			segment(rows[i].flags, rows[i].payload_bytes);
		struct bed bed;

		bed_init_amid(&bed, rows[i].yaml);
		/* the second begins with the first packet out, whose it is */
		bed_offer(&bed, &elsewhere, BEGIN);
		assert_int_equal(rows[i].passed,
				 flood(&bed, &packet,
				       BEGIN + rows[i].after_ns));
		bed_fini(&bed);
	}
}

static void test_who_was_penalised_is_not_met_after_a_start(void **state)
{
	struct pump_packet packet = segment(TCP_ACK, 1000);
	struct pump_record record = {
		.key = { .scope = FLOW_SCOPE_PAIR },
		.releases = 1,
		.runs_count = 1,
		.runs = { { .age_ns = MS, .sent_pkts = 5 } },
	};
	static struct bed bed;

	(void)state;
	bed_init_amid(&bed, NO_FLOOR);
	bed_address("10.0.0.1", record.key.inside);
	bed_address("192.0.2.1", record.key.outside);
	assert_true(pump_import(bed.pump, &record, 0, BEGIN));
	assert_int_equal(0, flood(&bed, &packet, BEGIN));
	assert_int_equal(0, bed_counter(&bed, STATS_met_pkts));
	bed_fini(&bed);
}

/* So small that the host can crowd it. */
static const char CROWDED[] =
	"limiter: {evidence: consent, floor: 0}\n"
	"guards: {first_contacts: 0}\n"
	"limits: {pairs: 256, pairs_per_host: 64, flows: 4096, "
	"flows_per_host: 4096, suspects: 1024}\n";

static const char *numbered(unsigned number)
{
	static char address[32];

	snprintf(address, sizeof(address), "198.51.%u.%u", number / 200,
		 number % 200 + 1);
	return address;
}

static void test_crowding_brings_no_patience_back(void **state)
{
	static struct bed bed;
	size_t passed = 0, floods = 0;

	(void)state;
	bed_init(&bed, CROWDED);
	assert_int_equal(BURST + PATIENCE,
			 flood_udp(&bed, "10.0.0.1", "192.0.2.1", BEGIN));
	/* Others, one packet each, which all might be forgotten. */
	for (unsigned i = 0; i < 3000; i++) {
		struct pump_packet packet = udp("10.0.0.1", numbered(i), false);

		bed_offer(&bed, &packet, BEGIN + 10 * S + i * 20 * MS);
		if (i % 100 != 0)
			continue;
		passed += flood_udp(&bed, "10.0.0.1", "192.0.2.1",
				    BEGIN + 10 * S + i * 20 * MS);
		floods++;
	}
	/* every two seconds, and what waited of the one before */
	assert_in_range(passed, 1, floods * 2 * LATER_PKTS_PER_S);
	bed_fini(&bed);
}

/* A pair that was forgotten before a minute had gone would be new. */
static void test_a_pair_forgotten_early_is_not_taken_for_new(void **state)
{
	static struct bed bed;
	size_t given = 0;

	(void)state;
	bed_init(&bed, CROWDED);
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < 200; i++) {
			struct pump_packet packet =
				udp("10.0.0.1", numbered(i), false);

			bed_offer(&bed, &packet,
				  BEGIN + (round * 200 + i) * 50 * MS);
		}
	assert_true(bed_counter(&bed, STATS_keys_aged) > 200);
	for (unsigned i = 0; i < 200; i++)
		given += flood_udp(&bed, "10.0.0.1", numbered(i),
				   BEGIN + 50 * S + i * MS) > BURST;
	/* Those that never were forgotten may have theirs. */
	assert_in_range(given, 0, 64);
	/* Another host is none of its business. */
	assert_int_equal(BURST + PATIENCE,
			 flood_udp(&bed, "10.0.0.2", "192.0.2.77",
				   BEGIN + 51 * S));
	bed_fini(&bed);
}

static uint32_t hosts(const struct bed *bed)
{
	struct snapshot_totals totals;

	snapshot_totals(bed->pump, &totals);
	return totals.hosts;
}

static void test_a_host_that_was_forgotten_was_silent(void **state)
{
	static struct bed bed;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	flood_udp(&bed, "10.0.0.1", "192.0.2.1", BEGIN);
	/* It stays as long as that is needed ... */
	bed_run(&bed, BEGIN + 50 * S);
	assert_int_equal(1, hosts(&bed));
	assert_int_equal(BURST, flood_udp(&bed, "10.0.0.1", "192.0.2.1",
					  BEGIN + 50 * S));
	/* ... and not for ever. */
	bed_run(&bed, BEGIN + 200 * S);
	assert_int_equal(0, hosts(&bed));
	assert_int_equal(BURST + PATIENCE,
			 flood_udp(&bed, "10.0.0.1", "192.0.2.1",
				   BEGIN + 200 * S));
	bed_fini(&bed);
}

/* ------ credit */

static void test_a_reply_buys_sixteen_from_the_third_turn(void **state)
{
	static struct bed bed;
	struct pump_packet in = udp("10.0.0.1", "192.0.2.1", true);
	size_t before, after;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint64_t i = 0; i < 3; i++)
		turn(&bed, "10.0.0.1", "192.0.2.1", BEGIN + i * 100 * MS);
	/* more than a second, less than a minute later */
	flood_udp(&bed, "10.0.0.1", "192.0.2.1", BEGIN + 10 * S);
	before = bed_passed_between(&bed, BEGIN, BEGIN + 10 * S + MS);
	assert_int_equal(6 + BURST + 3 * 12, before);
	for (int i = 0; i < 3; i++)
		bed_offer(&bed, &in, BEGIN + 10 * S + MS);
	after = bed_passed_between(&bed, BEGIN, BEGIN + 10 * S + 2 * MS);
	assert_in_range(after - before - 3, 3 * 12, 3 * 16);
	bed_fini(&bed);
}

/* Reports come on another port than the stream that they are about. */
static void test_an_answer_to_one_flow_lets_another_go_at_once(void **state)
{
	struct pump_packet report, stream, heard;
	static struct bed bed;
	uint64_t now_ns = BEGIN + 5 * S + 600 * MS;

	(void)state;
	bed_init(&bed, NO_FLOOR);
	bed_packet(&stream, "udp", "10.0.0.1", 5004, "192.0.2.1", 5004);
	bed_packet(&report, "udp", "10.0.0.1", 5005, "192.0.2.1", 5005);
	bed_packet(&heard, "udp", "192.0.2.1", 5005, "10.0.0.1", 5005);
	for (uint64_t i = 0; i < 3; i++) {
		bed_offer(&bed, &report, BEGIN + i * 100 * MS);
		bed_offer(&bed, &heard, BEGIN + i * 100 * MS + MS);
	}
	/* The purse is empty, the next delay half a second. */
	for (int i = 0; i < 4 + 36 + 20; i++)
		bed_offer(&bed, &stream, BEGIN + 5 * S);
	bed_run(&bed, now_ns - 1);
	assert_int_equal(0, bed_passed_between(&bed, now_ns - 80 * MS, now_ns));
	bed_offer(&bed, &heard, now_ns);
	assert_int_equal(1 + 12, bed_passed_between(&bed, now_ns, now_ns + 1));
	bed_fini(&bed);
}

/* The kernel may bring many as one: they buy no less. */
static void test_merged_replies_buy_what_each_would(void **state)
{
	static const uint16_t segments[] = { 1, 10 };
	size_t passed[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		static struct bed bed;
		struct pump_packet in = udp("10.0.0.1", "192.0.2.1", true);

		bed_init(&bed, NO_FLOOR);
		for (uint64_t k = 0; k < 3; k++)
			turn(&bed, "10.0.0.1", "192.0.2.1",
			     BEGIN + k * 100 * MS);
		in.super_packet = segments[i] > 1;
		in.wire_pkts = segments[i];
		for (int k = 0; k < 10; k += segments[i])
			bed_offer(&bed, &in, BEGIN + 5 * S);
		/* the replies have left the window, their credit stays */
		passed[i] =
			flood_udp(&bed, "10.0.0.1", "192.0.2.1", BEGIN + 7 * S);
		bed_fini(&bed);
	}
	assert_int_equal(BURST + 13 * 12, passed[0]);
	assert_int_equal(passed[0], passed[1]);
}

/* Connections, one after another, are a conversation as any. */
static void test_completed_handshakes_establish_credit(void **state)
{
	static struct bed bed;
	struct pump_packet out = udp("10.0.0.1", "192.0.2.1", false);

	(void)state;
	bed_init(&bed, NO_FLOOR);
	for (uint16_t i = 0; i < 3; i++) {
		uint64_t now_ns = BEGIN + i * 100 * MS;
		struct pump_packet syn =
			bed_tcp((uint16_t)(1000 + i), TCP_SYN, false);
		struct pump_packet syn_ack =
			bed_tcp((uint16_t)(1000 + i), TCP_SYN | TCP_ACK, true);
		struct pump_packet ack =
			bed_tcp((uint16_t)(1000 + i), TCP_ACK, false);

		bed_offer(&bed, &syn, now_ns);
		bed_offer(&bed, &syn_ack, now_ns + MS);
		bed_offer(&bed, &ack, now_ns + 2 * MS);
	}
	assert_int_equal(BURST + 3 * 12, flood(&bed, &out, BEGIN + 10 * S));
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_silent_target_gets_64_then_12_a_second),
		cmocka_unit_test(
			test_patience_is_of_the_pair_whatever_its_flows),
		cmocka_unit_test(test_pulses_gain_no_more_than_a_flood),
		cmocka_unit_test(
			test_patience_is_given_once_a_minute_of_silence),
		cmocka_unit_test(
			test_a_call_that_rings_is_not_held_for_three_seconds),
		cmocka_unit_test(test_rtp_headers_gain_a_flood_three_seconds),
		cmocka_unit_test(
			test_a_reload_that_turns_patience_on_gives_it_later),
		cmocka_unit_test(test_a_restart_gives_no_patience_for_a_minute),
		cmocka_unit_test(
			test_who_is_met_amid_a_connection_goes_on_for_a_second),
		cmocka_unit_test(test_who_begins_after_a_start_is_not_met),
		cmocka_unit_test(
			test_who_was_penalised_is_not_met_after_a_start),
		cmocka_unit_test(test_crowding_brings_no_patience_back),
		cmocka_unit_test(
			test_a_pair_forgotten_early_is_not_taken_for_new),
		cmocka_unit_test(test_a_host_that_was_forgotten_was_silent),
		cmocka_unit_test(test_a_reply_buys_sixteen_from_the_third_turn),
		cmocka_unit_test(
			test_an_answer_to_one_flow_lets_another_go_at_once),
		cmocka_unit_test(test_merged_replies_buy_what_each_would),
		cmocka_unit_test(test_completed_handshakes_establish_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
