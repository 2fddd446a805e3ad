/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At a guarded interface: out at its ingress, in at its egress, where address
 * translation is already undone.  fast_maps.h says what it does. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/bpf/fast_read.h"
#include "shaper/evidence.h"

enum {
	GO_ON = -1, /* TC_ACT_UNSPEC, TCX_NEXT */
	VLAN_MASK = 0xfff,
	/* The clock of the last tick will do for spans of 2^18 times 64 ns,
	 * 17 ms, and more: a bucket is late by at most a tick. */
	COARSE_SPAN_64NS = 1 << 18,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FAST_ELEMENTS * 1024);
	__type(key, uint32_t);
	__type(value, struct fast_slot);
} symtap_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} symtap_heard SEC(".maps");

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

struct fast_config fast_config;
struct fast_counts fast_counts[FAST_PROCESSORS];
uint64_t fast_test_now_ns;
bool fast_test_looks;          /* what it costs but to look the keys up */
const volatile bool fast_test; /* time is injected */
/* `hold: pump`: nothing waits here, and the verifier need not look at what else
 * would. */
const volatile bool fast_pump_only;

struct found {
	struct fast_slot *pair, *flow; /* flow: whose slot it stands in */
	uint32_t pair_at, flow_at;
	uint32_t wire_pkts;
	uint32_t gso_bytes; /* of a super-packet's segments; 0: it is none */
	bool leased;
	uint64_t now_ns;  /* leased; `hold: edt`: when its turn comes, */
	uint64_t came_ns; /* and when it came */
};

static __always_inline struct fast_counts *counts(void)
{
	return &fast_counts[bpf_get_smp_processor_id() % FAST_PROCESSORS];
}

/* ------ look-ups */

static __always_inline struct fast_slot *
find(uint64_t hash, uint8_t kind, const struct fast_key *key, uint32_t *ret_at)
{
	uint32_t home = (uint32_t)(hash >> 32);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t at = (home + i) & fast_config.slots_mask;
		struct fast_slot *slot =
			bpf_map_lookup_elem(&symtap_slots, &at);

		if (!slot)
			return NULL;
		if (fast_slot_is(slot, kind, key) &&
		    (kind == FAST_PAIR || fast_slot_has(slot, key))) {
			*ret_at = at;
			return slot;
		}
		if (!slot->passed_on)
			return NULL;
	}
	return NULL;
}

static __always_inline void look_up(const struct fast_key *key,
				    struct found *found)
{
	uint64_t hash = fast_hash_pair(&fast_config.multipliers, key);

	found->pair = find(hash, FAST_PAIR, key, &found->pair_at);
	found->flow = found->pair;
	found->flow_at = found->pair_at;
	if (!found->pair || fast_slot_has(found->pair, key))
		return;
	hash = fast_hash_flow(&fast_config.multipliers, hash, key);
	found->flow = find(hash, FAST_FLOW, key, &found->flow_at);
}

