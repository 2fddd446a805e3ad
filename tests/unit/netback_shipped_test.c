/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard inside of netback with what is shipped: what its bounds are, and
 * who is not held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/packet_l4.h"
#include "xen-hooks/netback/guard.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (1000 * SECOND)

enum {
	KEYS = 2048,
	MOST = 200, /* withheld; then the guest waits */
	LEFT_MOST = 65536,
	FIRST_SECOND_PKTS = 64,
	LATER_SECOND_PKTS = 12,
	CONTACTS_PER_S = 20,
	CONNECTIONS_PER_S = 100,
	SEGMENT = 1448,
};

static const struct guard_params SHIPPED = {
	.gate = { .ratio_q16 = 4 << 16,
		  .window_ns = SECOND,
		  .first_delay_ns = 2 * MS,
		  .max_delay_ns = 1024 * MS },
	.scopes = GUARD_PAIR | GUARD_FLOW,
	.wants_consent = true,
	.credit = { .floor_pkts = 10, .patience_pkts = 48, .earned_pkts = 12 },
	.first_contacts_per_s = CONTACTS_PER_S,
	.connections_per_s = CONNECTIONS_PER_S,
};

/* A guest that sends whatever its ring has room for. */
struct guest {
	struct guard *guard;
	uint64_t notes[MOST];
	uint32_t wire_pkts[MOST], bytes[MOST];
	uint32_t held, round;
	uint64_t until_ns;
	uint64_t left_ns[LEFT_MOST]; /* wire packets, oldest first */
	uint32_t left;
};

static struct guest *begin_with(const struct guard_params *params,
				uint32_t keys)
{
	static const uint64_t seed[2] = { 5, 6 };
	struct guest *guest = calloc(1, sizeof(*guest));

	assert_non_null(guest);
	guest->guard = calloc(1, guard_bytes(keys));
	assert_non_null(guest->guard);
	guard_init(guest->guard, params, seed, keys);
	guest->until_ns = GUARD_NEVER;
	return guest;
}

static struct guest *begin(const struct guard_params *params)
{
	return begin_with(params, KEYS);
}

static void end(struct guest *guest)
{
	while (guest->held > 0)
		guard_let_go(guest->guard, guest->notes[--guest->held]);
	assert_int_equal(0, guest->guard->counters[GUARD_waiting_pkts]);
	free(guest->guard);
	free(guest);
}

static void leaves(struct guest *guest, uint32_t wire_pkts, uint64_t now_ns)
{
	assert_true(guest->left + wire_pkts <= LEFT_MOST);
	while (wire_pkts-- > 0)
		guest->left_ns[guest->left++] = now_ns;
}

static void ask_all(struct guest *guest, uint64_t now_ns)
{
	uint32_t kept = 0;

	guest->until_ns = GUARD_NEVER;
	guest->round++;
	for (uint32_t i = 0; i < guest->held; i++) {
		if (guard_ask_again(guest->guard, guest->notes[i],
				    guest->bytes[i], guest->round,
				    &guest->until_ns, now_ns) == GUARD_GO_ON) {
			leaves(guest, guest->wire_pkts[i], now_ns);
			continue;
		}
		guest->notes[kept] = guest->notes[i];
		guest->bytes[kept] = guest->bytes[i];
		guest->wire_pkts[kept++] = guest->wire_pkts[i];
	}
	guest->held = kept;
}

static void run(struct guest *guest, uint64_t now_ns)
{
	while (guest->until_ns <= now_ns)
		ask_all(guest, guest->until_ns);
}

static struct guard_packet packet_of(const struct packet_meta *meta,
				     uint32_t target, uint16_t port,
				     uint32_t wire_pkts)
{
	struct guard_packet packet = {
		.meta = meta,
		.segment_bytes = SEGMENT,
		.wire_pkts = wire_pkts,
		.slots = 1,
		.bytes = meta->length_bytes,
	};

	memcpy(packet.pair.outside, &target, sizeof(target));
	packet.pair.inside[15] = 1;
	packet.pair.scope = FLOW_SCOPE_PAIR;
	packet.flow = packet.pair;
	packet.flow.scope = FLOW_SCOPE_FLOW;
	packet.flow.proto = meta->ends.proto;
	packet.flow.inside_port = port;
	return packet;
}

