/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard inside of netback beside the core's pump: the same packets, by the
 * shipped default.  What takes less than a window neither of them forgets, so
 * each packet has to leave both at the same time, to the nanosecond.  In what
 * takes longer the guard's window forgets later.
 *
 *	SYMTAP_SEED  the first world's seed; the others count up from there
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flowtable/flow_fill.h"
#include "policy/policy.h"
#include "tests/pump_bed.h"
#include "tests/random.h"
#include "xen-hooks/netback/guard.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { EVENTS = 16384, KEYS = 8192, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

#define LIMITS                                                           \
	"limits: {pairs: 4096, flows: 8192, hosts: 64, suspects: 4096, " \
	"held_packets_per_key: 0, held_packets_per_host: 0}\n"

static const char SHIPPED[] = "limiter: {evidence: consent}\n"
			      "guards: {new_connections: 101}\n" LIMITS;
/* In the pump flows wait for their pair's first contact one after the other,
 * also when it has been made. */
static const char UNPACED[] =
	"limiter: {evidence: consent}\n"
	"guards: {first_contacts: 0, new_connections: 101}\n" LIMITS;
static const char RATED[] = "limiter: {evidence: consent, threshold: 15}\n"
			    "rate: {packets: 150/s, bytes: 12kB/s, "
			    "burst: 100ms}\n" LIMITS;

struct event {
	uint64_t at_ns;
	size_t number; /* as it was made */
	size_t asked;  /* in: of the packet that it answers */
	bool in;
	uint32_t peer;
	struct pump_packet packet;
};

/* What both are offered.  By number: when it left the guard (0: it did not),
 * and the pump's id. */
struct world {
	struct bed bed;
	struct guard *guard;
	struct random random;
	struct event events[EVENTS];
	uint64_t left_ns[EVENTS];
	uint64_t ids[EVENTS];
	size_t count;
	struct {
		uint64_t note;
		size_t event;
	} held[EVENTS];
	size_t held_count;
	uint32_t round;
	uint64_t until_ns;
};

static struct world the_world;

/* ------ the guard */

static void begin(struct world *world, const char *yaml)
{
	static const uint64_t seed[2] = { 3, 4 };
	const struct policy *policy;
	struct guard_params params;

	bed_init(&world->bed, yaml);
	policy = world->bed.policy;
	params = (struct guard_params){
		.gate = policy->params[0],
		.scopes = GUARD_PAIR | GUARD_FLOW,
		.wants_consent = policy->evidence == POLICY_EVIDENCE_CONSENT,
		.credit = policy->credit,
		.first_contacts_per_s = policy->first_contacts_per_s,
		/* The pump counts the one twice that makes it count. */
		.connections_per_s = policy->connections_per_s - 1u,
		.rate = policy->rate,
	};
	world->guard = calloc(1, guard_bytes(KEYS));
	assert_non_null(world->guard);
	guard_init(world->guard, &params, seed, KEYS);
	world->until_ns = GUARD_NEVER;
	world->count = world->held_count = 0;
	world->round = 0;
}

static void end(struct world *world)
{
	while (world->held_count > 0)
		guard_let_go(world->guard,
			     world->held[--world->held_count].note);
	assert_int_equal(0, world->guard->counters[GUARD_waiting_pkts]);
	assert_int_equal(0, world->guard->counters[GUARD_no_place_pkts]);
	free(world->guard);
	bed_fini(&world->bed);
}

static void ask_all(struct world *world, uint64_t now_ns)
{
	size_t kept = 0;

	world->until_ns = GUARD_NEVER;
	world->round++;
	for (size_t i = 0; i < world->held_count; i++) {
		const struct event *event =
			&world->events[world->held[i].event];

		if (guard_ask_again(world->guard, world->held[i].note,
				    event->packet.meta.length_bytes,
				    world->round, &world->until_ns,
				    now_ns) == GUARD_GO_ON)
			world->left_ns[event->number] = now_ns;
		else
			world->held[kept++] = world->held[i];
	}
	world->held_count = kept;
	assert_true(kept == 0 || (world->until_ns > now_ns &&
				  world->until_ns != GUARD_NEVER));
}

