/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The carrier's end of the tap. */
#include "tests/unit/tap_bed.h"

static void test_tap_nobody_judges_before_a_greeting(void **state)
{
	static const bool opens[] = { true, false };
	struct bed bed;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bed_init(&bed, TAP_INTERPOSE, opens[i]);
		assert_false(tapcarrier_is_judged(bed.carrier));
		offer(&bed, 0, 100, 100);
		assert_int_equal(bed.verdicts[0],
				 opens[i] ? TAP_PASS : TAP_DROP);
		say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
		assert_true(tapcarrier_is_judged(bed.carrier));
		offer(&bed, 1, 100, 100);
		assert_int_equal(bed.verdicts[1], NO_VERDICT);
		bed_fini(&bed);
		/* What waits has a verdict also at the end. */
		assert_int_equal(bed.verdicts[1],
				 opens[i] ? TAP_PASS : TAP_DROP);
	}
}

static void test_tap_observing_delays_nobody_and_shows_headers(void **state)
{
	struct tapmessage message;
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERCEPT, false);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_OBSERVE);
	offer(&bed, 0, 1400, 1400);
	assert_int_equal(bed.verdicts[0], TAP_PASS);
	assert_true(hear(&bed, TAPMESSAGE_PACKET, &message));
	assert_int_equal(message.packet.id, TAPMESSAGE_SEEN);
	assert_int_equal(message.packet.wire_bytes, 1400);
	assert_int_equal(message.bytes_count, TAP_HEADERS_BYTES);
	assert_string_equal(message.packet.in, "vif1.0");
	bed_fini(&bed);
}

static void test_tap_each_verdict_is_carried_out_once(void **state)
{
	static const enum tap_verdict said[] = { TAP_DROP, TAP_PASS,
						 TAP_REPLACE };
	struct tapmessage message;
	uint64_t ids[3];
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	for (size_t i = 0; i < 3; i++) {
		offer(&bed, i, 60, 60);
		assert_true(hear(&bed, TAPMESSAGE_PACKET, &message));
		ids[i] = message.packet.id;
	}
	/* In another order than they came. */
	for (size_t i = 3; i-- > 0;)
		say_verdict(&bed, ids[i], said[i]);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(bed.verdicts[i], said[i]);
	assert_int_equal(bed.replaced_count, 5);
	assert_memory_equal(bed.replaced, "other", 5);
	/* Once more, and of what never was. */
	say_verdict(&bed, ids[0], TAP_PASS);
	say_verdict(&bed, ids[0] + 1, TAP_PASS);
	say_verdict(&bed, UINT64_MAX, TAP_PASS);
	assert_int_equal(counter(&bed, TAPCARRIER_stale_verdicts), 3);
	assert_int_equal(bed.verdicts_count, 3);
	assert_true(tapcarrier_is_judged(bed.carrier));
	bed_fini(&bed);
}

static void test_tap_intercepted_packets_end_at_the_judge_whole(void **state)
{
	struct tapmessage message, frame = {
		.kind = TAPMESSAGE_FRAME,
		.frame = { "vif1.0" },
		.bytes = (const uint8_t *)"0123456789abcdef",
		.bytes_count = 16,
	};
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERCEPT, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	/* Not in this mode. */
	say(&bed, &frame);
	assert_int_equal(bed.frame_bytes, 0);
	assert_int_equal(counter(&bed, TAPCARRIER_refused_frames), 1);
	say_mode(&bed, TAPMESSAGE_MODE, TAP_INTERCEPT);
	assert_int_equal(bed.mode, TAP_INTERCEPT);
	offer(&bed, 0, 1400, 1400);
	offer(&bed, 1, 2 * TAP_PACKET_BYTES, 2 * TAP_PACKET_BYTES); /* cut */
	assert_int_equal(bed.verdicts[0], TAP_DROP);
	assert_int_equal(bed.verdicts[1], TAP_DROP);
	assert_int_equal(counter(&bed, TAPCARRIER_cut_pkts), 1);
	assert_true(hear(&bed, TAPMESSAGE_PACKET, &message));
	assert_int_equal(message.bytes_count, 1400);
	assert_false(hear(&bed, TAPMESSAGE_PACKET, &message));
	say(&bed, &frame);
	assert_int_equal(bed.frame_bytes, 16);
	assert_string_equal(bed.frame_interface, "vif1.0");
	/* It was taken when headers were all that was to be seen. */
	offer(&bed, 2, 192, 1400);
	assert_int_equal(bed.verdicts[2], NO_VERDICT);
	assert_true(hear(&bed, TAPMESSAGE_PACKET, &message));
	assert_int_equal(message.packet.mode, TAP_INTERPOSE);
	say_verdict(&bed, message.packet.id, TAP_PASS);
	assert_int_equal(bed.verdicts[2], TAP_PASS);
	advance(&bed, TAP_STATS_NS);
	assert_true(hear(&bed, TAPMESSAGE_STATS, &message));
	assert_memory_equal(message.bytes, tapcarrier_stats(bed.carrier),
			    message.bytes_count);
	bed_fini(&bed);
}