/* false: its ring is full. */
static bool sends(struct guest *guest, const struct guard_packet *packet,
		  uint64_t now_ns)
{
	uint64_t note;

	if (guest->held == MOST)
		return false;
	switch (guard_ask(guest->guard, packet, &note, &guest->until_ns,
			  now_ns)) {
	case GUARD_GO_ON:
		leaves(guest, packet->wire_pkts, now_ns);
		return true;
	case GUARD_DROP:
		return true;
	case GUARD_WITHHOLD:
		break;
	}
	guest->bytes[guest->held] = packet->bytes;
	guest->wire_pkts[guest->held] = packet->wire_pkts;
	guest->notes[guest->held++] = note;
	return true;
}

static void is_sent(struct guest *guest, const struct guard_packet *packet,
		    uint64_t now_ns)
{
	if (guard_hear(guest->guard, packet, now_ns))
		ask_all(guest, now_ns);
}

static uint32_t left_within(const struct guest *guest, uint64_t from_ns,
			    uint64_t span_ns)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < guest->left; i++)
		left += guest->left_ns[i] >= from_ns &&
			guest->left_ns[i] < from_ns + span_ns;
	return left;
}

/* ------ bounds */

static const struct packet_meta UDP = { .ends.proto = PACKET_PROTO_UDP,
					.header_bytes = 28,
					.length_bytes = 100 };

/* For 70 s.  `ports`: how many it takes in turn. */
static struct guest *flood(const struct guard_params *params,
			   uint32_t wire_pkts, uint16_t ports,
			   struct packet_meta meta)
{
	struct guest *guest = begin(params);
	uint32_t sent = 0;

	for (uint64_t now_ns = START; now_ns < START + 70 * SECOND;
	     now_ns += MS) {
		run(guest, now_ns);
		for (uint32_t i = 0; i < 3; i++, sent++) {
			struct guard_packet packet = packet_of(
				&meta, 1, (uint16_t)(sent % ports), wire_pkts);

			meta.rtp_seq++;
			if (!sends(guest, &packet, now_ns))
				break;
		}
	}
	assert_in_range(left_within(guest, START, SECOND), 1,
			FIRST_SECOND_PKTS);
	for (uint64_t at_ns = START + SECOND; at_ns < START + 68 * SECOND;
	     at_ns += 50 * MS)
		assert_in_range(left_within(guest, at_ns, SECOND), 0,
				wire_pkts > LATER_SECOND_PKTS
					? wire_pkts
					: LATER_SECOND_PKTS);
	return guest;
}

static void
test_netback_guard_lets_a_silent_target_have_64_then_12(void **state)
{
	(void)state;
	end(flood(&SHIPPED, 1, 1, UDP));
	end(flood(&SHIPPED, 1, 1000, UDP));
}

/* What is larger than a second's worth leaves in as many seconds. */
static void test_netback_guard_counts_what_super_packets_are(void **state)
{
	static const uint32_t sizes[] = { 2, 5, 12, 44 };
	struct packet_meta tcp = { .ends.proto = PACKET_PROTO_TCP,
				   .header_bytes = 40,
				   .length_bytes = 40 + SEGMENT,
				   .tcp_flags = EVIDENCE_TCP_ACK };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct guest *guest = flood(&SHIPPED, sizes[i], 1, tcp);

		assert_in_range(left_within(guest, START + SECOND, 60 * SECOND),
				44, 60 * LATER_SECOND_PKTS);
		end(guest);
	}
}

/* 4 are free, 48 are paid for, 8 are owed within half a second. */
static void test_netback_guard_puts_by_for_a_super_packet(void **state)
{
	struct guest *guest = begin(&SHIPPED);
	struct guard_packet packet = packet_of(&UDP, 1, 9, 60);

	(void)state;
	sends(guest, &packet, START);
	assert_int_equal(1, guest->held);
	run(guest, START + 500 * MS);
	assert_int_equal(1, guest->held);
	run(guest, START + 520 * MS);
	assert_int_equal(60, guest->left);
	end(guest);
}