static void run_guard(struct world *world, uint64_t now_ns)
{
	while (world->until_ns <= now_ns)
		ask_all(world, world->until_ns);
}

static void offer_guard(struct world *world, size_t at)
{
	const struct event *event = &world->events[at];
	const struct packet_meta *meta = &event->packet.meta;
	struct guard_packet packet = {
		.meta = meta,
		.segment_bytes = evidence_payload_bytes(meta),
		.wire_pkts = 1,
		.slots = 1,
		.bytes = meta->length_bytes,
	};
	uint64_t note;

	flow_fill(meta, event->in ? FLOW_IN : FLOW_OUT, 0, &packet.flow);
	packet.pair = packet.flow;
	flow_fill_pair(&packet.pair);
	if (event->in) {
		if (guard_hear(world->guard, &packet, event->at_ns))
			ask_all(world, event->at_ns);
		return;
	}
	if (guard_ask(world->guard, &packet, &note, &world->until_ns,
		      event->at_ns) == GUARD_GO_ON) {
		world->left_ns[event->number] = event->at_ns;
		return;
	}
	world->held[world->held_count].event = at;
	world->held[world->held_count++].note = note;
}

/* ------ traffic */

static struct event *add(struct world *world, const char *protocol,
			 uint32_t peer, uint16_t port, uint64_t at_ns)
{
	struct event *event = &world->events[world->count];
	char address[40];

	assert_true(world->count < EVENTS);
	*event = (struct event){ .at_ns = at_ns,
				 .number = world->count++,
				 .peer = peer };
	snprintf(address, sizeof(address), "192.0.%u.%u", peer / 250,
		 peer % 250 + 1);
	bed_packet(&event->packet, protocol, "10.0.0.1", port, address, 80);
	return event;
}

/* What comes back, if that has left. */
static struct event *answer(struct world *world, const struct event *asked,
			    uint64_t away_ns)
{
	struct event *event = &world->events[world->count];
	struct packet_ends *ends = &event->packet.meta.ends;

	assert_true(world->count < EVENTS);
	*event = *asked;
	event->at_ns += away_ns;
	event->asked = asked->number;
	event->number = world->count++;
	event->in = true;
	memcpy(ends->src, asked->packet.meta.ends.dst, 16);
	memcpy(ends->dst, asked->packet.meta.ends.src, 16);
	ends->src_port = asked->packet.meta.ends.dst_port;
	ends->dst_port = asked->packet.meta.ends.src_port;
	return event;
}

static struct event *add_tcp(struct world *world, uint32_t peer, uint16_t port,
			     uint8_t flags, uint64_t at_ns)
{
	struct event *event = add(world, "tcp", peer, port, at_ns);

	event->packet.meta.tcp_flags = flags;
	event->packet.meta.header_bytes = 40;
	event->packet.meta.length_bytes = 40;
	return event;
}

static uint64_t any_gap(struct world *world)
{
	return random_below(&world->random, 40) * MS / 4 + 1;
}

/* Some, most, or none of it is answered. */
static void talk(struct world *world, uint32_t peer, uint64_t at_ns,
		 uint64_t end_ns)
{
	uint32_t answered = random_below(&world->random, 6);
	uint16_t port = (uint16_t)random_in(&world->random, 1000, 1002);
	uint64_t away_ns = random_below(&world->random, 100) * MS;

	for (uint32_t i = random_below(&world->random, 200);
	     i > 0 && at_ns < end_ns; i--) {
		const struct event *asked =
			add(world, "udp", peer, port, at_ns);

		if (answered > 0 && random_once(&world->random, answered) &&
		    at_ns + away_ns < end_ns)
			answer(world, asked, away_ns);
		at_ns += any_gap(world);
	}
}

static void stream(struct world *world, uint32_t peer, uint64_t at_ns,
		   uint64_t end_ns)
{
	uint16_t seq = (uint16_t)random_below(&world->random, 65536);

	for (; at_ns < end_ns; at_ns += 20 * MS) {
		struct event *event = add(world, "udp", peer, 5004, at_ns);

		event->packet.meta.rtp_ssrc = 7 + peer;
		event->packet.meta.rtp_seq = seq++;
	}
}

