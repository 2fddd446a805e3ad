/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_FRAME_H
#define SHAPER_BPF_FAST_FRAME_H

/*
 * What a frame is to the kernel's program: whose, and what of it is judged.
 * Part of fast.bpf.c.
 */

#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_read.h"
#include "shaper/bpf/fast_slots.h"
#include "shaper/bpf/hold_memory.h"
#include "shaper/evidence.h"

struct hold_memory symtap_hold;

enum { VLAN_MASK = 0xfff };

/* As long as the furthest read of the parser. */
struct scratch {
	uint8_t bytes[PACKET_HEADERS_MAX_BYTES + 128];
	struct packet_meta meta;
	struct flow_key key;
	struct fast_packet packet;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct scratch);
} symtap_scratch SEC(".maps");

static __always_inline bool place_of(const struct __sk_buff *skb,
				     uint32_t *ret_at)
{
	*ret_at = fast_place_of(&fast_config, skb->ifindex);
	return *ret_at < FAST_INTERFACES;
}

static __always_inline uint16_t zone_at(uint32_t at)
{
	return (uint16_t)fast_config.interfaces[at % FAST_INTERFACES].zone;
}

/* Beside the bytes; 0: there is none. */
static __always_inline uint16_t tag_of(const struct __sk_buff *skb)
{
	return skb->vlan_present ? skb->vlan_tci & VLAN_MASK : 0;
}

static __always_inline void mark(struct __sk_buff *skb, uint32_t value)
{
	skb->mark = (skb->mark & ~fast_config.mark_mask) |
		    value << fast_config.mark_shift;
}

/* What is none of ours: 0.  What goes to groups, and so has no pair: 1. */
enum closely { NOT_OURS, NO_PAIR, HAS_PAIR };

/* `hold: qdisc` */
static __always_inline bool has_hold(void)
{
	return !fast_pump_only && symtap_hold.ifindex;
}

/* What a tag is in front of is its VLAN device's business, which is an
 * interface as any other; but on a bridge nobody else hears of it, and with
 * `hold: qdisc` it is no way around. */
static __always_inline bool has_tags(void)
{
	return has_hold() || fast_config.bridge;
}

/* Not static, so that the verifier looks at it once and not for each way that
 * leads there: Linux 6.1 has half the work with the whole program then. */
__noinline int symtap_read_closely(struct __sk_buff *skb, bool in)
{
	uint32_t first = 0, bytes = skb->len;
	struct scratch *to = bpf_map_lookup_elem(&symtap_scratch, &first);
	enum packet_error error;

	if (bytes > FAST_COPIED_BYTES)
		bytes = FAST_COPIED_BYTES;
	if (!to || bytes < FAST_ETHERNET_BYTES ||
	    bpf_skb_load_bytes(skb, 0, to->bytes, bytes) != 0)
		return NOT_OURS;
	error = packet_parse_ethernet(to->bytes, bytes, skb->len, &to->meta);
	if (to->meta.ethertype == 0 || (to->meta.vlan[0] != 0 && !has_tags()) ||
	    (to->meta.kind == PACKET_NEIGHBOUR && !fast_config.bridge))
		return NOT_OURS;
	/* What comes in for a group is no answer to anybody. */
	if (to->meta.kind == PACKET_MULTICAST && in)
		return NOT_OURS;
	if (to->meta.kind != PACKET_UNICAST)
		return NO_PAIR;
	to->packet.tagged = to->meta.vlan[0] != 0;
	flow_fill(&to->meta, in ? FLOW_IN : FLOW_OUT, 0, &to->key);
	fast_key_of(&to->key, &to->packet.key);
	to->packet.to = fast_mac(to->bytes);
	to->packet.link = fast_link(to->bytes + 6, skb->ifindex);
	to->packet.payload_bytes = evidence_payload_bytes(&to->meta);
	to->packet.tcp_seq = to->meta.tcp_seq;
	to->packet.tcp_ack = to->meta.tcp_ack;
	to->packet.tcp_flags = to->meta.tcp_flags;
	to->packet.plain = error == PACKET_OK &&
			   to->meta.fragment == PACKET_WHOLE &&
			   !(to->meta.tcp_flags & FAST_TCP_OPENS_OR_RESETS);
	return HAS_PAIR;
}

static __always_inline enum closely read_frame(struct __sk_buff *skb,
					       enum flow_direction direction,
					       struct fast_packet *packet)
{
	/* Apart: what was read of a frame that wants the parser is not cleared
	 * again at each way out. */
	struct fast_packet found = { 0 };
	uint32_t first = 0;
	struct scratch *from;
	int what;

	if (fast_read_frame(skb, direction, &found)) {
		*packet = found;
		return HAS_PAIR;
	}
	what = symtap_read_closely(skb, direction == FLOW_IN);
	from = bpf_map_lookup_elem(&symtap_scratch, &first);
	if (what != HAS_PAIR || !from)
		return what == HAS_PAIR ? NOT_OURS : (enum closely)what;
	*packet = from->packet;
	return HAS_PAIR;
}

#endif
