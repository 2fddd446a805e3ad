/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What conforms goes unasked for a while: see tap_leases.h. */
#include "tests/unit/tap_bed.h"
#include "xen-hooks/tap_leases.h"

enum { PORT = 1, OTHER_PORT = 2, SYN = 0x02, FIN = 0x01, ACK = 0x10 };

static void say_lease(struct bed *bed, uint64_t id, uint32_t lease_pkts)
{
	const struct tapmessage message = {
		.kind = TAPMESSAGE_VERDICT,
		.verdict = { .id = id, .lease_pkts = lease_pkts },
	};

	say(bed, &message);
}

/* The id of the next packet that waits for its verdict. */
static uint64_t asked(struct bed *bed)
{
	struct tapmessage message;

	do
		if (!hear(bed, TAPMESSAGE_PACKET, &message))
			return TAPMESSAGE_SEEN;
	while (message.packet.id == TAPMESSAGE_SEEN);
	return message.packet.id;
}

static void bed_init_leased(struct bed *bed, uint32_t lease_pkts)
{
	uint64_t id;

	bed_init(bed, TAP_INTERPOSE, false);
	say_mode(bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	offer_tcp(bed, 0, PORT, ACK, "vif1.0");
	id = asked(bed);
	assert_true(id & TAPMESSAGE_MAY_LEASE);
	say_lease(bed, id, lease_pkts);
	assert_int_equal(bed->verdicts[0], TAP_PASS);
}

static void test_tap_so_many_go_unasked_and_are_shown_soon(void **state)
{
	struct tapmessage message;
	struct bed bed;

	(void)state;
	bed_init_leased(&bed, 4);
	offer_tcp(&bed, 1, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 2, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[1], TAP_PASS);
	assert_int_equal(bed.verdicts[2], TAP_PASS);
	assert_false(hear(&bed, TAPMESSAGE_PACKET, &message));
	assert_true(tapcarrier_next_ns(bed.carrier) <=
		    bed.now_ns + TAP_UNSAID_NS);
	advance(&bed, TAP_UNSAID_NS);
	for (int i = 0; i < 2; i++) {
		assert_true(hear(&bed, TAPMESSAGE_PACKET, &message));
		assert_int_equal(message.packet.id, TAPMESSAGE_SEEN);
		assert_int_equal(message.packet.mode, TAP_OBSERVE);
		assert_int_equal(message.bytes_count, 40);
	}
	assert_int_equal(counter(&bed, TAPCARRIER_observed_pkts), 2);
	/* So many, and no more. */
	offer_tcp(&bed, 3, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 4, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 5, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[4], TAP_PASS);
	assert_int_equal(bed.verdicts[5], NO_VERDICT);
	bed_fini(&bed);
}

static void test_tap_a_lease_lasts_so_long(void **state)
{
	struct bed bed;

	(void)state;
	bed_init_leased(&bed, 100);
	advance(&bed, TAP_LEASE_NS - 1);
	offer_tcp(&bed, 1, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[1], TAP_PASS);
	advance(&bed, 1);
	offer_tcp(&bed, 2, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[2], NO_VERDICT);
	bed_fini(&bed);
}

/* Before it ends the judge is asked, once, and nobody waits for his answer. */
static void test_tap_a_lease_is_renewed(void **state)
{
	uint64_t id;
	struct bed bed;

	(void)state;
	bed_init_leased(&bed, 4);
	for (uint64_t i = 1; i <= 4; i++)
		offer_tcp(&bed, i, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[4], TAP_PASS);
	id = asked(&bed);
	assert_true(id & TAPMESSAGE_MAY_LEASE);
	assert_int_equal(asked(&bed), TAPMESSAGE_SEEN);
	say_lease(&bed, id, 2);
	say_lease(&bed, id, 2);
	assert_int_equal(counter(&bed, TAPCARRIER_stale_verdicts), 1);
	offer_tcp(&bed, 5, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 6, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 7, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[6], TAP_PASS);
	assert_int_equal(bed.verdicts[7], NO_VERDICT);
	bed_fini(&bed);
}

static void test_tap_others_are_asked_about_all_the_same(void **state)
{
	struct bed bed;

	(void)state;
	bed_init_leased(&bed, 100);
	offer_tcp(&bed, 1, OTHER_PORT, ACK, "vif1.0");
	offer_tcp(&bed, 2, PORT, ACK, "vif2.0");
	offer_tcp(&bed, 3, PORT, ACK | FIN, "vif1.0");
	offer_tcp(&bed, 4, PORT, SYN, "vif1.0");
	for (size_t i = 1; i <= 4; i++)
		assert_int_equal(bed.verdicts[i], NO_VERDICT);
	bed_fini(&bed);
}

/* Nobody overtakes who was asked about before. */
static void test_tap_who_goes_unasked_follows(void **state)
{
	uint64_t ids[3];
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, false);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	for (uint64_t i = 0; i < 3; i++) {
		offer_tcp(&bed, i, PORT, ACK, "vif1.0");
		ids[i] = asked(&bed);
	}
	say_lease(&bed, ids[0], 2);
	offer_tcp(&bed, 3, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 4, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 5, PORT, ACK, "vif1.0"); /* no lease is left */
	say_verdict(&bed, ids[1], TAP_PASS);
	assert_int_equal(bed.verdicts_count, 2);
	say_verdict(&bed, ids[2], TAP_DROP);
	assert_int_equal(bed.verdicts[3], TAP_PASS);
	assert_int_equal(bed.verdicts[4], TAP_PASS);
	assert_int_equal(bed.verdicts[5], NO_VERDICT);
	bed_fini(&bed);
}

