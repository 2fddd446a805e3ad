/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "tests/pump_invariants.h"

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			fprintf(stderr, "%s:%d: does not hold: %s\n", \
				__FILE__, __LINE__, #condition);      \
			abort();                                      \
		}                                                     \
	} while (0)

#define MS     1000000u
#define SECOND 1000000000u

enum {
	HOSTS = 4,
	PEERS = 6, /* the last two are guarded as well */
	PORTS = 3,
	FLOWS = HOSTS * PEERS * PORTS,
	PACKETS_MAX = 4096,
	BATCH_MAX = 8,
	SEGMENTS_MAX = 5,
	POLICIES = 18,
	RECORDS = 32,
};

enum fate { UNKNOWN, ASIDE, WAITS, PASSED, DROPPED };

struct sent_packet {
	uint8_t fate;
	uint8_t flow;
	uint8_t direction; /* out of or into its flow's host */
	bool super;        /* stands for itself and those after it */
	uint8_t segments;
	uint8_t pieces; /* it was put together of so many wire packets */
};

struct world {
	const uint8_t *bytes;
	size_t left;
	struct policy *policies[POLICIES];
	struct zones *zones;
	struct pump *pump;
	const struct policy *policy; /* in force */
	uint64_t now_ns;
	struct sent_packet packets[PACKETS_MAX]; /* by id */
	uint32_t count;
	uint32_t aside[PACKETS_MAX]; /* ids, each one wire packet */
	uint32_t aside_first, aside_count;
	uint32_t last[FLOWS][2]; /* id + 1 that passed last */
	uint64_t waits, dropped;
	bool rehomed; /* bounds may be passed until nothing waits */
	struct pump_record records[RECORDS];
	size_t records_count;
};

/* ------ telling */

static void tell(const struct world *world, const char *format, ...)
{
	static int wanted = -1;
	va_list arguments;

	if (wanted < 0)
		wanted = getenv("SYMTAP_TRACE") != NULL;
	if (!wanted)
		return;
	fprintf(stderr, "%llu ns: ", (unsigned long long)world->now_ns);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static void tell_packet(const struct world *world, const char *what,
			uint32_t id)
{
	const struct sent_packet *sent = &world->packets[id];

	tell(world, "  %s %u: host %d %s peer %d port %d%s", what, id,
	     sent->flow / PORTS / PEERS,
	     sent->direction == FLOW_OUT ? ">" : "<",
	     sent->flow / PORTS % PEERS, sent->flow % PORTS,
	     sent->super ? " super" : "");
}

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

#define RINGS                                                         \
	"antispoof: {bindings: [{mac: 52:54:00:00:00:01, addresses: " \
	"10.0.0.1}, {mac: 52:54:00:00:00:02, addresses: 10.0.0.2}]}\n"

static const char *const texts[POLICIES] = {
	"mode: enforce\n",
	"mode: enforce\nlimiter: {enforce: [flow]}\n",
	"mode: enforce\nlimiter: {enforce: [pair]}\n",
	"mode: enforce\nlimiter: {enforce: [host]}\n",
	"mode: enforce\nlimiter: {enforce: [host, pair, flow]}\n",
	"mode: shadow\n",
	"mode: enforce\n"
	"limiter: {threshold: 0.0, window: 10ms, first_delay: 1us, "
	"enforce: [host, flow]}\n",
	"mode: enforce\n"
	"limiter: {threshold: 3.0, window: 60s, first_delay: 1s, "
	"enforce: [pair, flow]}\n"
	"rules: [{priority: 1, match: {proto: udp, dst_port: 54}, "
	"action: exempt}]\n",
	"mode: enforce\n"
	"rules:\n"
	"  - {priority: 1, match: {src: 10.0.0.1/32}, action: limit, "
	"threshold: 0.5, window: 100ms}\n"
	"  - {priority: 2, match: {dst: 192.0.2.2/32}, action: exempt}\n"
	"  - {priority: 3, match: {src: 10.0.0.2/32}, action: limit, "
	"threshold: 15.0, window: 2s}\n",
	"mode: enforce\nlimiter: {enforce: [host, flow]}\n"
	"rules:\n"
	"  - {priority: 1, match: {dst: 192.0.2.1/32}, action: limit, "
	"threshold: 4.0}\n",
	/* the purse and the guards, so small that both run out */
	"mode: enforce\nlimiter: {evidence: consent}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, patience: 3, credit: 2}\n"
	"guards: {first_contacts: 1, new_connections: 2}\n",
	"mode: shadow\n"
	"limiter: {evidence: consent, patience: 5, credit: 1, "
	"enforce: [pair]}\n"
	"guards: {first_contacts: 2, new_connections: 1}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, patience: 1, credit: 3, "
	"enforce: [host, pair, flow]}\n"
	"guards: {first_contacts: 1, new_connections: 1}\n"
	"rules: [{priority: 1, match: {dst: 192.0.2.2/32}, "
	"action: exempt}]\n",
	/* what a host may send in all */
	"mode: enforce\nrate: {packets: 40/s, burst: 100ms}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, enforce: [host, pair, flow]}\n"
	"guards: {first_contacts: 2, new_connections: 2}\n"
	"rate: {bytes: 3kB/s, burst: 50ms}\n"
	"antispoof: {bindings: [{mac: 52:54:00:00:00:01, "
	"addresses: 10.0.0.1, rate: {packets: 1/s, burst: 1s}}]}\n",
	/* places in a guest's ring */
	"mode: enforce\nrate: {packets: 100/s}\n"
	"xen: {vifs: follow, at_slots: shed, held_slots_per_key: 3, "
	"held_slots_per_vif: 5}\n" RINGS,
	"mode: enforce\n"
	"xen: {vifs: follow, at_slots: wait, held_slots_per_key: 2}\n" RINGS,
};

static struct policy *parse(const char *text)
{
	static struct policy_errors errors;
	char full[1024];
	struct policy *policy;
	int bytes = snprintf(full, sizeof(full),
			     "inside: [10.0.0.0/8, 2001:db8::/32]\n%s", text);

	CHECK(policy_parse("world", full, (size_t)bytes, &policy, &errors));
	if (!strstr(text, "evidence"))
		policy->evidence = POLICY_EVIDENCE_PACKETS;
	if (policy->xen.vifs)
		CHECK(policy_add_vif(policy, &(struct policy_vif){
						     .interface = "lan0",
						     .way = POLICY_WAY_QUEUE,
					     }));
	return policy;
}

/* Parsed once: parsing is not what is tested here. */
static void load_policies(struct world *world)
{
	static struct policy *parsed[POLICIES];

	for (int i = 0; i < POLICIES; i++) {
		if (!parsed[i])
			parsed[i] = parse(texts[i]);
		world->policies[i] = parsed[i];
	}
}

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
	for (int i = 0; i < POLICIES; i++) {
		world->policies[i]->limits = limits;
		world->policies[i]->limits.at_bound =
			i % 3 == 1 ? POLICY_BOUND_RELEASE : POLICY_BOUND_DROP;
	}
}

