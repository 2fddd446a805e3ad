/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many wire packets a super-packet is, and what finding out costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "tests/pump_bed.h"

enum { HEADERS = 40, SEGMENT = 1448, SEGMENTS = 10, MANY = 64 };

#define OPEN "limiter: {threshold: 8.0}\n"

static void bed_of_tcp(struct bed *bed, const char *yaml,
		       struct pump_packet *out, struct pump_packet *in)
{
	bed_init(bed, yaml);
	bed_packet(out, "tcp", "10.0.0.1", 1000, "192.0.2.1", 80);
	bed_packet(in, "tcp", "192.0.2.1", 80, "10.0.0.1", 1000);
	out->meta.header_bytes = in->meta.header_bytes = HEADERS;
	out->meta.length_bytes = in->meta.length_bytes = HEADERS;
	out->meta.tcp_flags = in->meta.tcp_flags = 16;
}

static void let_go(struct bed *bed)
{
	struct pump_release left[MANY];

	while (pump_collect(bed->pump, left, MANY) > 0)
		;
}

/* Its segments come back, as an adapter brings them. */
static void bring(struct bed *bed, const struct pump_packet *super,
		  uint32_t segment_bytes)
{
	uint32_t left = super->meta.length_bytes - HEADERS;

	while (left > 0) {
		struct pump_packet segment = *super;
		uint32_t bytes = left < segment_bytes ? left : segment_bytes;

		segment.super_packet = false;
		segment.meta.length_bytes = HEADERS + bytes;
		pump_hold(bed->pump, &segment, 1, bed->now_ns);
		let_go(bed);
		left -= bytes;
	}
	pump_settle(bed->pump);
	let_go(bed);
}

/* One super-packet in `segment_bytes`, and a reply for each segment.  Returns
 * whether it was taken apart. */
static bool send_super(struct bed *bed, const struct pump_packet *out,
		       const struct pump_packet *in, uint32_t segment_bytes)
{
	struct pump_packet super = *out, reply = *in;
	bool apart;

	bed->now_ns += 1000000;
	super.super_packet = true;
	super.wire_pkts = 0;
	super.meta.length_bytes = HEADERS + SEGMENTS * segment_bytes;
	pump_offer(bed->pump, &super, 1, bed->now_ns);
	apart = super.verdict == PUMP_WAIT;
	if (apart)
		bring(bed, &super, segment_bytes);
	for (int i = 0; i < SEGMENTS; i++)
		pump_offer(bed->pump, &reply, 1, bed->now_ns);
	let_go(bed);
	return apart;
}

/* A request of 37 bytes before the upload says nothing of its segments. */
static void test_a_plain_packet_tells_no_segment_size(void **state)
{
	static struct bed bed;
	struct pump_packet out, in, plain;

	(void)state;
	bed_of_tcp(&bed, OPEN, &out, &in);
	plain = out;
	plain.meta.length_bytes = HEADERS + 37;
	bed_offer(&bed, &plain, bed.now_ns);
	assert_true(send_super(&bed, &out, &in, SEGMENT));
	assert_false(send_super(&bed, &out, &in, SEGMENT));
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 1 + 2 * SEGMENTS);
	/* nor does one that is larger than they are */
	plain.meta.length_bytes = HEADERS + 9000;
	bed_offer(&bed, &plain, bed.now_ns);
	assert_false(send_super(&bed, &out, &in, SEGMENT));
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 2 + 3 * SEGMENTS);
	bed_fini(&bed);
}

