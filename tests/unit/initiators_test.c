/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who began, remembered within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/packet_meta.h"
#include "sim/initiators.h"
#include "tests/random.h"

static const uint8_t seed[16] = "initiators_test";

static struct packet_ends ends_of(uint32_t src, uint32_t dst)
{
	struct packet_ends ends = { .proto = 17 };

	memcpy(ends.src, &src, sizeof(src));
	memcpy(ends.dst, &dst, sizeof(dst));
	return ends;
}

static bool ask(struct initiators *initiators, uint32_t src, uint32_t dst,
		uint16_t zone)
{
	struct packet_ends ends = ends_of(src, dst);

	return initiators_ask(initiators, &ends,
			      initiators_hash(initiators, &ends, zone));
}

static void test_initiators_remembers_who_sent_first(void **state)
{
	struct initiators *initiators = initiators_new(1000, false, seed);

	(void)state;
	assert_non_null(initiators);
	assert_true(ask(initiators, 1, 2, 0));
	assert_false(ask(initiators, 2, 1, 0));
	assert_true(ask(initiators, 1, 2, 0));
	assert_true(ask(initiators, 9, 3, 0));
	assert_false(ask(initiators, 3, 9, 0));
	assert_true(ask(initiators, 2, 1, 7)); /* elsewhere */
	assert_true(ask(initiators, 5, 5, 0)); /* with itself */
	assert_true(ask(initiators, 5, 5, 0));
	assert_int_equal(initiators_forgotten(initiators), 0);
	initiators_free(initiators);
	initiators_free(NULL);
}

static void test_initiators_find_remembers_nothing(void **state)
{
	struct initiators *initiators = initiators_new(1000, false, seed);
	struct packet_ends ends = ends_of(1, 2);
	uint64_t hash = initiators_hash(initiators, &ends, 0);
	bool began = false;

	(void)state;
	assert_false(initiators_find(initiators, &ends, hash, &began));
	assert_false(initiators_find(initiators, &ends, hash, &began));
	assert_true(ask(initiators, 2, 1, 0));
	assert_true(initiators_find(initiators, &ends, hash, &began));
	assert_false(began);
	initiators_free(initiators);
}

/* Each pair's first packet, then all of them the other way round. */
static uint64_t wrong_of(struct initiators *initiators, uint32_t pairs)
{
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < pairs; i++)
		assert_true(ask(initiators, 2 * i, 2 * i + 1, 0));
	for (uint32_t i = 0; i < pairs; i++)
		wrong += ask(initiators, 2 * i + 1, 2 * i, 0);
	return wrong;
}

static void test_initiators_knows_all_that_it_has_room_for(void **state)
{
	struct initiators *initiators = initiators_new(100000, false, seed);

	(void)state;
	assert_in_range(wrong_of(initiators, 100000), 0, 100);
	initiators_free(initiators);
}

static void test_initiators_forgets_the_oldest_or_grows(void **state)
{
	struct initiators *bounded = initiators_new(1000, false, seed);
	struct initiators *growing = initiators_new(1000, true, seed);

	(void)state;
	assert_true(wrong_of(bounded, 100000) > 90000);
	assert_true(initiators_forgotten(bounded) > 90000);
	assert_int_equal(wrong_of(growing, 100000), 0);
	assert_int_equal(initiators_forgotten(growing), 0);
	initiators_free(bounded);
	initiators_free(growing);
}

static void test_initiators_keeps_who_is_seen_often(void **state)
{
	struct initiators *initiators = initiators_new(1000, false, seed);

	(void)state;
	assert_true(ask(initiators, 0xffffffff, 1, 0));
	for (uint32_t i = 0; i < 200000; i++) {
		ask(initiators, 2 * i, 2 * i + 1, 0);
		assert_false(ask(initiators, 1, 0xffffffff, 0));
	}
	initiators_free(initiators);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initiators_remembers_who_sent_first),
		cmocka_unit_test(test_initiators_find_remembers_nothing),
		cmocka_unit_test(
			test_initiators_knows_all_that_it_has_room_for),
		cmocka_unit_test(test_initiators_forgets_the_oldest_or_grows),
		cmocka_unit_test(test_initiators_keeps_who_is_seen_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
