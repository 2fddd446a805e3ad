/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_world.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "tests/check.h"
#include "tests/pump_invariants.h"
#include "tests/pump_world_packets.h"
#include "tests/pump_world_policies.h"

#define MS     1000000u
#define SECOND 1000000000u

/* ------ bytes */

static uint8_t take(struct world *world)
{
	if (world->left == 0)
		return 0;
	world->left--;
	return *world->bytes++;
}

static uint32_t take_below(struct world *world, uint32_t below)
{
	return take(world) % below;
}

/* ------ policies */

/* Smaller than an operator may ask for, so that everything runs out. */
static void set_limits(struct world *world)
{
	static const uint8_t sizes[] = { 1, 2, 3, 5, 8, 20, 40, 64 };
	struct policy_limits limits = { 0 };

	limits.flows = sizes[take_below(world, 8)];
	limits.pairs = sizes[take_below(world, 8)];
	limits.hosts = sizes[take_below(world, 4)];
	limits.suspects = sizes[take_below(world, 8)];
	limits.flows_per_host = sizes[take_below(world, 8)];
	limits.pairs_per_host = sizes[take_below(world, 8)];
	limits.held_packets = 4u * sizes[take_below(world, 8)];
	limits.held_packets_per_host = 2u * sizes[take_below(world, 8)];
	limits.held_packets_per_key = sizes[take_below(world, 8)];
	limits.held_bytes = 512u * sizes[take_below(world, 8)];
	for (int i = 0; i < PUMP_WORLD_POLICIES; i++) {
		world->policies[i]->limits = limits;
		world->policies[i]->limits.at_bound =
			i % 3 == 1 ? POLICY_BOUND_RELEASE : POLICY_BOUND_DROP;
	}
}

/* ------ operations */

static void hold_all(struct world *world);

/* Behind a super-packet that is set aside the pump stops.  Mostly that is
 * brought back first; sometimes the rest is offered all the same. */
static void offer_all(struct world *world, const uint32_t *ids,
		      struct pump_packet *packets, uint32_t count)
{
	uint32_t next = 0, judged;

	while (next < count) {
		judged = (uint32_t)pump_offer(world->pump, packets + next,
					      count - next, world->now_ns);
		CHECK(judged > 0 && judged <= count - next);
		pumpworld_collect(world);
		for (uint32_t end = next + judged; next < end; next++)
			pumpworld_settle_all(world, ids[next],
					     packets[next].verdict);
		CHECK(next == count ||
		      (packets[next - 1].verdict == PUMP_WAIT &&
		       packets[next - 1].super_packet));
		if (next < count && take(world) & 3)
			hold_all(world);
	}
}

static void offer(struct world *world)
{
	struct pump_packet packets[BATCH_MAX];
	uint32_t ids[BATCH_MAX];
	uint32_t count = 1 + take_below(world, BATCH_MAX);
	uint32_t flow = 0, what = 0;

	if (world->count + count * SEGMENTS_MAX > PACKETS_MAX)
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct sent_packet *sent = &world->packets[world->count];

		/* many of one flow, or of one pair */
		if (i == 0 || what & 0x40)
			flow = take_below(world, FLOWS);
		else if (what & 0x20)
			flow = flow - flow % PORTS + take_below(world, PORTS);
		if (i == 0 || what & 0x10)
			what = take(world);
		ids[i] = world->count;
		for (uint32_t k = 0; k < SEGMENTS_MAX; k++)
			sent[k] = (struct sent_packet){
				.flow = (uint8_t)flow,
				.direction = what & 1 ? FLOW_IN : FLOW_OUT,
				.segments = 1,
				.pieces = 1,
			};
		if (what & 2) {
			sent->super = true;
			sent->segments = (uint8_t)(1 + (what >> 2) % 4);
		} else if (what & 0x80) {
			sent->pieces = (uint8_t)(1 + (what >> 2) % 8);
		}
		world->count += sent->segments;
		pumpworld_fill_packet(world, ids[i], true, &packets[i]);
	}
	pumpworld_tell(world, "offer %u", count);
	for (uint32_t i = 0; i < count; i++)
		pumpworld_tell_packet(world, "offer", ids[i]);
	offer_all(world, ids, packets, count);
}

static void hold(struct world *world, uint32_t most)
{
	struct pump_packet packets[BATCH_MAX];
	uint32_t ids[BATCH_MAX];
	uint32_t count = 0;

	while (count < most && count < BATCH_MAX && world->aside_count > 0) {
		uint32_t id = world->aside[world->aside_first];

		world->aside_first = (world->aside_first + 1) % PACKETS_MAX;
		world->aside_count--;
		ids[count] = id;
		pumpworld_fill_packet(world, id, false, &packets[count++]);
		world->packets[id].fate = WAITS;
		world->waits++;
	}
	pumpworld_tell(world, "hold %u", count);
	for (uint32_t i = 0; i < count; i++)
		pumpworld_tell_packet(world, "hold", ids[i]);
	pump_hold(world->pump, packets, count, world->now_ns);
	/* a released head goes before what is not kept */
	pumpworld_collect(world);
	for (uint32_t i = 0; i < count; i++)
		if (packets[i].verdict != PUMP_WAIT)
			pumpworld_settle(world, ids[i], packets[i].verdict);
}

static void hold_all(struct world *world)
{
	while (world->aside_count > 0)
		hold(world, BATCH_MAX);
	pumpworld_tell(world, "settle");
	pump_settle(world->pump);
}

