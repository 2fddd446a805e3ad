/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What S cannot see: first contacts of a host, new connections of a pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

/* S alone would hold what is not answered once it has left. */
static const char GUARDS[] =
	"limiter: {threshold: 15}\n"
	"guards: {first_contacts: 20, new_connections: 100}\n";

static uint64_t contact(struct bed *bed, unsigned target, uint64_t now_ns)
{
	struct pump_packet packet;
	char address[32];

	snprintf(address, sizeof(address), "192.0.%u.%u", target / 250,
		 target % 250 + 1);
	bed_packet(&packet, "udp", "10.0.0.1", 1000, address, 53);
	return bed_offer(bed, &packet, now_ns);
}

static void answer(struct bed *bed, unsigned target, uint64_t now_ns)
{
	struct pump_packet packet;
	char address[32];

	snprintf(address, sizeof(address), "192.0.%u.%u", target / 250,
		 target % 250 + 1);
	bed_packet(&packet, "udp", address, 53, "10.0.0.1", 1000);
	bed_offer(bed, &packet, now_ns);
}

static uint64_t connect_to(struct bed *bed, uint16_t port, uint8_t flags,
			   uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "tcp", "10.0.0.1", port, "192.0.2.1", 80);
	packet.meta.tcp_flags = flags;
	return bed_offer(bed, &packet, now_ns);
}

static void test_a_sweep_leaves_at_its_pace_and_in_order(void **state)
{
	struct bed bed;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 200; i++)
		last = contact(&bed, i, BEGIN + i * MS);
	bed_run(&bed, BEGIN + 20 * S);
	assert_int_equal(200, bed_passed(&bed, 0, last, BEGIN + 20 * S));
	for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 12 * S;
	     at_ns += 100 * MS) {
		size_t passed = bed_passed(&bed, 0, last, at_ns + S - 1) -
				bed_passed(&bed, 0, last, at_ns - 1);

		assert_in_range(passed, 0, 20);
	}
	for (uint64_t id = 1; id <= last; id++)
		assert_true(bed.packets[id - 1].left_ns <=
			    bed.packets[id].left_ns);
	bed_fini(&bed);
}

/* With no gate left to borrow they rest with their host, which asks no gate of
 * theirs. */
static void test_a_sweep_without_gates_is_paced_as_well(void **state)
{
	struct bed bed;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed, "limiter: {threshold: 15}\n"
		       "guards: {first_contacts: 20}\n"
		       "limits: {suspects: 64, held_packets_per_key: 0}\n");
	for (unsigned i = 0; i < 200; i++)
		last = contact(&bed, i, BEGIN + i * MS);
	assert_true(bed_counter(&bed, STATS_suspects_refused) > 100);
	bed_run(&bed, BEGIN + 20 * S);
	assert_int_equal(200, bed_passed(&bed, 0, last, BEGIN + 20 * S));
	for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 12 * S; at_ns += 100 * MS)
		assert_in_range(bed_passed(&bed, 0, last, at_ns + S - 1) -
					bed_passed(&bed, 0, last, at_ns - 1),
				0, 20);
	bed_fini(&bed);
}

static void test_an_answer_gives_the_place_back(void **state)
{
	struct bed bed;
	uint64_t id = 0;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 400; i++) {
		id = contact(&bed, i, BEGIN + i * MS);
		answer(&bed, i, BEGIN + i * MS + MS / 2);
	}
	/* Their answers are among the ids. */
	assert_int_equal(799, bed_passed(&bed, 0, id, BEGIN + 400 * MS));
	bed_fini(&bed);
}

static size_t burst(struct bed *bed, unsigned begin, uint64_t now_ns)
{
	uint64_t first = contact(bed, begin, now_ns), last = first;

	for (unsigned i = 1; i < 400; i++)
		last = contact(bed, begin + i, now_ns);
	return bed_passed(bed, first, last, now_ns);
}

static void test_who_is_answered_has_a_reserve(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 8; i++) {
		contact(&bed, i, BEGIN + i * MS);
		if (i == 7)
			assert_int_equal(20 - 1,
					 burst(&bed, 500, BEGIN + 7 * MS));
		answer(&bed, i, BEGIN + i * MS + MS / 2);
	}
	bed_fini(&bed);
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 40; i++) {
		contact(&bed, i, BEGIN + i * MS);
		answer(&bed, i, BEGIN + i * MS + MS / 2);
	}
	assert_in_range(burst(&bed, 500, BEGIN + 500 * MS), 256, 256 + 20);
	bed_fini(&bed);
}

/* Whatever its friends answer: others hear of it no more often in the long
 * run than of any scanner. */
