/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random packets through the kernel program, with a pump behind it, time
 * injected; beside it an exact window of every key, which is told what left
 * and what came in.
 *
 *  - What the program passes conforms by exact windows, too: sent in W, heard
 *    in 15/14 W.
 *  - A pump that is offered everything itself lets the same packets go, but
 *    for a few: what the program counted comes back in buckets.
 *  - Bits of the mark that are not ours stay.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet.h"
#include "policy/policy.h"
#include "shaper/asym.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/window.h"
#include "tests/pump_bed.h"
#include "tests/random.h"

enum {
	SKIPPED = 77,
	HOSTS = 3,
	REMOTES = 4,
	PORTS = 2,
	PACKETS = 60000,
	SLOTS = 256,
	FLOWS = HOSTS * REMOTES * PORTS * 2,
	FRAME_BYTES = 128,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
};

#define S          UINT64_C(1000000000)
#define BEGIN      (1001 * S)
#define LONGEST_NS (15 * S / 14)
#define MARK_MASK  UINT32_C(0x00f00000)
#define RATIO      UINT32_C(262144) /* T = 2 */

static const char POLICY[] = "limiter: {evidence: packets}\n"
			     "guards: {first_contacts: 0, new_connections: 0}\n"
			     "limits: {pairs: 1000, flows: 1000, hosts: 64}\n";

struct talk { /* one flow of the world */
	unsigned host, remote, port;
	bool tcp;
	uint32_t answered_pct; /* how willing the other side is */
};

struct world {
	struct random random;
	struct fast *fast;
	struct fastleases *leases;
	struct bed front; /* behind the program */
	struct bed alone;
	struct window pairs[HOSTS][REMOTES]; /* exact */
	struct window flows[FLOWS];
	struct talk talks[FLOWS];
	uint64_t ids[PACKETS];
	uint32_t flow_of[PACKETS];
	size_t told; /* of front's late releases, given to the windows */
	uint64_t now_ns;
	uint32_t out, passed;     /* packets; passed: in the kernel */
	uint32_t stricter, laxer; /* than the pump alone */
};

/* ------ packets */

struct frame {
	uint8_t bytes[FRAME_BYTES];
	uint32_t count;
};

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void make_frame(const struct talk *talk, bool out, uint8_t flags,
		       struct frame *ret)
{
	uint8_t *ip = ret->bytes + 14, *l4 = ip + 20;
	const uint8_t host[4] = { 10, 0, 0, (uint8_t)(1 + talk->host) };
	const uint8_t remote[4] = { 192, 0, 2, (uint8_t)(1 + talk->remote) };
	unsigned ports[2] = { 1000 + talk->port, 53 };

	memset(ret, 0, sizeof(*ret));
	ret->count = 80;
	put16(ret->bytes + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, ret->count - 14);
	ip[8] = 64;
	ip[9] = talk->tcp ? 6 : 17;
	memcpy(ip + 12, out ? host : remote, 4);
	memcpy(ip + 16, out ? remote : host, 4);
	put16(l4, ports[!out]);
	put16(l4 + 2, ports[out]);
	if (talk->tcp) {
		l4[12] = 0x50;
		l4[13] = flags;
	} else {
		put16(l4 + 4, ret->count - 34);
	}
}

static void read_frame(const uint8_t *bytes, uint32_t count,
		       struct pump_packet *ret)
{
	memset(ret, 0, sizeof(*ret));
	assert(packet_parse_ethernet(bytes, count, count, &ret->meta) ==
	       PACKET_OK);
	ret->wire_pkts = 1;
	ret->shard = PUMP_HERE;
}

/* ------ the exact windows */

static void count(struct world *world, uint32_t flow, uint32_t sent,
		  uint32_t heard, uint64_t now_ns)
{
	const struct talk *talk = &world->talks[flow];

	window_add(&world->pairs[talk->host][talk->remote], LONGEST_NS, sent,
		   heard, now_ns);
	window_add(&world->flows[flow], LONGEST_NS, sent, heard, now_ns);
}

