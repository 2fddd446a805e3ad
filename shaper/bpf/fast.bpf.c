/* SPDX-License-Identifier: GPL-2.0-or-later */
/* At a guarded interface: out at its ingress, in at its egress, where address
 * translation is already undone.  fast_maps.h says what it does. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/evidence.h"

enum { GO_ON = -1, TCP_RST = 4 }; /* TC_ACT_UNSPEC, TCX_NEXT */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
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
 * would: that takes it two seconds. */
const volatile bool fast_pump_only;

struct found {
	const struct packet_meta *meta;
	struct fast_slot *flow, *pair;
	uint64_t now_ns;  /* `hold: edt`: when its turn comes, */
	uint64_t came_ns; /* and when it came */
	uint32_t wire_pkts;
	uint32_t gso_bytes; /* of a super-packet's segments; 0: it is none */
	bool plain;         /* nothing of it needs a closer look */
};

static struct fast_counts *counts(void)
{
	return &fast_counts[bpf_get_smp_processor_id() % FAST_PROCESSORS];
}

static __always_inline struct fast_slot *find(const struct flow_key *key)
{
	uint32_t at = (uint32_t)fast_hash(fast_config.k0, fast_config.k1, key);
	struct fast_slot *slot;

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t index = (at + i) & fast_config.slots_mask;

		slot = bpf_map_lookup_elem(&symtap_slots, &index);
		if (!slot)
			return NULL;
		if (slot->span_64ns && fast_key_equal(&slot->key, key))
			return slot;
		if (!slot->passed_on)
			return NULL;
	}
	return NULL;
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

static __always_inline void mark(struct __sk_buff *skb, uint32_t value)
{
	skb->mark = (skb->mark & ~fast_config.mark_mask) |
		    value << fast_config.mark_shift;
}

static __always_inline bool exceeds(struct fast_slot *slot, uint64_t number,
				    uint32_t wire_pkts)
{
	uint32_t sent, heard;

	fast_sums(slot, number, &sent, &heard);
	return asym_exceeds(sent + wire_pkts - 1, heard, slot->ratio_q16);
}

/* The pair is the engine's from now on.  The epoch that the packet belongs
 * to. */
static __always_inline uint32_t steer(struct fast_slot *pair, bool counts_pkt)
{
	uint64_t state = counts_pkt ? __sync_fetch_and_add(&pair->state, 1)
				    : *(volatile uint64_t *)&pair->state;

	if (state & FAST_IN_KERNEL &&
	    __sync_fetch_and_and(&pair->state, ~FAST_IN_KERNEL) &
		    FAST_IN_KERNEL)
		counts()->given_back++;
	return (uint32_t)((state & ~FAST_IN_KERNEL) >> FAST_EPOCH_SHIFT) %
	       FAST_EPOCHS;
}

static __always_inline bool is_leased(const struct found *found)
{
	return found->pair && found->flow && found->plain &&
	       *(volatile uint64_t *)&found->pair->state & FAST_IN_KERNEL;
}

static __always_inline bool has_evidence(const struct found *found)
{
	return fast_config.consent &&
	       found->meta->ends.proto == PACKET_PROTO_TCP;
}

/* Both directions may do so at once: each half is written as a whole. */
static __always_inline void note_sent(const struct found *found)
{
	struct fast_slot *flow = found->flow;
	struct evidence evidence = { flow->sent_end, flow->acked,
				     flow->segment_bytes != 0 };
	uint32_t payload_bytes = evidence_payload_bytes(found->meta);

	if (!has_evidence(found) || payload_bytes == 0)
		return;
	if (found->gso_bytes)
		payload_bytes = found->gso_bytes;
	evidence_sent(&evidence, found->meta);
	*(volatile uint32_t *)&flow->sent_end = evidence.sent_end;
	if (flow->segment_bytes == 0)
		*(volatile uint32_t *)&flow->acked = evidence.acked;
	if (payload_bytes > flow->segment_bytes && payload_bytes <= 0x7fff)
		flow->segment_bytes = (uint16_t)payload_bytes;
}

