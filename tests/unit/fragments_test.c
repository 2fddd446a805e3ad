/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "flowtable/packet.h"

#define SECONDS UINT64_C(1000000000)

static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* A small, good enough source of numbers (Steele et al., SplitMix64). */
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) % bound);
}

static void set_ipv4(uint8_t addr[16], uint32_t number)
{
	memset(addr, 0, 16);
	addr[10] = 0xff;
	addr[11] = 0xff;
	addr[12] = 10;
	addr[13] = (uint8_t)(number >> 16);
	addr[14] = (uint8_t)(number >> 8);
	addr[15] = (uint8_t)number;
}

static struct packet_meta fragment4(uint32_t src, uint32_t dst, uint32_t id,
				    enum packet_fragment fragment)
{
	struct packet_meta meta;

	memset(&meta, 0, sizeof(meta));
	set_ipv4(meta.ends.src, src);
	set_ipv4(meta.ends.dst, dst);
	meta.ends.proto = 17;
	meta.ethertype = 0x0800;
	meta.fragment = (uint8_t)fragment;
	meta.fragment_id = id;
	if (fragment == PACKET_FIRST_FRAGMENT) {
		meta.ends.src_port = (uint16_t)(id + 1);
		meta.ends.dst_port = (uint16_t)(id + 2);
	}
	return meta;
}

static enum fragments_result first(struct fragments *fragments, uint32_t src,
				   uint32_t dst, uint32_t id,
				   enum flow_direction direction,
				   uint64_t now_ns)
{
	struct packet_meta meta =
		fragment4(src, dst, id, PACKET_FIRST_FRAGMENT);

	return fragments_resolve(fragments, &meta, direction, 0, now_ns);
}

static enum fragments_result later(struct fragments *fragments, uint32_t src,
				   uint32_t dst, uint32_t id,
				   enum flow_direction direction,
				   uint64_t now_ns)
{
	struct packet_meta meta =
		fragment4(src, dst, id, PACKET_LATER_FRAGMENT);

	return fragments_resolve(fragments, &meta, direction, 0, now_ns);
}

static void test_fragments_later_one_takes_the_ports_of_its_first(void **state)
{
	struct fragments *fragments = fragments_new(64, seed);
	struct packet_meta meta;

	(void)state;
	meta = fragment4(1, 2, 99, PACKET_FIRST_FRAGMENT);
	meta.kind = PACKET_DHCP;
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 0, 5),
			 FRAGMENTS_FIRST);
	for (int i = 0; i < 3; i++) {
		meta = fragment4(1, 2, 99, PACKET_LATER_FRAGMENT);
		assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT,
						   0, 6),
				 FRAGMENTS_FOLLOWED);
		assert_int_equal(meta.ends.src_port, 100);
		assert_int_equal(meta.ends.dst_port, 101);
		assert_int_equal(meta.kind, PACKET_DHCP);
	}
	meta = fragment4(1, 2, 99, PACKET_WHOLE);
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 0, 6),
			 FRAGMENTS_WHOLE);
	assert_int_equal(fragments_stats(fragments)->first, 1);
	assert_int_equal(fragments_stats(fragments)->followed, 3);
	assert_int_equal(fragments_stats(fragments)->orphaned, 0);
	fragments_free(fragments);
}

static void test_fragments_follow_nobody_else(void **state)
{
	struct fragments *fragments = fragments_new(64, seed);
	struct packet_meta meta;

	(void)state;
	first(fragments, 1, 2, 99, FLOW_OUT, 0);
	assert_int_equal(later(fragments, 1, 2, 98, FLOW_OUT, 0),
			 FRAGMENTS_ORPHANED);
	assert_int_equal(later(fragments, 2, 1, 99, FLOW_OUT, 0),
			 FRAGMENTS_ORPHANED);
	assert_int_equal(later(fragments, 1, 3, 99, FLOW_OUT, 0),
			 FRAGMENTS_ORPHANED);
	assert_int_equal(later(fragments, 1, 2, 99, FLOW_IN, 0),
			 FRAGMENTS_ORPHANED);
	meta = fragment4(1, 2, 99, PACKET_LATER_FRAGMENT);
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 1, 0),
			 FRAGMENTS_ORPHANED);
	meta.ends.proto = 6;
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 0, 0),
			 FRAGMENTS_ORPHANED);
	assert_int_equal(meta.ends.src_port, 0);
	assert_int_equal(fragments_stats(fragments)->orphaned, 6);
	fragments_free(fragments);
}

/* A first fragment with destination options calls its protocol UDP once they
 * are read; its followers call it "destination options" (60). */