static void run(struct world *world, uint64_t until_ns)
{
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(world->pump)) <= until_ns) {
		if (next_ns > world->now_ns)
			world->now_ns = next_ns;
		pump_advance(world->pump, world->now_ns);
		pumpworld_collect(world);
		/* nothing is left that is due: no busy loop */
		CHECK(pump_next_ns(world->pump) > world->now_ns);
	}
	world->now_ns = until_ns;
}

static uint64_t take_span_ns(struct world *world)
{
	uint8_t what = take(world);

	return (uint64_t)(what & 15) << (what >> 4) * 2;
}

static void set_policy(struct world *world)
{
	hold_all(world); /* as the contract asks */
	world->policy = world->policies[take_below(world, PUMP_WORLD_POLICIES)];
	world->rehomed = true;
	for (int i = 0; i < PUMP_WORLD_POLICIES; i++)
		if (world->policy == world->policies[i])
			pumpworld_tell(world, "policy %d", i);
	pump_set_policy(world->pump, world->policy, world->now_ns);
}

static void tell_operators_word(struct world *world)
{
	uint8_t address[16];
	uint8_t what = take(world);

	if (what & 1)
		pumpworld_host_address((what >> 2) % HOSTS, address);
	else
		pumpworld_peer_address((what >> 2) % PEERS, address);
	hold_all(world);
	world->rehomed = true;
	pumpworld_tell(world, "word %u", what);
	if (what & 2)
		pump_release_address(world->pump, address, world->now_ns);
	else
		pump_exempt_address(world->pump, address,
				    world->now_ns + take_span_ns(world),
				    world->now_ns);
}

static void move_state(struct world *world)
{
	struct snapshot_cursor cursor = { 0 };

	if (take_below(world, 2) == 0) {
		world->records_count = 0;
		while (!cursor.ended && world->records_count < RECORDS)
			world->records_count += pump_export(
				world->pump, &cursor, 3,
				world->records + world->records_count,
				RECORDS - world->records_count, world->now_ns);
		return;
	}
	for (size_t i = 0; i < world->records_count; i++) {
		uint8_t *raw = (uint8_t *)&world->records[i];
		uint32_t at = take(world) * 2u;

		/* a file may say anything */
		if (at < sizeof(world->records[i]))
			raw[at] ^= take(world);
		pump_import(world->pump, &world->records[i],
			    take_span_ns(world), world->now_ns);
	}
}

static void read_rows(struct world *world)
{
	struct snapshot_query query = {
		.scopes = (uint8_t)take_below(world, 8),
		.only_over = take_below(world, 2),
	};
	struct snapshot_cursor cursor = { 0 };
	struct snapshot_row rows[5];

	while (!cursor.ended)
		snapshot_rows(world->pump, &query, &cursor, 4, rows, 5,
			      world->now_ns);
}

static bool is_lost(void *self, uint64_t id)
{
	return id % 3 == *(const uint32_t *)self;
}

static void drain(struct world *world)
{
	uint32_t lost = take_below(world, 8);

	hold_all(world);
	if (lost < 3) {
		pump_forget(world->pump, &(struct pump_lost){ is_lost, &lost },
			    world->now_ns);
		return;
	}
	pump_drain(world->pump, take_below(world, 2) ? PUMP_PASS : PUMP_DROP,
		   world->now_ns);
}

static void step(struct world *world)
{
	switch (take_below(world, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		offer(world);
		break;
	case 7:
		hold(world, 1 + take_below(world, BATCH_MAX));
		break;
	case 8:
		hold_all(world);
		break;
	case 9:
	case 10:
	case 11:
		run(world, world->now_ns + take_span_ns(world));
		break;
	case 12:
		set_policy(world);
		break;
	case 13:
		tell_operators_word(world);
		break;
	case 14:
		if (take_below(world, 4) == 0)
			drain(world);
		else
			move_state(world);
		break;
	case 15:
		/* late, or with a clock that ran back */
		if (take_below(world, 2))
			pump_advance(world->pump,
				     world->now_ns - take_span_ns(world));
		else
			read_rows(world);
		break;
	}
	pumpworld_collect(world);
	pumpworld_check(world);
}

/* Everything that waits comes out by itself. */
static void finish(struct world *world)
{
	struct snapshot_totals totals;
	uint32_t rounds = 0;

	hold_all(world);
	do {
		run(world, world->now_ns + 61ull * SECOND);
		snapshot_totals(world->pump, &totals);
		CHECK(rounds++ < 1000);
	} while (totals.held_pkts > 0);
	pumpworld_check(world);
	CHECK(world->waits == 0);
	/* and is forgotten */
	for (int i = 0; i < 8; i++)
		run(world, world->now_ns + 61ull * SECOND);
	snapshot_totals(world->pump, &totals);
	CHECK(totals.flows == 0 && totals.pairs == 0);
	CHECK(totals.suspects == 0);
	for (uint32_t id = 0; id < world->count; id++)
		CHECK(world->packets[id].fate == PASSED ||
		      world->packets[id].fate == DROPPED);
	pump_check(world->pump);
}

void pump_world_run(const uint8_t *bytes, size_t count)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	world.bytes = bytes;
	world.left = count;
	world.now_ns = 1000ull * SECOND;
	pump_world_load(world.policies);
	set_limits(&world);
	world.policy = world.policies[take_below(&world, PUMP_WORLD_POLICIES)];
	world.zones = zones_new();
	CHECK(world.zones);
	zones_id(world.zones, world.policy, "lan0", 0);
	world.pump = pump_new(
		&(struct pump_config){
			.policy = world.policy,
			.zones = world.zones,
			.seed = "a tiny world",
			.shards = 1,
		},
		world.now_ns);
	CHECK(world.pump);
	while (world.left > 0)
		step(&world);
	finish(&world);
	pump_free(world.pump);
	zones_free(world.zones);
}
