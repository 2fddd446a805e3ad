/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_MAPS_H
#define SHAPER_BPF_FAST_MAPS_H

/*
 * What the kernel program and the daemon share: also compiled for BPF.
 *
 * A pair that conforms is leased to the kernel, with those of its flows that
 * the engine has seen: the program counts their packets and lets them pass.
 * When one must be judged (it would exceed the threshold, belongs to a flow
 * that is not leased, is a SYN, a fragment) the program gives the pair back
 * and the packet goes to the engine, as do all that follow, until it leases
 * the pair anew.  So one of the two counts a pair at any time, never both.
 *
 * Only the daemon adds keys and takes them out, in memory that both see: the
 * program looks them up, and what it does not find goes the long way.  It has
 * nothing that could be exhausted, and knows no penalty that could be
 * forgotten.
 *
 * `state` of a pair is whose it is, and an order: while it is the engine's,
 * the program counts the packets out that it sends there (FAST_STEERED), and
 * marks each with the epoch.  The engine leases a pair only if it has seen as
 * many: then none is on its way that a later one could overtake.  Packets that
 * are lost on that way are forgotten with a new epoch.
 *
 * Both work at once, on several processors, without a lock:
 *
 * Whose a pair is changes by one atomic operation on `state`.  The program
 * adds 1 for what it steers, and then clears FAST_IN_KERNEL; the daemon clears
 * it, or sets it by an exchange that fails when one more was steered than it
 * has seen.  The verdict on the last of those has been carried out by then, so
 * that has left before one that the program passes.  (Packets of a flow that
 * two processors take at once have no order.)
 *
 * Each packet is counted once, by the program, which has counted what it marks
 * as passed, or by the engine, which gets all others.  Buckets are added to by
 * atomic operations.  A processor that found the pair leased and has not
 * counted yet while the daemon takes it back does so too late for the engine's
 * window: one packet, or super-packet, for each processor and taking back,
 * after which the pair stays with the engine for some packets.  Processors
 * that ask at the same time may each pass one: the lease ends half a bit below
 * the threshold.
 *
 * A key is written before its span and read after it; a slot is not used anew
 * for longer than the program runs.  Should a processor stand still for that
 * long it counts one packet for another key, or gives another pair back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/siphash.h"
#include "shaper/asym.h"
#include "shaper/bpf/edt_memory.h"
#include "shaper/bpf/hold_memory.h"

enum {
	FAST_VERSION = 1,
	FAST_BUCKETS = 15, /* a mask as well */
	FAST_SPANS = 14,   /* of these make a window */
	FAST_PROBES = 16,
	FAST_INTERFACES = 16,
	FAST_COPIED_BYTES = 128,
	FAST_EPOCHS = 13,
	FAST_MARK_PASSED = 1, /* the lowest value of the mark's four bits */
	FAST_MARK_EPOCH = 2,  /* and of the first epoch */
	FAST_MARK_ALIVE = 15, /* in, the rules': see shaper/io/nft_alive.h */
	FAST_MARK_BITS = 4,
	FAST_SPAN_SHIFT = 6, /* spans are kept in 64 ns */
};

#define FAST_IN_KERNEL   (UINT64_C(1) << 63)
#define FAST_EPOCH_SHIFT 48
#define FAST_STEERED     ((UINT64_C(1) << FAST_EPOCH_SHIFT) - 1)

/*
 * A key, and its window: 15 buckets of W/14 each, by their number since boot
 * modulo 2^16, packets sent and heard, in 16 + 24 + 24 bits.  The running one
 * and the 14 before it count, sent and heard alike: packets are forgotten up to
 * W/14 late, and an answer never before what it answers.  Behind
 * them stands the sum of those before the running one.
 */
struct fast_slot {
	struct flow_key key;
	union {
		uint64_t state; /* pair: FAST_IN_KERNEL, epoch, FAST_STEERED */
		struct {        /* TCP flow, see shaper/evidence.h */
			uint32_t sent_end, acked;
		};
	};
	union {
		uint32_t up;         /* flow: its pair's slot */
		uint32_t heard_pkts; /* pair: since it was leased */
	};
	uint32_t ratio_q16; /* it is given back above this */
	uint32_t span_64ns; /* of a bucket; 0: there is no key here */
	uint16_t passed_on; /* keys of earlier slots that stand further on */
	uint16_t segment_bytes; /* TCP flow: of a full one; 0: none was sent */
	uint64_t buckets[FAST_BUCKETS + 1];
};
_Static_assert(sizeof(struct fast_slot) == 192, "a slot is three lines");

/* Written by the daemon before it attaches the program, and at a reload. */
struct fast_config {
	uint32_t version, slot_bytes; /* FAST_VERSION, of a struct fast_slot */
	uint64_t k0, k1;              /* of the hash */
	uint32_t slots_mask;          /* slots - 1; a power of two */
	uint32_t mark_mask;           /* four adjacent bits */
	uint32_t mark_shift;
	uint32_t interfaces_count;
	uint32_t consent; /* an acknowledgement counts for what it answers */
	struct fast_interface {
		uint32_t ifindex;
		uint32_t zone;
	} interfaces[FAST_INTERFACES];
};

/* Of one processor. */
struct fast_counts {
	uint64_t out_passed_pkts, in_passed_pkts; /* wire packets, leased */
	uint64_t steered_pkts; /* out, of a pair that is the engine's */
	uint64_t given_back;   /* leases that the program ended */
	uint64_t told, untold; /* packets in; untold: the ring was full */
	uint64_t room[2];
};
enum { FAST_PROCESSORS = 128 };

/* A packet that the engine is to hear of: one in, which has left already, or
 * with `hold: qdisc` one out. */