static void test_tap_the_mode_changes_under_traffic(void **state)
{
	static const enum tap_mode modes[] = { TAP_OBSERVE, TAP_INTERPOSE,
					       TAP_INTERCEPT, TAP_INTERPOSE,
					       TAP_OBSERVE };
	uint8_t *verdicts;
	struct bed bed;
	uint64_t token = 0;

	(void)state;
	bed_init(&bed, TAP_INTERCEPT, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_OBSERVE);
	for (size_t i = 0; i < 5; i++) {
		say_mode(&bed, TAPMESSAGE_MODE, modes[i]);
		assert_int_equal(bed.mode, modes[i]);
		for (int n = 0; n < 4; n++)
			offer(&bed, token++, 100, 100);
		advance(&bed, MS);
	}
	/* Observing again, nobody waits for who interposed. */
	verdicts = bed.verdicts;
	for (uint64_t i = 0; i < token; i++)
		assert_int_equal(verdicts[i], i / 4 == 2 ? TAP_DROP : TAP_PASS);
	assert_int_equal(bed.verdicts_count, token);
	bed_fini(&bed);
}

static void test_tap_a_judge_gets_no_more_than_was_allowed(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERCEPT);
	assert_int_equal(bed.mode, TAP_INTERPOSE);
	tapcarrier_allow(bed.carrier, TAP_OBSERVE, bed.now_ns);
	assert_int_equal(bed.mode, TAP_OBSERVE);
	say_mode(&bed, TAPMESSAGE_MODE, TAP_INTERPOSE);
	assert_int_equal(bed.mode, TAP_OBSERVE);
	tapcarrier_allow(bed.carrier, TAP_INTERCEPT, bed.now_ns);
	assert_int_equal(bed.mode, TAP_INTERPOSE);
	bed_fini(&bed);
}

static void test_tap_a_silent_judge_is_none_within_a_second(void **state)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	offer(&bed, 0, 100, 100);
	for (int i = 0; i < 10; i++) { /* it waits, and the judge lives */
		advance(&bed, 200 * MS);
		say(&bed, &beat);
	}
	assert_int_equal(bed.verdicts[0], NO_VERDICT);
	assert_true(tapcarrier_next_ns(bed.carrier) <=
		    bed.now_ns + TAP_SILENCE_NS);
	advance(&bed, TAP_SILENCE_NS);
	assert_int_equal(bed.verdicts[0], TAP_PASS);
	assert_false(tapcarrier_is_connected(bed.carrier));
	assert_int_equal(counter(&bed, TAPCARRIER_abandoned_pkts), 1);
	offer(&bed, 1, 100, 100);
	assert_int_equal(bed.verdicts[1], TAP_PASS);
	/* And another comes. */
	bed.judge.close(bed.judge.self);
	connect_anew(&bed);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	offer(&bed, 2, 100, 100);
	assert_int_equal(bed.verdicts[2], NO_VERDICT);
	assert_int_equal(counter(&bed, TAPCARRIER_judges), 2);
	bed_fini(&bed);
}

