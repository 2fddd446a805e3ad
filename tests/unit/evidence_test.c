/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flowtable/packet_meta.h"
#include "shaper/evidence.h"

enum { SEGMENT = 1000, ACK = 16, RST = 4 };

static void send_bytes(struct evidence *evidence, uint32_t seq, uint32_t bytes)
{
	struct packet_meta meta = {
		.tcp_seq = seq,
		.header_bytes = 40,
		.length_bytes = 40 + bytes,
	};

	evidence_sent(evidence, &meta);
}

static uint32_t hear(struct evidence *evidence, uint32_t ack, uint8_t flags)
{
	struct packet_meta meta = {
		.tcp_ack = ack,
		.tcp_flags = flags,
		.header_bytes = 40,
		.length_bytes = 40,
	};

	return evidence_replies(evidence, &meta, SEGMENT);
}

static void test_evidence_counts_half_the_acknowledged_segments(void **state)
{
	static const struct {
		uint32_t bytes, replies;
	} rows[] = {
		{ 1, 1 },      { 1000, 1 },   { 2000, 1 }, { 2001, 2 },
		{ 3000, 2 },   { 4000, 2 },   { 5000, 3 }, { 43500, 22 },
		{ 44000, 22 }, { 64001, 33 },
	};

	(void)state;
	/* also where sequence numbers wrap */
	for (uint32_t start = 0u - 70000; start != 10000; start += 1000)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct evidence evidence = { 0 };

			send_bytes(&evidence, start, 65000);
			assert_int_equal(hear(&evidence, start + rows[i].bytes,
					      ACK),
					 rows[i].replies);
		}
}

static void test_evidence_refuses_what_cannot_be_true(void **state)
{
	struct evidence evidence = { 0 };

	(void)state;
	/* nothing was sent */
	assert_int_equal(hear(&evidence, 100000, ACK), 1);
	send_bytes(&evidence, 1000, 20000);
	/* more than was sent, before it, and the far side of the circle */
	assert_int_equal(hear(&evidence, 21001, ACK), 1);
	assert_int_equal(hear(&evidence, 999, ACK), 1);
	assert_int_equal(hear(&evidence, 1000 + (1u << 31), ACK), 1);
	/* a reset, and what has no ACK flag */
	assert_int_equal(hear(&evidence, 21000, ACK | RST), 1);
	assert_int_equal(hear(&evidence, 21000, 0), 1);
	/* once, and not again */
	assert_int_equal(hear(&evidence, 21000, ACK), 10);
	assert_int_equal(hear(&evidence, 21000, ACK), 1);
	assert_int_equal(hear(&evidence, 11000, ACK), 1);
	/* what is sent again has been acknowledged */
	send_bytes(&evidence, 1000, 20000);
	assert_int_equal(hear(&evidence, 21000, ACK), 1);
}

static void test_evidence_needs_a_segment_size(void **state)
{
	struct evidence evidence = { 0 };
	struct packet_meta meta = { .tcp_ack = 20000, .tcp_flags = ACK };

	(void)state;
	send_bytes(&evidence, 0, 20000);
	assert_int_equal(evidence_replies(&evidence, &meta, 0), 1);
	assert_int_equal(evidence_replies(&evidence, &meta, SEGMENT), 10);
}

static void test_evidence_of_a_leap_is_bounded(void **state)
{
	struct evidence evidence = { 0 };
	struct packet_meta meta = { .tcp_ack = 0x7fffffff, .tcp_flags = ACK };

	(void)state;
	send_bytes(&evidence, 0, 1);
	send_bytes(&evidence, 0x7ffffffe, 1);
	assert_int_equal(evidence_replies(&evidence, &meta, 1),
			 EVIDENCE_REPLIES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_evidence_counts_half_the_acknowledged_segments),
		cmocka_unit_test(test_evidence_refuses_what_cannot_be_true),
		cmocka_unit_test(test_evidence_needs_a_segment_size),
		cmocka_unit_test(test_evidence_of_a_leap_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