/* ------ packets */

static void v4(uint8_t address[16], uint8_t first, uint8_t last)
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	address[12] = first;
	address[13] = first == 192 ? 0 : 0;
	address[14] = first == 192 ? 2 : 0;
	address[15] = last;
}

/* The last two are one host: two addresses of one prefix. */
static void host_address(uint32_t host, uint8_t address[16])
{
	static const uint8_t prefix[] = { 0x20, 0x01, 0x0d, 0xb8 };

	if (host < 2) {
		v4(address, 10, (uint8_t)(host + 1));
		return;
	}
	memset(address, 0, 16);
	memcpy(address, prefix, sizeof(prefix));
	address[15] = (uint8_t)host;
}

static void peer_address(uint32_t peer, uint8_t address[16])
{
	if (peer >= PEERS - 2)
		host_address(peer - (PEERS - 2), address);
	else
		v4(address, 192, (uint8_t)(peer + 1));
}

static void fill_packet(const struct world *world, uint32_t id, bool whole,
			struct pump_packet *packet)
{
	static const uint8_t tcp_flags[] = { 2, 16, 18, 16, 20 };
	const struct sent_packet *sent = &world->packets[id];
	struct packet_ends *ends = &packet->meta.ends;
	bool out = sent->direction == FLOW_OUT;
	uint16_t inside_port = (uint16_t)(1000 + sent->flow % PORTS);
	uint16_t outside_port = (uint16_t)(53 + sent->flow % PORTS);

	memset(packet, 0, sizeof(*packet));
	host_address(sent->flow / PORTS / PEERS, out ? ends->src : ends->dst);
	peer_address(sent->flow / PORTS % PEERS, out ? ends->dst : ends->src);
	ends->src_port = out ? inside_port : outside_port;
	ends->dst_port = out ? outside_port : inside_port;
	ends->proto = sent->flow % PORTS == 2 ? 6 : 17;
	packet->meta.tcp_flags = ends->proto == 6 ? tcp_flags[id % 5] : 0;
	packet->meta.header_bytes = 28;
	packet->meta.length_bytes = 128;
	packet->id = id;
	packet->wire_pkts = sent->pieces;
	if (whole && sent->super) {
		packet->super_packet = true;
		packet->meta.length_bytes = 28 + 100u * sent->segments;
		/* of some, only the pump can know */
		packet->wire_pkts = id % 2 ? 0 : sent->segments;
	}
}

/* ------ what becomes of them */

static void pass(struct world *world, uint32_t id)
{
	const struct sent_packet *sent = &world->packets[id];
	uint32_t *last = &world->last[sent->flow][sent->direction];

	CHECK(*last <= id);
	*last = id + 1;
}

static bool leaves_a_guarded_host(const struct sent_packet *sent)
{
	return sent->direction == FLOW_OUT ||
	       sent->flow / PORTS % PEERS >= PEERS - 2;
}