static __always_inline uint32_t replies_of(const struct found *found)
{
	struct fast_slot *flow = found->flow;
	struct evidence evidence = { flow->sent_end, flow->acked,
				     flow->segment_bytes != 0 };
	uint32_t replies;

	if (!has_evidence(found))
		return found->wire_pkts;
	replies = evidence_replies(&evidence, found->meta, flow->segment_bytes);
	*(volatile uint32_t *)&flow->acked = evidence.acked;
	return found->wire_pkts - 1 + replies;
}

#include "shaper/bpf/edt_out.h"

/* What must wait gets its time here, too. */
static __always_inline enum edt_answer edt_judge(struct __sk_buff *skb,
						 const struct found *found)
{
	uint64_t departs_ns = 0;
	int answer = found->now_ns > found->came_ns ? EDT_DROP : EDT_BACK;

	if (symtap_edt.on && found->wire_pkts == 1)
		answer = edt_out(found->pair, found->flow, found->now_ns,
				 found->came_ns, &departs_ns);
	if (answer == EDT_DROP)
		__sync_fetch_and_add(&symtap_edt.full_pkts, found->wire_pkts);
	if (answer != EDT_PASS)
		return (enum edt_answer)answer;
	if (departs_ns > found->came_ns)
		edt_departs(skb, departs_ns);
	note_sent(found);
	counts()->out_passed_pkts++;
	mark(skb, FAST_MARK_PASSED);
	return EDT_PASS;
}

static __always_inline int judge_out(struct __sk_buff *skb,
				     const struct found *found)
{
	struct fast_slot *flow = found->flow, *pair = found->pair;
	uint64_t of_pair, of_flow;

	if (!pair)
		return GO_ON;
	if (is_leased(found) && pair->span_64ns && flow->span_64ns) {
		enum edt_answer answer;

		of_pair = fast_number(pair->span_64ns, found->now_ns);
		of_flow = fast_number(flow->span_64ns, found->now_ns);
		if (!exceeds(pair, of_pair, found->wire_pkts) &&
		    !exceeds(flow, of_flow, found->wire_pkts)) {
			fast_add(pair, of_pair, found->wire_pkts, 0);
			fast_add(flow, of_flow, found->wire_pkts, 0);
			note_sent(found);
			counts()->out_passed_pkts += found->wire_pkts;
			mark(skb, FAST_MARK_PASSED);
			if (!fast_pump_only && found->now_ns > found->came_ns)
				edt_departs(skb, found->now_ns);
			return GO_ON;
		}
		answer = fast_pump_only ? EDT_BACK : edt_judge(skb, found);
		if (answer != EDT_BACK)
			return answer == EDT_PASS ? GO_ON : TC_ACT_SHOT;
	}
	counts()->steered_pkts++;
	mark(skb, FAST_MARK_EPOCH + steer(pair, true));
	return GO_ON;
}

static __always_inline void fill_event(struct fast_event *event,
				       const struct __sk_buff *skb,
				       const struct scratch *scratch,
				       uint32_t captured_bytes,
				       uint32_t wire_pkts)
{
	event->ifindex = skb->ifindex;
	event->wire_bytes = skb->len;
	event->wire_pkts = wire_pkts;
	event->captured_bytes = captured_bytes;
	__builtin_memcpy(event->bytes, scratch->bytes, sizeof(event->bytes));
}

#include "shaper/bpf/hold_out.h"