static __always_inline bool zone_of(const struct __sk_buff *skb, uint16_t *zone)
{
	for (uint32_t i = 0; i < FAST_INTERFACES; i++) {
		if (i >= fast_config.interfaces_count)
			break;
		if (fast_config.interfaces[i].ifindex == skb->ifindex) {
			*zone = (uint16_t)fast_config.interfaces[i].zone;
			return true;
		}
	}
	return false;
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

/* ------ windows */

static __always_inline struct fast_history *history_of(uint32_t slot,
						       bool of_flow)
{
	uint32_t at =
		fast_history_index(fast_config.slots_mask + 1, slot, of_flow);

	return bpf_map_lookup_elem(&symtap_slots, &at);
}

static __always_inline struct fast_slot *slot_of(uint32_t at)
{
	at &= fast_config.slots_mask;
	return bpf_map_lookup_elem(&symtap_slots, &at);
}

/* Not static: the verifier looks at such a function once, and not at each way
 * that leads to it. */
__noinline int symtap_turn_pair(uint32_t at, uint64_t number)
{
	struct fast_slot *slot = slot_of(at);
	struct fast_history *history = history_of(at, false);

	if (slot && history)
		slot->heard_pkts += fast_bucket_heard(
			fast_turn(&slot->pair, history, number));
	return 0;
}

__noinline int symtap_turn_flow(uint32_t at, uint64_t number)
{
	struct fast_slot *slot = slot_of(at);
	struct fast_history *history = history_of(at, true);

	if (slot && history)
		fast_turn(&slot->flow, history, number);
	return 0;
}

#include "shaper/bpf/edt_out.h"

static __always_inline bool has_edt(void)
{
	return !fast_pump_only && symtap_edt.on;
}

static __always_inline uint64_t now_ns(uint32_t span_64ns)
{
	if (fast_test)
		return fast_test_now_ns;
	return span_64ns < COARSE_SPAN_64NS || has_edt()
		       ? bpf_ktime_get_ns()
		       : bpf_ktime_get_coarse_ns();
}

static __always_inline void turn(const struct found *found)
{
	uint32_t span = found->pair->span_64ns;
	uint64_t number;

	if (!span)
		return;
	number = fast_number(span, found->now_ns);
	if (fast_is_behind(&found->pair->pair, number))
		symtap_turn_pair(found->pair_at, number);
	if (fast_is_behind(&found->flow->flow, number))
		symtap_turn_flow(found->flow_at, number);
}

static __always_inline bool exceeds(const struct fast_window *window,
				    uint32_t at, bool of_flow,
				    uint32_t wire_pkts, uint32_t ratio_q16)
{
	struct fast_history *history = NULL;
	uint32_t sent, heard;

	if (fast_wants_history(window)) {
		history = history_of(at, of_flow);
		if (!history)
			return true;
	}
	fast_sums(window, history, &sent, &heard);
	return asym_exceeds(sent + wire_pkts - 1, heard, ratio_q16);
}

/* ------ whose is it */

static __always_inline uint32_t state_of(const struct fast_slot *pair)
{
	return *(const volatile uint32_t *)&pair->state;
}

/* The pair is the engine's from now on. */
static __always_inline void give_back(struct fast_slot *pair, uint32_t state)
{
	if (state & FAST_IN_KERNEL &&
	    __sync_fetch_and_and(&pair->state, ~FAST_IN_KERNEL) &
		    FAST_IN_KERNEL)
		counts()->given_back++;
}

/* So is this packet, which is counted.  The epoch that it belongs to. */
static __always_inline uint32_t steer(struct fast_slot *pair, uint64_t link)
{
	uint32_t state =
		__sync_fetch_and_add(&pair->state, 1u << FAST_STEERED_SHIFT);
	volatile uint64_t *at = &pair->link;

	if (!fast_config.links || state >> FAST_STEERED_SHIFT == 0)
		*at = link;
	else if (*at != link)
		*at = FAST_LINK_MIXED;
	give_back(pair, state);
	return fast_epoch(state);
}

static __always_inline void ask_leased(struct found *found,
				       const struct fast_packet *packet)
{
	found->leased = found->flow && packet->plain && found->wire_pkts != 0 &&
			state_of(found->pair) & FAST_IN_KERNEL;
	if (!found->leased)
		return;
	found->came_ns = now_ns(found->pair->span_64ns);
	found->now_ns = found->came_ns;
	if (has_edt())
		found->now_ns = edt_turn_ns(found->pair, found->came_ns);
}

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

static __always_inline bool judge_in(const struct fast_packet *packet,
				     const struct found *found)
{
	if (found->leased) {
		uint32_t replies = replies_of(packet, found);

		turn(found);
		fast_add(&found->pair->pair, 0, replies);
		fast_add(&found->flow->flow, 0, replies);
		counts()->in_passed_pkts += found->wire_pkts;
		return true;
	}
	if (found->pair)
		give_back(found->pair, state_of(found->pair));
	return false;
}

/* ------ packets */

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

static __noinline int read_closely(struct __sk_buff *skb, bool in)
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
	uint32_t first = 0;
	struct scratch *from;
	int what;

	if (fast_read_frame(skb, direction, packet))
		return HAS_PAIR;
	what = read_closely(skb, direction == FLOW_IN);
	from = bpf_map_lookup_elem(&symtap_scratch, &first);
	if (what != HAS_PAIR || !from)
		return what == HAS_PAIR ? NOT_OURS : (enum closely)what;
	*packet = from->packet;
	return HAS_PAIR;
}

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
	uint16_t zone = 0;

	/* What this machine says itself is none of our business. */
	if ((is_tagged(skb) && !has_tags()) ||
	    (direction == FLOW_IN && skb->ingress_ifindex == 0) ||
	    !zone_of(skb, &zone))
		return GO_ON;
	/* Nobody else says for us that it may pass. */
	if (direction == FLOW_OUT && skb->mark & fast_config.mark_mask)
		mark(skb, 0);
	what = read_frame(skb, direction, &packet);
	if (what == NOT_OURS)
		return GO_ON;
	packet.key.zone = zone;
	found.wire_pkts = wire_pkts_of(skb);
	found.gso_bytes = skb->gso_size;
	if (what == HAS_PAIR && !packet.tagged && !is_tagged(skb))
		look_up(&packet.key, &found);
	ask_leased(&found, &packet);
	if (fast_test && fast_test_looks)
		return found.leased ? GO_ON : 0;
	if (direction == FLOW_IN) {
		if (!judge_in(&packet, &found))
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
