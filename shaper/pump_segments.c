/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many wire packets a super-packet is: from the segment size of its flow,
 * which the kernel does not tell but shows when it takes one apart. */
#include "shaper/pump_state.h"

enum {
	PROTO_TCP = 6,
	PROBE_TCP = 512,  /* super-packets until the segment size is learnt */
	PROBE_OTHER = 64, /* anew */
	USUAL_SEGMENT_BYTES = 1448,
};

static uint32_t payload_bytes(const struct packet_meta *meta)
{
	return meta->length_bytes > meta->header_bytes
		       ? meta->length_bytes - meta->header_bytes
		       : 0;
}

/* Wire packets of this one; 0: its segment size is not known (any more), so
 * it is to be brought back in segments, which tell. */
uint32_t pump_wire_pkts(struct pump *pump, const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction)
{
	struct flow_entry *flow = place->flow;
	struct engine_host *host = &pump->engine.hosts[place->host_slot];
	uint32_t probe = packet->meta.ends.proto == PROTO_TCP ? PROBE_TCP
							      : PROBE_OTHER;
	uint32_t segment, payload;

	if (!packet->super_packet)
		return 1;
	if (packet->wire_pkts > 0)
		return packet->wire_pkts;
	segment = flow ? flow->u.segment_bytes[direction] : 0;
	if (segment == 0)
		return 0;
	if (++host->supers >= probe) {
		host->supers = 0;
		flow->u.segment_bytes[direction] = 0;
		return 0;
	}
	payload = payload_bytes(&packet->meta);
	return payload <= segment ? 1 : (payload + segment - 1) / segment;
}

/* Where its segments cannot be learnt. */
uint32_t pump_guess_wire_pkts(const struct pump_packet *packet)
{
	return payload_bytes(&packet->meta) / USUAL_SEGMENT_BYTES + 1;
}

/* A plain packet: super-packets of this flow have no smaller segments than
 * the largest of these. */
void pump_learn_segment(const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction)
{
	uint32_t payload = payload_bytes(&packet->meta);

	if (place->flow && payload > place->flow->u.segment_bytes[direction] &&
	    payload <= UINT16_MAX)
		place->flow->u.segment_bytes[direction] = (uint16_t)payload;
}