static void sweep(struct world *world, uint32_t first, uint64_t at_ns,
		  uint64_t end_ns)
{
	uint32_t answered = random_in(&world->random, 1, 4);

	for (uint32_t i = 0; i < 120 && at_ns < end_ns; i++) {
		const struct event *asked =
			add(world, "udp", first + i, 2000, at_ns);

		if (random_once(&world->random, 8 * answered) &&
		    at_ns + 7 * MS < end_ns)
			answer(world, asked, 7 * MS);
		at_ns += random_below(&world->random, 8) * MS + 1;
	}
}

/* Ports are used once, or again; answered by nobody, by SYN-ACK that is or is
 * not gone on with, or by RST. */
static void connect_many(struct world *world, uint32_t peer, uint64_t at_ns,
			 uint64_t end_ns)
{
	uint32_t how = random_below(&world->random, 4);
	uint16_t ports = (uint16_t)random_in(&world->random, 60, 300);

	for (uint32_t i = 0; i < 300 && at_ns + 4 * MS < end_ns; i++) {
		uint16_t port = (uint16_t)(3000 + i % ports);
		const struct event *asked =
			add_tcp(world, peer, port, TCP_SYN, at_ns);

		if (how == 1)
			answer(world, asked, 2 * MS)->packet.meta.tcp_flags =
				TCP_RST;
		if (how >= 2)
			answer(world, asked, 2 * MS)->packet.meta.tcp_flags =
				TCP_SYN | TCP_ACK;
		if (how == 3)
			add_tcp(world, peer, port, TCP_ACK, at_ns + 3 * MS);
		at_ns += random_below(&world->random, 6) * MS + 1;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event *left = a, *right = b;

	if (left->at_ns != right->at_ns)
		return left->at_ns < right->at_ns ? -1 : 1;
	return left->number < right->number ? -1 : 1;
}

static void sort(struct world *world)
{
	qsort(world->events, world->count, sizeof(world->events[0]), by_time);
}

static void make(struct world *world, uint64_t span_ns)
{
	for (uint32_t i = random_in(&world->random, 2, 8); i > 0; i--) {
		uint32_t peer = random_below(&world->random, 12);
		uint64_t at_ns =
			BEGIN + random_below(&world->random,
					     (uint32_t)(span_ns / MS * 2 / 5)) *
					MS;

		switch (random_below(&world->random, 6)) {
		case 0:
			stream(world, peer, at_ns, BEGIN + span_ns);
			break;
		case 1:
			sweep(world, 100 * i, at_ns, BEGIN + span_ns);
			break;
		case 2:
			/* The pump takes a pair's other flows for connections
			 * that it did not count. */
			connect_many(world, 12 + i, at_ns, BEGIN + span_ns);
			break;
		default:
			talk(world, peer, at_ns, BEGIN + span_ns);
			break;
		}
	}
	sort(world);
}

static uint64_t left_pump_ns(const struct world *world, size_t number)
{
	const struct bed_packet *packet =
		&world->bed.packets[world->ids[number]];

	return packet->fate == BED_PASSED ? packet->left_ns : 0;
}

static bool is_due(const struct world *world, const struct event *event)
{
	return !event->in || (world->left_ns[event->asked] != 0 &&
			      left_pump_ns(world, event->asked) != 0);
}

static void run(struct world *world, uint64_t end_ns)
{
	memset(world->left_ns, 0, sizeof(world->left_ns));
	for (size_t i = 0; i < world->count; i++) {
		const struct event *event = &world->events[i];

		run_guard(world, event->at_ns);
		bed_run(&world->bed, event->at_ns);
		if (!is_due(world, event))
			continue;
		world->ids[event->number] =
			bed_offer(&world->bed, &event->packet, event->at_ns);
		offer_guard(world, i);
	}
	bed_run(&world->bed, end_ns);
	run_guard(world, end_ns);
}

/* ------ what is asked of them */

struct tally {
	uint32_t packets, waited;
	uint32_t left_guard, left_pump; /* by the end */
};

static void add_up(const struct world *world, struct tally *tally)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct event *event = &world->events[i];
		uint64_t left_ns = world->left_ns[event->number];

		if (event->in)
			continue;
		tally->packets++;
		tally->waited += left_ns != event->at_ns;
		tally->left_guard += left_ns != 0;
		tally->left_pump += left_pump_ns(world, event->number) != 0;
	}
}