/* Each packet is forgotten between W and 15/14 W after it came. */
static bool is_over(struct window *window, uint64_t now_ns)
{
	uint32_t sent;

	window_slide(window, LONGEST_NS, now_ns);
	sent = window->sent_pkts;
	for (uint32_t i = 0; i < window->count; i++) {
		const struct window_run *run = window_run(window, i);

		if (run->start_ns + S <= now_ns)
			sent -= run->sent_pkts;
	}
	return asym_exceeds(sent, window->heard_pkts, RATIO);
}

static void tell_late(struct world *world)
{
	for (; world->told < world->front.order_count; world->told++) {
		uint64_t id = world->front.order[world->told];

		count(world, world->flow_of[id], 1, 0,
		      world->front.packets[id].left_ns);
	}
}

/* ------ the kernel program, and the pump behind it */

static uint32_t run(struct world *world, const struct frame *frame, bool out)
{
	const struct fast_frame in = { .bytes = frame->bytes,
				       .count_bytes = frame->count,
				       .mark = 0xab1f00ff,
				       .out = out };
	uint32_t mark = 0;

	fast_set_time(world->fast, world->now_ns);
	assert(fast_run(world->fast, &in, &mark) == 0);
	assert((mark & ~MARK_MASK) == (0xab1f00ff & ~MARK_MASK) || !out);
	return fast_mark(world->fast, mark);
}

static uint64_t judge(struct world *world, const struct pump_packet *packet,
		      uint32_t mark, bool out)
{
	struct bed *bed = &world->front;
	struct flow_key key = { 0 };
	uint64_t id;

	flow_key_of(&packet->meta, out ? FLOW_OUT : FLOW_IN, 0, &key);
	bed_run(bed, world->now_ns);
	fastleases_note(world->leases, bed->pump, &key, mark, world->now_ns);
	id = bed_offer(bed, packet, world->now_ns);
	if (out && bed->packets[id].fate == BED_PASSED)
		fastleases_offer(world->leases, bed->pump, &key, world->now_ns);
	return id;
}

static void on_event(void *self, const struct fast_event *event)
{
	struct world *world = self;
	struct pump_packet packet;

	read_frame(event->bytes, event->captured_bytes, &packet);
	world->flow_of[judge(world, &packet, 0, false)] = UINT32_MAX;
}

static void send_out(struct world *world, uint32_t flow,
		     const struct frame *frame)
{
	const struct talk *talk = &world->talks[flow];
	bool was_over = is_over(&world->pairs[talk->host][talk->remote],
				world->now_ns) ||
			is_over(&world->flows[flow], world->now_ns);
	uint32_t mark = run(world, frame, true);
	struct pump_packet packet;
	bool passed_alone, passed = mark == FAST_MARK_PASSED;
	uint64_t id;

	read_frame(frame->bytes, frame->count, &packet);
	id = bed_offer(&world->alone, &packet, world->now_ns);
	passed_alone = world->alone.packets[id].fate == BED_PASSED;
	if (passed) {
		assert(!was_over);
		world->passed++;
		count(world, flow, 1, 0, world->now_ns);
	} else {
		id = judge(world, &packet, mark, true);
		world->flow_of[id] = flow;
		passed = world->front.packets[id].fate == BED_PASSED;
		if (passed)
			count(world, flow, 1, 0, world->now_ns);
	}
	world->out++;
	world->stricter += !passed && passed_alone;
	world->laxer += passed && !passed_alone;
}

static void come_in(struct world *world, uint32_t flow,
		    const struct frame *frame)
{
	struct pump_packet packet;

	read_frame(frame->bytes, frame->count, &packet);
	bed_offer(&world->alone, &packet, world->now_ns);
	run(world, frame, false);
	count(world, flow, 0, 1, world->now_ns);
	fast_receive(world->fast, on_event, world);
}

/* ------ life */

