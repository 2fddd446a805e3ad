/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flowtable/packet_meta.h"
#include "shaper/io/tap_segments.h"

enum { HEADERS = 52, MANY = 100000, PROTO_TCP = 6, PROTO_UDP = 17 };

static const uint8_t seed[16] = { 7 };

/* Of a flow that its port tells apart. */
static struct packet_meta packet(uint16_t port, uint32_t payload_bytes)
{
	return (struct packet_meta){
		.ends = { .src = { 1 },
			  .dst = { 2 },
			  .src_port = port,
			  .dst_port = 80,
			  .proto = PROTO_TCP },
		.header_bytes = HEADERS,
		.length_bytes = HEADERS + payload_bytes,
	};
}

static uint32_t count(struct tapsegments *segments, uint16_t port,
		      uint32_t payload_bytes)
{
	struct packet_meta meta = packet(port, payload_bytes);

	return tapsegments_count(segments, &meta);
}

static void learn(struct tapsegments *segments, uint16_t port,
		  uint32_t payload_bytes)
{
	struct packet_meta meta = packet(port, payload_bytes);

	tapsegments_learn(segments, &meta);
}

static void test_tap_segments_are_counted_once_they_were_seen(void **state)
{
	struct tapsegments *segments = tapsegments_new(seed);

	(void)state;
	learn(segments, 1, 1448); /* nobody had asked */
	assert_int_equal(count(segments, 1, 3000), 0);
	learn(segments, 1, 1448);
	learn(segments, 1, 1448);
	learn(segments, 1, 104);
	assert_int_equal(count(segments, 1, 3000), 3);
	assert_int_equal(count(segments, 1, 2896), 2);
	assert_int_equal(count(segments, 1, 2897), 3);
	assert_int_equal(count(segments, 1, 1), 1);
	tapsegments_free(segments);
}

static void test_tap_segments_are_each_flows_own(void **state)
{
	struct tapsegments *segments = tapsegments_new(seed);

	(void)state;
	assert_int_equal(count(segments, 1, 3000), 0);
	learn(segments, 2, 9);
	assert_int_equal(count(segments, 1, 3000), 0);
	learn(segments, 1, 1000);
	assert_int_equal(count(segments, 2, 3000), 0);
	learn(segments, 2, 500);
	assert_int_equal(count(segments, 1, 3000), 3);
	assert_int_equal(count(segments, 2, 3000), 6);
	tapsegments_free(segments);
}

/* And then they are as it shows, larger or smaller. */
static void test_tap_segments_are_asked_again_by_chance(void **state)
{
	struct tapsegments *segments = tapsegments_new(seed);
	uint32_t asked = 0, since = 0, least = MANY, most = 0, size = 1400;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++, since++) {
		uint32_t counted = count(segments, 1, 7 * size);

		if (counted > 0) {
			assert_int_equal(counted, 7);
			continue;
		}
		if (asked++ > 0) {
			least = since < least ? since : least;
			most = since > most ? since : most;
		}
		since = 0;
		size = asked % 2 ? 700 : 1400;
		learn(segments, 1, size);
	}
	assert_in_range(asked, MANY / 512 * 3 / 4, MANY / 512 * 5 / 4);
	assert_in_range(least, 256, 400);
	assert_in_range(most, 624, 768);
	tapsegments_free(segments);
}

/* Who has other headers, or may say for each how large it is. */
static void test_tap_segments_of_no_stream_are_taken_apart(void **state)
{
	struct tapsegments *segments = tapsegments_new(seed);
	struct packet_meta metas[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		metas[i] = packet(1, 1000);
	metas[0].ends.proto = PROTO_UDP;
	metas[1].fragment = PACKET_FIRST_FRAGMENT;
	metas[2].length_bytes = HEADERS;
	for (size_t i = 0; i < 3; i++) {
		for (int again = 0; again < 2; again++) {
			assert_int_equal(tapsegments_count(segments, &metas[i]),
					 0);
			tapsegments_learn(segments, &metas[i]);
		}
	}
	tapsegments_free(segments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_tap_segments_are_counted_once_they_were_seen),
		cmocka_unit_test(test_tap_segments_are_each_flows_own),
		cmocka_unit_test(test_tap_segments_are_asked_again_by_chance),
		cmocka_unit_test(
			test_tap_segments_of_no_stream_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
