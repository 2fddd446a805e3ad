/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_EDT_OUT_H
#define SHAPER_BPF_EDT_OUT_H

/* The kernel program's side of edt_memory.h.  Part of fast.bpf.c. */

#include "shaper/bpf/edt_memory.h"

struct edt_memory symtap_edt;

enum edt_answer { EDT_PASS, EDT_DROP, EDT_BACK };

/* A pair or a flow, and its window. */
struct edt_window {
	uint64_t key;
	uint32_t at;
	uint32_t span_64ns;
	uint32_t ratio_q16;
	bool of_flow;
};

static __always_inline uint64_t edt_key(const struct fast_slot *slot,
					bool of_flow)
{
	const struct fast_key key = {
		.inside = { slot->inside[0], slot->inside[1] },
		.outside = { slot->outside[0], slot->outside[1] },
		.ports = slot->ports,
		.zone = slot->zone,
		.proto = slot->proto,
	};
	uint64_t hash = fast_hash_pair(&fast_config.multipliers, &key);

	if (of_flow)
		hash = fast_hash_flow(&fast_config.multipliers, hash, &key);
	return hash | 1;
}

static __always_inline uint64_t edt_at(uint64_t key, uint32_t probe)
{
	uint64_t at = (key >> 32) + probe;

	/* So that the verifier sees the bound. */
	__asm__ volatile("" : "+r"(at));
	return at & (EDT_GATES - 1);
}

/* Functions that are not static the verifier looks at once, and not again for
 * each way that leads there. */
enum { EDT_NONE = EDT_GATES };

__attribute__((noinline)) uint32_t edt_find(uint64_t key)
{
	for (uint32_t i = 0; i < EDT_PROBES; i++) {
		uint64_t at = edt_at(key, i);

		if (symtap_edt.gates[at].key == key)
			return (uint32_t)at;
	}
	return EDT_NONE;
}

/* One whose last packet left `window_ns` ago has nothing to remember. */
__attribute__((noinline)) uint32_t edt_take(uint64_t key, uint64_t window_ns,
					    uint64_t now_ns)
{
	for (uint32_t i = 0; i < EDT_PROBES; i++) {
		uint64_t at = edt_at(key, i);
		uint64_t old = symtap_edt.gates[at].key;

		if (old != 0 &&
		    edt_departs_ns(symtap_edt.gates[at].state) + window_ns >
			    now_ns)
			continue;
		if (__sync_val_compare_and_swap(&symtap_edt.gates[at].key, old,
						key) != old)
			continue;
		*(volatile uint64_t *)&symtap_edt.gates[at].state = 0;
		return (uint32_t)at;
	}
	return EDT_NONE;
}

static __always_inline struct edt_gate *edt_gate_at(uint32_t at)
{
	return at < EDT_NONE ? &symtap_edt.gates[edt_at((uint64_t)at << 32, 0)]
			     : NULL;
}

/* When all before it have left. */
static __always_inline uint64_t edt_turn_ns(const struct fast_slot *pair,
					    uint64_t now_ns)
{
	const struct edt_gate *gate =
		edt_gate_at(edt_find(edt_key(pair, false)));
	uint64_t departs_ns;

	if (!gate)
		return now_ns;
	departs_ns = edt_departs_ns(*(const volatile uint64_t *)&gate->state);
	return departs_ns > now_ns ? departs_ns : now_ns;
}

/* The daemon's ratio is that of T - 1/2: 2^(1/2) is 92682/65536. */
static __always_inline uint32_t edt_ratio_q16(uint32_t ratio_q16)
{
	return (uint32_t)((uint64_t)ratio_q16 * 92683 >> 16);
}

/* In how many spans the window, which has turned to `number`, no longer
 * exceeds, if nothing else happens; 0: it does not. */
