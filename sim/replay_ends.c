/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which end of a packet is guarded, and is it judged at all? */
#include "policy/zones.h"
#include "sim/replay_state.h"

/* An error is about the pair it quotes; the host that it goes to sent that. */
static const struct packet_ends *pair_of(const struct packet_meta *meta)
{
	return meta->kind == PACKET_ICMP_ERROR && meta->quoted.proto
		       ? &meta->quoted
		       : &meta->ends;
}

void replay_prepare_ends(const struct replay *replay,
			 const struct pump_packet *packet,
			 struct replay_ends *ret_ends)
{
	if (replay->initiators && packet->meta.kind != PACKET_MULTICAST)
		ret_ends->hash = initiators_hash(replay->initiators,
						 pair_of(&packet->meta),
						 packet->src_zone);
}

static void find_by_prefix(const struct replay *replay,
			   const struct packet_meta *meta,
			   struct replay_ends *ends)
{
	bool out = policy_is_inside(&replay->policy, meta->ends.src);
	bool in = policy_is_inside(&replay->policy, meta->ends.dst);

	ends->ends = out ? PUMP_ENDS_SRC : in ? PUMP_ENDS_DST : PUMP_ENDS_NONE;
	ends->onward = out && in;
}

/* Only what could be answered begins anything. */
static bool src_began(struct replay *replay, const struct packet_meta *meta,
		      uint64_t hash)
{
	bool quoted_began = true;

	switch ((enum packet_kind)meta->kind) {
	case PACKET_UNICAST:
		return initiators_ask(replay->initiators, &meta->ends, hash);
	case PACKET_MULTICAST:
		return true;
	case PACKET_ICMP_ERROR:
		initiators_find(replay->initiators, pair_of(meta), hash,
				&quoted_began);
		return !quoted_began;
	case PACKET_NEIGHBOUR:
	case PACKET_DHCP:
		initiators_find(replay->initiators, &meta->ends, hash,
				&quoted_began);
		return quoted_began;
	}
	return true;
}

/* Rules that the kernel carries out, before anything is judged: what they
 * accept or drop is nobody's. */
static void apply_rules(struct replay *replay, const struct pump_packet *packet,
			struct replay_ends *ends)
{
	const struct packet_meta *meta = &packet->meta;
	struct flow_key flow;

	if (ends->ends == PUMP_ENDS_NONE || meta->kind == PACKET_NEIGHBOUR)
		return;
	flow_key_of(meta, ends->ends == PUMP_ENDS_SRC ? FLOW_OUT : FLOW_IN,
		    packet->src_zone, &flow);
	switch (policy_action_of(&replay->policy, &flow, meta->tcp_flags,
				 zones_get(replay->zones, packet->src_zone))) {
	case POLICY_DROP:
		replay->counts.rule_dropped++;
		break;
	case POLICY_ACCEPT:
		replay->counts.rule_accepted++;
		break;
	case POLICY_EXEMPT:
	case POLICY_LIMIT:
	case POLICY_LOG:
		return;
	}
	ends->ends = PUMP_ENDS_NONE;
	ends->onward = false;
}

void replay_find_ends(struct replay *replay, const struct pump_packet *packet,
		      struct replay_ends *ends)
{
	const struct packet_meta *meta = &packet->meta;
	bool responders = replay->config.guarded == REPLAY_RESPONDERS;

	ends->onward = false;
	if (replay->config.guarded == REPLAY_BY_PREFIX)
		find_by_prefix(replay, meta, ends);
	else
		ends->ends = src_began(replay, meta, ends->hash) != responders
				     ? PUMP_ENDS_SRC
				     : PUMP_ENDS_DST;
	if (replay->policy.rules_count > 0)
		apply_rules(replay, packet, ends);
}
