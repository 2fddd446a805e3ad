/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/packet_l4.h"
#include "shaper/asym.h"
#include "tests/random.h"
#include "xen-hooks/netback/guard.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { KEYS = 64, HELD_MAX = 4096, PAIRS = 6 };

static const struct guard_params PAIR_ONLY = {
	.gate = { .ratio_q16 = 4 << 16,
		  .window_ns = SECOND,
		  .first_delay_ns = 2 * MS,
		  .max_delay_ns = 1024 * MS },
	.scopes = GUARD_PAIR,
};

/* What netback does: keeps what is withheld, in order, and asks again. */
struct bed {
	struct guard *guard;
	uint64_t notes[HELD_MAX];
	uint32_t pairs[HELD_MAX];
	uint32_t count, round;
	uint64_t until_ns;
	uint32_t gone[PAIRS]; /* packets that went on, of each pair */
};

static void begin(struct bed *bed, const struct guard_params *params)
{
	static const uint64_t seed[2] = { 1, 2 };

	memset(bed, 0, sizeof(*bed));
	bed->until_ns = GUARD_NEVER;
	bed->guard = calloc(1, guard_bytes(KEYS));
	assert_non_null(bed->guard);
	guard_init(bed->guard, params, seed, KEYS);
}

static void end(struct bed *bed)
{
	while (bed->count > 0)
		guard_let_go(bed->guard, bed->notes[--bed->count]);
	assert_int_equal(0, bed->guard->counters[GUARD_waiting_pkts]);
	free(bed->guard);
}

static struct guard_packet packet_of(uint32_t pair, uint16_t port)
{
	static const struct packet_meta udp = { .ends.proto =
							PACKET_PROTO_UDP };
	struct guard_packet packet = {
		.meta = &udp, .wire_pkts = 1, .bytes = 100, .slots = 1
	};

	packet.pair.outside[12] = (uint8_t)pair;
	packet.pair.scope = FLOW_SCOPE_PAIR;
	packet.flow = packet.pair;
	packet.flow.scope = FLOW_SCOPE_FLOW;
	packet.flow.inside_port = port;
	return packet;
}

static enum guard_verdict send_packet(struct bed *bed, uint32_t pair,
				      const struct guard_packet *packet,
				      uint64_t now_ns)
{
	uint64_t note = 0;
	enum guard_verdict verdict =
		guard_ask(bed->guard, packet, &note, &bed->until_ns, now_ns);

	if (verdict == GUARD_GO_ON)
		bed->gone[pair]++;
	if (verdict != GUARD_WITHHOLD)
		return verdict;
	assert_true(bed->until_ns > now_ns);
	assert_true(bed->count < HELD_MAX);
	bed->pairs[bed->count] = pair;
	bed->notes[bed->count++] = note;
	return verdict;
}

static enum guard_verdict send_pair(struct bed *bed, uint32_t pair,
				    uint64_t now_ns)
{
	struct guard_packet packet = packet_of(pair, 0);

	return send_packet(bed, pair, &packet, now_ns);
}

static void ask_all(struct bed *bed, uint64_t now_ns)
{
	uint32_t kept = 0;

	bed->until_ns = GUARD_NEVER;
	bed->round++;
	for (uint32_t i = 0; i < bed->count; i++) {
		if (guard_ask_again(bed->guard, bed->notes[i], 100, bed->round,
				    &bed->until_ns, now_ns) == GUARD_GO_ON) {
			bed->gone[bed->pairs[i]]++;
			continue;
		}
		bed->pairs[kept] = bed->pairs[i];
		bed->notes[kept++] = bed->notes[i];
	}
	bed->count = kept;
	assert_true(kept == 0 ||
		    (bed->until_ns > now_ns && bed->until_ns != GUARD_NEVER));
}

static void hear(struct bed *bed, const struct guard_packet *packet,
		 uint64_t now_ns)
{
	if (guard_hear(bed->guard, packet, now_ns))
		ask_all(bed, now_ns);
}

/* ------ figures */

