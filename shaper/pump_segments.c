/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many wire packets a super-packet is: from the segment size of its flow,
 * which the kernel does not tell but shows when it takes one apart.
 *
 * The first super-packet of a flow is taken apart, and by chance one more now
 * and then of those that a host sends or gets.  Chance, so that nobody can know
 * which to send honestly.  While TCP, whose segment size seldom changes, keeps
 * telling the same, it is asked less often, down to one in 8,192.
 *
 * Who makes its segments smaller between two probes has them counted as fewer,
 * for 96 super-packets at most (TCP: 12,288).  It needs replies for that: when
 * S is over, every super-packet is taken apart, and held in single packets.
 */
#include "shaper/pump_state.h"

enum {
	PROTO_TCP = 6,
	PROBE_TCP = 512,    /* super-packets from one probe to the next, */
	PROBE_OTHER = 64,   /* on average */
	PROBES_EQUAL = 4,   /* so often PROBE_TCP is doubled */
	SURE = 0x8000,      /* in segment_bytes: as a super-packet showed; */
	BYTES_MAX = 0x7fff, /* else the largest single packet */
	USUAL_SEGMENT_BYTES = 1448,
};

static uint32_t payload_bytes(const struct packet_meta *meta)
{
	return meta->length_bytes > meta->header_bytes
		       ? meta->length_bytes - meta->header_bytes
		       : 0;
}

uint32_t pump_segment_bytes(const struct flow_entry *flow,
			    enum flow_direction direction)
{
	return flow->u.segment_bytes[direction] & BYTES_MAX;
}

static bool is_due(struct engine_host *host, uint8_t proto)
{
	uint32_t mean = proto == PROTO_TCP
				? (uint32_t)PROBE_TCP << host->probes_equal
				: (uint32_t)PROBE_OTHER;

	return ++host->supers >=
	       mean / 2 + (mean * (uint32_t)host->probe_chance >> 16);
}

uint32_t pump_wire_pkts(struct pump *pump, const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction)
{
	const struct flow_entry *flow = place->flow;
	struct engine_host *host = &pump->engine.hosts[place->host_slot];
	uint32_t segment, payload;

	if (packet->wire_pkts > 0)
		return packet->wire_pkts;
	if (!packet->super_packet)
		return 1;
	if (!flow || !(flow->u.segment_bytes[direction] & SURE) ||
	    is_due(host, packet->meta.ends.proto))
		return 0;
	segment = pump_segment_bytes(flow, direction);
	payload = payload_bytes(&packet->meta);
	return payload <= segment ? 1 : (payload + segment - 1) / segment;
}

/* Where its segments cannot be learnt. */
uint32_t pump_guess_wire_pkts(const struct pump_packet *packet)
{
	return payload_bytes(&packet->meta) / USUAL_SEGMENT_BYTES + 1;
}

/* xorshift64 (Marsaglia 2003, 4) */
static uint16_t take_chance(struct pump *pump)
{
	pump->chance ^= pump->chance << 13;
	pump->chance ^= pump->chance >> 7;
	pump->chance ^= pump->chance << 17;
	return (uint16_t)(pump->chance >> 48);
}

void pump_probe_begins(struct pump *pump, const struct engine_place *place,
		       enum flow_direction direction)
{
	struct engine_host *host = &pump->engine.hosts[place->host_slot];
	uint16_t *segment = &place->flow->u.segment_bytes[direction];

	pump->probe = (struct pump_probe){
		.under_way = true,
		.direction = (uint8_t)direction,
		.was = *segment,
		.flow = engine_slot(&pump->engine, place->flow),
		.host_slot = place->host_slot,
	};
	*segment = 0;
	host->supers = 0;
	host->probe_chance = take_chance(pump);
}

void pump_probe_ends(struct pump *pump)
{
	const struct pump_probe *probe = &pump->probe;
	struct engine_host *host = &pump->engine.hosts[probe->host_slot];
	const struct flow_entry *flow;

	if (!probe->under_way)
		return;
	flow = flowtable_entry(&pump->engine.tables[FLOW_SCOPE_FLOW],
			       probe->flow);
	if (flow->u.segment_bytes[probe->direction] != probe->was)
		host->probes_equal = 0;
	else if (host->probes_equal < PROBES_EQUAL)
		host->probes_equal++;
	pump->probe.under_way = false;
}

static bool is_probed(const struct pump *pump, const struct flow_entry *flow,
		      enum flow_direction direction)
{
	return pump->probe.under_way && pump->probe.direction == direction &&
	       pump->probe.flow == engine_slot(&pump->engine, flow);
}

void pump_learn_segment(const struct pump *pump,
			const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction)
{
	struct flow_entry *flow = place->flow;
	uint32_t payload = payload_bytes(&packet->meta);
	uint16_t sure = 0;

	if (!flow || packet->wire_pkts > 1 ||
	    payload <= pump_segment_bytes(flow, direction))
		return;
	if (is_probed(pump, flow, direction))
		sure = SURE;
	else if (flow->u.segment_bytes[direction] & SURE)
		return;
	if (payload > BYTES_MAX)
		payload = BYTES_MAX;
	flow->u.segment_bytes[direction] = (uint16_t)payload | sure;
}