__noinline int edt_falls(uint32_t at, uint32_t of_flow, uint64_t number,
			 uint32_t ratio_q16)
{
	struct fast_slot *slot = slot_of(at);
	struct fast_history *history = history_of(at, of_flow != 0);
	uint32_t sent = 0, heard = 0, falls = FAST_SPANS + 1;

	if (!slot || !history)
		return 0;
	for (uint32_t age = 0; age <= FAST_SPANS; age++) {
		const struct fast_window *window = of_flow ? &slot->flow
							   : &slot->pair;
		uint64_t bucket =
			age == 0 ? fast_read(&window->running)
				 : fast_older(window, history, number, age);

		sent += fast_bucket_sent(bucket);
		heard += fast_bucket_heard(bucket);
		if (!asym_exceeds(sent, heard, ratio_q16))
			falls = FAST_SPANS - age;
	}
	return (int)falls;
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
				    const struct edt_window *of,
				    uint64_t turn_ns, uint64_t now_ns)
{
	uint64_t window_ns = (uint64_t)of->span_64ns * (FAST_SPANS + 1)
			     << FAST_SPAN_SHIFT;
	uint32_t at = edt_find(of->key);
	uint64_t number = fast_number(of->span_64ns, turn_ns);
	uint32_t falls = (uint32_t)edt_falls(of->at, of->of_flow, number,
					     edt_ratio_q16(of->ratio_q16));

	if (at == EDT_NONE)
		at = edt_take(of->key, window_ns, now_ns);
	ask->gate = edt_gate_at(at);
	if (!ask->gate)
		return false;
	ask->old = *(volatile uint64_t *)&ask->gate->state;
	ask->departs_ns = ask->opens_ns = turn_ns;
	ask->releases = 0;
	if (falls == 0)
		return true;
	ask->releases = edt_releases(ask->old) + 1;
	ask->departs_ns += edt_delay_ns(ask->releases);
	ask->opens_ns = (number + falls) * (uint64_t)of->span_64ns
			<< FAST_SPAN_SHIFT;
	return true;
}

/* A packet of a pair that may be over its threshold, whose turn comes at
 * `now_ns`.  EDT_PASS: counted, and *ret_departs_ns is when it may leave. */
static __attribute__((noinline)) int edt_out(uint32_t pair_at, uint32_t flow_at,
					     uint64_t turn_ns, uint64_t now_ns,
					     uint64_t *ret_departs_ns)
{
	struct fast_slot *pair = slot_of(pair_at), *flow = slot_of(flow_at);
	uint64_t departs_ns, opens_ns, kept_ns, state, number;
	struct edt_window pairs, flows;
	struct edt_ask of_pair, of_flow;

	if (!pair || !flow || !pair->span_64ns)
		return EDT_BACK;
	pairs = (struct edt_window){ edt_key(pair, false), pair_at,
				     pair->span_64ns, pair->ratio_q16, false };
	flows = (struct edt_window){ edt_key(flow, true), flow_at,
				     pair->span_64ns, flow->flow_ratio_q16,
				     true };
	if (!edt_ask(&of_pair, &pairs, turn_ns, now_ns) ||
	    !edt_ask(&of_flow, &flows, turn_ns, now_ns))
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
	kept_ns = departs_ns;
	if (departs_ns <= now_ns)
		kept_ns -= (1 << EDT_TIME_SHIFT) - 1; /* rounds down */
	state = edt_state(kept_ns, of_pair.releases);
	if (__sync_val_compare_and_swap(&of_pair.gate->state, of_pair.old,
					state) != of_pair.old)
		return EDT_DROP;
	*(volatile uint64_t *)&of_flow.gate->state =
		edt_state(kept_ns, of_flow.releases);
	number = fast_number(pair->span_64ns, departs_ns);
	symtap_turn_pair(pair_at, number);
	symtap_turn_flow(flow_at, number);
	fast_add(&pair->pair, 1, 0);
	fast_add(&flow->flow, 1, 0);
	*ret_departs_ns = edt_departs_ns(state);
	return EDT_PASS;
}

static __always_inline void edt_departs(struct __sk_buff *skb, uint64_t at_ns)
{
	bpf_skb_set_tstamp(skb, at_ns, BPF_SKB_TSTAMP_DELIVERY_MONO);
	__sync_fetch_and_add(&symtap_edt.delayed_pkts, 1);
}

#endif
