/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader sees of the judgement: what came beside what it counts for,
 * and what waits or passes for which reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "flowtable/flow.h"
#include "shaper/pump_lease.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16, SEGMENT_BYTES = 1448 };

static const char SHIPPED[] = "limiter: {evidence: consent, floor: 0}\n";
static const char INSIDE[] = "10.0.0.1", OUTSIDE[] = "192.0.2.1";

static uint64_t tcp_out(struct bed *bed, uint16_t port, uint8_t flags,
			uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "tcp", INSIDE, port, OUTSIDE, 80);
	packet.meta.tcp_flags = flags;
	packet.meta.length_bytes = packet.meta.header_bytes;
	return bed_offer(bed, &packet, now_ns);
}

static void tcp_in(struct bed *bed, uint16_t port, uint8_t flags,
		   uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "tcp", OUTSIDE, 80, INSIDE, port);
	packet.meta.tcp_flags = flags;
	packet.meta.length_bytes = packet.meta.header_bytes;
	bed_offer(bed, &packet, now_ns);
}

static uint64_t udp_out(struct bed *bed, const char *outside, uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", INSIDE, 1000, outside, 53);
	return bed_offer(bed, &packet, now_ns);
}

static struct snapshot_row row_of(struct bed *bed, enum flow_scope scope,
				  const char *outside)
{
	struct snapshot_row row;

	assert_true(bed_row(bed, scope, INSIDE, outside, &row));
	return row;
}

/* Segments of an upload, and one acknowledgement of all of them. */
static void upload(struct bed *bed, uint16_t port, uint32_t *seq,
		   uint32_t segments, uint64_t now_ns)
{
	struct pump_packet packet;

	bed_packet(&packet, "tcp", INSIDE, port, OUTSIDE, 80);
	packet.meta.tcp_flags = TCP_ACK;
	packet.meta.header_bytes = 52;
	packet.meta.length_bytes = 52 + SEGMENT_BYTES;
	for (; segments > 0; segments--) {
		packet.meta.tcp_seq = *seq;
		*seq += SEGMENT_BYTES;
		bed_offer(bed, &packet, now_ns);
	}
	bed_packet(&packet, "tcp", OUTSIDE, 80, INSIDE, port);
	packet.meta.tcp_flags = TCP_ACK;
	packet.meta.tcp_ack = *seq;
	packet.meta.length_bytes = packet.meta.header_bytes;
	bed_offer(bed, &packet, now_ns + MS);
}

/* Every key that counts it, the host's as well, which holds nothing. */
static void test_an_upload_shows_what_came_and_what_decides(void **state)
{
	static const char *const outsides[] = { OUTSIDE, OUTSIDE, NULL };
	uint32_t seq = 1;
	struct bed bed;

	(void)state;
	bed_init(&bed, SHIPPED);
	for (uint64_t t = 0; t < 3000; t += 10)
		upload(&bed, 5000, &seq, 44, BEGIN + t * MS);
	bed_run(&bed, BEGIN + 2999 * MS);
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		struct snapshot_row row =
			row_of(&bed, (enum flow_scope)scope, outsides[scope]);

		/* 64 runs for 200 times: up to W/56 is forgotten early */
		assert_in_range(row.sent_pkts, 4400 * 55 / 56 - 44, 4400);
		assert_in_range(row.heard_pkts, 97, 100);
		assert_in_range(row.replies, 22 * 97, 22 * 100);
		assert_false(row.over);
	}
	assert_int_equal(bed_counter(&bed, STATS_waited_pkts), 0);
	bed_fini(&bed);
}

/* The pair of a quiet conversation never came near its threshold when another
 * of its flows begins to upload. */
static void test_a_pair_borrows_to_show_what_came(void **state)
{
	uint32_t seq = 1;
	struct bed bed;
	struct snapshot_row row;

	(void)state;
	bed_init(&bed, SHIPPED);
	for (uint64_t t = 0; t < 1000; t += 5) {
		tcp_out(&bed, 4000, TCP_ACK, BEGIN + t * MS);
		tcp_in(&bed, 4000, TCP_ACK, BEGIN + t * MS);
	}
	for (uint64_t t = 1000; t < 3500; t += 10)
		upload(&bed, 5000, &seq, 44, BEGIN + t * MS);
	bed_run(&bed, BEGIN + 3499 * MS);
	row = row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE);
	assert_in_range(row.heard_pkts, 97, 100);
	assert_in_range(row.replies, 22 * 97, 22 * 100);
	bed_fini(&bed);
}