static void holds_to_the_figures(uint64_t start_ns)
{
	static const uint64_t first_ms[] = { 2, 6, 14, 30, 62, 126, 254, 510 };
	uint64_t now_ns = start_ns;
	struct bed bed;
	uint32_t sent, at = 0;

	begin(&bed, &PAIR_ONLY);
	for (sent = 0; sent < 1000; sent++)
		assert_int_equal(sent < 4 ? GUARD_GO_ON : GUARD_WITHHOLD,
				 send_pair(&bed, 0, now_ns));
	while (bed.until_ns <= start_ns + 61 * SECOND) {
		uint32_t before = bed.gone[0];

		now_ns = bed.until_ns;
		ask_all(&bed, now_ns);
		assert_true(bed.gone[0] <= before + 1);
		if (bed.gone[0] > before && at < 8)
			assert_int_equal(first_ms[at++],
					 (now_ns - start_ns) / MS);
		if (now_ns < start_ns + SECOND)
			assert_true(bed.gone[0] <= 12);
	}
	assert_int_equal(8, at);
	/* An exact window lets 9 go in a second. */
	assert_in_range(bed.gone[0], 7 * 60, 9 * 60 + 12);
	end(&bed);
}

/* However long the host has been up. */
static void test_netback_guard_holds_a_flood_to_the_figures(void **state)
{
	(void)state;
	holds_to_the_figures(1000 * SECOND);
	holds_to_the_figures(11000 * SECOND);
}

static void test_netback_guard_frees_at_once_who_is_answered(void **state)
{
	struct guard_packet packet = packet_of(0, 0);
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	for (int i = 0; i < 6; i++)
		send_pair(&bed, 0, SECOND);
	assert_int_equal(4, bed.gone[0]);
	/* 4 sent and 1 heard is 5 : 2. */
	hear(&bed, &packet, SECOND + MS);
	assert_int_equal(6, bed.gone[0]);
	assert_int_equal(0, bed.count);
	end(&bed);
}

/* ------ keys */

static void test_netback_guard_lets_others_pass(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	for (int i = 0; i < 100; i++)
		send_pair(&bed, 0, SECOND);
	assert_int_equal(GUARD_GO_ON, send_pair(&bed, 1, SECOND));
	assert_int_equal(96, bed.count);
	end(&bed);
}

static void test_netback_guard_holds_flows_beside_each_other(void **state)
{
	struct guard_params params = PAIR_ONLY;
	struct guard_packet a = packet_of(0, 1), b = packet_of(0, 2);
	struct bed bed;

	(void)state;
	params.scopes = GUARD_FLOW;
	begin(&bed, &params);
	for (int i = 0; i < 10; i++)
		send_packet(&bed, 0, &a, SECOND);
	assert_int_equal(6, bed.count);
	assert_int_equal(GUARD_GO_ON, send_packet(&bed, 1, &b, SECOND));
	end(&bed);
	/* Their pair is over its threshold as well. */
	params.scopes = GUARD_FLOW | GUARD_PAIR;
	begin(&bed, &params);
	for (int i = 0; i < 10; i++)
		send_packet(&bed, 0, &a, SECOND);
	assert_int_equal(GUARD_WITHHOLD, send_packet(&bed, 1, &b, SECOND));
	/* Both gates ran at the same time: one went after 2 ms. */
	ask_all(&bed, SECOND + 2 * MS);
	assert_int_equal(5, bed.gone[0] + bed.gone[1]);
	end(&bed);
}

static void test_netback_guard_sheds_beyond_the_slots_of_a_key(void **state)
{
	struct guard_params params = PAIR_ONLY;
	struct bed bed;

	(void)state;
	params.slots_per_key = 40;
	begin(&bed, &params);
	for (int i = 0; i < 44; i++)
		assert_int_not_equal(GUARD_DROP, send_pair(&bed, 0, SECOND));
	assert_int_equal(GUARD_DROP, send_pair(&bed, 0, SECOND));
	assert_int_equal(1, bed.guard->counters[GUARD_shed_pkts]);
	assert_int_equal(40, bed.count);
	end(&bed);
}

