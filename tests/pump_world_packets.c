/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_world_packets.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/snapshot.h"
#include "tests/check.h"
#include "tests/pump_invariants.h"

/* ------ telling */

void pumpworld_tell(const struct world *world, const char *format, ...)
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

void pumpworld_tell_packet(const struct world *world, const char *what,
			   uint32_t id)
{
	const struct sent_packet *sent = &world->packets[id];

	pumpworld_tell(world, "  %s %u: host %d %s peer %d port %d%s", what, id,
		       sent->flow / PORTS / PEERS,
		       sent->direction == FLOW_OUT ? ">" : "<",
		       sent->flow / PORTS % PEERS, sent->flow % PORTS,
		       sent->super ? " super" : "");
}

/* ------ packets */

static void v4(uint8_t address[16], uint8_t first, uint8_t last)
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	address[12] = first;
	address[14] = first == 192 ? 2 : 0;
	address[15] = last;
}

/* The last two are one host: two addresses of one prefix. */
void pumpworld_host_address(uint32_t host, uint8_t address[16])
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

void pumpworld_peer_address(uint32_t peer, uint8_t address[16])
{
	if (peer >= PEERS - 2)
		pumpworld_host_address(peer - (PEERS - 2), address);
	else
		v4(address, 192, (uint8_t)(peer + 1));
}

void pumpworld_fill_packet(const struct world *world, uint32_t id, bool whole,
			   struct pump_packet *packet)
{
	static const uint8_t tcp_flags[] = { 2, 16, 18, 16, 20 };
	const struct sent_packet *sent = &world->packets[id];
	struct packet_ends *ends = &packet->meta.ends;
	bool out = sent->direction == FLOW_OUT;
	uint16_t inside_port = (uint16_t)(1000 + sent->flow % PORTS);
	uint16_t outside_port = (uint16_t)(53 + sent->flow % PORTS);

	memset(packet, 0, sizeof(*packet));
	pumpworld_host_address(sent->flow / PORTS / PEERS,
			       out ? ends->src : ends->dst);
	pumpworld_peer_address(sent->flow / PORTS % PEERS,
			       out ? ends->dst : ends->src);
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

void pumpworld_settle(struct world *world, uint32_t id, uint8_t verdict)
{
	struct sent_packet *sent = &world->packets[id];

	CHECK(sent->fate == UNKNOWN || sent->fate == ASIDE ||
	      sent->fate == WAITS);
	world->waits -= sent->fate == WAITS;
	pumpworld_tell_packet(
		world, verdict == PUMP_PASS ? "passes" : "is dropped", id);
	if (verdict == PUMP_PASS) {
		sent->fate = PASSED;
		pass(world, id);
	} else {
		CHECK(verdict == PUMP_DROP && leaves_a_guarded_host(sent));
		sent->fate = DROPPED;
		world->dropped++;
	}
}

void pumpworld_settle_all(struct world *world, uint32_t id, uint8_t verdict)
{
	uint32_t count = world->packets[id].segments;

	if (verdict == PUMP_WAIT)
		for (uint32_t i = 0; i < count; i++) {
			pumpworld_tell_packet(world, "set aside", id + i);
			world->packets[id + i].fate = ASIDE;
			world->aside[(world->aside_first +
				      world->aside_count++) %
				     PACKETS_MAX] = id + i;
		}
	else
		for (uint32_t i = 0; i < count; i++)
			pumpworld_settle(world, id + i, verdict);
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
	       stats->counter[STATS_dropped_drain] +
	       stats->counter[STATS_dropped_lost];
}

void pumpworld_collect(struct world *world)
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
			pumpworld_settle(world, id, releases[i].verdict);
		}
	pump_refusals(world->pump, refusals, 3);
	snapshot_totals(world->pump, &totals);
	if (totals.held_pkts == 0)
		world->rehomed = false;
	if (!world->rehomed)
		check_bounds(world, &totals);
	CHECK(totals.pairs_max == world->policy->limits.pairs);
}

void pumpworld_check(struct world *world)
{
	struct snapshot_totals totals;

	CHECK(pump_check(world->pump) == world->waits);
	snapshot_totals(world->pump, &totals);
	if (world->policy->mode == POLICY_ENFORCE)
		CHECK(world->dropped <= dropped(&totals.stats));
}