static void test_tap_a_lease_ends_with_its_judge(void **state)
{
	struct bed bed;

	(void)state;
	bed_init_leased(&bed, 100);
	offer_tcp(&bed, 1, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[1], TAP_PASS);
	tapcarrier_lose(bed.carrier);
	offer_tcp(&bed, 2, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[2], TAP_DROP);
	bed.judge.close(bed.judge.self);
	connect_anew(&bed);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	offer_tcp(&bed, 3, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[3], NO_VERDICT);
	bed_fini(&bed);
}

/* What the judge would drop is not asked about while as much of its flow
 * waits. */
static void test_tap_a_flow_that_is_full_is_refused_for_a_while(void **state)
{
	uint64_t ids[5], token = 5;
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	for (uint64_t i = 0; i < 5; i++) {
		offer_tcp(&bed, i, PORT, ACK, "vif1.0");
		ids[i] = asked(&bed);
	}
	say_verdict(&bed, ids[4], TAP_DROP);
	offer_tcp(&bed, token, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[token++], TAP_DROP);
	assert_int_equal(counter(&bed, TAPCARRIER_refused_pkts), 1);
	assert_int_equal(asked(&bed), TAPMESSAGE_SEEN);
	/* Others are asked about, and so is what ends it. */
	offer_tcp(&bed, token, OTHER_PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[token++], NO_VERDICT);
	offer_tcp(&bed, token, PORT, ACK | FIN, "vif1.0");
	assert_int_equal(bed.verdicts[token++], NO_VERDICT);
	/* It may be full no more. */
	advance(&bed, TAPLEASES_REFUSED_NS);
	offer_tcp(&bed, token, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[token++], NO_VERDICT);
	/* It was. */
	while ((ids[4] = asked(&bed)) != TAPMESSAGE_SEEN)
		say_verdict(&bed, ids[4], TAP_DROP);
	offer_tcp(&bed, token, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[token++], TAP_DROP);
	/* Half of the four have left. */
	say_verdict(&bed, ids[0], TAP_PASS);
	say_verdict(&bed, ids[1], TAP_PASS);
	offer_tcp(&bed, token, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[token++], NO_VERDICT);
	bed_fini(&bed);
}

static void test_tap_what_is_dropped_alone_is_asked_about_again(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	for (uint64_t i = 0; i < 3; i++) {
		offer_tcp(&bed, i, PORT, ACK, "vif1.0");
		say_verdict(&bed, asked(&bed), TAP_DROP);
	}
	offer_tcp(&bed, 3, PORT, ACK, "vif1.0");
	offer_tcp(&bed, 4, PORT, ACK, "vif1.0");
	assert_int_equal(bed.verdicts[4], NO_VERDICT);
	assert_int_equal(counter(&bed, TAPCARRIER_refused_pkts), 0);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_tap_so_many_go_unasked_and_are_shown_soon),
		cmocka_unit_test(test_tap_a_lease_lasts_so_long),
		cmocka_unit_test(test_tap_a_lease_is_renewed),
		cmocka_unit_test(test_tap_others_are_asked_about_all_the_same),
		cmocka_unit_test(test_tap_who_goes_unasked_follows),
		cmocka_unit_test(test_tap_a_lease_ends_with_its_judge),
		cmocka_unit_test(
			test_tap_a_flow_that_is_full_is_refused_for_a_while),
		cmocka_unit_test(
			test_tap_what_is_dropped_alone_is_asked_about_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