static void test_netback_guard_keeps_places_of_what_leaves(void **state)
{
	struct packet_meta meta = { .ends.proto = PACKET_PROTO_TCP,
				    .header_bytes = 40,
				    .length_bytes = 80,
				    .tcp_flags = EVIDENCE_TCP_ACK };
	struct guard_params params = SHIPPED;
	struct guard_packet packet;
	struct guest *guest;

	(void)state;
	params.scopes = GUARD_PAIR;
	params.slots_per_key = 40;
	guest = begin(&params);
	for (uint32_t i = 0; i < 20000; i++) {
		packet = packet_of(&meta, 1, (uint16_t)i, 1);
		assert_true(sends(guest, &packet, START));
	}
	assert_true(guest->guard->counters[GUARD_shed_pkts] > 19000);
	for (uint32_t i = 2; i < 12; i++) {
		packet = packet_of(&meta, i, 9, 1);
		sends(guest, &packet, START);
		assert_non_null(guard_find(guest->guard, &packet.pair));
		assert_non_null(guard_find(guest->guard, &packet.flow));
	}
	end(guest);
}

static void test_netback_guard_paces_first_contacts(void **state)
{
	struct guest *guest = begin(&SHIPPED);
	uint32_t target = 0;

	(void)state;
	for (uint64_t now_ns = START; now_ns < START + 100 * SECOND;
	     now_ns += MS) {
		struct guard_packet packet = packet_of(&UDP, target, 9, 1);

		run(guest, now_ns);
		target += sends(guest, &packet, now_ns);
	}
	for (uint64_t at_ns = START; at_ns < START + 99 * SECOND;
	     at_ns += 50 * MS)
		assert_in_range(left_within(guest, at_ns, SECOND), 0,
				CONTACTS_PER_S);
	assert_true(guest->left > 99 * (CONTACTS_PER_S - 2));
	end(guest);
}

static void test_netback_guard_paces_new_connections(void **state)
{
	struct packet_meta meta = { .ends.proto = PACKET_PROTO_TCP,
				    .header_bytes = 40,
				    .length_bytes = 40,
				    .tcp_flags = EVIDENCE_TCP_SYN };
	struct guard_params params = SHIPPED;
	struct guest *guest;

	(void)state;
	/* S alone would hold what is not answered. */
	params.gate.ratio_q16 = 1u << 31;
	guest = begin(&params);
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t now_ns = START + i * MS;
		struct guard_packet packet =
			packet_of(&meta, 1, (uint16_t)i, 1);

		run(guest, now_ns);
		sends(guest, &packet, now_ns);
	}
	for (uint64_t at_ns = START; at_ns < START + 4 * SECOND;
	     at_ns += 50 * MS)
		assert_in_range(left_within(guest, at_ns, SECOND), 0,
				CONNECTIONS_PER_S);
	assert_true(guest->left > 4 * CONNECTIONS_PER_S);
	end(guest);
}

static void test_netback_guard_keeps_the_rate_of_the_vif(void **state)
{
	struct guard_params params = SHIPPED;
	struct guest *guest;

	(void)state;
	params.rate = (struct rate_params){ .pkts_per_s = 100,
					    .bytes_per_s = 5000,
					    .burst_ns = 100 * MS };
	guest = begin(&params);
	for (uint64_t now_ns = START; now_ns < START + 5 * SECOND;
	     now_ns += 2 * MS) {
		struct guard_packet packet = packet_of(&UDP, 1, 9, 1);

		run(guest, now_ns);
		sends(guest, &packet, now_ns);
		is_sent(guest, &packet, now_ns);
	}
	/* 5000 bytes are 50 of these; and 5 at once. */
	assert_in_range(left_within(guest, START, 5 * SECOND), 250, 255);
	assert_true(guest->guard->counters[GUARD_rated_pkts] > 0);
	end(guest);
}

