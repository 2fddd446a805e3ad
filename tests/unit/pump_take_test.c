/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that bear their time: as if each had been offered when it came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pump_bed.h"
#include "tests/random.h"

#define MS 1000000u

enum { PACKETS = 20000, BATCH_MAX = 200 };

struct fate {
	uint64_t left_ns;
	uint8_t fate; /* enum bed_fate */
};

struct traffic {
	struct pump_packet packets[PACKETS];
	struct fate fates[PACKETS];
	uint32_t order[PACKETS]; /* ids as they were told of */
	size_t told;
};

/* Few enough keys to meet again, some answered, bursts and rests. */
static void make(struct traffic *traffic, struct random *random,
		 uint64_t now_ns)
{
	memset(traffic, 0, sizeof(*traffic));
	for (size_t i = 0; i < PACKETS; i++) {
		char inside[] = "10.0.0.x", outside[] = "192.0.2.x";
		uint16_t port = (uint16_t)(1000 + random_below(random, 3));
		bool in = random_once(random, 4);

		inside[7] = (char)('1' + random_below(random, 4));
		outside[8] = (char)('1' + random_below(random, 9));
		if (random_once(random, 50))
			now_ns += random_next(random) % (3000ull * MS);
		else if (!random_once(random, 3))
			now_ns += random_next(random) % (20 * MS);
		bed_packet(&traffic->packets[i], "udp", in ? outside : inside,
			   port, in ? inside : outside, port);
		traffic->packets[i].id = i;
		traffic->packets[i].arrived_ns = now_ns;
	}
}

static void tell(struct traffic *traffic, uint64_t id, uint8_t verdict,
		 uint64_t left_ns)
{
	assert_int_equal(traffic->fates[id].fate, BED_UNKNOWN);
	traffic->fates[id] = (struct fate){
		.fate = verdict == PUMP_PASS ? BED_PASSED : BED_DROPPED,
		.left_ns = left_ns,
	};
	traffic->order[traffic->told++] = (uint32_t)id;
}

static void collect(struct bed *bed, struct traffic *traffic, size_t *next,
		    size_t first, size_t count)
{
	struct pump_release releases[64];
	size_t got;

	while ((got = pump_collect(bed->pump, releases, 64)) > 0)
		for (size_t i = 0; i < got; i++) {
			for (; *next < first + releases[i].after; (*next)++)
				if (traffic->packets[*next].verdict !=
				    PUMP_WAIT)
					tell(traffic, *next,
					     traffic->packets[*next].verdict,
					     traffic->packets[*next]
						     .arrived_ns);
			tell(traffic, releases[i].id, releases[i].verdict,
			     releases[i].left_ns);
		}
	for (; *next < first + count; (*next)++)
		if (traffic->packets[*next].verdict != PUMP_WAIT)
			tell(traffic, *next, traffic->packets[*next].verdict,
			     traffic->packets[*next].arrived_ns);
}

static void take_all(struct bed *bed, struct traffic *traffic,
		     struct random *random)
{
	size_t next = 0, count;
	uint64_t next_ns;

	for (size_t first = 0; first < PACKETS; first += count) {
		count = random_below(random, BATCH_MAX) + 1;
		if (count > PACKETS - first)
			count = PACKETS - first;
		pump_take(bed->pump, &traffic->packets[first], count);
		collect(bed, traffic, &next, first, count);
	}
	while (traffic->told < PACKETS) {
		next_ns = pump_next_ns(bed->pump);
		assert_true(next_ns != NS_NEVER);
		pump_advance(bed->pump, next_ns);
		collect(bed, traffic, &next, PACKETS, 0);
	}
}

static void check(const char *yaml, uint64_t seed)
{
	static struct bed one, batch;
	static struct traffic traffic;
	struct random random;
	uint64_t last_ns = 0;

	random_init(&random, seed);
	bed_init(&one, yaml);
	bed_init(&batch, yaml);
	make(&traffic, &random, one.now_ns);
	for (size_t i = 0; i < PACKETS; i++)
		bed_offer(&one, &traffic.packets[i],
			  traffic.packets[i].arrived_ns);
	bed_run(&one, one.now_ns + 1000000ull * MS);
	take_all(&batch, &traffic, &random);
	for (size_t i = 0; i < PACKETS; i++) {
		assert_int_equal(one.packets[i].fate, traffic.fates[i].fate);
		assert_int_equal(one.packets[i].left_ns,
				 traffic.fates[i].left_ns);
	}
	for (size_t i = 0; i < PACKETS; i++) {
		uint64_t left_ns = traffic.fates[traffic.order[i]].left_ns;

		assert_true(left_ns >= last_ns);
		last_ns = left_ns;
	}
	bed_fini(&one);
	bed_fini(&batch);
}

static void test_pump_take_is_offering_each_at_its_time(void **state)
{
	static const char *const policies[] = {
		"limiter: {evidence: packets, enforce: [flow]}\n",
		"limiter: {evidence: packets, enforce: [pair]}\n",
		"limiter: {enforce: [pair, flow]}\n",
		"limiter: {enforce: [host, pair, flow]}\n",
		"limiter: {enforce: [pair]}\n"
		"limits: {held_packets_per_key: 8, held_packets_per_host: "
		"20}\n",
	};
	uint64_t seed = random_seed("pump_take", 1);

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		check(policies[i], seed + i);
}

static void test_pump_take_does_not_loop_over_empty_months(void **state)
{
	static struct bed bed;
	struct pump_packet packets[2];

	(void)state;
	bed_init(&bed, "");
	bed_packet(&packets[0], "udp", "10.0.0.1", 1, "192.0.2.1", 1);
	packets[1] = packets[0];
	packets[0].arrived_ns = bed.now_ns;
	packets[1].arrived_ns = bed.now_ns + 3000000ull * 1000000000u;
	pump_take(bed.pump, packets, 2);
	assert_int_equal(packets[1].verdict, PUMP_PASS);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pump_take_is_offering_each_at_its_time),
		cmocka_unit_test(
			test_pump_take_does_not_loop_over_empty_months),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