static void settle(struct world *world, uint32_t id, uint8_t verdict)
{
	struct sent_packet *sent = &world->packets[id];

	CHECK(sent->fate == UNKNOWN || sent->fate == ASIDE ||
	      sent->fate == WAITS);
	world->waits -= sent->fate == WAITS;
	tell_packet(world, verdict == PUMP_PASS ? "passes" : "is dropped", id);
	if (verdict == PUMP_PASS) {
		sent->fate = PASSED;
		pass(world, id);
	} else {
		CHECK(verdict == PUMP_DROP && leaves_a_guarded_host(sent));
		sent->fate = DROPPED;
		world->dropped++;
	}
}

static void settle_all(struct world *world, uint32_t id, uint8_t verdict)
{
	uint32_t count = world->packets[id].segments;

	if (verdict == PUMP_WAIT)
		for (uint32_t i = 0; i < count; i++) {
			tell_packet(world, "set aside", id + i);
			world->packets[id + i].fate = ASIDE;
			world->aside[(world->aside_first +
				      world->aside_count++) %
				     PACKETS_MAX] = id + i;
		}
	else
		for (uint32_t i = 0; i < count; i++)
			settle(world, id + i, verdict);
}

static void check_bounds(const struct world *world,
			 const struct snapshot_totals *totals)
{
	const struct policy_limits *limits = &world->policy->limits;

	CHECK(totals->held_pkts <= limits->held_packets);
	CHECK(totals->held_bytes <= limits->held_bytes);
}

static uint64_t dropped(const struct stats *stats)
{
	return stats->counter[STATS_dropped_key_bound] +
	       stats->counter[STATS_dropped_host_bound] +
	       stats->counter[STATS_dropped_bound] +
	       stats->counter[STATS_shed_key_pkts] +
	       stats->counter[STATS_shed_vif_pkts] +
	       stats->counter[STATS_dropped_drain];
}

/* Every call is followed by this. */
static void collect(struct world *world)
{
	struct pump_release releases[7];
	struct pump_refusal refusals[3];
	struct snapshot_totals totals;
	size_t count;

	while ((count = pump_collect(world->pump, releases, 7)) > 0)
		for (size_t i = 0; i < count; i++) {
			uint32_t id = (uint32_t)releases[i].id;

			CHECK(id < world->count);
			CHECK(world->packets[id].fate == WAITS);
			settle(world, id, releases[i].verdict);
		}
	pump_refusals(world->pump, refusals, 3);
	snapshot_totals(world->pump, &totals);
	if (totals.held_pkts == 0)
		world->rehomed = false;
	if (!world->rehomed)
		check_bounds(world, &totals);
	CHECK(totals.pairs_max == world->policy->limits.pairs);
}

/* ... and this, when its verdicts were carried out. */
static void check(struct world *world)
{
	struct snapshot_totals totals;

	CHECK(pump_check(world->pump) == world->waits);
	snapshot_totals(world->pump, &totals);
	if (world->policy->mode == POLICY_ENFORCE)
		CHECK(world->dropped <= dropped(&totals.stats));
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
		collect(world);
		for (uint32_t end = next + judged; next < end; next++)
			settle_all(world, ids[next], packets[next].verdict);
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
		fill_packet(world, ids[i], true, &packets[i]);
	}
	tell(world, "offer %u", count);
	for (uint32_t i = 0; i < count; i++)
		tell_packet(world, "offer", ids[i]);
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
		fill_packet(world, id, false, &packets[count++]);
		world->packets[id].fate = WAITS;
		world->waits++;
	}
	tell(world, "hold %u", count);
	for (uint32_t i = 0; i < count; i++)
		tell_packet(world, "hold", ids[i]);
	pump_hold(world->pump, packets, count, world->now_ns);
	/* a released head goes before what is not kept */
	collect(world);
	for (uint32_t i = 0; i < count; i++)
		if (packets[i].verdict != PUMP_WAIT)
			settle(world, ids[i], packets[i].verdict);
}

static void hold_all(struct world *world)
{
	while (world->aside_count > 0)
		hold(world, BATCH_MAX);
	tell(world, "settle");
	pump_settle(world->pump);
}

static void run(struct world *world, uint64_t until_ns)
{
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(world->pump)) <= until_ns) {
		if (next_ns > world->now_ns)
			world->now_ns = next_ns;
		pump_advance(world->pump, world->now_ns);
		collect(world);
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
	world->policy = world->policies[take_below(world, POLICIES)];
	world->rehomed = true;
	for (int i = 0; i < POLICIES; i++)
		if (world->policy == world->policies[i])
			tell(world, "policy %d", i);
	pump_set_policy(world->pump, world->policy, world->now_ns);
}

static void tell_operators_word(struct world *world)
{
	uint8_t address[16];
	uint8_t what = take(world);

	if (what & 1)
		host_address((what >> 2) % HOSTS, address);
	else
		peer_address((what >> 2) % PEERS, address);
	hold_all(world);
	world->rehomed = true;
	tell(world, "word %u", what);
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

static void drain(struct world *world)
{
	hold_all(world);
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
	collect(world);
	check(world);
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
	check(world);
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
	load_policies(&world);
	set_limits(&world);
	world.policy = world.policies[take_below(&world, POLICIES)];
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
