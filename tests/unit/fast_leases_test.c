/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of the shared memory; the test plays the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_leases.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { SLOTS = 64, SLOTS_MANY = 65536 };

struct world {
	struct fast_slot *slots;
	struct fastleases *leases;
	struct bed bed;
	uint64_t now_ns;
};

static void set_up_with(struct world *world, uint32_t slots)
{
	memset(world, 0, sizeof(*world));
	world->slots = calloc(FAST_ELEMENTS * slots, sizeof(*world->slots));
	assert_non_null(world->slots);
	world->leases = fastleases_new(world->slots, slots, 1, 2);
	assert_non_null(world->leases);
	bed_init(&world->bed, "guards: {first_contacts: 0}\n");
	world->now_ns = BEGIN;
}

static void set_up(struct world *world)
{
	set_up_with(world, SLOTS);
}

static void tear_down(struct world *world)
{
	fastleases_free(world->leases);
	bed_fini(&world->bed);
	free(world->slots);
}

static void key_of(uint16_t port, bool out, struct pump_packet *packet,
		   struct flow_key *key)
{
	if (out)
		bed_packet(packet, "udp", "10.0.0.1", port, "192.0.2.1", 53);
	else
		bed_packet(packet, "udp", "192.0.2.1", 53, "10.0.0.1", port);
	memset(key, 0, sizeof(*key));
	flow_key_of(&packet->meta, out ? FLOW_OUT : FLOW_IN, 0, key);
}

static struct fast_slot *pair_of(struct world *world)
{
	for (int i = 0; i < SLOTS; i++)
		if (world->slots[i].kind == FAST_PAIR)
			return &world->slots[i];
	return NULL;
}

static bool is_leased(struct world *world)
{
	const struct fast_slot *pair = pair_of(world);

	return pair && pair->state & FAST_IN_KERNEL;
}

/* What the program does with a packet of a pair that is the engine's. */
static uint32_t steer(struct world *world)
{
	struct fast_slot *pair = pair_of(world);

	if (!pair)
		return FASTLEASES_MARK_NONE;
	pair->state += 1u << FAST_STEERED_SHIFT;
	return FAST_MARK_EPOCH + fast_epoch(pair->state);
}

/* What the program does with packets of one that is leased. */
static void pass(struct world *world, struct fast_slot *slot, uint32_t sent,
		 uint32_t heard)
{
	struct fast_history *histories = (void *)(world->slots + SLOTS);
	uint64_t number = fast_number(slot->span_64ns, world->now_ns);
	uint32_t at = 2 * (uint32_t)(slot - world->slots);

	slot->heard_pkts += fast_bucket_heard(
		fast_turn(&slot->pair, &histories[at], number));
	fast_turn(&slot->flow, &histories[at + 1], number);
	fast_add(&slot->pair, sent, heard);
	fast_add(&slot->flow, sent, heard);
}

static void come(struct world *world, uint16_t port, bool out, uint32_t mark)
{
	struct pump_packet packet;
	struct flow_key key;

	key_of(port, out, &packet, &key);
	fastleases_note(world->leases, world->bed.pump, &key, mark,
			world->now_ns);
	bed_offer(&world->bed, &packet, world->now_ns);
	if (out)
		fastleases_offer(world->leases, world->bed.pump, &key,
				 world->now_ns);
}

/* There and back. */
static void talk(struct world *world, uint16_t port)
{
	world->now_ns += 10 * MS;
	come(world, port, true, steer(world));
	come(world, port, false, FASTLEASES_MARK_NONE);
}