static void
test_netback_guard_lets_nobody_by_who_waits_for_the_rate(void **state)
{
	struct packet_meta large = UDP;
	struct guard_params params = SHIPPED;
	struct guard_packet packet;
	struct guest *guest;

	(void)state;
	large.length_bytes = 1400;
	params.rate = (struct rate_params){ .bytes_per_s = 20000,
					    .burst_ns = 100 * MS };
	guest = begin(&params);
	packet = packet_of(&large, 2, 9, 1);
	sends(guest, &packet, START);
	assert_int_equal(1, guest->left);
	sends(guest, &packet, START);
	/* The bucket never is as empty as that one needs it. */
	for (uint64_t now_ns = START; now_ns < START + 100 * MS; now_ns += MS) {
		packet = packet_of(&UDP, 1, 9, 1);
		run(guest, now_ns);
		sends(guest, &packet, now_ns);
		is_sent(guest, &packet, now_ns);
	}
	assert_int_equal(100, guest->bytes[0]);
	end(guest);
}

/* Its table is too small for all; and who spent his patience is among those
 * that are forgotten. */
static void test_netback_guard_gives_patience_once_a_minute(void **state)
{
	struct guard_packet packet = packet_of(&UDP, 1, 9, 1);
	struct guard_params params = SHIPPED;
	struct guest *guest;
	uint64_t now_ns = START;
	uint32_t before;

	(void)state;
	params.first_contacts_per_s = 0;
	guest = begin_with(&params, GUARD_KEYS_LEAST);
	for (uint32_t i = 0; i < 60; i++)
		sends(guest, &packet, now_ns);
	assert_in_range(guest->left, 50, FIRST_SECOND_PKTS);
	for (; guest->held > 0; now_ns += SECOND)
		run(guest, now_ns);
	now_ns += 3 * SECOND;
	for (uint32_t i = 2; i < 300; i++) {
		struct guard_packet other = packet_of(&UDP, i, 9, 1);

		run(guest, now_ns);
		sends(guest, &other, now_ns);
		now_ns += 100 * MS;
	}
	assert_null(guard_find(guest->guard, &packet.pair));
	run(guest, now_ns);
	before = guest->left;
	for (uint32_t i = 0; i < 60; i++)
		sends(guest, &packet, now_ns);
	assert_in_range(guest->left - before, 4, LATER_SECOND_PKTS);
	end(guest);
}

/* ------ who is not held */

static void test_netback_guard_is_patient_with_a_first_second(void **state)
{
	struct guest *guest = begin(&SHIPPED);
	struct guard_packet packet = packet_of(&UDP, 1, 9, 1);

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		sends(guest, &packet, START + i * 25 * MS);
	assert_int_equal(40, guest->left);
	assert_int_equal(0, guest->guard->counters[GUARD_withheld_pkts]);
	end(guest);
}

static void test_netback_guard_is_patient_with_a_call(void **state)
{
	struct packet_meta meta = UDP;
	struct guest *guest = begin(&SHIPPED);

	(void)state;
	meta.rtp_ssrc = 77;
	for (uint32_t i = 0; i < 140; i++) {
		struct guard_packet packet = packet_of(&meta, 1, 9, 1);

		meta.rtp_seq++;
		sends(guest, &packet, START + i * 20 * MS);
	}
	assert_int_equal(140, guest->left);
	/* The first seconds are all that it has. */
	for (uint32_t i = 140; i < 500; i++) {
		struct guard_packet packet = packet_of(&meta, 1, 9, 1);

		meta.rtp_seq++;
		run(guest, START + i * 20 * MS);
		sends(guest, &packet, START + i * 20 * MS);
	}
	assert_true(guest->held > 100);
	end(guest);
}

/* What goes out is acknowledged a round trip later, a super-packet by one
 * segment, and then twice as many go. */
struct upload {
	struct guest *guest;
	struct packet_meta data, ack;
	uint32_t sent, acked; /* sequence numbers */
	uint32_t window, most;
};