/* Exact windows, so that all that differs is the program's. */
static void set_up_pump(struct bed *bed)
{
	struct pump_config config = { .shards = 1, .lift_bounds = true };

	bed_init(bed, POLICY);
	config.policy = bed->policy;
	config.zones = bed->zones;
	pump_free(bed->pump);
	bed->pump = pump_new(&config, bed->now_ns);
	assert(bed->pump != NULL);
}

static void set_up(struct world *world, uint64_t seed)
{
	struct fast_options options = { .slots = SLOTS,
					.mark_mask = MARK_MASK,
					.test = true };
	char wrong[FAST_TEXT_BYTES] = "";
	uint32_t slots_count;
	struct fast_slot *slots;
	uint64_t k0, k1;
	int error;

	memset(world, 0, sizeof(*world));
	random_init(&world->random, seed);
	error = fast_new(&options, &world->fast, wrong);
	if (error < 0) {
		printf("skipped: %s (%s)\n", wrong, strerror(-error));
		exit(SKIPPED);
	}
	fast_set_test_zone(world->fast, 0);
	slots = fast_slots(world->fast, &slots_count);
	fast_hash_key(world->fast, &k0, &k1);
	world->leases = fastleases_new(slots, slots_count, k0, k1);
	set_up_pump(&world->front);
	set_up_pump(&world->alone);
	for (uint32_t i = 0; i < FLOWS; i++) {
		world->talks[i] = (struct talk){
			.host = i % HOSTS,
			.remote = i / HOSTS % REMOTES,
			.port = i / (HOSTS * REMOTES) % PORTS,
			.tcp = i / (HOSTS * REMOTES * PORTS) != 0,
			.answered_pct = 100,
		};
		world->flows[i].grows = true;
	}
	for (int i = 0; i < HOSTS * REMOTES; i++)
		world->pairs[i / REMOTES][i % REMOTES].grows = true;
	world->now_ns = BEGIN;
}

/* Now and then somebody falls silent, or speaks again. */
static void step(struct world *world)
{
	struct random *random = &world->random;
	uint32_t flow = random_below(random, FLOWS);
	struct talk *talk = &world->talks[flow];
	struct frame frame;
	uint8_t flags = TCP_ACK;

	world->now_ns += random_once(random, 2000)
				 ? random_next(random) % (3 * S)
				 : random_next(random) % 4000000;
	bed_run(&world->front, world->now_ns);
	bed_run(&world->alone, world->now_ns);
	tell_late(world);
	if (random_once(random, 200))
		talk->answered_pct =
			(uint32_t[]){ 0, 10, 30, 100 }[random_below(random, 4)];
	if (random_once(random, 100))
		flags = (uint8_t[]){ TCP_SYN, TCP_SYN | TCP_ACK,
				     TCP_RST }[random_below(random, 3)];
	make_frame(talk, true, flags, &frame);
	send_out(world, flow, &frame);
	if (random_below(random, 100) < talk->answered_pct) {
		make_frame(talk, false, TCP_ACK, &frame);
		come_in(world, flow, &frame);
	}
	fastleases_sweep(world->leases, world->front.pump, world->now_ns);
}

int main(void)
{
	static struct world world;
	struct fast_counts counts;

	set_up(&world, random_seed("fast", 7));
	for (int i = 0; i < PACKETS / 4; i++)
		step(&world);
	fast_count(world.fast, &counts);
	printf("%u out: %u passed in the kernel, %u held and %u let go "
	       "other than by a pump alone; %llu leases, "
	       "%llu given back by the program, %llu told\n",
	       world.out, world.passed, world.stricter, world.laxer,
	       (unsigned long long)fastleases_stats(world.leases)->made,
	       (unsigned long long)counts.given_back,
	       (unsigned long long)counts.told);
	assert(counts.untold == 0);
	assert(world.passed > world.out / 10);
	/* What comes back is late and early by a bucket, and near the
	 * threshold, where all of this world is. */
	assert(world.stricter < world.out / 200);
	assert(world.laxer < world.out / 200);
	return 0;
}