static void test_what_the_program_counts_can_be_read(void **state)
{
	static struct world world;
	struct pump_packet packet;
	struct flow_key flow, pair;
	uint32_t sent = 7, heard = 7;

	(void)state;
	set_up(&world);
	key_of(4000, true, &packet, &flow);
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &pair);
	assert_false(fastleases_read(world.leases, &pair, world.now_ns, &sent,
				     &heard));
	for (int i = 0; i < 20 && !is_leased(&world); i++)
		talk(&world, 4000);
	assert_true(is_leased(&world));
	world.now_ns += 2 * S; /* what came before the lease is forgotten */
	pass(&world, pair_of(&world), 3, 2);
	assert_true(fastleases_read(world.leases, &pair, world.now_ns, &sent,
				    &heard));
	assert_int_equal(sent, 3);
	assert_int_equal(heard, 2);
	assert_true(fastleases_read(world.leases, &flow, world.now_ns, &sent,
				    &heard));
	assert_int_equal(sent + heard, 5);
	key_of(4001, true, &packet, &flow);
	assert_false(fastleases_read(world.leases, &flow, world.now_ns, &sent,
				     &heard));
	fastleases_recall(world.leases, world.bed.pump, world.now_ns);
	assert_false(fastleases_read(world.leases, &pair, world.now_ns, &sent,
				     &heard));
	tear_down(&world);
}

static void test_a_pair_is_leased_once_it_was_answered(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk(&world, 1000);
	assert_false(is_leased(&world));
	talk(&world, 1000); /* answered: it has a slot from here on */
	assert_false(is_leased(&world));
	talk(&world, 1000);
	assert_true(is_leased(&world));
	assert_int_equal(fastleases_stats(world.leases)->leased, 1);
	assert_int_not_equal(fastleases_stats(world.leases)->keys, 0);
	tear_down(&world);
}

static void
test_none_is_leased_while_one_of_its_packets_is_on_its_way(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk(&world, 1000);
	talk(&world, 1000);
	steer(&world); /* not here yet */
	talk(&world, 1000);
	talk(&world, 1000);
	assert_false(is_leased(&world));
	tear_down(&world);
}

static void
test_what_is_lost_on_its_way_is_forgotten_with_an_epoch(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk(&world, 1000);
	talk(&world, 1000);
	steer(&world);
	for (int i = 0; i < 20 && !is_leased(&world); i++)
		talk(&world, 1000);
	assert_true(is_leased(&world));
	assert_int_equal(fastleases_stats(world.leases)->epochs, 1);
	tear_down(&world);
}

static void test_a_pair_keeps_to_the_link_that_it_was_leased_by(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk(&world, 1000);
	talk(&world, 1000);
	pair_of(&world)->link = FAST_LINK_MIXED;
	talk(&world, 1000);
	assert_false(is_leased(&world));
	pair_of(&world)->link = 7;
	talk(&world, 1000);
	assert_true(is_leased(&world));
	/* The rules had nothing against it. */
	come(&world, 1000, true, FAST_MARK_STRANGER);
	assert_false(is_leased(&world));
	assert_int_equal(fastleases_stats(world.leases)->taken_back, 1);
	tear_down(&world);
}

static void test_what_the_kernel_counted_comes_back(void **state)
{
	static struct world world;
	struct snapshot_row row;

	(void)state;
	set_up(&world);
	while (!is_leased(&world))
		talk(&world, 1000);
	world.now_ns += 100 * MS;
	pass(&world, pair_of(&world), 7, 6);
	pair_of(&world)->state = 0; /* given back */
	come(&world, 1000, true, steer(&world));
	assert_true(bed_row(&world.bed, FLOW_SCOPE_PAIR, "10.0.0.1",
			    "192.0.2.1", &row));
	assert_true(row.sent_pkts >= 8 && row.heard_pkts >= 6);
	assert_false(is_leased(&world));
	tear_down(&world);
}

static void test_all_comes_back_at_the_end(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	while (!is_leased(&world))
		talk(&world, 1000);
	fastleases_recall(world.leases, world.bed.pump, world.now_ns);
	assert_int_equal(fastleases_stats(world.leases)->leased, 0);
	assert_int_equal(fastleases_stats(world.leases)->keys, 0);
	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(world.slots[i].passed_on, 0);
	tear_down(&world);
}

/* Until it is leased, if it may be. */
static void talk_of(struct world *world, const char *inside,
		    const char *outside)
{
	struct pump_packet packet;
	struct flow_key key;

	for (int i = 0; i < 6; i++) {
		world->now_ns += MS;
		bed_packet(&packet, "udp", inside, 1000, outside, 53);
		flow_key_of(&packet.meta, FLOW_OUT, 0, &key);
		bed_offer(&world->bed, &packet, world->now_ns);
		fastleases_offer(world->leases, world->bed.pump, &key,
				 world->now_ns);
		bed_packet(&packet, "udp", outside, 53, inside, 1000);
		bed_offer(&world->bed, &packet, world->now_ns);
	}
}