static void
test_netback_guard_owes_a_super_packet_packet_by_packet(void **state)
{
	struct guard_packet super = packet_of(0, 0);
	struct bed bed;

	(void)state;
	super.wire_pkts = 3;
	begin(&bed, &PAIR_ONLY);
	for (int i = 0; i < 4; i++)
		send_pair(&bed, 0, SECOND);
	assert_int_equal(GUARD_WITHHOLD, send_packet(&bed, 0, &super, SECOND));
	ask_all(&bed, SECOND + 2 * MS);
	ask_all(&bed, SECOND + 6 * MS);
	assert_int_equal(4, bed.gone[0]);
	ask_all(&bed, SECOND + 14 * MS);
	assert_int_equal(5, bed.gone[0]);
	end(&bed);
}

static void test_netback_guard_is_bounded_whatever_the_guest_sends(void **state)
{
	uint32_t went = 0;
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	for (uint32_t i = 0; i < 5000; i++) {
		struct guard_packet packet = packet_of(0, 0);
		uint64_t note, until_ns = GUARD_NEVER;

		memcpy(packet.pair.outside, &i, sizeof(i));
		if (guard_ask(bed.guard, &packet, &note, &until_ns, SECOND) !=
		    GUARD_WITHHOLD) {
			went++;
			continue;
		}
		if (bed.count < HELD_MAX)
			bed.notes[bed.count++] = note;
		else
			guard_let_go(bed.guard, note);
	}
	/* All that have no place are one key. */
	assert_int_equal(KEYS + 4, went);
	assert_int_equal(KEYS, bed.guard->counters[GUARD_keys]);
	end(&bed);
}

static void test_netback_guard_gives_places_to_the_guest_first(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	for (uint32_t i = 0; i < 5000; i++) {
		struct guard_packet packet = packet_of(0, 0);

		memcpy(packet.pair.outside, &i, sizeof(i));
		guard_hear(bed.guard, &packet, SECOND);
	}
	for (uint32_t i = 0; i < PAIRS; i++) {
		struct guard_packet packet = packet_of(i, 0);

		packet.pair.inside[0] = 9;
		send_packet(&bed, i, &packet, SECOND);
	}
	assert_int_equal(0, bed.guard->counters[GUARD_no_place_pkts]);
	end(&bed);
}

/* Its pair was silent for so long that others may have its place. */
static void test_netback_guard_keeps_the_pair_of_a_new_flow(void **state)
{
	struct guard_params params = PAIR_ONLY;

	(void)state;
	params.scopes = GUARD_PAIR | GUARD_FLOW;
	for (uint16_t port = 1; port <= KEYS; port++) {
		struct guard_packet packet = packet_of(0, port);
		struct bed bed;

		begin(&bed, &params);
		send_pair(&bed, 0, SECOND);
		send_packet(&bed, 0, &packet, 200 * SECOND);
		assert_non_null(guard_find(bed.guard, &packet.pair));
		assert_non_null(guard_find(bed.guard, &packet.flow));
		end(&bed);
	}
}

/* All other places are taken for good, and its pair was made from outside. */
static void
test_netback_guard_keeps_a_pair_that_its_guest_begins_to_use(void **state)
{
	static const struct packet_meta tcp = {
		.ends.proto = PACKET_PROTO_TCP,
		.header_bytes = 20,
	};
	struct guard_packet packet = packet_of(0, 1);
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	bed.guard->keys_count = GUARD_WAYS;
	hear(&bed, &packet, SECOND);
	for (uint32_t i = 1; i < GUARD_WAYS; i++) {
		struct guard_packet other = packet_of(i, 0);

		send_packet(&bed, 1, &other, SECOND);
	}
	packet.meta = &tcp;
	send_packet(&bed, 0, &packet, SECOND);
	assert_non_null(guard_find(bed.guard, &packet.pair));
	assert_null(guard_find(bed.guard, &packet.flow));
	end(&bed);
}

