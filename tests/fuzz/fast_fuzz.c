/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of the kernel's fast path, whatever the kernel's says:
 *
 *  - leases are made, given back and ended while the program's share of the
 *    table (whose a pair is, buckets, evidence, what was heard) holds anything;
 *  - what the ring tells of packets in is any bytes;
 *  - what a killed daemon left behind is any bytes.
 *
 * At the end everything comes back, and nobody's share of the table is left.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/fast_left.h"
#include "shaper/io/nfqueue_reader.h"
#include "shaper/pump.h"
#include "shaper/pump_lease.h"

enum { SLOTS = 64, OPERATIONS_MAX = 400, BYTES_MAX = 8192, LEFT_SLOTS = 16 };

#define BEGIN_NS UINT64_C(1001000000000)

static const char POLICY[] =
	"mode: enforce\n"
	"inside: [10.0.0.0/8]\n"
	"guards: {first_contacts: 0}\n"
	"limits: {pairs: 64, flows: 128, hosts: 64, suspects: 64,\n"
	"         held_packets: 256, fragments: 16}\n";

struct input {
	const uint8_t *bytes;
	size_t count;
};

struct world {
	struct input input;
	struct fast_slot slots[FAST_ELEMENTS * SLOTS];
	struct fastleases *leases;
	struct zones *zones;
	struct pump *pump;
	struct nfqueue_stats stats;
	struct nfqueue_reader reader;
	uint64_t now_ns;
};

static struct policy *policy;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* What is not there is 0. */
static void take(struct input *input, void *into, size_t count)
{
	size_t there = count < input->count ? count : input->count;

	memset(into, 0, count);
	memcpy(into, input->bytes, there);
	input->bytes += there;
	input->count -= there;
}

static uint8_t take_byte(struct input *input)
{
	uint8_t byte;

	take(input, &byte, 1);
	return byte;
}

/* ------ packets */

static void collect(struct world *world)
{
	struct pump_release releases[64];

	while (pump_collect(world->pump, releases, 64) > 0)
		;
}

static void judge(struct world *world, struct pump_packet *packet,
		  uint32_t mark, bool out)
{
	struct flow_key key = { 0 };

	flow_key_of(&packet->meta, out ? FLOW_OUT : FLOW_IN, 0, &key);
	if (packet->meta.kind == PACKET_UNICAST)
		fastleases_note(world->leases, world->pump, &key, mark,
				world->now_ns);
	packet->ends = (uint8_t)(out ? PUMP_ENDS_SRC : PUMP_ENDS_DST);
	packet->arrived_ns = world->now_ns;
	pump_take(world->pump, packet, 1);
	if (packet->meta.kind == PACKET_UNICAST && out &&
	    packet->verdict == PUMP_PASS)
		fastleases_offer(world->leases, world->pump, &key,
				 world->now_ns);
	collect(world);
}

/* What the program does with it, out: the mark. */
static uint32_t mark_of(struct world *world, const struct packet_meta *meta,
			bool gives_back)
{
	struct flow_key flow = { 0 };
	struct fast_key key;

	flow_key_of(meta, FLOW_OUT, 0, &flow);
	fast_key_of(&flow, &key);
	for (int i = 0; i < SLOTS; i++) {
		struct fast_slot *slot = &world->slots[i];

		if (!fast_slot_is(slot, FAST_PAIR, &key))
			continue;
		if (slot->state & FAST_IN_KERNEL && !gives_back) {
			fast_add(&slot->pair, 1, 0);
			return FAST_MARK_PASSED;
		}
		slot->state &= ~(uint32_t)FAST_IN_KERNEL;
		slot->state += 1u << FAST_STEERED_SHIFT;
		return FAST_MARK_EPOCH + fast_epoch(slot->state);
	}
	return FASTLEASES_MARK_NONE;
}