static bool is_there;

static bool has_other(void *self)
{
	(void)self;
	return is_there;
}

static void wait_for_other(struct tapwire *wire)
{
	wire->has_other = has_other;
}

/* Else it would keep out every other. */
static void test_tap_a_judge_that_never_greets_is_none(void **state)
{
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, true);
	assert_int_equal(tapcarrier_next_ns(bed.carrier),
			 bed.now_ns + TAP_HELLO_NS);
	advance(&bed, TAP_HELLO_NS - 1);
	assert_true(tapcarrier_is_connected(bed.carrier));
	advance(&bed, 1);
	assert_false(tapcarrier_is_connected(bed.carrier));
	assert_int_equal(counter(&bed, TAPCARRIER_lost_judges), 0);
	bed.judge.close(bed.judge.self);
	/* A ring waits for its judge as long as it takes. */
	connect_by(&bed, wait_for_other);
	is_there = false;
	for (int i = 0; i < 10; i++)
		advance(&bed, TAP_HELLO_NS);
	assert_true(tapcarrier_is_connected(bed.carrier));
	is_there = true;
	advance(&bed, TAP_HELLO_NS);
	assert_false(tapcarrier_is_connected(bed.carrier));
	bed_fini(&bed);
}

static void test_tap_memory_and_patience_are_bounded(void **state)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };
	struct tapmessage message;
	struct bed bed;

	(void)state;
	bed_init(&bed, TAP_INTERPOSE, false);
	say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
	for (uint64_t i = 0; i < WAITING; i++)
		offer(&bed, i, 60, 60);
	ask_all(&bed);
	assert_int_equal(bed.verdicts_count, 0);
	assert_false(tapcarrier_has_room(bed.carrier));
	offer(&bed, WAITING, 60, 60);
	assert_int_equal(bed.verdicts[WAITING], TAP_DROP);
	assert_int_equal(counter(&bed, TAPCARRIER_full_pkts), 1);
	for (int i = 0; i < 10; i++) {
		advance(&bed, 500 * MS);
		say(&bed, &beat);
	}
	assert_int_equal(bed.verdicts_count, WAITING + 1);
	assert_int_equal(counter(&bed, TAPCARRIER_late_pkts), WAITING);
	while (hear(&bed, TAPMESSAGE_PACKET, &message))
		;
	assert_true(tapcarrier_has_room(bed.carrier));
	/* A judge that does not read finds its wire full. */
	for (uint64_t i = WAITING + 1; i < PACKETS; i++)
		offer(&bed, i, 60, 60);
	assert_true(tapcarrier_is_judged(bed.carrier));
	bed_fini(&bed);
	assert_int_equal(bed.verdicts_count, PACKETS);
}