struct fast_event {
	uint64_t ticket; /* out: hold_memory.h; in: 0 */
	uint32_t ifindex;
	uint32_t wire_bytes;
	uint32_t wire_pkts;
	uint32_t captured_bytes;
	uint8_t bytes[FAST_COPIED_BYTES]; /* from the Ethernet header on */
};

static inline uint64_t fast_word(const uint8_t *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t fast_hash(uint64_t k0, uint64_t k1,
				 const struct flow_key *key)
{
	struct siphash s;

	siphash_init(&s, k0, k1);
	siphash_word(&s, fast_word(key->inside));
	siphash_word(&s, fast_word(key->inside + 8));
	siphash_word(&s, fast_word(key->outside));
	siphash_word(&s, fast_word(key->outside + 8));
	siphash_word(&s, (uint64_t)key->inside_port |
				 (uint64_t)key->outside_port << 16 |
				 (uint64_t)key->zone << 32 |
				 (uint64_t)key->proto << 48 |
				 (uint64_t)key->scope << 56);
	return siphash_finish(s);
}

static inline bool fast_key_equal(const struct flow_key *a,
				  const struct flow_key *b)
{
	const uint8_t *left = (const uint8_t *)a, *right = (const uint8_t *)b;
	uint64_t differ = 0;

	for (uint32_t i = 0; i < sizeof(*a); i += 8)
		differ |= fast_word(left + i) ^ fast_word(right + i);
	return differ == 0;
}

static inline uint32_t fast_span(uint64_t window_ns)
{
	uint64_t span_ns = (window_ns + FAST_SPANS - 1) / FAST_SPANS;

	return (uint32_t)((span_ns + 63) >> FAST_SPAN_SHIFT);
}

/* The bucket of `now_ns`; `span_64ns` is not 0. */
static inline uint64_t fast_number(uint32_t span_64ns, uint64_t now_ns)
{
	return (now_ns >> FAST_SPAN_SHIFT) / span_64ns;
}

static inline uint32_t fast_bucket_sent(uint64_t bucket)
{
	return (uint32_t)(bucket >> 24) & 0xffffff;
}

static inline uint32_t fast_bucket_heard(uint64_t bucket)
{
	return (uint32_t)bucket & 0xffffff;
}

/* How many buckets ago; 0: the running one. */
static inline uint32_t fast_bucket_age(uint64_t bucket, uint64_t number)
{
	return (uint32_t)(number - (bucket >> 48)) & 0xffff;
}

static inline uint32_t fast_bucket_at(uint64_t number)
{
	uint64_t at = (uint32_t)number % FAST_BUCKETS;

	/* BPF's verifier does not see the bound, and the compiler sees no need
	 * for a mask. */
	__asm__ volatile("" : "+r"(at));
	return (uint32_t)(at & FAST_BUCKETS);
}

static inline uint64_t fast_bucket_read(const uint64_t *bucket)
{
	return *(const volatile uint64_t *)bucket;
}

static inline uint64_t fast_bucket(uint64_t number, uint32_t sent,
				   uint32_t heard)
{
	const uint32_t most = 0xffffff;

	return (number & 0xffff) << 48 |
	       (uint64_t)(sent < most ? sent : most) << 24 |
	       (heard < most ? heard : most);
}

/* The buckets before the running one. */
static inline uint64_t fast_sum_older(const struct fast_slot *slot,
				      uint64_t number)
{
	uint32_t sent = 0, heard = 0;

	for (uint32_t i = 0; i < FAST_BUCKETS; i++) {
		uint64_t bucket = fast_bucket_read(&slot->buckets[i]);
		uint32_t age = fast_bucket_age(bucket, number);

		if (age == 0 || age >= FAST_BUCKETS)
			continue;
		sent += fast_bucket_sent(bucket);
		heard += fast_bucket_heard(bucket);
	}
	return fast_bucket(number, sent, heard);
}

static inline void fast_sums(struct fast_slot *slot, uint64_t number,
			     uint32_t *ret_sent, uint32_t *ret_heard)
{
	uint64_t older = fast_bucket_read(&slot->buckets[FAST_BUCKETS]);
	uint64_t running =
		fast_bucket_read(&slot->buckets[fast_bucket_at(number)]);

	if (fast_bucket_age(older, number) != 0) {
		older = fast_sum_older(slot, number);
		*(volatile uint64_t *)&slot->buckets[FAST_BUCKETS] = older;
	}
	*ret_sent = fast_bucket_sent(older);
	*ret_heard = fast_bucket_heard(older);
	if (fast_bucket_age(running, number) != 0)
		return;
	*ret_sent += fast_bucket_sent(running);
	*ret_heard += fast_bucket_heard(running);
}

/* Several processors may do so at once.  A bucket that is nearly full counts
 * no more. */
static inline void fast_add(struct fast_slot *slot, uint64_t number,
			    uint32_t sent, uint32_t heard)
{
	uint64_t *bucket = &slot->buckets[fast_bucket_at(number)];
	uint64_t by = fast_bucket(0, sent, heard); /* none runs over */

	for (uint32_t i = 0; i < 3; i++) {
		uint64_t old = *(const volatile uint64_t *)bucket;

		if (fast_bucket_age(old, number) == 0) {
			if (fast_bucket_sent(old) + fast_bucket_sent(by) <
				    0xf00000 &&
			    fast_bucket_heard(old) + fast_bucket_heard(by) <
				    0xf00000)
				__sync_fetch_and_add(bucket, by);
			return;
		}
		if (__sync_val_compare_and_swap(
			    bucket, old, (number & 0xffff) << 48 | by) == old)
			return;
	}
}

#endif
