/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_HOLD_OUT_H
#define SHAPER_BPF_HOLD_OUT_H

/*
 * The kernel program's side of hold_memory.h: a packet out of a pair that is
 * not leased.  Part of fast.bpf.c.
 */

#include "shaper/bpf/fast_frame.h"

struct hold_packet {
	uint32_t pair, host; /* buckets */
	uint32_t pkts;       /* wire packets */
};

/* An index that the verifier sees the bound of, whatever it has forgotten and
 * the compiler knows. */
static __always_inline uint64_t hold_at(uint64_t index, uint64_t mask)
{
	__asm__ volatile("" : "+r"(index));
	return index & mask;
}

static __always_inline struct hold_bucket *
hold_pair(const struct hold_packet *packet)
{
	return &symtap_hold.pairs[hold_at(packet->pair, HOLD_PAIRS - 1)];
}

static __always_inline struct hold_bucket *
hold_host(const struct hold_packet *packet)
{
	return &symtap_hold.hosts[hold_at(packet->host, HOLD_HOSTS - 1)];
}

/* By addresses alone: what is shared is no more than a credit. */
static __always_inline void hold_find(struct hold_packet *packet,
				      uint64_t inside, uint64_t inside_end,
				      uint64_t hash)
{
	const uint64_t *m = fast_config.multipliers.m;
	uint64_t host = m[0] + fast_hash_word(m + 1, inside) +
			fast_hash_word(m + 3, inside_end);

	packet->host = (uint32_t)(host >> 32) & (HOLD_HOSTS - 1);
	packet->pair = (uint32_t)(hash >> 32) & (HOLD_PAIRS - 1);
}

/* false: there is none left. */
static __always_inline bool hold_take(uint32_t *count, uint32_t by,
				      uint32_t most)
{
	if (__sync_fetch_and_add(count, by) + by <= most)
		return true;
	__sync_fetch_and_sub(count, by);
	return false;
}

static __always_inline bool hold_may_go_on(const struct hold_packet *packet)
{
	struct hold_bucket *pair = hold_pair(packet);
	struct hold_bucket *host = hold_host(packet);

	if (*(volatile uint32_t *)&pair->waiting ||
	    !hold_take(&pair->ahead, packet->pkts, HOLD_PAIR_PKTS))
		return false;
	if (hold_take(&host->ahead, packet->pkts, HOLD_HOST_PKTS))
		return true;
	__sync_fetch_and_sub(&pair->ahead, packet->pkts);
	return false;
}

/* All that wait, of its host, of its pair. */
static __always_inline bool hold_has_room(const struct hold_packet *packet)
{
	struct hold_bucket *pair = hold_pair(packet);
	struct hold_bucket *host = hold_host(packet);
	uint32_t pkts = packet->pkts;

	if (!hold_take(&symtap_hold.waiting, pkts, symtap_hold.most_pkts))
		return false;
	if (hold_take(&host->waiting, pkts, symtap_hold.host_most_pkts)) {
		if (hold_take(&pair->waiting, pkts, symtap_hold.pair_most_pkts))
			return true;
		__sync_fetch_and_sub(&host->waiting, pkts);
	}
	__sync_fetch_and_sub(&symtap_hold.waiting, pkts);
	return false;
}

/* First there, then asked whose it is: the daemon frees one that nobody is
 * in. */
static __always_inline bool hold_enter(uint32_t class, uint32_t owner,
				       uint32_t pkts)
{
	struct hold_class *of;

	if (class == 0 || class > HOLD_OWN)
		return false;
	of = &symtap_hold.classes[hold_at(class, HOLD_ROOM - 1)];
	__sync_fetch_and_add(&of->waiting, pkts);
	if (*(volatile uint32_t *)&of->owner == owner ||
	    __sync_val_compare_and_swap(&of->owner, 0, owner) == 0)
		return true;
	__sync_fetch_and_sub(&of->waiting, pkts);
	return false;
}

static __always_inline uint32_t hold_class(const struct hold_packet *packet)
{
	struct hold_bucket *pair = hold_pair(packet);
	uint32_t owner = packet->pair + 1, pkts = packet->pkts;
	uint32_t class = *(volatile uint32_t *)&pair->class;

	if (hold_enter(class, owner, pkts))
		return class;
	for (uint32_t i = 0; i < HOLD_PROBES; i++) {
		class = 1 + (packet->pair + i) % HOLD_OWN;
		if (!hold_enter(class, owner, pkts))
			continue;
		*(volatile uint32_t *)&pair->class = class;
		return class;
	}
	class = 1 + HOLD_OWN + packet->host % HOLD_SHARED;
	__sync_fetch_and_add(
		&symtap_hold.classes[hold_at(class, HOLD_ROOM - 1)].waiting,
		pkts);
	return class;
}

/* Segments of what nobody has counted yet, as a guest's often are. */
static __always_inline uint32_t hold_pkts_of(const struct __sk_buff *skb)
{
	if (!skb->gso_size)
		return 1;
	return skb->gso_segs ? skb->gso_segs
			     : (skb->len + skb->gso_size - 1) / skb->gso_size;
}

/* `inside`: its address; `hash`: its pair's. */
static __attribute__((noinline)) int hold_out(struct __sk_buff *skb,
					      uint64_t inside,
					      uint64_t inside_end,
					      uint64_t hash)
{
	struct hold_packet packet = { .pkts = hold_pkts_of(skb) };
	uint32_t value = (skb->mark & fast_config.mark_mask) >>
			 fast_config.mark_shift;
	uint32_t class = 0;
	struct fast_event *event;

	if (value == FAST_MARK_PASSED)
		return GO_ON;
	event = bpf_ringbuf_reserve(&symtap_heard, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&symtap_hold.untold_pkts, packet.pkts);
		return TC_ACT_SHOT;
	}
	hold_find(&packet, inside, inside_end, hash);
	if (!fill_event(event, skb, packet.pkts)) {
		bpf_ringbuf_discard(event, 0);
		return TC_ACT_SHOT;
	}
	if (!hold_may_go_on(&packet)) {
		if (!hold_has_room(&packet)) {
			bpf_ringbuf_discard(event, 0);
			__sync_fetch_and_add(&symtap_hold.full_pkts,
					     packet.pkts);
			return TC_ACT_SHOT;
		}
		class = hold_class(&packet);
	}
	event->ticket = HOLD_TICKET | packet.pair |
			packet.host << HOLD_TICKET_HOST_SHIFT |
			(uint64_t) class << HOLD_TICKET_CLASS_SHIFT |
			(uint64_t)value << HOLD_TICKET_MARK_SHIFT;
	bpf_ringbuf_submit(event, 0);
	if (class == 0)
		return GO_ON;
	skb->priority = symtap_hold.major | class;
	return bpf_redirect(symtap_hold.ifindex, 0);
}

#endif
