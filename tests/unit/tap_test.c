/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The carrier's end of the tap, over a real socket, on a clock of the test's:
 * the test is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_socket.h"

#define MS UINT64_C(1000000)

enum { PACKETS = 512, NO_VERDICT = 99, WAITING = 64 };

struct bed {
	struct tapcarrier *carrier;
	struct tapwire judge;
	struct tapinbox inbox;
	int carrier_fd;
	uint64_t now_ns;
	uint8_t verdicts[PACKETS];
	uint32_t verdicts_count;
	uint8_t replaced[64];
	size_t replaced_count;
	char frame_interface[TAP_NAME_BYTES];
	size_t frame_bytes;
	enum tap_mode mode;
	bool super_packets;
};

static void on_verdict(void *self, uint64_t token, enum tap_verdict verdict,
		       const uint8_t *bytes, size_t count)
{
	struct bed *bed = self;

	assert_true(token < PACKETS);
	/* Each once. */
	assert_int_equal(bed->verdicts[token], NO_VERDICT);
	bed->verdicts[token] = (uint8_t)verdict;
	bed->verdicts_count++;
	if (verdict == TAP_REPLACE) {
		memcpy(bed->replaced, bytes, count);
		bed->replaced_count = count;
	}
}

static void on_frame(void *self, const char *interface, const uint8_t *bytes,
		     size_t count)
{
	struct bed *bed = self;

	(void)bytes;
	memcpy(bed->frame_interface, interface, TAP_NAME_BYTES);
	bed->frame_bytes = count;
}

static void on_mode(void *self, enum tap_mode mode, bool super_packets)
{
	struct bed *bed = self;

	bed->mode = mode;
	bed->super_packets = super_packets;
}

static void connect_anew(struct bed *bed)
{
	struct tapwire wire;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	tapsocket_wire(ends[0], &wire);
	tapsocket_wire(ends[1], &bed->judge);
	bed->inbox = (struct tapinbox){ 0 };
	tapcarrier_connect(bed->carrier, &wire, bed->now_ns);
}

static void bed_init(struct bed *bed, enum tap_mode most, bool fail_open)
{
	const struct tapcarrier_config config = {
		.most = most,
		.fail_open = fail_open,
		.waiting_max = WAITING,
		.longest_ns = 5000 * MS,
	};
	const struct tapcarrier_owner owner = { on_verdict, on_frame, on_mode,
						bed };

	*bed = (struct bed){ .now_ns = 1000 * MS };
	memset(bed->verdicts, NO_VERDICT, sizeof(bed->verdicts));
	bed->carrier = tapcarrier_new(&config, &owner);
	assert_non_null(bed->carrier);
	connect_anew(bed);
}

static void bed_fini(struct bed *bed)
{
	tapcarrier_free(bed->carrier);
	bed->judge.close(bed->judge.self);
}

static void advance(struct bed *bed, uint64_t span_ns)
{
	bed->now_ns += span_ns;
	tapcarrier_advance(bed->carrier, true, bed->now_ns);
}

/* As the judge. */
static void say(struct bed *bed, const struct tapmessage *message)
{
	assert_int_equal(tapwire_say(&bed->judge, message), 0);
	advance(bed, 0);
}

static void say_mode(struct bed *bed, enum tapmessage_kind kind,
		     enum tap_mode mode)
{
	const struct tapmessage message = {
		.kind = kind, .hello = { TAPMESSAGE_VERSION, mode }
	};

	say(bed, &message);
}

static void say_verdict(struct bed *bed, uint64_t id, enum tap_verdict verdict)
{
	const struct tapmessage message = {
		.kind = TAPMESSAGE_VERDICT,
		.verdict = { .id = id, .verdict = verdict },
		.bytes = (const uint8_t *)"other",
		.bytes_count = verdict == TAP_REPLACE ? 5 : 0,
	};

	say(bed, &message);
}

/* The next of this kind; what comes before it is left out. */
static bool hear(struct bed *bed, enum tapmessage_kind kind,
		 struct tapmessage *ret_message)
{
	while (tapinbox_next(&bed->inbox, &bed->judge, ret_message) == 1)
		if (ret_message->kind == kind)
			return true;
	return false;
}

static void offer(struct bed *bed, uint64_t token, size_t bytes,
		  uint32_t wire_bytes)
{
	static const uint8_t packet[2 * TAP_PACKET_BYTES] = { 0x45 };
	struct tapcarrier_packet offered = {
		.token = token,
		.seen = { .wire_bytes = wire_bytes,
			  .ethertype = 0x0800,
			  .in = "vif1.0",
			  .out = "eth0" },
		.bytes = packet,
		.bytes_count = bytes,
	};

	tapcarrier_offer(bed->carrier, &offered, bed->now_ns);
}

/* Of TCP between two hosts, 40 bytes that could be a flow's. */
static void offer_tcp(struct bed *bed, uint64_t token, uint8_t port,
		      uint8_t flags, const char *in)
{
	uint8_t packet[40] = { 0x45, 0, 0, 40, 0,   0, 0, 0, 64,   6,    0, 0,
			       10,   0, 0, 1,  192, 0, 2, 1, 0x80, port, 0, 80,
			       0,    0, 0, 1,  0,   0, 0, 1, 0x50, flags };
	struct tapcarrier_packet offered = {
		.token = token,
		.seen = { .wire_bytes = sizeof(packet),
			  .mtu_bytes = 1500,
			  .ethertype = 0x0800,
			  .out = "eth0" },
		.bytes = packet,
		.bytes_count = sizeof(packet),
	};

	memcpy(offered.seen.in, in, strlen(in));
	tapcarrier_offer(bed->carrier, &offered, bed->now_ns);
}

static uint64_t counter(const struct bed *bed, enum tapcarrier_counter which)
{
	return tapcarrier_stats(bed->carrier)->counter[which];
}

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

/* Else it would keep out every other. */
static void test_tap_a_judge_that_never_greets_is_none(void **state)
{
	struct tapwire wire;
	struct bed bed;
	int ends[2];

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
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	tapsocket_wire(ends[0], &wire);
	tapsocket_wire(ends[1], &bed.judge);
	wire.has_other = has_other;
	tapcarrier_connect(bed.carrier, &wire, bed.now_ns);
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
		cmocka_unit_test(
			test_tap_so_many_go_unasked_and_are_shown_soon),
		cmocka_unit_test(test_tap_a_lease_lasts_so_long),
		cmocka_unit_test(test_tap_a_lease_is_renewed),
		cmocka_unit_test(test_tap_others_are_asked_about_all_the_same),
		cmocka_unit_test(test_tap_who_goes_unasked_follows),
		cmocka_unit_test(test_tap_a_lease_ends_with_its_judge),
		cmocka_unit_test(test_tap_takes_no_files_place_with_its_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