static void test_tap_what_makes_no_sense_ends_it(void **state)
{
	const struct {
		const char *what;
		struct tapmessage_head head;
		uint64_t body[2];
	} rows[] = {
		{ "shorter than its head", { 7, TAPMESSAGE_BEAT }, { 0 } },
		{ "longer than a beat", { 16, TAPMESSAGE_BEAT }, { 0 } },
		{ "no such kind", { 8, TAPMESSAGE_KINDS }, { 0 } },
		{ "a second greeting",
		  { 16, TAPMESSAGE_HELLO },
		  { TAPMESSAGE_VERSION } },
		{ "another version",
		  { 16, TAPMESSAGE_MODE },
		  { TAPMESSAGE_VERSION + 1 } },
		{ "no such mode",
		  { 16, TAPMESSAGE_MODE },
		  { TAPMESSAGE_VERSION | (uint64_t)TAP_MODES << 32 } },
		{ "no such verdict",
		  { 24, TAPMESSAGE_VERDICT },
		  { 1, TAP_VERDICTS } },
		{ "of no packet", { 24, TAPMESSAGE_VERDICT }, { 0, TAP_PASS } },
		{ "a lease of none who has one",
		  { 24, TAPMESSAGE_VERDICT },
		  { 1, TAP_PASS | UINT64_C(1) << 32 } },
		{ "a lease of what is dropped",
		  { 24, TAPMESSAGE_VERDICT },
		  { TAPMESSAGE_MAY_LEASE | 1, TAP_DROP | UINT64_C(1) << 32 } },
		{ "a lease of too many",
		  { 24, TAPMESSAGE_VERDICT },
		  { TAPMESSAGE_MAY_LEASE | 1, (uint64_t)(TAP_LEASE_PKTS + 1)
						      << 32 } },
		{ "replaced by nothing",
		  { 24, TAPMESSAGE_VERDICT },
		  { 1, TAP_REPLACE } },
		{ "a packet, which only a carrier has",
		  { 72, TAPMESSAGE_PACKET },
		  { 0 } },
		{ "longer than anything",
		  { 1 << 20, TAPMESSAGE_FRAME },
		  { 0 } },
	};
	uint8_t bytes[72];
	struct bed bed;
	size_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bed_init(&bed, TAP_INTERCEPT, true);
		say_mode(&bed, TAPMESSAGE_HELLO, TAP_INTERPOSE);
		offer(&bed, 0, 60, 60);
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, &rows[i].head, 8);
		memcpy(bytes + 8, rows[i].body, 16);
		length = rows[i].head.length_bytes;
		if (length < 8 || length > sizeof(bytes))
			length = length < 8 ? 8 : sizeof(bytes);
		assert_int_equal(bed.judge.send(bed.judge.self, bytes, length),
				 0);
		advance(&bed, 0);
		if (tapcarrier_is_connected(bed.carrier))
			fail_msg("%s", rows[i].what);
		assert_int_equal(bed.verdicts[0], TAP_PASS);
		bed_fini(&bed);
	}
}

/* Who takes each for one wire packet, replaces packets or ends them has them
 * as they are on the wire. */
static void test_tap_super_packets_are_for_who_counts_them(void **state)
{
	static const struct {
		uint32_t version;
		enum tap_mode mode;
		bool super_packets;
	} rows[] = {
		{ TAPMESSAGE_VERSION_FIRST, TAP_INTERPOSE, false },
		{ TAPMESSAGE_VERSION, TAP_OBSERVE, true },
		{ TAPMESSAGE_VERSION, TAP_INTERPOSE, true },
		{ TAPMESSAGE_VERSION, TAP_INTERCEPT, false },
	};
	struct bed bed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tapmessage hello = {
			.kind = TAPMESSAGE_HELLO,
			.hello = { rows[i].version, rows[i].mode },
		};

		bed_init(&bed, TAP_INTERCEPT, true);
		say(&bed, &hello);
		assert_int_equal(bed.mode, rows[i].mode);
		assert_int_equal(bed.super_packets, rows[i].super_packets);
		bed_fini(&bed);
	}
}

static void test_tap_takes_no_files_place_with_its_socket(void **state)
{
	char path[] = "/tmp/symtap-tap-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(-EADDRINUSE, tapsocket_listen(path));
	assert_int_equal(0, unlink(path));
	/* A former one's goes. */
	for (int i = 0; i < 2; i++) {
		fd = tapsocket_listen(path);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(0, unlink(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tap_nobody_judges_before_a_greeting),
		cmocka_unit_test(
			test_tap_observing_delays_nobody_and_shows_headers),
		cmocka_unit_test(test_tap_each_verdict_is_carried_out_once),
		cmocka_unit_test(
			test_tap_intercepted_packets_end_at_the_judge_whole),
		cmocka_unit_test(test_tap_the_mode_changes_under_traffic),
		cmocka_unit_test(
			test_tap_a_judge_gets_no_more_than_was_allowed),
		cmocka_unit_test(
			test_tap_a_silent_judge_is_none_within_a_second),
		cmocka_unit_test(test_tap_a_judge_that_never_greets_is_none),
		cmocka_unit_test(test_tap_memory_and_patience_are_bounded),
		cmocka_unit_test(test_tap_what_makes_no_sense_ends_it),
		cmocka_unit_test(
			test_tap_super_packets_are_for_who_counts_them),
		cmocka_unit_test(test_tap_takes_no_files_place_with_its_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