static void test_friends_give_no_lasting_gain(void **state)
{
	enum { SECONDS = 120, FRIENDS = 30, TRIED = 100 };
	static uint64_t ids[SECONDS * TRIED];
	struct bed bed;
	size_t count = 0, others = 0;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned second = 0; second < SECONDS; second++) {
		uint64_t now_ns = BEGIN + second * S;
		unsigned begin = second * TRIED;

		for (unsigned i = 0; i < FRIENDS; i++)
			contact(&bed, begin + i, now_ns);
		for (unsigned i = 0; i < FRIENDS && second > 0; i++)
			answer(&bed, begin - TRIED + i, now_ns + MS);
		for (unsigned i = FRIENDS; i < TRIED; i++)
			ids[count++] =
				contact(&bed, begin + i, now_ns + 2 * MS);
	}
	for (size_t i = 0; i < count; i++)
		others += bed.packets[ids[i]].fate == BED_PASSED;
	assert_in_range(others, 1, SECONDS * 20 + 256 + 20);
	bed_fini(&bed);
}

static void test_a_refusal_is_no_answer(void **state)
{
	struct bed bed;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 60; i++) {
		struct pump_packet packet;
		char address[32];

		snprintf(address, sizeof(address), "192.0.2.%u", i + 1);
		bed_packet(&packet, "tcp", "10.0.0.1", 1000, address, 80);
		packet.meta.tcp_flags = TCP_SYN;
		last = bed_offer(&bed, &packet, BEGIN + 2 * i * MS);
		bed_packet(&packet, "tcp", address, 80, "10.0.0.1", 1000);
		packet.meta.tcp_flags = TCP_RST | TCP_ACK;
		bed_offer(&bed, &packet, BEGIN + 2 * i * MS + MS);
	}
	/* Ids of answers are among them, and all of those pass. */
	assert_int_equal(20 + 59, bed_passed(&bed, 0, last, BEGIN + 119 * MS));
	bed_fini(&bed);
}

static void test_conversations_do_not_notice_a_sweep(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, GUARDS);
	contact(&bed, 500, BEGIN);
	answer(&bed, 500, BEGIN + MS);
	for (unsigned i = 0; i < 100; i++)
		contact(&bed, i, BEGIN + 2 * MS);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t now_ns = BEGIN + (i + 10) * 5 * MS;
		uint64_t id = contact(&bed, 500, now_ns);

		assert_int_equal(BED_PASSED, bed.packets[id].fate);
		assert_int_equal(now_ns, bed.packets[id].left_ns);
		answer(&bed, 500, now_ns + MS);
	}
	bed_fini(&bed);
}

static void test_an_answered_flood_of_connections_is_paced(void **state)
{
	struct bed bed;
	size_t before = 0;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now_ns = BEGIN + i * MS;
		struct pump_packet packet;

		connect_to(&bed, (uint16_t)(1000 + i), TCP_SYN, now_ns);
		bed_packet(&packet, "tcp", "192.0.2.1", 80, "10.0.0.1",
			   (uint16_t)(1000 + i));
		packet.meta.tcp_flags = TCP_SYN | TCP_ACK;
		bed_offer(&bed, &packet, now_ns + MS / 2);
	}
	bed_run(&bed, BEGIN + 30 * S);
	for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 15 * S; at_ns += S) {
		size_t connections = 0;

		for (size_t id = 0; id < bed.count; id += 2)
			connections += bed.packets[id].fate == BED_PASSED &&
				       bed.packets[id].left_ns >= at_ns &&
				       bed.packets[id].left_ns < at_ns + S;
		assert_in_range(connections, 0, 100);
		before += connections;
	}
	assert_int_equal(1000, before);
	bed_fini(&bed);
}

/* Accepted, finished and reset, over and over on so many ports; the SYNs that
 * leave in the fullest second. */
static size_t reconnect(uint16_t ports)
{
	enum { TIMES = 2000, PER_S = 500 };
	static uint64_t ids[TIMES];
	struct pump_packet packet;
	size_t most = 0;
	struct bed bed;

	/* What is dropped begins nothing; here nothing is. */
	bed_init(&bed, "limiter: {threshold: 15}\n"
		       "guards: {first_contacts: 20, new_connections: 100}\n"
		       "limits: {held_packets: 0, held_packets_per_host: 0, "
		       "held_packets_per_key: 0}\n");
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t now_ns = BEGIN + i * (S / PER_S);
		uint16_t port = (uint16_t)(1000 + i % ports);

		ids[i] = connect_to(&bed, port, TCP_SYN, now_ns);
		bed_packet(&packet, "tcp", "192.0.2.1", 80, "10.0.0.1", port);
		packet.meta.tcp_flags = TCP_SYN | TCP_ACK;
		bed_offer(&bed, &packet, now_ns + MS / 2);
		connect_to(&bed, port, TCP_ACK, now_ns + MS);
		connect_to(&bed, port, TCP_RST, now_ns + MS);
	}
	bed_run(&bed, BEGIN + 60 * S);
	for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 60 * S; at_ns += S / 4) {
		size_t left = 0;

		for (int i = 0; i < TIMES; i++)
			left += bed_passed(&bed, ids[i], ids[i],
					   at_ns + S - 1) -
				bed_passed(&bed, ids[i], ids[i], at_ns - 1);
		if (left > most)
			most = left;
	}
	bed_fini(&bed);
	return most;
}

