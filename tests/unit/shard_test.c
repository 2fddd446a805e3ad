/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The vectors of lookup3.c, driver5; netns/rules_forward asks the kernel. */
static void test_jhash_is_lookup3(void **state)
{
	static const struct {
		const char *text;
		uint32_t seed, hash;
	} ROWS[] = {
		{ "", 0, 0xdeadbeef },
		{ "", 0xdeadbeef, 0xbd5b7dde },
		{ "Four score and seven years ago", 0, 0x17770551 },
		{ "Four score and seven years ago", 1, 0xcd628161 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++)
		assert_int_equal(ROWS[i].hash,
				 shard_jhash((const uint8_t *)ROWS[i].text,
					     (uint32_t)strlen(ROWS[i].text),
					     ROWS[i].seed));
}

static void test_one_shard_is_always_the_first(void **state)
{
	uint8_t host[16] = { 0x20, 0x01 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 256; i++) {
		host[15] = (uint8_t)i;
		assert_int_equal(0, shard_of(host, i, 1));
	}
}

static void test_hosts_spread_over_all_shards(void **state)
{
	uint8_t host[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };
	unsigned int count[SHARDS_MAX] = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 64000; i++) {
		host[14] = (uint8_t)(i >> 8);
		host[15] = (uint8_t)i;
		count[shard_of(host, 42, SHARDS_MAX)]++;
	}
	for (i = 0; i < SHARDS_MAX; i++)
		assert_in_range(count[i], 800, 1200);
}

static void test_ipv4_is_hashed_by_its_four_bytes(void **state)
{
	static const uint8_t host[16] = {
		[10] = 0xff, [11] = 0xff, 10, 20, 0, 7
	};
	uint32_t hash = shard_jhash(host + 12, 4, 7);

	(void)state;
	assert_int_equal(((uint64_t)hash * 5) >> 32, shard_of(host, 7, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jhash_is_lookup3),
		cmocka_unit_test(test_one_shard_is_always_the_first),
		cmocka_unit_test(test_hosts_spread_over_all_shards),
		cmocka_unit_test(test_ipv4_is_hashed_by_its_four_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