static void test_refused_replies_are_counted_by_why(void **state)
{
	struct snapshot_row row;
	struct bed bed;

	(void)state;
	bed_init(&bed, "limiter: {evidence: consent, floor: 0, patience: 0, "
		       "credit: 0}\n");
	for (uint16_t i = 0; i < 12; i++) {
		tcp_out(&bed, (uint16_t)(5000 + i), TCP_SYN, BEGIN + i * MS);
		tcp_in(&bed, (uint16_t)(5000 + i), TCP_RST | TCP_ACK,
		       BEGIN + i * MS);
	}
	row = row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE);
	assert_int_equal(row.replies, 0);
	assert_in_range(row.refused_rst, 9, 12);
	assert_in_range(row.heard_pkts, row.refused_rst, 12);
	assert_int_equal(row.refused_syn_ack, 0);
	assert_true(row.over);
	assert_int_equal(bed_counter(&bed, STATS_refused_rst), 12);
	bed_fini(&bed);
}

/* Until its handshake is completed: then it counts, once. */
static void test_a_completed_handshake_is_forgiven(void **state)
{
	struct snapshot_row before, after;
	struct bed bed;

	(void)state;
	bed_init(&bed, "limiter: {evidence: consent, floor: 0, patience: 0, "
		       "credit: 0}\n");
	for (uint16_t i = 0; i < 4; i++)
		tcp_out(&bed, (uint16_t)(5000 + i), TCP_SYN, BEGIN);
	for (uint16_t i = 0; i < 4; i++)
		tcp_in(&bed, (uint16_t)(5000 + i), TCP_SYN | TCP_ACK,
		       BEGIN + MS);
	before = row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE);
	assert_int_equal(before.heard_pkts, 4);
	assert_int_equal(before.replies, 0);
	assert_int_equal(before.refused_syn_ack, 4);
	for (uint16_t i = 0; i < 3; i++)
		tcp_out(&bed, (uint16_t)(5000 + i), TCP_ACK, BEGIN + 2 * MS);
	after = row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE);
	assert_int_equal(after.heard_pkts, 4);
	assert_int_equal(after.replies, 3);
	assert_int_equal(after.refused_syn_ack, 1);
	bed_fini(&bed);
}

static void test_the_purse_of_a_pair_is_seen(void **state)
{
	struct snapshot_row row;
	struct bed bed;

	(void)state;
	bed_init(&bed, SHIPPED);
	for (int i = 0; i < 20; i++)
		udp_out(&bed, OUTSIDE, BEGIN);
	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		row = row_of(&bed, (enum flow_scope)scope, OUTSIDE);
		assert_true(row.over);
		assert_int_equal(row.held_pkts, 0);
		assert_int_equal(row.patience_max_pkts, 48);
		assert_int_equal(row.patience_pkts, 48 - 16);
		assert_int_equal(row.earned_pkts, 0);
	}
	assert_int_equal(row_of(&bed, FLOW_SCOPE_HOST, NULL).patience_max_pkts,
			 0);
	assert_int_equal(bed_counter(&bed, STATS_paid_pkts), 16);
	udp_out(&bed, OUTSIDE, BEGIN + 1200 * MS);
	assert_int_equal(row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE).patience_pkts,
			 0);
	bed_fini(&bed);
}

