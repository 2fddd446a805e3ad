/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_SLOTS_H
#define SHAPER_BPF_FAST_SLOTS_H

/*
 * The table as the kernel's program uses it: which slots a packet's keys have,
 * whose their pair is, and what their windows say now.  Part of fast.bpf.c.
 */

#include "shaper/bpf/fast_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FAST_ELEMENTS * 1024);
	__type(key, uint32_t);
	__type(value, struct fast_slot);
} symtap_slots SEC(".maps");

struct fast_config fast_config;
struct fast_counts fast_counts[FAST_PROCESSORS];
uint64_t fast_test_now_ns;
bool fast_test_looks;          /* what it costs but to look the keys up */
const volatile bool fast_test; /* time is injected */
/* `hold: pump`: nothing waits here, and the verifier need not look at what else
 * would. */
const volatile bool fast_pump_only;

enum { GO_ON = -1 }; /* TC_ACT_UNSPEC, TCX_NEXT */

struct found {
	struct fast_slot *pair, *flow; /* flow: whose slot it stands in */
	uint32_t pair_at, flow_at;
	uint32_t at; /* place of its interface */
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
	return span_64ns < FAST_COARSE_SPAN_64NS || has_edt()
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

#endif