static void check_equal(const struct world *world, uint64_t seed)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct event *event = &world->events[i];
		uint64_t guard_ns = world->left_ns[event->number];
		uint64_t pump_ns = event->in
					   ? guard_ns
					   : left_pump_ns(world, event->number);

		if (guard_ns != pump_ns)
			fail_msg("seed %llu: packet %zu to peer %u, offered "
				 "at %llu, left the guard at %llu and the pump "
				 "at %llu",
				 (unsigned long long)seed, i, event->peer,
				 (unsigned long long)event->at_ns,
				 (unsigned long long)guard_ns,
				 (unsigned long long)pump_ns);
	}
}

static void test_netback_guard_lets_go_what_the_pump_lets_go(void **state)
{
	struct world *world = &the_world;
	uint64_t seed = random_seed("netback_pump", 1);
	struct tally tally = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		begin(world, SHIPPED);
		random_init(&world->random, seed + i);
		make(world, S - MS);
		run(world, BEGIN + S - MS);
		check_equal(world, seed + i);
		add_up(world, &tally);
		end(world);
	}
	printf("%u packets, %u waited\n", tally.packets, tally.waited);
	assert_in_range(tally.waited, tally.packets / 20,
			tally.packets / 10 * 9);
}

static uint32_t left_by(const struct world *world, bool guard, uint64_t by_ns)
{
	uint32_t left = 0;

	for (size_t i = 0; i < world->count; i++) {
		size_t number = world->events[i].number;
		uint64_t left_ns = 0;

		if (!world->events[i].in)
			left_ns = guard ? world->left_ns[number]
					: left_pump_ns(world, number);
		left += left_ns != 0 && left_ns <= by_ns;
	}
	return left;
}

/* The guard forgets what was sent up to 7 % later, and what was heard: one
 * reply more may let go some at once that waited. */
enum { AT_ONCE = 64 };

static void test_netback_guard_is_as_strict_in_the_long_run(void **state)
{
	struct world *world = &the_world;
	uint64_t seed = random_seed("netback_pump", 1000);
	struct tally tally = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		begin(world, UNPACED);
		random_init(&world->random, seed + i);
		make(world, 8 * S);
		run(world, BEGIN + 8 * S);
		for (uint64_t at_ns = BEGIN; at_ns <= BEGIN + 8 * S;
		     at_ns += 100 * MS) {
			uint32_t pump = left_by(world, false, at_ns);
			uint32_t guard = left_by(world, true, at_ns);

			assert_in_range(guard, pump - (pump * 7 / 100),
					pump + pump * 7 / 100 + AT_ONCE);
		}
		add_up(world, &tally);
		end(world);
	}
	printf("%u packets, %u waited; %u left the guard, %u the pump\n",
	       tally.packets, tally.waited, tally.left_guard, tally.left_pump);
}

/* One conversation: those of several take turns in the pump. */
static void test_netback_guard_keeps_the_rate_as_the_pump_does(void **state)
{
	struct world *world = &the_world;
	uint64_t seed = random_seed("netback_pump", 2000);
	struct tally tally = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		begin(world, RATED);
		random_init(&world->random, seed + i);
		talk(world, 1, BEGIN, BEGIN + S - MS);
		sort(world);
		run(world, BEGIN + S - MS);
		check_equal(world, seed + i);
		add_up(world, &tally);
		end(world);
	}
	printf("%u packets, %u waited\n", tally.packets, tally.waited);
	assert_true(tally.waited > tally.packets / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_netback_guard_lets_go_what_the_pump_lets_go),
		cmocka_unit_test(
			test_netback_guard_is_as_strict_in_the_long_run),
		cmocka_unit_test(
			test_netback_guard_keeps_the_rate_as_the_pump_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