static void test_what_follows_a_probe_need_not_come_back(void **state)
{
	static struct bed bed;
	struct pump_packet out, in, batch[8];

	(void)state;
	bed_of_tcp(&bed, OPEN, &out, &in);
	for (int i = 0; i < 8; i++) {
		batch[i] = out;
		batch[i].super_packet = true;
		batch[i].wire_pkts = 0;
		batch[i].meta.length_bytes = HEADERS + SEGMENTS * SEGMENT;
	}
	assert_int_equal(pump_offer(bed.pump, batch, 8, bed.now_ns), 1);
	assert_int_equal(batch[0].verdict, PUMP_WAIT);
	bring(&bed, &batch[0], SEGMENT);
	assert_int_equal(pump_offer(bed.pump, batch + 1, 7, bed.now_ns), 7);
	for (int i = 1; i < 8; i++)
		assert_int_equal(batch[i].verdict, PUMP_PASS);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 8 * SEGMENTS);
	assert_int_equal(bed_counter(&bed, STATS_dropped_key_bound), 0);
	bed_fini(&bed);
}

static uint32_t probes_in(struct bed *bed, const struct pump_packet *out,
			  const struct pump_packet *in, uint32_t supers)
{
	uint32_t probes = 0;

	for (uint32_t i = 0; i < supers; i++)
		probes += send_super(bed, out, in, SEGMENT);
	return probes;
}

static void test_probes_of_tcp_become_rare_and_find_a_liar(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;
	uint32_t lied = 0;

	(void)state;
	bed_of_tcp(&bed, OPEN, &out, &in);
	/* 1, then about 512, 1,024, 2,048, 4,096 and 8,192 further on */
	assert_in_range(probes_in(&bed, &out, &in, 40000), 6, 10);
	assert_in_range(probes_in(&bed, &out, &in, 40000), 3, 9);
	/* from now on in smaller segments */
	while (!send_super(&bed, &out, &in, 100))
		lied++;
	assert_true(lied <= 8192 + 4096);
	/* and it is asked more often again */
	assert_in_range(probes_in(&bed, &out, &in, 2048), 1, 6);
	bed_fini(&bed);
}

/* UDP's segment size is its sender's own to set. */
static void test_probes_of_udp_stay_frequent(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;

	(void)state;
	bed_of_tcp(&bed, OPEN, &out, &in);
	out.meta.ends.proto = in.meta.ends.proto = 17;
	assert_in_range(probes_in(&bed, &out, &in, 6400), 80, 125);
	bed_fini(&bed);
}

/* Slow start as a receiver with GRO sees it: one acknowledgement for all that
 * came.  The first of the flow count, too. */
static void test_an_upload_that_starts_loses_nothing(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;
	uint32_t flight = SEGMENTS, seq = 1;

	(void)state;
	bed_of_tcp(&bed, "limiter: {evidence: consent}\n", &out, &in);
	for (int i = 0; i < 8; i++, flight *= 2) {
		struct pump_packet super = out, ack = in;

		bed.now_ns += 10000000;
		pump_advance(bed.pump, bed.now_ns);
		let_go(&bed);
		super.super_packet = true;
		super.wire_pkts = 0;
		super.meta.tcp_seq = seq;
		super.meta.length_bytes = HEADERS + flight * SEGMENT;
		pump_offer(bed.pump, &super, 1, bed.now_ns);
		if (super.verdict == PUMP_WAIT)
			bring(&bed, &super, SEGMENT);
		else
			assert_int_equal(super.verdict, PUMP_PASS);
		seq += flight * SEGMENT;
		ack.meta.tcp_ack = seq;
		pump_offer(bed.pump, &ack, 1, bed.now_ns);
		let_go(&bed);
	}
	assert_int_equal(bed_counter(&bed, STATS_dropped_key_bound), 0);
	bed_fini(&bed);
}

enum { PIECES = 3, PIECES_BYTES = 4028 };