static void test_who_waits_for_first_contacts_has_a_place_in_line(void **state)
{
	struct snapshot_row row;
	struct bed bed;
	char address[32];

	(void)state;
	bed_init(&bed, SHIPPED);
	for (unsigned i = 1; i <= 60; i++) {
		snprintf(address, sizeof(address), "192.0.2.%u", i);
		udp_out(&bed, address, BEGIN);
	}
	row = row_of(&bed, FLOW_SCOPE_HOST, NULL);
	assert_int_equal(row.pace_per_s, 20);
	assert_int_equal(row.paced, 20);
	assert_int_equal(row.line, 40);
	row = row_of(&bed, FLOW_SCOPE_FLOW, "192.0.2.58");
	assert_int_equal(row.by, PUMP_BY_CONTACTS);
	assert_int_equal(row.held_pkts, 1);
	assert_int_equal(row.pace_per_s, 20);
	assert_int_equal(row.before, 37);
	assert_int_equal(row.held_since_ns, BEGIN);
	bed_run(&bed, BEGIN + 1100 * MS);
	assert_int_equal(row_of(&bed, FLOW_SCOPE_HOST, NULL).line, 20);
	assert_int_equal(row_of(&bed, FLOW_SCOPE_FLOW, "192.0.2.58").before,
			 17);
	assert_int_equal(bed_counter(&bed, STATS_waited_contact_pkts), 20);
	bed_run(&bed, BEGIN + 3000 * MS);
	row = row_of(&bed, FLOW_SCOPE_FLOW, "192.0.2.58");
	assert_int_equal(row.by, PUMP_BYS);
	assert_int_equal(bed_counter(&bed, STATS_waited_contact_pkts), 40);
	assert_int_equal(bed_counter(&bed, STATS_waited_connection_pkts), 0);
	bed_fini(&bed);
}

static void test_who_waits_for_connections_has_a_place_in_line(void **state)
{
	struct snapshot_row row;
	struct bed bed;
	size_t passed;

	(void)state;
	bed_init(&bed, "limiter: {threshold: 12}\n");
	for (uint16_t i = 0; i < 130; i++)
		tcp_out(&bed, (uint16_t)(5000 + i), TCP_SYN, BEGIN);
	row = row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE);
	assert_int_equal(row.pace_per_s, 100);
	assert_int_equal(row.paced, 100);
	/* the meter began with those that it had not counted */
	passed = bed_passed(&bed, 0, 129, BEGIN);
	assert_in_range(passed, 98, 100);
	assert_int_equal(row.line, 130 - passed);
	bed_run(&bed, BEGIN + 1100 * MS);
	assert_int_equal(bed_counter(&bed, STATS_waited_connection_pkts),
			 130 - passed);
	assert_int_equal(row_of(&bed, FLOW_SCOPE_PAIR, OUTSIDE).line, 0);
	bed_fini(&bed);
}

/* Resets that nobody asked for, to a host that has sent nothing. */
static void test_what_only_comes_in_borrows_nothing(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, SHIPPED);
	for (uint16_t i = 0; i < 2000; i++)
		tcp_in(&bed, (uint16_t)(5000 + i), TCP_RST, BEGIN + i * MS);
	assert_int_equal(bed_counter(&bed, STATS_suspects_made), 0);
	bed_fini(&bed);
}

/* Nothing of it was counted here, and its reader knows where to ask. */
static void test_what_is_leased_is_shown_to_who_asks_for_it(void **state)
{
	struct snapshot_query query = { .scopes = 7 };
	struct snapshot_cursor cursor = { 0 };
	struct snapshot_row rows[4];
	struct bed bed;
	size_t count;

	(void)state;
	bed_init(&bed, SHIPPED);
	udp_out(&bed, OUTSIDE, BEGIN);
	for (int scope = FLOW_SCOPE_FLOW; scope <= FLOW_SCOPE_PAIR; scope++) {
		rows[0] = row_of(&bed, (enum flow_scope)scope, OUTSIDE);
		assert_false(rows[0].leased);
		pump_leased(bed.pump, &rows[0].key);
	}
	count = snapshot_rows(bed.pump, &query, &cursor, 1u << 20, rows, 4,
			      BEGIN + 2 * S);
	assert_int_equal(count, 0);
	query.leased = true;
	cursor = (struct snapshot_cursor){ 0 };
	count = snapshot_rows(bed.pump, &query, &cursor, 1u << 20, rows, 4,
			      BEGIN + 2 * S);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(rows[i].leased,
				 rows[i].key.scope != FLOW_SCOPE_HOST);
		assert_int_equal(rows[i].sent_pkts, 0);
		assert_int_equal(rows[i].host, rows[0].host);
	}
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_what_is_leased_is_shown_to_who_asks_for_it),
		T(test_an_upload_shows_what_came_and_what_decides),
		T(test_a_pair_borrows_to_show_what_came),
		T(test_refused_replies_are_counted_by_why),
		T(test_a_completed_handshake_is_forgiven),
		T(test_the_purse_of_a_pair_is_seen),
		T(test_who_waits_for_first_contacts_has_a_place_in_line),
		T(test_who_waits_for_connections_has_a_place_in_line),
		T(test_what_only_comes_in_borrows_nothing),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
