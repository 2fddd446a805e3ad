/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At a guarded interface: out at its ingress, in at its egress, where address
 * translation is already undone.  fast_maps.h says what it does. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "shaper/bpf/fast_direct.h"
#include "shaper/bpf/fast_frame.h"
#include "shaper/bpf/fast_slots.h"
#include "shaper/evidence.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} symtap_heard SEC(".maps");

/* ------ evidence */

static __always_inline bool has_evidence(const struct fast_packet *packet)
{
	return fast_config.consent && packet->key.proto == PACKET_PROTO_TCP;
}

static __always_inline struct packet_meta
meta_of(const struct fast_packet *packet)
{
	return (struct packet_meta){
		.length_bytes = packet->payload_bytes,
		.tcp_seq = packet->tcp_seq,
		.tcp_ack = packet->tcp_ack,
		.tcp_flags = packet->tcp_flags,
	};
}

/* Both directions may do so at once: each half is written as a whole. */
static __always_inline void note_sent(const struct fast_packet *packet,
				      const struct found *found)
{
	struct fast_slot *flow = found->flow;
	struct evidence evidence = { flow->sent_end, flow->acked,
				     flow->segment_bytes != 0 };
	struct packet_meta meta = meta_of(packet);
	uint32_t payload_bytes = packet->payload_bytes;

	if (!has_evidence(packet) || payload_bytes == 0)
		return;
	if (found->gso_bytes)
		payload_bytes = found->gso_bytes;
	evidence_sent(&evidence, &meta);
	*(volatile uint32_t *)&flow->sent_end = evidence.sent_end;
	if (flow->segment_bytes == 0)
		*(volatile uint32_t *)&flow->acked = evidence.acked;
	if (payload_bytes > flow->segment_bytes && payload_bytes <= 0x7fff)
		flow->segment_bytes = (uint16_t)payload_bytes;
}

static __always_inline uint32_t replies_of(const struct fast_packet *packet,
					   const struct found *found)
{
	struct fast_slot *flow = found->flow;
	struct evidence evidence = { flow->sent_end, flow->acked,
				     flow->segment_bytes != 0 };
	struct packet_meta meta = meta_of(packet);
	uint32_t replies;

	if (!has_evidence(packet))
		return found->wire_pkts;
	replies = evidence_replies(&evidence, &meta, flow->segment_bytes);
	*(volatile uint32_t *)&flow->acked = evidence.acked;
	return found->wire_pkts - 1 + replies;
}

/* ------ out */

static __always_inline bool passes(const struct found *found)
{
	const struct fast_slot *pair = found->pair, *flow = found->flow;

	return !exceeds(&pair->pair, found->pair_at, false, found->wire_pkts,
			pair->ratio_q16) &&
	       !exceeds(&flow->flow, found->flow_at, true, found->wire_pkts,
			flow->flow_ratio_q16);
}

/* What must wait gets its time here, too. */
static __always_inline enum edt_answer
edt_judge(struct __sk_buff *skb, const struct fast_packet *packet,
	  const struct found *found)
{
	int answer = found->now_ns > found->came_ns ? EDT_DROP : EDT_BACK;
	uint64_t departs_ns = 0;

	if (has_edt() && found->wire_pkts == 1)
		answer = edt_out(found->pair_at, found->flow_at, found->now_ns,
				 found->came_ns, &departs_ns);
	if (answer == EDT_DROP)
		__sync_fetch_and_add(&symtap_edt.full_pkts, found->wire_pkts);
	if (answer != EDT_PASS)
		return (enum edt_answer)answer;
	if (departs_ns > found->came_ns)
		edt_departs(skb, departs_ns);
	note_sent(packet, found);
	counts()->out_passed_pkts++;
	mark(skb, FAST_MARK_PASSED);
	return EDT_PASS;
}

static __always_inline int judge_out(struct __sk_buff *skb,
				     const struct fast_packet *packet,
				     const struct found *found)
{
	if (found->leased) {
		enum edt_answer answer;

		if (fast_config.links && found->pair->link != packet->link) {
			counts()->strangers++;
			mark(skb, FAST_MARK_STRANGER);
			return GO_ON;
		}
		turn(found);
		if (passes(found)) {
			fast_add(&found->pair->pair, found->wire_pkts, 0);
			fast_add(&found->flow->flow, found->wire_pkts, 0);
			note_sent(packet, found);
			counts()->out_passed_pkts += found->wire_pkts;
			mark(skb, FAST_MARK_PASSED);
			if (fast_pump_only)
				return direct_out(skb, packet, found);
			if (has_edt() && found->now_ns > found->came_ns)
				edt_departs(skb, found->now_ns);
			return GO_ON;
		}
		answer = fast_pump_only ? EDT_BACK
					: edt_judge(skb, packet, found);
		if (answer != EDT_BACK)
			return answer == EDT_PASS ? GO_ON : TC_ACT_SHOT;
	}
	counts()->steered_pkts++;
	mark(skb, FAST_MARK_EPOCH + steer(found->pair, packet->link));
	return GO_ON;
}

