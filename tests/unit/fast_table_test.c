/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys in the memory that engines and program share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_table.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

enum {
	SLOTS = 64,
	SPAN = 1 << 20,
	ZONES = 4096,
	THREADS = 2,
	KEYS = 24,
	STEPS = 1000000
};

struct world {
	struct fast_slot slots[FAST_ELEMENTS * SLOTS];
	struct fasttable table;
};

static void set_up(struct world *world)
{
	memset(world, 0, sizeof(*world));
	assert_true(fasttable_init(&world->table, world->slots, SLOTS, 1, 2));
}

static struct flow_key key_of(uint16_t zone, uint16_t number,
			      enum flow_scope scope)
{
	struct flow_key key = { .zone = zone, .scope = (uint8_t)scope };

	key.inside[15] = 7;
	key.outside[14] = (uint8_t)(number >> 8);
	key.outside[15] = (uint8_t)number;
	if (scope == FLOW_SCOPE_FLOW) {
		key.inside_port = 4000;
		key.outside_port = 53;
		key.proto = 17;
	}
	return key;
}

static uint32_t home_of(const struct world *world, const struct flow_key *key)
{
	struct fast_key words;

	fast_key_of(key, &words);
	return (uint32_t)(fast_hash_pair(&world->table.multipliers, &words) >>
			  32) &
	       (SLOTS - 1);
}

/* Equal addresses in two zones never meet, and if their homes are one. */
static void test_table_tells_zones_with_one_home_apart(void **state)
{
	static struct world world;
	struct flow_key here, there;
	struct fast_key words;
	uint16_t zone = 2;
	uint32_t at;

	(void)state;
	set_up(&world);
	here = key_of(1, 9, FLOW_SCOPE_PAIR);
	there = key_of(zone, 9, FLOW_SCOPE_PAIR);
	while (home_of(&world, &there) != home_of(&world, &here)) {
		assert_true(++zone < ZONES);
		there = key_of(zone, 9, FLOW_SCOPE_PAIR);
	}
	at = fasttable_add_pair(&world.table, &here, SPAN, S);
	assert_int_equal(at, home_of(&world, &there));
	assert_int_equal(fasttable_find(&world.table, &here), at);
	assert_int_equal(fasttable_find(&world.table, &there), FASTTABLE_NONE);
	fast_key_of(&here, &words);
	assert_true(fast_slot_is(&world.slots[at], FAST_PAIR, &words));
	fast_key_of(&there, &words);
	assert_false(fast_slot_is(&world.slots[at], FAST_PAIR, &words));
	/* Both have a place, next to each other. */
	assert_int_equal(fasttable_add_pair(&world.table, &there, SPAN, S),
			 (at + 1) % SLOTS);
	assert_int_equal(fasttable_find(&world.table, &there),
			 (at + 1) % SLOTS);
	assert_int_equal(fasttable_find(&world.table, &here), at);
	fasttable_fini(&world.table);
}

/* Each engine numbers zones in its own order; the program has one number. */
static void test_table_turns_zones_into_the_programs_and_back(void **state)
{
	uint16_t zones[FAST_INTERFACES];
	static struct world world;
	struct flow_key key, told;
	uint32_t at;

	(void)state;
	set_up(&world);
	memset(zones, 0xff, sizeof(zones));
	zones[0] = 12;
	zones[3] = 5;
	fasttable_set_zones(&world.table, zones);
	key = key_of(5, 1, FLOW_SCOPE_PAIR);
	at = fasttable_add_pair(&world.table, &key, SPAN, S);
	assert_int_equal(world.slots[at].zone, 3);
	assert_int_equal(fasttable_find(&world.table, &key), at);
	fasttable_key(&world.table, at, FLOW_SCOPE_PAIR, &told);
	assert_memory_equal(&told, &key, sizeof(key));
	/* 3 is not one of ours, nor is the program at it. */
	key = key_of(3, 1, FLOW_SCOPE_PAIR);
	assert_int_equal(fasttable_find(&world.table, &key), FASTTABLE_NONE);
	assert_int_equal(fasttable_add_pair(&world.table, &key, SPAN, S),
			 FASTTABLE_NONE);
	fasttable_fini(&world.table);
}