static __always_inline void tell(const struct __sk_buff *skb,
				 const struct scratch *scratch,
				 uint32_t captured_bytes, uint32_t wire_pkts)
{
	struct fast_event *event =
		bpf_ringbuf_reserve(&symtap_heard, sizeof(*event), 0);

	if (!event) {
		counts()->untold++;
		return;
	}
	counts()->told++;
	fill_event(event, skb, scratch, captured_bytes, wire_pkts);
	event->ticket = 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline bool judge_in(const struct found *found)
{
	struct fast_slot *flow = found->flow, *pair = found->pair;

	if (is_leased(found) && pair->span_64ns && flow->span_64ns) {
		uint32_t replies = replies_of(found);

		fast_add(pair, fast_number(pair->span_64ns, found->now_ns), 0,
			 replies);
		fast_add(flow, fast_number(flow->span_64ns, found->now_ns), 0,
			 replies);
		__sync_fetch_and_add(&pair->heard_pkts, replies);
		counts()->in_passed_pkts += found->wire_pkts;
		return true;
	}
	if (pair && *(volatile uint64_t *)&pair->state & FAST_IN_KERNEL)
		steer(pair, false);
	return false;
}

/* Super-packets say how many they are; 0: this one does not. */
static __always_inline uint32_t wire_pkts_of(const struct __sk_buff *skb)
{
	return skb->gso_size ? skb->gso_segs : 1;
}

static __always_inline bool look_up(struct scratch *to,
				    enum flow_direction direction,
				    uint16_t zone, struct found *found)
{
	const struct packet_meta *meta = &to->meta;

	if (meta->kind != PACKET_UNICAST)
		return false;
	flow_fill(meta, direction, zone, &to->key);
	found->plain &= meta->fragment == PACKET_WHOLE &&
			!(meta->tcp_flags & (PACKET_TCP_SYN | TCP_RST));
	found->flow = find(&to->key);
	if (found->flow) {
		uint32_t up = found->flow->up;

		found->pair = bpf_map_lookup_elem(&symtap_slots, &up);
		return true;
	}
	flow_fill_pair(&to->key);
	found->pair = find(&to->key);
	return true;
}

/* `hold: qdisc` */
static __always_inline bool has_hold(void)
{
	return !fast_pump_only && symtap_hold.ifindex;
}

static __always_inline int judge(struct __sk_buff *skb,
				 enum flow_direction direction)
{
	struct found found = { 0 };
	uint32_t first = 0, bytes = skb->len;
	struct scratch *to = bpf_map_lookup_elem(&symtap_scratch, &first);
	enum packet_error error;
	uint16_t zone = 0;
	bool tagged; /* never leased; else than with `hold: qdisc` not ours */

	/* What this machine says itself is none of our business. */
	if (!to || (skb->vlan_present && !has_hold()) ||
	    (direction == FLOW_IN && skb->ingress_ifindex == 0) ||
	    !zone_of(skb, &zone))
		return GO_ON;
	/* Nobody else says for us that it may pass. */
	if (direction == FLOW_OUT && skb->mark & fast_config.mark_mask)
		mark(skb, 0);
	if (bytes > FAST_COPIED_BYTES)
		bytes = FAST_COPIED_BYTES;
	if (bytes < 14 || bpf_skb_load_bytes(skb, 0, to->bytes, bytes) != 0)
		return GO_ON;
	error = packet_parse_ethernet(to->bytes, bytes, skb->len, &to->meta);
	tagged = skb->vlan_present || to->meta.vlan[0] != 0;
	if (to->meta.ethertype == 0 || (tagged && !has_hold()) ||
	    to->meta.kind == PACKET_NEIGHBOUR)
		return GO_ON;
	found.now_ns = bpf_ktime_get_ns();
	if (fast_test)
		found.now_ns = fast_test_now_ns;
	found.came_ns = found.now_ns;
	found.wire_pkts = wire_pkts_of(skb);
	found.gso_bytes = skb->gso_size;
	found.meta = &to->meta;
	found.plain = error == PACKET_OK && found.wire_pkts != 0;
	if (!tagged)
		look_up(to, direction, zone, &found);
	if (fast_test && fast_test_looks)
		return is_leased(&found) ? GO_ON : 0;
	if (!fast_pump_only && symtap_edt.on && is_leased(&found))
		found.now_ns = edt_turn_ns(found.pair, found.came_ns);
	if (direction == FLOW_OUT) {
		if (!has_hold())
			return judge_out(skb, &found);
		judge_out(skb, &found);
		return hold_out(skb, to, bytes);
	}
	if (!judge_in(&found))
		tell(skb, to, bytes, found.wire_pkts);
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