/* ------ in, and out with `hold: qdisc` */

/* false: cannot be, the packet was read before. */
static __always_inline bool
fill_event(struct fast_event *event, struct __sk_buff *skb, uint32_t wire_pkts)
{
	uint32_t bytes = skb->len;

	if (bytes > FAST_COPIED_BYTES)
		bytes = FAST_COPIED_BYTES;
	if (bytes < FAST_ETHERNET_BYTES ||
	    bpf_skb_load_bytes(skb, 0, event->bytes, bytes) != 0)
		return false;
	event->ifindex = skb->ifindex;
	event->wire_bytes = skb->len;
	event->wire_pkts = wire_pkts;
	event->captured_bytes = (uint16_t)bytes;
	event->vlan = tag_of(skb);
	return true;
}

#include "shaper/bpf/hold_out.h"

static __always_inline void tell(struct __sk_buff *skb, uint32_t wire_pkts)
{
	struct fast_event *event =
		bpf_ringbuf_reserve(&symtap_heard, sizeof(*event), 0);

	if (!event) {
		counts()->untold++;
		return;
	}
	if (!fill_event(event, skb, wire_pkts)) {
		bpf_ringbuf_discard(event, 0);
		return;
	}
	counts()->told++;
	event->ticket = 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline bool judge_in(const struct __sk_buff *skb,
				     const struct fast_packet *packet,
				     const struct found *found)
{
	if (found->leased) {
		uint32_t replies = replies_of(packet, found);

		turn(found);
		fast_add(&found->pair->pair, 0, replies);
		fast_add(&found->flow->flow, 0, replies);
		counts()->in_passed_pkts += found->wire_pkts;
		if (fast_pump_only)
			direct_heard(skb, found->at, packet->link);
		return true;
	}
	if (found->pair)
		give_back(found->pair, state_of(found->pair));
	return false;
}

/* ------ packets */

/* Super-packets say how many they are; 0: this one does not. */
static __always_inline uint32_t wire_pkts_of(const struct __sk_buff *skb)
{
	return skb->gso_size ? skb->gso_segs : 1;
}

static __always_inline bool is_tagged(const struct __sk_buff *skb)
{
	return tag_of(skb) != 0;
}

static __always_inline int judge(struct __sk_buff *skb,
				 enum flow_direction direction)
{
	struct fast_packet packet = { 0 };
	struct found found = { 0 };
	enum closely what;

	/* What this machine says itself is none of our business. */
	if ((is_tagged(skb) && !has_tags()) ||
	    (direction == FLOW_IN && skb->ingress_ifindex == 0) ||
	    !place_of(skb, &found.at))
		return GO_ON;
	/* Nobody else says for us that it may pass. */
	if (direction == FLOW_OUT && skb->mark & fast_config.mark_mask)
		mark(skb, 0);
	what = read_frame(skb, direction, &packet);
	if (what == NOT_OURS)
		return GO_ON;
	packet.key.zone = zone_at(found.at);
	found.wire_pkts = wire_pkts_of(skb);
	found.gso_bytes = skb->gso_size;
	if (what == HAS_PAIR && !packet.tagged && !is_tagged(skb))
		look_up(&packet.key, &found);
	ask_leased(&found, &packet);
	if (fast_test && fast_test_looks)
		return found.leased ? GO_ON : 0;
	if (direction == FLOW_IN) {
		if (!judge_in(skb, &packet, &found))
			tell(skb, found.wire_pkts);
		return GO_ON;
	}
	if (found.pair) {
		int action = judge_out(skb, &packet, &found);

		if (!has_hold())
			return action;
	}
	if (has_hold() && what == HAS_PAIR)
		return hold_out(skb, packet.key.inside[0], packet.key.inside[1],
				fast_hash_pair(&fast_config.multipliers,
					       &packet.key));
	return GO_ON;
}

SEC("tc") int symtap_out(struct __sk_buff *skb)
{
	return judge(skb, FLOW_OUT);
}

SEC("tc") int symtap_in(struct __sk_buff *skb)
{
	return judge(skb, FLOW_IN);
}

char program_license[] SEC("license") = "GPL";