static void test_fragments_of_ipv6_take_the_protocol_as_well(void **state)
{
	struct fragments *fragments = fragments_new(64, seed);
	struct packet_meta meta = fragment4(1, 2, 99, PACKET_FIRST_FRAGMENT);

	(void)state;
	meta.ethertype = 0x86dd;
	fragments_resolve(fragments, &meta, FLOW_OUT, 0, 0);
	meta = fragment4(1, 2, 99, PACKET_LATER_FRAGMENT);
	meta.ethertype = 0x86dd;
	meta.ends.proto = 60;
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 0, 0),
			 FRAGMENTS_FOLLOWED);
	assert_int_equal(meta.ends.proto, 17);
	assert_int_equal(meta.ends.src_port, 100);
	fragments_free(fragments);
}

static void test_fragments_are_forgotten_after_30_seconds(void **state)
{
	struct fragments *fragments = fragments_new(64, seed);

	(void)state;
	first(fragments, 1, 2, 99, FLOW_OUT, 7);
	assert_int_equal(later(fragments, 1, 2, 99, FLOW_OUT, 30 * SECONDS + 6),
			 FRAGMENTS_FOLLOWED);
	assert_int_equal(later(fragments, 1, 2, 99, FLOW_OUT, 30 * SECONDS + 7),
			 FRAGMENTS_ORPHANED);
	assert_int_equal(later(fragments, 1, 2, 99, FLOW_OUT, 0),
			 FRAGMENTS_FOLLOWED); /* time ran back */
	fragments_free(fragments);
}

static void test_fragments_id_used_again_means_the_newest(void **state)
{
	struct fragments *fragments = fragments_new(64, seed);
	struct packet_meta meta = fragment4(1, 2, 99, PACKET_FIRST_FRAGMENT);

	(void)state;
	fragments_resolve(fragments, &meta, FLOW_OUT, 0, 0);
	meta.ends.src_port = 4242;
	fragments_resolve(fragments, &meta, FLOW_OUT, 0, 29 * SECONDS);
	meta = fragment4(1, 2, 99, PACKET_LATER_FRAGMENT);
	assert_int_equal(fragments_resolve(fragments, &meta, FLOW_OUT, 0,
					   58 * SECONDS),
			 FRAGMENTS_FOLLOWED);
	assert_int_equal(meta.ends.src_port, 4242);
	assert_int_equal(fragments_stats(fragments)->evicted, 0);
	fragments_free(fragments);
}

static void test_fragments_have_a_place_where_none_is_asked_for(void **state)
{
	struct fragments *none = fragments_new(0, seed);

	(void)state;
	assert_int_equal(first(none, 1, 2, 3, FLOW_OUT, 0), FRAGMENTS_FIRST);
	assert_int_equal(later(none, 1, 2, 3, FLOW_OUT, 0), FRAGMENTS_FOLLOWED);
	fragments_free(none);
	fragments_free(NULL);
}

/* How many of `count` first fragments of good hosts can still be followed. */
static uint32_t survivors(struct fragments *fragments, uint32_t count,
			  enum flow_direction direction)
{
	uint32_t followed = 0;

	for (uint32_t i = 0; i < count; i++)
		followed += later(fragments, 1000 + i, 2000 + i, i, direction,
				  0) == FRAGMENTS_FOLLOWED;
	return followed;
}

/* One first fragment each of hosts 1000... to (or from) 2000... */
static void make_good(struct fragments *fragments, uint32_t count,
		      enum flow_direction direction)
{
	for (uint32_t i = 0; i < count; i++)
		first(fragments, 1000 + i, 2000 + i, i, direction, 0);
}

enum { PLACES = 4096, GOOD = 64, SPRAY = 200000 };

static void test_fragments_one_host_cannot_displace_others(void **state)
{
	struct fragments *fragments = fragments_new(PLACES, seed);

	(void)state;
	make_good(fragments, GOOD, FLOW_OUT);
	for (uint32_t i = 0; i < SPRAY; i++)
		first(fragments, 1, 5000 + random_below(60000), i, FLOW_OUT, 1);
	assert_int_equal(survivors(fragments, GOOD, FLOW_OUT), GOOD);
	fragments_free(fragments);
}

static void test_fragments_seven_hosts_cannot_displace_others(void **state)
{
	struct fragments *fragments = fragments_new(PLACES, seed);

	(void)state;
	make_good(fragments, 1, FLOW_OUT);
	for (uint32_t i = 0; i < SPRAY; i++)
		first(fragments, random_below(7), random_below(60000), i,
		      FLOW_OUT, 1);
	assert_int_equal(survivors(fragments, 1, FLOW_OUT), 1);
	fragments_free(fragments);
}

