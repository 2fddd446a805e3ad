/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/io/nfqueue_room.h"
#include "shaper/pump.h"

static const uint8_t seed[16] = { 1, 2, 3 };

static struct pump_packet packet_of(uint8_t proto, uint16_t port)
{
	return (struct pump_packet){
		.meta = { .ends = { .src = { [15] = 1 },
				    .dst = { [15] = 2 },
				    .src_port = port,
				    .dst_port = 9,
				    .proto = proto },
			  .kind = PACKET_UNICAST },
	};
}

static struct pump_packet udp(uint16_t port)
{
	return packet_of(17, port);
}

static void test_room_lets_pass_who_follows_nobody(void **state)
{
	struct nfqueue_room *room = nfqueue_room_new(seed);
	struct pump_packet packet = udp(1);
	uint32_t id;

	(void)state;
	assert_non_null(room);
	nfqueue_room_open(room);
	assert_int_equal(nfqueue_room_ask(room, 7, &packet), NFQUEUE_ROOM_GO);
	nfqueue_room_shut(room);
	assert_int_equal(nfqueue_room_collect(room, &id, 1), 0);
	nfqueue_room_free(room);
}

static void test_room_keeps_who_follows_until_the_first_left(void **state)
{
	struct nfqueue_room *room = nfqueue_room_new(seed);
	struct pump_packet mine = udp(1), other = udp(2);
	uint32_t first, ids[8];

	(void)state;
	first = nfqueue_room_hold(room, &mine);
	assert_int_not_equal(first, 0);
	/* Its segments, and whoever came by another way, are no firsts. */
	assert_int_equal(nfqueue_room_hold(room, &mine), 0);
	assert_int_equal(nfqueue_room_ask(room, 7, &mine), NFQUEUE_ROOM_WAIT);
	assert_int_equal(nfqueue_room_ask(room, 8, &other), NFQUEUE_ROOM_GO);
	assert_int_equal(nfqueue_room_ask(room, 9, &mine), NFQUEUE_ROOM_WAIT);
	assert_int_equal(nfqueue_room_collect(room, ids, 8), 0);
	nfqueue_room_left(room, first);
	assert_int_equal(nfqueue_room_collect(room, ids, 8), 2);
	assert_int_equal(ids[0], 7);
	assert_int_equal(ids[1], 9);
	assert_int_equal(nfqueue_room_ask(room, 10, &mine), NFQUEUE_ROOM_GO);
	nfqueue_room_free(room);
}

static void test_room_knows_whom_it_let_go(void **state)
{
	struct nfqueue_room *room = nfqueue_room_new(seed);
	struct pump_packet mine = udp(1), other = udp(2);
	uint32_t first, id;

	(void)state;
	first = nfqueue_room_hold(room, &mine);
	assert_int_equal(nfqueue_room_ask(room, 7, &mine), NFQUEUE_ROOM_WAIT);
	nfqueue_room_left(room, first);
	nfqueue_room_open(room);
	assert_int_equal(nfqueue_room_collect(room, &id, 1), 1);
	/* It came to the main queue and is held again: its first has left. */
	assert_int_equal(nfqueue_room_hold(room, &mine), 0);
	assert_int_not_equal(nfqueue_room_hold(room, &other), 0);
	nfqueue_room_shut(room);
	/* Any other time it is a first: the rules have forgotten the flow. */
	assert_int_not_equal(nfqueue_room_hold(room, &mine), 0);
	nfqueue_room_free(room);
}

static void test_room_is_for_protocols_without_a_handshake(void **state)
{
	static const struct {
		uint8_t proto, kind;
		bool concerned;
	} rows[] = {
		{ 17, PACKET_UNICAST, true },  { 1, PACKET_UNICAST, true },
		{ 58, PACKET_UNICAST, true },  { 6, PACKET_UNICAST, false },
		{ 47, PACKET_UNICAST, false }, { 17, PACKET_MULTICAST, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nfqueue_room *room = nfqueue_room_new(seed);
		struct pump_packet packet = packet_of(rows[i].proto, 1);

		packet.meta.kind = rows[i].kind;
		assert_int_equal(nfqueue_room_hold(room, &packet) != 0,
				 rows[i].concerned);
		nfqueue_room_free(room);
	}
}

static void test_room_is_bounded_per_flow(void **state)
{
	struct nfqueue_room *room = nfqueue_room_new(seed);
	struct pump_packet packet = udp(1);
	uint32_t ids[NFQUEUE_ROOM_PER_FLOW + 1];
	uint32_t first;

	(void)state;
	first = nfqueue_room_hold(room, &packet);
	for (uint32_t i = 0; i < NFQUEUE_ROOM_PER_FLOW; i++)
		assert_int_equal(nfqueue_room_ask(room, i, &packet),
				 NFQUEUE_ROOM_WAIT);
	assert_int_equal(nfqueue_room_ask(room, 99, &packet),
			 NFQUEUE_ROOM_DROP);
	nfqueue_room_left(room, first);
	assert_int_equal(nfqueue_room_collect(room, ids,
					      NFQUEUE_ROOM_PER_FLOW + 1),
			 NFQUEUE_ROOM_PER_FLOW);
	nfqueue_room_free(room);
}

/* More flows than it has places: the others just do not wait.  And nothing is
 * lost of those that do. */
static void test_room_is_bounded_in_all(void **state)
{
	static uint32_t firsts[UINT16_MAX];
	struct nfqueue_room *room = nfqueue_room_new(seed);
	uint32_t waiting = 0, dropped = 0, back = 0, ids[64];
	struct pump_packet packet;
	size_t count;

	(void)state;
	for (uint32_t port = 1; port < UINT16_MAX; port++) {
		packet = udp((uint16_t)port);
		firsts[port] = nfqueue_room_hold(room, &packet);
		assert_int_equal(firsts[port] != 0,
				 port <= NFQUEUE_ROOM_FIRSTS);
	}
	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t port = 1; port <= NFQUEUE_ROOM_FIRSTS; port++) {
			packet = udp((uint16_t)port);
			if (nfqueue_room_ask(room, port, &packet) ==
			    NFQUEUE_ROOM_WAIT)
				waiting++;
			else
				dropped++;
		}
	assert_int_equal(waiting, NFQUEUE_ROOM_WAITING);
	assert_int_equal(dropped,
			 3 * NFQUEUE_ROOM_FIRSTS - NFQUEUE_ROOM_WAITING);
	for (uint32_t port = 1; port <= NFQUEUE_ROOM_FIRSTS; port++)
		nfqueue_room_left(room, firsts[port]);
	while ((count = nfqueue_room_collect(room, ids, 64)) > 0)
		back += (uint32_t)count;
	assert_int_equal(back, NFQUEUE_ROOM_WAITING);
	/* All places are free again. */
	for (uint32_t port = 1; port <= NFQUEUE_ROOM_FIRSTS; port++) {
		packet = udp((uint16_t)port);
		assert_int_not_equal(nfqueue_room_hold(room, &packet), 0);
	}
	nfqueue_room_free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_lets_pass_who_follows_nobody),
		cmocka_unit_test(
			test_room_keeps_who_follows_until_the_first_left),
		cmocka_unit_test(test_room_knows_whom_it_let_go),
		cmocka_unit_test(
			test_room_is_for_protocols_without_a_handshake),
		cmocka_unit_test(test_room_is_bounded_per_flow),
		cmocka_unit_test(test_room_is_bounded_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