/* A datagram that was put together on its way here. */
static void bed_of_pieces(struct bed *bed, const char *yaml,
			  struct pump_packet *out, struct pump_packet *in)
{
	bed_init(bed, yaml);
	bed_packet(out, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(in, "udp", "192.0.2.1", 53, "10.0.0.1", 1000);
	out->wire_pkts = in->wire_pkts = PIECES;
	out->meta.length_bytes = in->meta.length_bytes = PIECES_BYTES;
}

/* Of the check figures' packets each third lets one go: 3, 6, 9, 12. */
static void test_a_datagram_leaves_when_its_last_piece_may(void **state)
{
	static const uint64_t want_ms[] = { 0, 6, 62, 510 };
	static struct bed bed;
	struct pump_packet out, in;
	struct snapshot_row row;

	(void)state;
	bed_of_pieces(&bed, "", &out, &in);
	for (int i = 0; i < 20; i++)
		bed_offer(&bed, &out, bed.now_ns);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.1", "192.0.2.1", &row));
	/* four pieces are out, of which one waits for its others */
	assert_int_equal(row.sent_pkts, 4);
	assert_int_equal(row.held_pkts, 20 * PIECES - 4);
	for (int i = 0; i < 4; i++) {
		uint64_t at_ns = 1000000000000u + want_ms[i] * 1000000u;

		bed_run(&bed, at_ns - (i ? 1 : 0));
		assert_int_equal(bed_passed(&bed, 0, 19, bed.now_ns),
				 i ? i : 1);
		bed_run(&bed, at_ns);
		assert_int_equal(bed_passed(&bed, 0, 19, bed.now_ns), i + 1);
	}
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 4 * PIECES);
	bed_run(&bed, bed.now_ns + UINT64_C(60000000000));
	assert_int_equal(bed_passed(&bed, 0, 19, bed.now_ns), 20);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 20 * PIECES);
	assert_int_equal(bed_counter(&bed, STATS_out_pkts), 20 * PIECES);
	bed_fini(&bed);
}

static void test_pieces_count_in_both_directions(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;

	(void)state;
	bed_of_pieces(&bed, "", &out, &in);
	for (int i = 0; i < MANY; i++) {
		bed_offer(&bed, &out, bed.now_ns);
		bed_offer(&bed, &in, bed.now_ns);
	}
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), MANY * PIECES);
	assert_int_equal(bed_counter(&bed, STATS_in_pkts), MANY * PIECES);
	assert_int_equal(bed_counter(&bed, STATS_waited_pkts), 0);
	bed_fini(&bed);
}

/* Both ends are guarded: who gets what waited hears of all its pieces. */
static void test_a_guarded_receiver_hears_of_every_piece(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;
	struct snapshot_row row;

	(void)state;
	bed_of_pieces(&bed, "limiter: {window: 60s}\n", &out, &in);
	bed_address("10.0.0.2", out.meta.ends.dst);
	for (int i = 0; i < 4; i++)
		bed_offer(&bed, &out, bed.now_ns);
	bed_run(&bed, bed.now_ns + 1000000000u);
	assert_int_equal(bed_passed(&bed, 0, 3, bed.now_ns), 4);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.2", "10.0.0.1", &row));
	assert_int_equal(row.heard_pkts, 4 * PIECES);
	bed_fini(&bed);
}

/* The bounds are of wire packets; whoever gives way does so whole. */
static void test_bounds_count_pieces(void **state)
{
	static struct bed bed;
	struct pump_packet out, in, other;
	uint64_t id;

	(void)state;
	bed_of_pieces(&bed,
		      "limits: {held_packets: 64, held_packets_per_host: 12, "
		      "held_packets_per_key: 12}\n",
		      &out, &in);
	bed_packet(&other, "udp", "10.0.0.1", 1001, "192.0.2.9", 53);
	/* 4 pieces leave, 11 wait */
	for (int i = 0; i < 5; i++)
		bed_offer(&bed, &out, bed.now_ns);
	id = bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_DROPPED);
	assert_int_equal(bed_counter(&bed, STATS_dropped_key_bound), PIECES);
	/* the fifth and sixth of another: the longest gives them room */
	for (int i = 0; i < 6; i++)
		id = bed_offer(&bed, &other, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_WAITS);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(bed.packets[4].fate, BED_DROPPED);
	assert_int_equal(bed_counter(&bed, STATS_dropped_host_bound), PIECES);
	bed_fini(&bed);
}