/* 2^64 addresses of one /64 are one host. */
static void test_fragments_one_prefix_is_one_host(void **state)
{
	struct fragments *fragments = fragments_new(PLACES, seed);

	(void)state;
	make_good(fragments, GOOD, FLOW_OUT);
	for (uint32_t i = 0; i < SPRAY; i++) {
		struct packet_meta meta =
			fragment4(i, i, i, PACKET_FIRST_FRAGMENT);

		meta.ethertype = 0x86dd;
		fragments_resolve(fragments, &meta, FLOW_OUT, 0, 1);
	}
	assert_int_equal(survivors(fragments, GOOD, FLOW_OUT), GOOD);
	fragments_free(fragments);
}

/* Forged sources by the thousand, to one host or to all of them. */
static void test_fragments_from_outside_displace_none_from_inside(void **state)
{
	struct fragments *fragments = fragments_new(PLACES, seed);

	(void)state;
	make_good(fragments, GOOD, FLOW_OUT);
	make_good(fragments, GOOD, FLOW_IN);
	for (uint32_t i = 0; i < SPRAY; i++)
		first(fragments, random_below(60000), 1, i, FLOW_IN, 1);
	assert_int_equal(survivors(fragments, GOOD, FLOW_IN), GOOD);
	for (uint32_t i = 0; i < SPRAY; i++)
		first(fragments, random_below(60000), random_below(60000), i,
		      FLOW_IN, 2);
	assert_int_equal(survivors(fragments, GOOD, FLOW_OUT), GOOD);
	/* This is what the header admits; if it changes, change that too. */
	assert_in_range(survivors(fragments, GOOD, FLOW_IN), 0, GOOD / 4);
	assert_in_range(fragments_stats(fragments)->evicted, SPRAY, 2 * SPRAY);
	fragments_free(fragments);
}

/* The price of that: after half as many as there are places, most are lost;
 * after a quarter of that, next to none. */
static void test_fragments_spray_must_be_as_large_as_the_table(void **state)
{
	enum { SMALL = PLACES / 8, LARGE = PLACES };
	uint32_t kept_small, kept_large;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fragments *fragments = fragments_new(PLACES, seed);

		make_good(fragments, GOOD, FLOW_IN);
		for (uint32_t j = 0; j < (i ? LARGE : SMALL); j++)
			first(fragments, j, 10000 + random_below(50000), j,
			      FLOW_IN, 1);
		*(i ? &kept_large : &kept_small) =
			survivors(fragments, GOOD, FLOW_IN);
		fragments_free(fragments);
	}
	print_message("of %d: %u outlive a spray of %d, %u one of %d\n", GOOD,
		      kept_small, SMALL, kept_large, LARGE);
	assert_in_range(kept_small, GOOD * 9 / 10, GOOD);
	assert_in_range(kept_large, 0, GOOD / 2);
}

/*
 * The naive model: an unbounded list, exact keys.  With few hosts in few
 * places the table may forget what the model knows (counted as evictions), but
 * it never follows what the model does not, nor with other ports.
 */
enum { MODEL_MAX = 40000 };

static struct model_entry {
	struct packet_meta meta;
	enum flow_direction direction;
	uint16_t zone;
	uint64_t made_ns;
} model[MODEL_MAX];

static const struct model_entry *model_find(size_t count,
					    const struct packet_meta *meta,
					    enum flow_direction direction,
					    uint16_t zone, uint64_t now_ns)
{
	while (count-- > 0) {
		const struct model_entry *entry = &model[count];

		if (memcmp(entry->meta.ends.src, meta->ends.src, 16) == 0 &&
		    memcmp(entry->meta.ends.dst, meta->ends.dst, 16) == 0 &&
		    entry->meta.ends.proto == meta->ends.proto &&
		    entry->meta.fragment_id == meta->fragment_id &&
		    entry->direction == direction && entry->zone == zone)
			return now_ns - entry->made_ns < 30 * SECONDS ? entry
								      : NULL;
	}
	return NULL;
}