static void test_ports_that_are_used_again_are_paced(void **state)
{
	(void)state;
	assert_in_range(reconnect(1), 1, 100);
	assert_in_range(reconnect(10), 1, 100);
	assert_in_range(reconnect(100), 1, 100);
	assert_in_range(reconnect(400), 1, 100);
	assert_in_range(reconnect(600), 1, 100);
}

static void test_a_syn_that_is_said_again_begins_nothing(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, GUARDS);
	for (unsigned i = 0; i < 60; i++)
		for (int times = 0; times < 2; times++) {
			uint64_t now_ns = BEGIN + i * MS;
			uint64_t id = connect_to(&bed, (uint16_t)(1000 + i),
						 TCP_SYN, now_ns);

			assert_int_equal(now_ns, bed.packets[id].left_ns);
		}
	bed_fini(&bed);
}

static void test_what_is_connected_is_not_paced(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, GUARDS);
	connect_to(&bed, 999, TCP_SYN, BEGIN);
	for (unsigned i = 0; i < 300; i++)
		connect_to(&bed, (uint16_t)(1000 + i), TCP_SYN,
			   BEGIN + i * MS / 10);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t now_ns = BEGIN + 40 * MS + i * MS;
		struct pump_packet packet;
		uint64_t id;

		bed_packet(&packet, "tcp", "192.0.2.1", 80, "10.0.0.1", 999);
		packet.meta.tcp_flags = TCP_ACK;
		for (int replies = 0; replies < 20; replies++)
			bed_offer(&bed, &packet, now_ns);
		id = connect_to(&bed, 999, TCP_ACK, now_ns);
		assert_int_equal(BED_PASSED, bed.packets[id].fate);
		assert_int_equal(now_ns, bed.packets[id].left_ns);
	}
	bed_fini(&bed);
}

static void test_guards_that_are_lifted_hold_nothing(void **state)
{
	struct bed bed;
	uint64_t last = 0;

	(void)state;
	bed_init(&bed, "guards: {first_contacts: 0, new_connections: 0}\n");
	for (unsigned i = 0; i < 500; i++)
		last = contact(&bed, i, BEGIN);
	assert_int_equal(500, bed_passed(&bed, 0, last, BEGIN));
	bed_fini(&bed);
}

/* Somebody uses up its share of gates first, in the hope that none is left to
 * count its connections. */
static void test_connections_are_paced_without_gates_as_well(void **state)
{
	static uint64_t ids[1000];
	struct bed bed;
	size_t in_all = 0;

	(void)state;
	bed_init(&bed, "guards: {first_contacts: 0}\n"
		       "limits: {suspects: 64, held_packets_per_key: 0}\n");
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now_ns = BEGIN + i * MS;
		uint16_t port = (uint16_t)(1000 + i);
		struct pump_packet packet;

		for (unsigned k = 0; i % 200 == 0 && k < 30 * 12; k++) {
			contact(&bed, k % 30, now_ns);
			if (k < 30)
				answer(&bed, k, now_ns);
		}
		ids[i] = connect_to(&bed, port, TCP_SYN, now_ns);
		bed_packet(&packet, "tcp", "192.0.2.1", 80, "10.0.0.1", port);
		bed_offer(&bed, &packet, now_ns);
	}
	assert_true(bed_counter(&bed, STATS_suspects_refused) > 100);
	bed_run(&bed, BEGIN + 30 * S);
	for (uint64_t at_ns = BEGIN - S; at_ns < BEGIN + 30 * S;
	     at_ns += S / 10) {
		size_t connections = 0;

		for (int i = 0; i < 1000; i++)
			connections += bed.packets[ids[i]].fate == BED_PASSED &&
				       bed.packets[ids[i]].left_ns >= at_ns &&
				       bed.packets[ids[i]].left_ns < at_ns + S;
		assert_in_range(connections, 0, 100);
		in_all += connections;
	}
	/* each is in ten of those seconds; and they do not stop */
	assert_true(in_all > 10 * 200);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sweep_leaves_at_its_pace_and_in_order),
		cmocka_unit_test(test_a_sweep_without_gates_is_paced_as_well),
		cmocka_unit_test(test_an_answer_gives_the_place_back),
		cmocka_unit_test(test_who_is_answered_has_a_reserve),
		cmocka_unit_test(test_friends_give_no_lasting_gain),
		cmocka_unit_test(test_a_refusal_is_no_answer),
		cmocka_unit_test(test_conversations_do_not_notice_a_sweep),
		cmocka_unit_test(
			test_an_answered_flood_of_connections_is_paced),
		cmocka_unit_test(test_ports_that_are_used_again_are_paced),
		cmocka_unit_test(test_a_syn_that_is_said_again_begins_nothing),
		cmocka_unit_test(
			test_connections_are_paced_without_gates_as_well),
		cmocka_unit_test(test_what_is_connected_is_not_paced),
		cmocka_unit_test(test_guards_that_are_lifted_hold_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
