/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/flowtable.h"
#include "tests/random.h"

static const uint8_t seed[16] = "flowtable test";

static struct flow_key key_of(uint32_t number)
{
	struct flow_key key = { .scope = FLOW_SCOPE_FLOW, .proto = 17 };

	memcpy(key.inside, &number, sizeof(number));
	key.outside[7] = (uint8_t)number;
	key.inside_port = (uint16_t)(number >> 3);
	return key;
}

static uint32_t find(const struct flowtable *table, uint32_t number)
{
	struct flow_key key = key_of(number);

	return flowtable_find(table, &key, flowtable_hash(table, &key));
}

static uint32_t add(struct flowtable *table, uint32_t number)
{
	struct flow_key key = key_of(number);

	return flowtable_add(table, &key, flowtable_hash(table, &key));
}

static void check_entry(const struct flowtable *table, uint32_t slot,
			uint32_t number)
{
	struct flow_key key = key_of(number);
	uint32_t guess = flowtable_guess(table, flowtable_hash(table, &key));

	assert_in_range(slot, 0, table->capacity - 1);
	assert_true(flowtable_in_use(table, slot));
	assert_true(flow_key_equal(&flowtable_entry(table, slot)->key, &key));
	assert_int_equal(flowtable_entry(table, slot)->base_ns, number);
	/* a guess may be wrong, but never out of the table */
	if (guess != FLOWTABLE_NONE)
		assert_in_range(guess, 0, table->fresh - 1);
}

/* The naive map: slots by number. */
enum { NUMBERS = 3000 };

static void run_against_a_naive_map(uint32_t capacity, struct random *random)
{
	static uint32_t map[NUMBERS];
	struct flowtable table;
	uint32_t used = 0;

	assert_true(flowtable_init(&table, capacity, seed));
	for (int i = 0; i < NUMBERS; i++)
		map[i] = FLOWTABLE_NONE;
	for (int step = 0; step < 60000; step++) {
		uint32_t number = random_below(random, NUMBERS);

		assert_int_equal(find(&table, number), map[number]);
		if (map[number] == FLOWTABLE_NONE) {
			uint32_t slot = add(&table, number);

			if (used == capacity) {
				assert_int_equal(slot, FLOWTABLE_NONE);
				continue;
			}
			assert_int_not_equal(slot, FLOWTABLE_NONE);
			map[number] = slot;
			flowtable_entry(&table, slot)->base_ns = number;
			used++;
		} else if (random_once(random, 2)) {
			check_entry(&table, map[number], number);
		} else {
			flowtable_remove(&table, map[number]);
			assert_false(flowtable_in_use(&table, map[number]));
			map[number] = FLOWTABLE_NONE;
			used--;
		}
		assert_int_equal(table.used, used);
	}
	for (uint32_t number = 0; number < NUMBERS; number++) {
		assert_int_equal(find(&table, number), map[number]);
		if (map[number] != FLOWTABLE_NONE)
			check_entry(&table, map[number], number);
	}
	flowtable_fini(&table);
}

static void test_flowtable_agrees_with_a_naive_map(void **state)
{
	static const uint32_t capacities[] = { 1,   2,    4,    5,   63,
					       700, 1500, 2000, 4000 };
	struct random random;

	(void)state;
	random_init(&random, random_seed("flowtable", 1));
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++)
		run_against_a_naive_map(capacities[i], &random);
}

static void test_flowtable_is_full_only_when_every_entry_is_used(void **state)
{
	enum { CAPACITY = 50000 };
	struct flowtable table;
	uint32_t passed_on = 0;

	(void)state;
	assert_true(flowtable_init(&table, CAPACITY, seed));
	for (uint32_t number = 0; number < CAPACITY; number++)
		assert_int_not_equal(add(&table, number), FLOWTABLE_NONE);
	assert_int_equal(add(&table, CAPACITY), FLOWTABLE_NONE);
	assert_int_equal(table.used, CAPACITY);
	for (uint32_t i = 0; i < table.buckets_count; i++)
		passed_on += table.buckets[i].passed_on[0];
	/* some buckets overflowed, and few */
	assert_in_range(passed_on, 1, CAPACITY / 50);
	for (uint32_t number = 0; number < CAPACITY; number++)
		assert_int_not_equal(find(&table, number), FLOWTABLE_NONE);

	/* emptied again, nothing is left of it */
	for (uint32_t number = 0; number < CAPACITY; number++)
		flowtable_remove(&table, find(&table, number));
	assert_int_equal(table.used, 0);
	for (uint32_t i = 0; i < table.buckets_count; i++)
		assert_int_equal(table.buckets[i].passed_on[0], 0);
	flowtable_fini(&table);
}

