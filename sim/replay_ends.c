/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which end of a packet is guarded. */
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
}