static void test_table_does_not_find_what_is_anothers(void **state)
{
	static struct world world;
	struct fasttable other;
	struct flow_key key = key_of(1, 1, FLOW_SCOPE_PAIR);
	uint32_t at;

	(void)state;
	set_up(&world);
	assert_true(fasttable_init(&other, world.slots, SLOTS, 1, 2));
	at = fasttable_add_pair(&world.table, &key, SPAN, S);
	assert_int_equal(fasttable_find(&other, &key), FASTTABLE_NONE);
	assert_int_equal(fasttable_next_pair(&other, 0, SLOTS), SLOTS);
	assert_int_equal(fasttable_next_pair(&world.table, 0, SLOTS), at);
	assert_int_equal(fasttable_next_pair(&world.table, 0, at), at);
	assert_int_equal(fasttable_next_pair(&world.table, at + 1, SLOTS),
			 SLOTS);
	/* Nor takes it, while it rests either. */
	assert_int_not_equal(fasttable_add_pair(&other, &key, SPAN, S), at);
	fasttable_erase_pair(&world.table, at, S);
	key = key_of(1, 1, FLOW_SCOPE_PAIR);
	assert_int_not_equal(fasttable_add_pair(&other, &key, SPAN, S + MS),
			     at);
	fasttable_advance(&world.table, S + 20 * MS);
	assert_int_equal(fasttable_add_pair(&other, &key, SPAN, S + 20 * MS),
			 at);
	fasttable_fini(&other);
	fasttable_fini(&world.table);
}

struct engine {
	struct fasttable table;
	uint16_t first; /* key */
	pthread_t thread;
	pthread_barrier_t *both;
	uint64_t made;
	const char *wrong;
};

/* Adds and erases its own keys, by dice. */
static void *work(void *self)
{
	uint32_t places[KEYS];
	struct engine *engine = self;
	uint64_t seed = engine->first + 1u, now_ns = S;

	for (int i = 0; i < KEYS; i++)
		places[i] = FASTTABLE_NONE;
	pthread_barrier_wait(engine->both);
	for (int step = 0; step < STEPS && !engine->wrong; step++) {
		struct flow_key key;
		uint32_t which, at;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		which = (uint32_t)(seed >> 33) % KEYS;
		now_ns += 2 * MS;
		key = key_of(0, (uint16_t)(engine->first + which),
			     FLOW_SCOPE_PAIR);
		at = fasttable_find(&engine->table, &key);
		if (at != places[which])
			engine->wrong = "it is not where it was put";
		if (at == FASTTABLE_NONE) {
			places[which] = fasttable_add_pair(&engine->table, &key,
							   SPAN, now_ns);
			engine->made += places[which] != FASTTABLE_NONE;
		} else {
			fasttable_erase_pair(&engine->table, at, now_ns);
			places[which] = FASTTABLE_NONE;
		}
	}
	for (int i = 0; i < KEYS; i++)
		if (places[i] != FASTTABLE_NONE)
			fasttable_erase_pair(&engine->table, places[i], now_ns);
	fasttable_advance(&engine->table, now_ns + S);
	return NULL;
}

static void test_table_is_taken_from_by_two_threads_at_once(void **state)
{
	static struct fast_slot slots[FAST_ELEMENTS * SLOTS];
	static struct engine engines[THREADS];
	pthread_barrier_t both;

	(void)state;
	pthread_barrier_init(&both, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		engines[i].first = (uint16_t)(i * KEYS);
		engines[i].both = &both;
		assert_true(
			fasttable_init(&engines[i].table, slots, SLOTS, 1, 2));
		assert_int_equal(pthread_create(&engines[i].thread, NULL, work,
						&engines[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(engines[i].thread, NULL);
	pthread_barrier_destroy(&both);
	for (int i = 0; i < THREADS; i++) {
		assert_ptr_equal(engines[i].wrong, NULL);
		assert_true(engines[i].made > STEPS / 4);
		fasttable_fini(&engines[i].table);
	}
	/* Whoever came last has put the light out. */
	for (int i = 0; i < SLOTS; i++) {
		assert_int_equal(slots[i].kind, FAST_FREE);
		assert_int_equal(slots[i].passed_on, 0);
	}
}

static void test_table_is_as_large_as_the_memory_allows(void **state)
{
	static const struct {
		uint64_t memory_mib;
		uint32_t slots;
	} rows[] = {
		{ 0, 1024 },      { 5, 1024 },         { 6, 2048 },
		{ 130, 32768 },   { 767, 131072 },     { 768, 262144 },
		{ 1024, 262144 }, { 1 << 20, 262144 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fasttable_slots_for(rows[i].memory_mib << 20),
				 rows[i].slots);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_tells_zones_with_one_home_apart),
		cmocka_unit_test(
			test_table_turns_zones_into_the_programs_and_back),
		cmocka_unit_test(test_table_does_not_find_what_is_anothers),
		cmocka_unit_test(
			test_table_is_taken_from_by_two_threads_at_once),
		cmocka_unit_test(test_table_is_as_large_as_the_memory_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