/* In shadow it goes at once, and its ghost piece by piece. */
static void test_shadow_counts_pieces(void **state)
{
	static struct bed bed;
	struct pump_packet out, in;

	(void)state;
	bed_of_pieces(&bed, "", &out, &in);
	bed.policy->mode = POLICY_SHADOW;
	pump_set_policy(bed.pump, bed.policy, bed.now_ns);
	for (int i = 0; i < 20; i++)
		bed_offer(&bed, &out, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, 19, bed.now_ns), 20);
	assert_int_equal(bed_counter(&bed, STATS_out_pkts), 20 * PIECES);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 4);
	bed_run(&bed, bed.now_ns + UINT64_C(60000000000));
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 20 * PIECES);
	bed_fini(&bed);
}

static void test_pump_counts_super_packets_as_wire_packets(void **state)
{
	static struct bed bed;
	struct pump_packet super, in;
	struct snapshot_row row;
	uint64_t id;

	(void)state;
	bed_init(&bed, "");
	bed_packet(&super, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	bed_packet(&in, "udp", "192.0.2.1", 53, "10.0.0.1", 1000);
	super.super_packet = true;
	super.wire_pkts = 10;
	for (int i = 0; i < 2; i++)
		bed_offer(&bed, &in, bed.now_ns);
	/* 10 at once: the tenth asks with 9 sent, 10 / 3 is not above 4 */
	id = bed_offer(&bed, &super, bed.now_ns);
	assert_int_equal(bed.packets[id].fate, BED_PASSED);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 10);
	/* the next would be up to 20: set aside, in segments */
	pump_offer(bed.pump, &super, 1, bed.now_ns);
	assert_int_equal(super.verdict, PUMP_WAIT);
	pump_settle(bed.pump);
	assert_true(
		bed_row(&bed, FLOW_SCOPE_FLOW, "10.0.0.1", "192.0.2.1", &row));
	assert_int_equal(row.sent_pkts, 10);
	bed_fini(&bed);
}

static void test_pump_learns_the_segment_size_from_segments(void **state)
{
	static struct bed bed;
	struct pump_packet super, segment;
	struct pump_release left;

	(void)state;
	bed_init(&bed, "limiter: {threshold: 4.0}\n");
	bed_packet(&super, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	super.super_packet = true;
	super.wire_pkts = 0;
	super.meta.length_bytes = 28 + 5 * 1000;
	pump_offer(bed.pump, &super, 1, bed.now_ns);
	assert_int_equal(super.verdict, PUMP_WAIT);
	bed_packet(&segment, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	segment.meta.length_bytes = 28 + 1000;
	for (int i = 0; i < 5; i++) {
		pump_hold(bed.pump, &segment, 1, bed.now_ns);
		assert_int_equal(segment.verdict, PUMP_WAIT);
		assert_int_equal(pump_collect(bed.pump, &left, 1), 1);
		assert_int_equal(left.verdict, PUMP_PASS);
	}
	pump_settle(bed.pump);
	/* from now on it is known: 5 and a half are 6 */
	super.meta.length_bytes = 28 + 5500;
	pump_offer(bed.pump, &super, 1, bed.now_ns);
	assert_int_equal(super.verdict, PUMP_PASS);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), 11);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_packet_tells_no_segment_size),
		cmocka_unit_test(test_what_follows_a_probe_need_not_come_back),
		cmocka_unit_test(
			test_probes_of_tcp_become_rare_and_find_a_liar),
		cmocka_unit_test(test_probes_of_udp_stay_frequent),
		cmocka_unit_test(test_an_upload_that_starts_loses_nothing),
		cmocka_unit_test(
			test_a_datagram_leaves_when_its_last_piece_may),
		cmocka_unit_test(test_pieces_count_in_both_directions),
		cmocka_unit_test(test_a_guarded_receiver_hears_of_every_piece),
		cmocka_unit_test(test_bounds_count_pieces),
		cmocka_unit_test(test_shadow_counts_pieces),
		cmocka_unit_test(
			test_pump_counts_super_packets_as_wire_packets),
		cmocka_unit_test(
			test_pump_learns_the_segment_size_from_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