/* The mark is the program's, and may be wrong. */
static void one_packet(struct world *world)
{
	uint8_t what = take_byte(&world->input);
	uint32_t mark = FASTLEASES_MARK_NONE;
	bool out = what & 1, tcp = what & 2;
	uint8_t host[16] = { [10] = 0xff, 0xff, 10, 0, 0, 1 };
	uint8_t remote[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	struct pump_packet packet = { .wire_pkts = 1, .shard = PUMP_HERE };
	struct packet_meta *meta = &packet.meta;

	remote[15] = 1 + (what >> 2 & 3);
	memcpy(meta->ends.src, out ? host : remote, 16);
	memcpy(meta->ends.dst, out ? remote : host, 16);
	meta->ends.proto = tcp ? 6 : 17;
	meta->ends.src_port = 7;
	meta->ends.dst_port = 7;
	meta->ethertype = 0x0800;
	meta->tcp_flags = tcp ? 16 : 0;
	meta->length_bytes = 140;
	meta->header_bytes = 40;
	take(&world->input, &meta->tcp_seq, 2);
	take(&world->input, &meta->tcp_ack, 2);
	if (out)
		mark = mark_of(world, meta, what & 16);
	if (what >= 224)
		mark = what % 16;
	if (mark != FAST_MARK_PASSED)
		judge(world, &packet, mark, out);
}

static void hear(struct world *world)
{
	struct pump_packet packet;
	struct fast_event event;

	take(&world->input, &event, sizeof(event));
	/* as the ring gives it: the program copies no more */
	event.captured_bytes %= FAST_COPIED_BYTES + 1;
	if (nfqueue_reader_hear(&world->reader, &event, 0, world->now_ns,
				&packet))
		judge(world, &packet, FASTLEASES_MARK_NONE, false);
}

/* What the program writes, whatever it is. */
static void damage(struct world *world)
{
	struct input *input = &world->input;
	uint32_t at = take_byte(input) % SLOTS;
	struct fast_slot *slot = &world->slots[at];
	uint8_t what = take_byte(input);

	if (what < 64)
		take(input, &slot->state, sizeof(slot->state));
	else if (what < 80)
		take(input, &slot->heard_pkts, sizeof(slot->heard_pkts));
	else if (what < 90)
		take(input, &slot->link, sizeof(slot->link));
	else if (what < 100)
		take(input, &slot->sent_end, 2 * sizeof(slot->sent_end));
	else if (what < 110)
		take(input, &slot->segment_bytes, sizeof(slot->segment_bytes));
	else if (what < 180)
		take(input, what & 1 ? &slot->pair : &slot->flow,
		     sizeof(slot->pair));
	else
		take(input,
		     &world->slots[fast_history_index(SLOTS, at, what & 1)],
		     sizeof(*slot));
}

static void pass_time(struct world *world)
{
	uint64_t next_ns;

	world->now_ns += UINT64_C(1) << (take_byte(&world->input) % 36);
	while ((next_ns = pump_next_ns(world->pump)) <= world->now_ns) {
		pump_advance(world->pump, next_ns);
		collect(world);
	}
}

static void operate(struct world *world)
{
	uint8_t what = take_byte(&world->input);

	if (what < 150)
		one_packet(world);
	else if (what < 200)
		damage(world);
	else if (what < 220)
		pass_time(world);
	else if (what < 235)
		hear(world);
	else if (what < 250)
		fastleases_sweep(world->leases, world->pump, world->now_ns);
	else
		fastleases_recall(world->leases, world->pump, world->now_ns);
}

/* ------ what was left behind */

static void take_over(struct world *world)
{
	struct fast_slot slots[FAST_ELEMENTS * LEFT_SLOTS];
	struct fast_config config;
	struct fastleft left;
	struct pump_lease lease;
	uint32_t ifindex, count = 0;

	take(&world->input, &config, sizeof(config));
	take(&world->input, slots, sizeof(slots));
	/* No fuzzer finds these by itself. */
	config.version = FAST_VERSION;
	config.slot_bytes = sizeof(struct fast_slot);
	config.slots_mask = LEFT_SLOTS - 1;
	assert(fastleft_init(&left, slots, &config, LEFT_SLOTS) == NULL);
	while (fastleft_next(&left, &lease, &ifindex, world->now_ns)) {
		assert(++count <= 2 * LEFT_SLOTS);
		assert(lease.runs_count <= PUMP_LEASE_RUNS && ifindex != 0);
		pump_take_back(world->pump, &lease, world->now_ns);
	}
}

/* ------ life */

static bool set_up(struct world *world)
{
	static const uint8_t SEED[16] = { 1 };
	struct pump_config config = { .shards = 1 };
	struct policy_errors errors;

	if (policy == NULL)
		assert(policy_parse("fuzz", POLICY, strlen(POLICY), &policy,
				    &errors));
	world->zones = zones_new();
	assert(world->zones && zones_id(world->zones, policy, "lan0", 0) == 0);
	config.policy = policy;
	config.zones = world->zones;
	world->now_ns = BEGIN_NS;
	world->pump = pump_new(&config, BEGIN_NS);
	world->leases = fastleases_new(world->slots, SLOTS, 1, 2);
	world->reader = (struct nfqueue_reader){ .zones = world->zones,
						 .policy = policy,
						 .shards = 1,
						 .stats = &world->stats };
	world->reader.fragments = fragments_new(16, SEED);
	return world->pump && world->leases && world->reader.fragments;
}

static void tear_down(struct world *world)
{
	fastleases_recall(world->leases, world->pump, world->now_ns);
	assert(fastleases_stats(world->leases)->keys == 0);
	assert(fastleases_stats(world->leases)->leased == 0);
	fastleases_free(world->leases);
	fragments_free(world->reader.fragments);
	pump_free(world->pump);
	zones_free(world->zones);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct world world;

	if (count > BYTES_MAX)
		return 0;
	memset(&world, 0, sizeof(world));
	world.input = (struct input){ bytes, count };
	assert(set_up(&world));
	if (take_byte(&world.input) & 1)
		take_over(&world);
	for (int i = 0; i < OPERATIONS_MAX && world.input.count > 0; i++)
		operate(&world);
	tear_down(&world);
	return 0;
}