/* Keys that all have one home, the last: they go round the end. */
static void test_flowtable_finds_keys_that_overflow_their_bucket(void **state)
{
	enum { CAPACITY = 100, KEYS = 40 };
	struct flowtable table;
	uint32_t numbers[KEYS], count = 0;

	(void)state;
	assert_true(flowtable_init(&table, CAPACITY, seed));
	for (uint32_t number = 0; count < KEYS; number++) {
		struct flow_key key = key_of(number);

		if (flowtable_home(&table, flowtable_hash(&table, &key)) ==
		    table.buckets_count - 1)
			numbers[count++] = number;
	}
	for (int i = 0; i < KEYS; i++)
		assert_int_not_equal(add(&table, numbers[i]), FLOWTABLE_NONE);
	/* 10 at home, 10 in each of the next three */
	assert_int_equal(table.buckets[table.buckets_count - 1].passed_on[0],
			 30);
	assert_int_equal(table.buckets[0].passed_on[0], 20);
	assert_int_equal(table.buckets[1].passed_on[0], 10);
	assert_int_equal(table.buckets[2].passed_on[0], 0);
	for (int i = 0; i < KEYS; i++)
		assert_int_not_equal(find(&table, numbers[i]), FLOWTABLE_NONE);
	/* those at home go; the others are still found, and the gap is used */
	for (int i = 0; i < 10; i++)
		flowtable_remove(&table, find(&table, numbers[i]));
	for (int i = 10; i < KEYS; i++)
		assert_int_not_equal(find(&table, numbers[i]), FLOWTABLE_NONE);
	for (int i = 0; i < 10; i++)
		assert_int_not_equal(add(&table, numbers[i]), FLOWTABLE_NONE);
	assert_int_equal(table.buckets[table.buckets_count - 1].passed_on[0],
			 30);
	for (int i = KEYS - 1; i >= 0; i--)
		flowtable_remove(&table, find(&table, numbers[i]));
	for (uint32_t i = 0; i < table.buckets_count; i++)
		assert_int_equal(table.buckets[i].passed_on[0], 0);
	flowtable_fini(&table);
}

static void test_flowtable_tells_scopes_zones_and_ends_apart(void **state)
{
	struct flowtable table;
	struct flow_key keys[5];

	(void)state;
	assert_true(flowtable_init(&table, 16, seed));
	for (int i = 0; i < 5; i++)
		keys[i] = key_of(1);
	keys[1].zone = 1;
	keys[2].scope = FLOW_SCOPE_PAIR;
	keys[3].inside_port++;
	keys[4].outside[15] = 1;
	for (int i = 0; i < 5; i++) {
		uint64_t hash = flowtable_hash(&table, &keys[i]);

		assert_int_equal(flowtable_find(&table, &keys[i], hash),
				 FLOWTABLE_NONE);
		assert_int_equal(flowtable_add(&table, &keys[i], hash), i);
	}
	flowtable_fini(&table);
}

static void test_flowtable_zeroes_what_it_makes(void **state)
{
	static const struct flow_entry fresh;
	struct flowtable table;
	struct flow_entry *entry;
	uint32_t slot;

	(void)state;
	assert_true(flowtable_init(&table, 4, seed));
	slot = add(&table, 1);
	entry = flowtable_entry(&table, slot);
	memset((char *)entry + sizeof(entry->key), 0xff,
	       sizeof(*entry) - sizeof(entry->key));
	flowtable_remove(&table, slot);
	assert_int_equal(add(&table, 2), slot);
	assert_memory_equal((char *)entry + sizeof(entry->key),
			    (const char *)&fresh + sizeof(entry->key),
			    sizeof(*entry) - sizeof(entry->key));
	flowtable_fini(&table);
}

static void test_flowtable_costs_less_than_128_bytes_an_entry(void **state)
{
	static const uint32_t capacities[] = { 64, 1000, 1000000, 1u << 30 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct flowtable table;

		assert_true(flowtable_init(&table, capacities[i], seed));
		assert_in_range(flowtable_bytes(&table) / capacities[i], 96,
				110);
		flowtable_fini(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flowtable_agrees_with_a_naive_map),
		cmocka_unit_test(
			test_flowtable_is_full_only_when_every_entry_is_used),
		cmocka_unit_test(
			test_flowtable_finds_keys_that_overflow_their_bucket),
		cmocka_unit_test(
			test_flowtable_tells_scopes_zones_and_ends_apart),
		cmocka_unit_test(test_flowtable_zeroes_what_it_makes),
		cmocka_unit_test(
			test_flowtable_costs_less_than_128_bytes_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