static uint32_t run_against_model(uint32_t entries, uint32_t hosts,
				  uint32_t steps)
{
	struct fragments *fragments = fragments_new(entries, seed);
	size_t made = 0;
	uint64_t now_ns = 0;
	uint32_t forgotten = 0;

	for (uint32_t i = 0; i < steps; i++) {
		enum flow_direction direction = random_below(2) ? FLOW_OUT
								: FLOW_IN;
		uint16_t zone = (uint16_t)random_below(2);
		struct packet_meta meta =
			fragment4(random_below(hosts), random_below(hosts),
				  random_below(4),
				  random_below(2) ? PACKET_FIRST_FRAGMENT
						  : PACKET_LATER_FRAGMENT);
		const struct model_entry *entry;
		enum fragments_result result;

		now_ns += random_below(100000000);
		meta.ends.proto = random_below(2) ? 17 : 6;
		if (meta.fragment == PACKET_FIRST_FRAGMENT) {
			meta.ends.src_port = (uint16_t)random_below(65536);
			meta.ends.dst_port = (uint16_t)random_below(65536);
			assert_true(made < MODEL_MAX);
			model[made++] = (struct model_entry){ meta, direction,
							      zone, now_ns };
		}
		entry = model_find(made, &meta, direction, zone, now_ns);
		result = fragments_resolve(fragments, &meta, direction, zone,
					   now_ns);
		if (meta.fragment == PACKET_FIRST_FRAGMENT) {
			assert_int_equal(result, FRAGMENTS_FIRST);
		} else if (result == FRAGMENTS_FOLLOWED) {
			assert_non_null(entry);
			assert_int_equal(meta.ends.src_port,
					 entry->meta.ends.src_port);
			assert_int_equal(meta.ends.dst_port,
					 entry->meta.ends.dst_port);
		} else {
			assert_int_equal(result, FRAGMENTS_ORPHANED);
			forgotten += entry != NULL;
		}
	}
	if (forgotten > 0)
		assert_true(fragments_stats(fragments)->evicted > 0);
	fragments_free(fragments);
	return forgotten;
}

static void test_fragments_agree_with_a_naive_model(void **state)
{
	(void)state;
	random_state = 20240229;
	if (getenv("SYMTAP_SEED"))
		random_state = strtoull(getenv("SYMTAP_SEED"), NULL, 0);
	print_message("seed %llu\n", (unsigned long long)random_state);
	/* with room for all that is alive, nothing is forgotten */
	assert_int_equal(run_against_model(65536, 3, 20000), 0);
	/* without, some is */
	assert_true(run_against_model(16, 30, 20000) > 0);
}

static void
test_fragments_are_counted_after_they_were_put_together(void **state)
{
	static const struct {
		uint16_t ethertype, want;
		uint32_t length_bytes, mtu_bytes;
	} rows[] = {
		{ 0x0800, 1, 1500, 1500 },
		{ 0x0800, 2, 1501, 1500 },
		{ 0x0800, 3, 4028, 1500 },
		{ 0x0800, 3, 20 + 3 * 1480, 1500 },
		{ 0x0800, 4, 20 + 3 * 1480 + 1, 1500 },
		{ 0x0800, 45, 65535, 1500 },
		{ 0x0800, 1, 4028, 9000 },
		/* 1,376 bytes each, and what rounding left free in the last */
		{ 0x0800, 2, 20 + 1376 + 1380, 1400 },
		{ 0x0800, 3, 20 + 1376 + 1381, 1400 },
		{ 0x86dd, 3, 4048, 1500 },
		{ 0x86dd, 2, 40 + 1448 + 1452, 1500 },
		{ 0x86dd, 3, 40 + 1448 + 1453, 1500 },
		/* an MTU that is not known, or none that the protocol has */
		{ 0x0800, 1, 65535, 0 },
		{ 0x0800, 1, 68, 1 },
		{ 0x0800, 1365, 65535, 1 },
		{ 0x0800, 1365, 65535, 68 },
		{ 0x86dd, 1, 1280, 68 },
		{ 0x86dd, 2, 1281, 68 },
		/* whatever a length says */
		{ 0x0800, 1, 0, 1500 },
		{ 0x0800, UINT16_MAX, UINT32_MAX, 1500 },
		{ 0x86dd, UINT16_MAX, UINT32_MAX, 1280 },
		{ 0x86dd, 1, UINT32_MAX, UINT32_MAX },
		{ 0x86dd, 2, UINT32_MAX, UINT32_MAX - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fragments_count(rows[i].ethertype,
						 rows[i].length_bytes,
						 rows[i].mtu_bytes),
				 rows[i].want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_fragments_later_one_takes_the_ports_of_its_first),
		cmocka_unit_test(test_fragments_follow_nobody_else),
		cmocka_unit_test(
			test_fragments_of_ipv6_take_the_protocol_as_well),
		cmocka_unit_test(test_fragments_are_forgotten_after_30_seconds),
		cmocka_unit_test(test_fragments_id_used_again_means_the_newest),
		cmocka_unit_test(
			test_fragments_have_a_place_where_none_is_asked_for),
		cmocka_unit_test(
			test_fragments_one_host_cannot_displace_others),
		cmocka_unit_test(
			test_fragments_seven_hosts_cannot_displace_others),
		cmocka_unit_test(test_fragments_one_prefix_is_one_host),
		cmocka_unit_test(
			test_fragments_from_outside_displace_none_from_inside),
		cmocka_unit_test(
			test_fragments_spray_must_be_as_large_as_the_table),
		cmocka_unit_test(test_fragments_agree_with_a_naive_model),
		cmocka_unit_test(
			test_fragments_are_counted_after_they_were_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