static void fly(struct upload *upload, uint64_t now_ns)
{
	for (uint32_t pkts = upload->window; pkts > 0;) {
		uint32_t wire = pkts < 44 ? pkts : 44;
		struct guard_packet packet;

		upload->data.tcp_seq = upload->sent;
		upload->data.length_bytes = 40 + wire * SEGMENT;
		packet = packet_of(&upload->data, 1, 9, wire);
		assert_true(sends(upload->guest, &packet, now_ns));
		upload->sent += wire * SEGMENT;
		pkts -= wire;
	}
}

static void land(struct upload *upload, uint64_t now_ns)
{
	while (upload->acked != upload->sent) {
		uint32_t bytes = upload->sent - upload->acked;
		struct guard_packet packet;

		if (bytes > 44 * SEGMENT)
			bytes = 44 * SEGMENT;
		upload->acked += bytes;
		upload->ack.tcp_ack = upload->acked;
		packet = packet_of(&upload->ack, 1, 9, 1);
		is_sent(upload->guest, &packet, now_ns);
	}
	if (upload->window < upload->most)
		upload->window *= 2;
}

static void one_of_handshake(struct upload *upload, uint8_t flags, bool out,
			     uint64_t now_ns)
{
	struct packet_meta meta = upload->ack;
	struct guard_packet packet = packet_of(&meta, 1, 9, 1);

	meta.tcp_flags = flags;
	if (out)
		sends(upload->guest, &packet, now_ns);
	else
		is_sent(upload->guest, &packet, now_ns);
}

static void test_netback_guard_never_holds_an_answered_upload(void **state)
{
	const uint64_t trips_ms[] = { 1, 30, 300 };

	(void)state;
	for (size_t i = 0; i < sizeof(trips_ms) / sizeof(trips_ms[0]); i++) {
		struct upload upload = {
			.guest = begin(&SHIPPED),
			.data = { .ends.proto = PACKET_PROTO_TCP,
				  .header_bytes = 40,
				  .tcp_flags = EVIDENCE_TCP_ACK },
			.window = 10,
			.most = 640,
		};
		uint64_t now_ns = START;

		upload.ack = upload.data;
		upload.ack.length_bytes = 40;
		one_of_handshake(&upload, EVIDENCE_TCP_SYN, true, now_ns);
		now_ns += trips_ms[i] * MS;
		one_of_handshake(&upload, EVIDENCE_TCP_SYN | EVIDENCE_TCP_ACK,
				 false, now_ns);
		one_of_handshake(&upload, EVIDENCE_TCP_ACK, true, now_ns);
		for (uint32_t k = 0; k < 50; k++) {
			run(upload.guest, now_ns);
			fly(&upload, now_ns);
			assert_int_equal(0, upload.guest->held);
			now_ns += trips_ms[i] * MS;
			land(&upload, now_ns);
		}
		/* And once more after a silence. */
		now_ns += 5 * SECOND;
		fly(&upload, now_ns);
		assert_int_equal(0, upload.guest->held);
		end(upload.guest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_netback_guard_lets_a_silent_target_have_64_then_12),
		cmocka_unit_test(
			test_netback_guard_counts_what_super_packets_are),
		cmocka_unit_test(test_netback_guard_puts_by_for_a_super_packet),
		cmocka_unit_test(
			test_netback_guard_keeps_places_of_what_leaves),
		cmocka_unit_test(test_netback_guard_paces_first_contacts),
		cmocka_unit_test(test_netback_guard_paces_new_connections),
		cmocka_unit_test(test_netback_guard_keeps_the_rate_of_the_vif),
		cmocka_unit_test(
			test_netback_guard_lets_nobody_by_who_waits_for_the_rate),
		cmocka_unit_test(
			test_netback_guard_gives_patience_once_a_minute),
		cmocka_unit_test(
			test_netback_guard_is_patient_with_a_first_second),
		cmocka_unit_test(test_netback_guard_is_patient_with_a_call),
		cmocka_unit_test(
			test_netback_guard_never_holds_an_answered_upload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