static void test_netback_guard_knows_what_acknowledges_many(void **state)
{
	struct packet_meta meta = { .ends.proto = PACKET_PROTO_TCP,
				    .header_bytes = 40,
				    .length_bytes = 1040,
				    .tcp_flags = EVIDENCE_TCP_ACK };
	struct guard_packet packet = packet_of(0, 7);
	struct guard_params params = PAIR_ONLY;
	struct bed bed;

	(void)state;
	packet.meta = &meta;
	packet.segment_bytes = 1000;
	params.wants_consent = true;
	begin(&bed, &params);
	for (uint32_t i = 0; i < 12; i++) {
		meta.tcp_seq = i * 1000;
		send_packet(&bed, 0, &packet, SECOND);
	}
	assert_int_equal(4, bed.gone[0]);
	/* Four segments: two replies, and all that waits may go. */
	meta.length_bytes = 40;
	meta.tcp_ack = 4000;
	hear(&bed, &packet, SECOND + MS);
	assert_int_equal(12, bed.gone[0]);
	end(&bed);
}

static void test_netback_guard_limits_what_s_does_not_hold(void **state)
{
	struct guard_params params = PAIR_ONLY;
	uint32_t went = 0;
	struct bed bed;

	(void)state;
	params.other_pkts_per_s = 100;
	begin(&bed, &params);
	for (int i = 0; i < 1000; i++)
		went += guard_allows_other(bed.guard, 1, 5 * SECOND);
	assert_int_equal(100, went);
	assert_true(guard_allows_other(bed.guard, 1, 5 * SECOND + 10 * MS));
	assert_false(guard_allows_other(bed.guard, 1, 5 * SECOND + 10 * MS));
	end(&bed);
}

static void test_netback_guard_wakes_each_queue_of_a_key(void **state)
{
	struct guard_packet packet = packet_of(0, 0);
	uint64_t note, first_ns, second_ns = GUARD_NEVER;
	struct bed bed;

	(void)state;
	begin(&bed, &PAIR_ONLY);
	for (int i = 0; i < 5; i++)
		send_pair(&bed, 0, SECOND);
	first_ns = bed.until_ns;
	assert_int_equal(GUARD_WITHHOLD, guard_ask(bed.guard, &packet, &note,
						   &second_ns, SECOND));
	assert_int_equal(first_ns, second_ns);
	guard_let_go(bed.guard, note);
	end(&bed);
}

static void test_netback_guard_wakes_each_queue_of_a_first_contact(void **state)
{
	struct guard_params params = PAIR_ONLY;
	struct guard_packet packet = packet_of(1, 0);
	uint64_t note, until_ns = GUARD_NEVER;
	struct bed bed;

	(void)state;
	params.first_contacts_per_s = 1;
	begin(&bed, &params);
	send_pair(&bed, 0, SECOND);
	assert_int_equal(GUARD_WITHHOLD, send_pair(&bed, 1, SECOND));
	assert_int_equal(GUARD_WITHHOLD, guard_ask(bed.guard, &packet, &note,
						   &until_ns, SECOND));
	assert_in_range(until_ns, SECOND + 1, 3 * SECOND);
	guard_let_go(bed.guard, note);
	end(&bed);
}

/* ------ the core's gate over the same window, packet by packet */

struct model_pair {
	struct gate gate;
	uint64_t sent_at[HELD_MAX], heard_at[HELD_MAX]; /* buckets */
	uint32_t sent, heard, waiting, gone;
};

static uint64_t bucket(uint64_t now_ns)
{
	return fast_number(fast_span(SECOND), now_ns);
}

static uint32_t in_window(const uint64_t *at, uint32_t count, uint64_t now_ns)
{
	uint32_t in = 0;

	for (uint32_t i = 0; i < count; i++)
		in += at[i] + FAST_SPANS >= bucket(now_ns);
	return in;
}

static enum gate_answer model_ask(struct model_pair *pair, uint64_t now_ns)
{
	gate_fire(&pair->gate, pair->waiting > 0, now_ns);
	return gate_ask(&pair->gate, &PAIR_ONLY.gate,
			in_window(pair->sent_at, pair->sent, now_ns),
			in_window(pair->heard_at, pair->heard, now_ns), now_ns);
}

