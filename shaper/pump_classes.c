/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes of packets that S does not hold: plain limits only. */
#include <string.h>

#include "policy/policy.h"
#include "shaper/pump_state.h"

/* Its place is made here if it sent nothing else: what hosts without a place
 * share, one of them would use up. */
static struct engine_host *sender_of(struct pump *pump,
				     const struct pump_packet *packet)
{
	struct flow_key key = { .zone = packet->src_zone,
				.scope = FLOW_SCOPE_HOST };
	struct engine_place place;

	memcpy(key.inside, packet->meta.ends.src, sizeof(key.inside));
	engine_place_of_key(&pump->engine, &key, pump->now_ns, &place);
	return &pump->engine.hosts[place.host_slot];
}

/* Is it to one address that is not link-local? */
static bool may_be_far(const struct packet_meta *meta)
{
	const uint8_t *dst = meta->ends.dst;

	return meta->ethertype == 0x86dd && dst[0] != 0xff &&
	       !(dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80);
}

/* Neighbour discovery of one address, which may be anywhere beyond a bridge, is
 * answered, else asked again by multicast: there S holds nobody but a flood. */
bool pump_is_of_class(const struct packet_meta *meta)
{
	return meta->kind != PACKET_UNICAST &&
	       !(meta->kind == PACKET_NEIGHBOUR && may_be_far(meta));
}

/* A plain rate for what guarded hosts send of a class. */
static enum pump_verdict limit_class(struct pump *pump,
				     const struct pump_packet *packet,
				     uint64_t *state_ns, uint32_t pkts_per_s,
				     enum stats_counter dropped)
{
	uint32_t pkts = pump_told_pkts(packet);

	if (engine_allows(state_ns, pkts_per_s, pkts, pump->now_ns))
		return PUMP_PASS;
	pump->engine.stats.counter[dropped] += pkts;
	return pump_holds(pump) ? PUMP_DROP : PUMP_PASS;
}

/* An error from outside is no reply, but explains why none comes. */
static void attribute_error(struct pump *pump, const struct pump_packet *packet)
{
	struct engine *engine = &pump->engine;
	const struct flowtable *pairs = &engine->tables[FLOW_SCOPE_PAIR];
	struct packet_meta quoted = { .ends = packet->meta.quoted };
	struct flow_key flow, key;
	struct flow_entry *pair;
	uint32_t slot;

	if (quoted.ends.proto == 0 || packet->ends == PUMP_ENDS_SRC ||
	    (packet->ends == PUMP_ENDS_BY_ADDRESS &&
	     !policy_is_inside(engine->policy, quoted.ends.src)))
		return;
	flow_key_of(&quoted, FLOW_OUT, packet->dst_zone, &flow);
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &key);
	slot = flowtable_find(pairs, &key, flowtable_hash(pairs, &key));
	if (slot == FLOWTABLE_NONE)
		return;
	pair = flowtable_entry(pairs, slot);
	if (pair->suspect)
		suspects_get(&engine->suspects, pair->suspect)->icmp_errors++;
}

enum pump_verdict pump_offer_class(struct pump *pump,
				   const struct pump_packet *packet)
{
	const struct policy *policy = pump->engine.policy;
	uint64_t *counter = pump->engine.stats.counter;
	bool out = pump_goes_out(pump, packet);
	struct engine_host *host = out ? sender_of(pump, packet) : NULL;
	uint32_t pkts = pump_told_pkts(packet);

	switch ((enum packet_kind)packet->meta.kind) {
	case PACKET_UNICAST:
		break;
	case PACKET_MULTICAST:
		counter[STATS_multicast_pkts] += pkts;
		if (out)
			return limit_class(pump, packet, &host->multicast_ns,
					   policy->multicast_pkts_per_s,
					   STATS_multicast_dropped);
		break;
	case PACKET_ICMP_ERROR:
		counter[STATS_icmp_error_pkts] += pkts;
		attribute_error(pump, packet);
		if (out)
			return limit_class(pump, packet, &host->icmp_error_ns,
					   policy->icmp_error_pkts_per_s,
					   STATS_icmp_error_dropped);
		break;
	case PACKET_NEIGHBOUR:
		counter[STATS_neighbour_pkts] += pkts;
		break;
	case PACKET_DHCP:
		counter[STATS_dhcp_pkts] += pkts;
		if (out)
			return limit_class(pump, packet, &host->dhcp_ns,
					   policy->dhcp_pkts_per_s,
					   STATS_dhcp_dropped);
		break;
	}
	return PUMP_PASS;
}
