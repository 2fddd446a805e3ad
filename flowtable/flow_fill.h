/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_FLOW_FILL_H
#define FLOWTABLE_FLOW_FILL_H

/* Keys of packets, inline for flow.c and the kernel program: also compiled for
 * BPF. */

#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/packet_l4.h"
#include "flowtable/packet_meta.h"

/* As flow_key_of. */
static inline void flow_fill(const struct packet_meta *meta,
			     enum flow_direction direction, uint16_t zone,
			     struct flow_key *ret_key)
{
	const struct packet_ends *ends = &meta->ends;
	bool out = direction == FLOW_OUT;

	__builtin_memcpy(ret_key->inside, out ? ends->src : ends->dst, 16);
	__builtin_memcpy(ret_key->outside, out ? ends->dst : ends->src, 16);
	ret_key->inside_port = out ? ends->src_port : ends->dst_port;
	ret_key->outside_port = out ? ends->dst_port : ends->src_port;
	if (ends->proto == PACKET_PROTO_ICMP ||
	    ends->proto == PACKET_PROTO_ICMPV6)
		ret_key->outside_port = 0;
	ret_key->zone = zone;
	ret_key->proto = ends->proto;
	ret_key->scope = FLOW_SCOPE_FLOW;
}

/* A flow's key becomes its pair's. */
static inline void flow_fill_pair(struct flow_key *key)
{
	key->inside_port = 0;
	key->outside_port = 0;
	key->proto = 0;
	key->scope = FLOW_SCOPE_PAIR;
}

#endif
