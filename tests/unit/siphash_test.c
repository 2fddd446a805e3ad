/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expected values are CPython's: from 3.11 on hash(bytes) is SipHash-1-3,
 * keyed by PYTHONHASHSEED (0: all zero; else by the generator of
 * Python/bootstrap_hash.c, lcg_urandom).
 *
 *	PYTHONHASHSEED=42 python3 -c '
 *	for n in (1, 2, 7, 8, 9, 15, 16, 23, 40, 41, 63):
 *	    print(n, hex(hash(bytes(range(n))) & (1 << 64) - 1))'
 *
 * Those under the zero key are also what Rust's DefaultHasher gives for
 * write(&bytes), and so is the one of no bytes at all, which Python special
 * cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/flowtable.h"
#include "flowtable/siphash.h"

static const uint8_t zero_key[16];
static const uint8_t key_42[16] = { 0xaf, 0x90, 0xcd, 0x68, 0xd3, 0x4f,
				    0x50, 0xdc, 0xc1, 0xe9, 0x99, 0xfe,
				    0x9f, 0xbb, 0x20, 0xb9 };

static const struct {
	const uint8_t *key;
	size_t count;
	uint64_t hash;
} rows[] = {
	{ zero_key, 0, 0xd1fba762150c532cu },
	{ zero_key, 1, 0x68a914128e01e473u },
	{ zero_key, 2, 0x010bac45c41e3669u },
	{ zero_key, 7, 0x2f098ab0c751325au },
	{ zero_key, 8, 0xead411e67ebe2eeau },
	{ zero_key, 9, 0x75927f9d95124362u },
	{ zero_key, 15, 0xf30eb725bb91c9eau },
	{ zero_key, 16, 0x8972188433a5c5b7u },
	{ zero_key, 23, 0x37332b1389daa4ffu },
	{ zero_key, 40, 0x95bc321ab41d8206u },
	{ zero_key, 41, 0x908a3a97a6d37669u },
	{ zero_key, 63, 0x385d3e39e5f37359u },
	{ key_42, 1, 0xce880c366bcf3489u },
	{ key_42, 2, 0xef32fbc0469f0756u },
	{ key_42, 7, 0xce280fabc397fbdau },
	{ key_42, 8, 0x60866c3c108c6afbu },
	{ key_42, 9, 0x68814005f7469e03u },
	{ key_42, 15, 0x94ace24d68c18cf8u },
	{ key_42, 16, 0x339176f3ac59ce05u },
	{ key_42, 23, 0xad71bad831e3a42du },
	{ key_42, 40, 0xde03d697bf20e38au },
	{ key_42, 41, 0x738c6863d812c266u },
	{ key_42, 63, 0x06e24d6f0d014c37u },
};

static void test_siphash_agrees_with_independent_ones(void **state)
{
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(siphash13(rows[i].key, bytes, rows[i].count) ==
			    rows[i].hash);
}

static void test_siphash_does_not_care_how_bytes_are_aligned(void **state)
{
	uint8_t bytes[80];

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		for (size_t i = 0; i < 63; i++)
			bytes[shift + i] = (uint8_t)i;
		assert_true(siphash13(key_42, bytes + shift, 63) ==
			    0x06e24d6f0d014c37u);
	}
}

/* The word interface is the published function but for the length block, and
 * the hash of a key is that of its 40 bytes as they stand in memory. */
static void test_siphash_of_a_key_is_that_of_its_words(void **state)
{
	struct flowtable table;
	struct flow_key key;
	uint64_t words[5];
	struct siphash s;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		((uint8_t *)&key)[i] = (uint8_t)(i * 7 + 1);
	memcpy(words, &key, sizeof(words));
	assert_true(flowtable_init(&table, 1, key_42));
	siphash_init(&s, table.k0, table.k1);
	for (int i = 0; i < 5; i++)
		siphash_word(&s, words[i]);
	assert_true(flowtable_hash(&table, &key) == siphash_finish(s));
	flowtable_fini(&table);

	siphash_word(&s, (uint64_t)sizeof(key) << 56);
	assert_true(siphash13(key_42, &key, sizeof(key)) == siphash_finish(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_agrees_with_independent_ones),
		cmocka_unit_test(
			test_siphash_does_not_care_how_bytes_are_aligned),
		cmocka_unit_test(test_siphash_of_a_key_is_that_of_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
