/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_EDT_OUT_H
#define SHAPER_BPF_EDT_OUT_H

/* The kernel program's side of edt_memory.h.  Part of fast.bpf.c. */

#include "shaper/bpf/edt_memory.h"

struct edt_memory symtap_edt;

enum edt_answer { EDT_PASS, EDT_DROP, EDT_BACK };

static __always_inline uint64_t edt_key(const struct fast_slot *slot)
{
	return fast_hash(fast_config.k0, fast_config.k1, &slot->key) | 1;
}

static __always_inline uint64_t edt_at(uint64_t key, uint32_t probe)
{
	uint64_t at = (key >> 1) + probe;

	/* So that the verifier sees the bound. */
	__asm__ volatile("" : "+r"(at));
	return at & (EDT_GATES - 1);
}

static __always_inline struct edt_gate *edt_find(uint64_t key)
{
	for (uint32_t i = 0; i < EDT_PROBES; i++) {
		uint64_t at = edt_at(key, i);

		if (symtap_edt.gates[at].key == key)
			return &symtap_edt.gates[at];
	}
	return NULL;
}

/* One whose last packet left a window ago has nothing to remember. */
static __always_inline struct edt_gate *
edt_take(uint64_t key, const struct fast_slot *slot, uint64_t now_ns)
{
	uint64_t window_ns = (uint64_t)slot->span_64ns * FAST_BUCKETS
			     << FAST_SPAN_SHIFT;
	struct edt_gate *gate = edt_find(key);

	if (gate)
		return gate;
	for (uint32_t i = 0; i < EDT_PROBES; i++) {
		uint64_t at = edt_at(key, i);
		uint64_t old = symtap_edt.gates[at].key;

		gate = &symtap_edt.gates[at];
		if (old != 0 &&
		    edt_departs_ns(gate->state) + window_ns > now_ns)
			continue;
		if (__sync_val_compare_and_swap(&gate->key, old, key) != old)
			continue;
		*(volatile uint64_t *)&gate->state = 0;
		return gate;
	}
	return NULL;
}

/* When all before it have left. */
static __always_inline uint64_t edt_turn_ns(const struct fast_slot *pair,
					    uint64_t now_ns)
{
	const struct edt_gate *gate = edt_find(edt_key(pair));
	uint64_t departs_ns;

	if (!gate)
		return now_ns;
	departs_ns = edt_departs_ns(*(const volatile uint64_t *)&gate->state);
	return departs_ns > now_ns ? departs_ns : now_ns;
}

/* The daemon's ratio is that of T - 1/2: 2^(1/2) is 92682/65536. */
static __always_inline uint32_t edt_ratio_q16(const struct fast_slot *slot)
{
	return (uint32_t)((uint64_t)slot->ratio_q16 * 92683 >> 16);
}

/* In how many spans the window no longer exceeds, if nothing else happens; 0:
 * it does not. */
static __always_inline uint32_t edt_falls(const struct fast_slot *slot,
					  uint64_t number)
{
	uint32_t ratio_q16 = edt_ratio_q16(slot);
	uint32_t sent = 0, heard = 0, falls = FAST_BUCKETS;

	for (uint32_t age = 0; age < FAST_BUCKETS; age++) {
		uint64_t bucket = fast_bucket_read(
			&slot->buckets[fast_bucket_at(number - age)]);

		if (fast_bucket_age(bucket, number) == age) {
			sent += fast_bucket_sent(bucket);
			heard += fast_bucket_heard(bucket);
		}
		if (!asym_exceeds(sent, heard, ratio_q16))
			falls = FAST_BUCKETS - 1 - age;
	}
	return falls;
}

static __always_inline uint64_t edt_delay_ns(uint32_t releases)
{
	uint64_t delay_ns = symtap_edt.first_delay_ns;

	if (releases > 32)
		return symtap_edt.max_delay_ns;
	delay_ns <<= releases - 1;
	return delay_ns < symtap_edt.max_delay_ns ? delay_ns
						  : symtap_edt.max_delay_ns;
}

/* One key, asked at `turn_ns`: its gate, and what it answers. */
struct edt_ask {
	struct edt_gate *gate;
	uint64_t old;
	uint64_t departs_ns; /* by its timer */
	uint64_t opens_ns;   /* by its window */
	uint32_t releases;
};

/* false: there is no gate for it. */
static __always_inline bool edt_ask(struct edt_ask *ask,
				    const struct fast_slot *slot,
				    uint64_t turn_ns, uint64_t now_ns)
{
	uint64_t number = fast_number(slot->span_64ns, turn_ns);
	uint32_t falls = edt_falls(slot, number);

	ask->gate = edt_take(edt_key(slot), slot, now_ns);
	if (!ask->gate)
		return false;
	ask->old = *(volatile uint64_t *)&ask->gate->state;
	ask->departs_ns = ask->opens_ns = turn_ns;
	ask->releases = 0;
	if (falls == 0)
		return true;
	ask->releases = edt_releases(ask->old) + 1;
	ask->departs_ns += edt_delay_ns(ask->releases);
	ask->opens_ns = (number + falls) * slot->span_64ns << FAST_SPAN_SHIFT;
	return true;
}

/* A packet of a pair that may be over its threshold, whose turn comes at
 * `turn_ns`.  EDT_PASS: counted, and *ret_departs_ns is when it may leave. */
static __attribute__((noinline)) int edt_out(struct fast_slot *pair,
					     struct fast_slot *flow,
					     uint64_t turn_ns, uint64_t now_ns,
					     uint64_t *ret_departs_ns)
{
	struct edt_ask of_pair, of_flow;
	uint64_t departs_ns, opens_ns, state;

	if (!pair || !flow || !pair->span_64ns || !flow->span_64ns)
		return EDT_BACK;
	if (!edt_ask(&of_pair, pair, turn_ns, now_ns) ||
	    !edt_ask(&of_flow, flow, turn_ns, now_ns))
		return turn_ns > now_ns ? EDT_DROP : EDT_BACK;
	departs_ns = of_pair.departs_ns > of_flow.departs_ns
			     ? of_pair.departs_ns
			     : of_flow.departs_ns;
	opens_ns = of_pair.opens_ns > of_flow.opens_ns ? of_pair.opens_ns
						       : of_flow.opens_ns;
	if (opens_ns < departs_ns) {
		departs_ns = opens_ns > turn_ns ? opens_ns : turn_ns;
		of_pair.releases = of_flow.releases = 0;
	}
	if (departs_ns > now_ns + symtap_edt.horizon_ns)
		return EDT_DROP;
	state = edt_state(departs_ns, of_pair.releases);
	if (__sync_val_compare_and_swap(&of_pair.gate->state, of_pair.old,
					state) != of_pair.old)
		return EDT_DROP;
	*(volatile uint64_t *)&of_flow.gate->state =
		edt_state(departs_ns, of_flow.releases);
	fast_add(pair, fast_number(pair->span_64ns, departs_ns), 1, 0);
	fast_add(flow, fast_number(flow->span_64ns, departs_ns), 1, 0);
	*ret_departs_ns = edt_departs_ns(state);
	return EDT_PASS;
}

static __always_inline void edt_departs(struct __sk_buff *skb, uint64_t at_ns)
{
	bpf_skb_set_tstamp(skb, at_ns, BPF_SKB_TSTAMP_DELIVERY_MONO);
	__sync_fetch_and_add(&symtap_edt.delayed_pkts, 1);
}

#endif
