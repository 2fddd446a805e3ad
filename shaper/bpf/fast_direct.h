/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_DIRECT_H
#define SHAPER_BPF_FAST_DIRECT_H

/*
 * `direct`: what a leased pair sends leaves by the port of the bridge that its
 * answers come by, if it is for the MAC that sends them, and so past the
 * bridge.  That is what the bridge would do: it learned of that MAC from the
 * same frame.  One packet a second still goes by the bridge, which so keeps in
 * mind where this guest is, and tells, by its answer, when the other end has
 * moved.  Part of fast.bpf.c.
 *
 * Both ways may be at work at once.  Who is there is one word; what the others
 * say is of use only if it was written for the same sender, else a packet goes
 * by the bridge.  So do all where the daemon has not looked for a while: ports
 * change.
 */

#include "shaper/bpf/fast_frame.h"
#include "shaper/bpf/fast_slots.h"

enum { DIRECT_BRIDGED_NS = 1000 * 1000 * 1000 };

#define DIRECT_MAC   ((UINT64_C(1) << FAST_LINK_SHIFT) - 1)
#define DIRECT_GROUP UINT64_C(1) /* of the first octet, which stands lowest */

struct fast_way symtap_ways[FAST_INTERFACES][FAST_WAYS];

static __always_inline struct fast_way *direct_way_of(uint32_t at, uint64_t mac)
{
	uint32_t hash = (uint32_t)(mac >> 16) * UINT32_C(2654435769);

	return &symtap_ways[at % FAST_INTERFACES][hash >> (32 - FAST_WAY_BITS)];
}

static __always_inline const struct fast_uplink *direct_uplink(uint64_t there)
{
	return &fast_config.uplinks[((there >> FAST_LINK_SHIFT) - 1) %
				    FAST_UPLINKS];
}

/* Who sent this to the guest at place `at`, and by which port?  What is the
 * bridge's own it learns from nobody. */
static __always_inline void direct_heard(const struct __sk_buff *skb,
					 uint32_t at, uint64_t link)
{
	uint32_t bridge = fast_config.interfaces[at % FAST_INTERFACES].bridge;
	uint64_t mac = link & DIRECT_MAC;
	struct fast_way *way = direct_way_of(at, mac);
	uint64_t there = way->there;

	if (!bridge)
		return;
	if ((there & DIRECT_MAC) == mac &&
	    direct_uplink(there)->ifindex == skb->ingress_ifindex)
		return;
	there = 0;
	for (uint32_t i = 0; i < FAST_UPLINKS; i++)
		if (fast_config.uplinks[i].ifindex == skb->ingress_ifindex &&
		    fast_config.uplinks[i].bridge == bridge &&
		    fast_config.uplinks[i].bridge_mac != mac)
			there = mac | (uint64_t)(i + 1) << FAST_LINK_SHIFT;
	*(volatile uint64_t *)&way->there = there;
}

/* As the bridge has it. */
static __always_inline bool direct_may_send(uint64_t link)
{
	return (link & DIRECT_MAC) != 0 && !(link & DIRECT_GROUP);
}

/* What the program answers for a packet that passes. */
static __always_inline int direct_out(const struct __sk_buff *skb,
				      const struct fast_packet *packet,
				      const struct found *found)
{
	const struct fast_interface *place =
		&fast_config.interfaces[found->at % FAST_INTERFACES];
	struct fast_way *way = direct_way_of(found->at, packet->to);
	uint64_t there = *(volatile uint64_t *)&way->there;
	const struct fast_uplink *uplink = direct_uplink(there);

	if (!place->bridge || there == packet->to ||
	    (there & DIRECT_MAC) != packet->to ||
	    uplink->bridge != place->bridge ||
	    (skb->len > uplink->most_bytes && !skb->gso_size) ||
	    !direct_may_send(packet->link) ||
	    found->now_ns > *(volatile uint64_t *)&fast_config.direct_until_ns)
		return GO_ON;
	if (way->from != packet->link ||
	    found->now_ns - way->bridged_ns > DIRECT_BRIDGED_NS) {
		way->from = packet->link;
		way->bridged_ns = found->now_ns;
		return GO_ON;
	}
	counts()->direct_pkts += found->wire_pkts;
	return (int)bpf_redirect(uplink->ifindex, 0);
}

#endif