static void model_left(struct model_pair *pair, uint64_t now_ns)
{
	gate_left(&pair->gate);
	pair->sent_at[pair->sent++] = bucket(now_ns);
	pair->gone++;
}

static void model_send(struct model_pair *pair, uint64_t now_ns)
{
	if (pair->waiting == 0 && model_ask(pair, now_ns) != GATE_CLOSED)
		model_left(pair, now_ns);
	else
		pair->waiting++;
}

static void model_ask_all(struct model_pair *pairs, uint64_t now_ns)
{
	for (uint32_t i = 0; i < PAIRS; i++) {
		while (pairs[i].waiting > 0 &&
		       model_ask(&pairs[i], now_ns) != GATE_CLOSED) {
			model_left(&pairs[i], now_ns);
			if (--pairs[i].waiting == 0)
				gate_lapse(&pairs[i].gate);
		}
	}
}

static void model_hear(struct model_pair *pairs, struct model_pair *pair,
		       uint64_t now_ns)
{
	pair->heard_at[pair->heard++] = bucket(now_ns);
	if (pair->waiting > 0 &&
	    !asym_exceeds(in_window(pair->sent_at, pair->sent, now_ns),
			  in_window(pair->heard_at, pair->heard, now_ns),
			  PAIR_ONLY.gate.ratio_q16))
		model_ask_all(pairs, now_ns);
}

static void one_world(struct random *random)
{
	static struct model_pair pairs[PAIRS];
	struct bed bed;
	uint64_t now_ns = SECOND + random_below(random, 1000) * MS;

	memset(pairs, 0, sizeof(pairs));
	begin(&bed, &PAIR_ONLY);
	for (int step = 0; step < 1000; step++) {
		uint64_t next_ns = now_ns + random_below(random, 20) * MS / 4;
		uint32_t at = random_below(random, PAIRS);
		struct guard_packet packet = packet_of(at, 0);

		while (bed.until_ns <= next_ns) {
			uint64_t due_ns = bed.until_ns;

			ask_all(&bed, due_ns);
			model_ask_all(pairs, due_ns);
		}
		now_ns = next_ns;
		/* The more of them are answered, the less. */
		if (random_once(random, 2 + at)) {
			hear(&bed, &packet, now_ns);
			model_hear(pairs, &pairs[at], now_ns);
		} else {
			send_pair(&bed, at, now_ns);
			model_send(&pairs[at], now_ns);
		}
		for (uint32_t i = 0; i < PAIRS; i++)
			assert_int_equal(pairs[i].gone, bed.gone[i]);
	}
	end(&bed);
}

static void test_netback_guard_says_what_the_gate_says(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, random_seed("netback_guard", 20));
	for (int world = 0; world < 20; world++)
		one_world(&random);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_netback_guard_holds_a_flood_to_the_figures),
		cmocka_unit_test(
			test_netback_guard_frees_at_once_who_is_answered),
		cmocka_unit_test(test_netback_guard_lets_others_pass),
		cmocka_unit_test(
			test_netback_guard_holds_flows_beside_each_other),
		cmocka_unit_test(
			test_netback_guard_sheds_beyond_the_slots_of_a_key),
		cmocka_unit_test(
			test_netback_guard_owes_a_super_packet_packet_by_packet),
		cmocka_unit_test(
			test_netback_guard_is_bounded_whatever_the_guest_sends),
		cmocka_unit_test(
			test_netback_guard_gives_places_to_the_guest_first),
		cmocka_unit_test(
			test_netback_guard_keeps_the_pair_of_a_new_flow),
		cmocka_unit_test(
			test_netback_guard_keeps_a_pair_that_its_guest_begins_to_use),
		cmocka_unit_test(
			test_netback_guard_knows_what_acknowledges_many),
		cmocka_unit_test(
			test_netback_guard_limits_what_s_does_not_hold),
		cmocka_unit_test(test_netback_guard_wakes_each_queue_of_a_key),
		cmocka_unit_test(
			test_netback_guard_wakes_each_queue_of_a_first_contact),
		cmocka_unit_test(test_netback_guard_says_what_the_gate_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