static void talk_of_many(struct world *world, const char *hosts,
			 const char *peers)
{
	char inside[32], outside[32];

	for (unsigned int i = 1; i <= 200; i++) {
		snprintf(inside, sizeof(inside), hosts, i);
		snprintf(outside, sizeof(outside), peers, i);
		talk_of(world, inside, outside);
	}
}

static void test_a_full_table_leases_no_more(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk_of_many(&world, "10.0.0.%u", "192.0.2.%u");
	assert_true(fastleases_stats(world.leases)->full > 0);
	assert_false(fastleases_are_few(world.leases));
	assert_int_equal(fastleases_stats(world.leases)->beyond_share, 0);
	assert_true(fastleases_stats(world.leases)->keys <= SLOTS);
	tear_down(&world);
}

static void test_a_host_has_a_quarter(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk_of_many(&world, "10.0.0.1", "192.0.2.%u");
	assert_int_equal(fastleases_stats(world.leases)->keys, SLOTS / 4);
	assert_true(fastleases_stats(world.leases)->beyond_share > 0);
	talk_of(&world, "10.0.0.2", "192.0.2.1");
	assert_int_equal(fastleases_stats(world.leases)->keys, SLOTS / 4 + 1);
	fastleases_recall(world.leases, world.bed.pump, world.now_ns);
	assert_int_equal(fastleases_stats(world.leases)->keys, 0);
	world.now_ns += S;
	talk_of(&world, "10.0.0.1", "192.0.2.1");
	assert_int_equal(fastleases_stats(world.leases)->keys, 1);
	tear_down(&world);
}

static void test_who_is_silent_makes_room_in_a_crowd(void **state)
{
	static struct world world;

	(void)state;
	set_up(&world);
	talk_of_many(&world, "10.0.0.%u", "192.0.2.%u");
	assert_true(fastleases_stats(world.leases)->keys > SLOTS * 3 / 4);
	world.now_ns += 2 * S;
	fastleases_sweep(world.leases, world.bed.pump, world.now_ns);
	assert_true(fastleases_stats(world.leases)->keys <= SLOTS * 3 / 4);
	tear_down(&world);
}

static void sweep_twice(struct world *world)
{
	for (int i = 0; i < 2; i++, world->now_ns += S)
		fastleases_sweep(world->leases, world->bed.pump, world->now_ns);
}

/* Ten times as many slots in ten times the span, and never those behind the
 * last. */
static void test_a_later_sweep_looks_at_more(void **state)
{
	static struct world world;

	(void)state;
	set_up_with(&world, SLOTS_MANY);
	talk_of_many(&world, "10.0.0.%u", "192.0.2.%u");
	assert_true(fastleases_are_few(world.leases));
	assert_true(fastleases_stats(world.leases)->keys > 100);
	world.now_ns += 100 * S;
	sweep_twice(&world);
	assert_int_equal(fastleases_stats(world.leases)->leased, 0);
	world.now_ns += 100 * S;
	sweep_twice(&world);
	assert_int_equal(fastleases_stats(world.leases)->keys, 0);
	tear_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_program_counts_can_be_read),
		cmocka_unit_test(test_a_pair_is_leased_once_it_was_answered),
		cmocka_unit_test(
			test_none_is_leased_while_one_of_its_packets_is_on_its_way),
		cmocka_unit_test(
			test_what_is_lost_on_its_way_is_forgotten_with_an_epoch),
		cmocka_unit_test(
			test_a_pair_keeps_to_the_link_that_it_was_leased_by),
		cmocka_unit_test(test_what_the_kernel_counted_comes_back),
		cmocka_unit_test(test_all_comes_back_at_the_end),
		cmocka_unit_test(test_a_full_table_leases_no_more),
		cmocka_unit_test(test_a_host_has_a_quarter),
		cmocka_unit_test(test_who_is_silent_makes_room_in_a_crowd),
		cmocka_unit_test(test_a_later_sweep_looks_at_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
