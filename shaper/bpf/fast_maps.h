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
 * the program counts the packets out that it sends there (steered), and marks
 * each with the epoch.  The engine leases a pair only if it has seen as many:
 * then none is on its way that a later one could overtake.  Packets that are
 * lost on that way are forgotten with a new epoch.
 *
 * `link` is the interface and the MAC that all packets of an epoch came by.
 * They were all seen by the engine, so nftables had nothing against who sent
 * them; others of a leased pair come by no other link.
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
 * A key is written before its kind and read after it; a slot is not used anew
 * for longer than the program runs.  Should a processor stand still for that
 * long it counts one packet for another key, or gives another pair back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/asym.h"
#include "shaper/bpf/edt_memory.h"
#include "shaper/bpf/fast_key.h"
#include "shaper/bpf/fast_window.h"
#include "shaper/bpf/hold_memory.h"

enum {
	FAST_VERSION = 7,
	FAST_PROBES = 16,
	FAST_INTERFACES = 256,
	FAST_UPLINKS = 16,
	FAST_INDEX_BITS = 9, /* twice as many */
	FAST_INDEX = 1 << FAST_INDEX_BITS,
	FAST_INDEX_PROBES = 16,
	FAST_COPIED_BYTES = 128,
	FAST_EPOCHS = 11,
	FAST_MARK_PASSED = 1,    /* the lowest value of the mark's four bits */
	FAST_MARK_EPOCH = 2,     /* and of the first epoch */
	FAST_MARK_JUDGED = 13,   /* inside of netback: see nft_judged.c */
	FAST_MARK_STRANGER = 14, /* leased, but came by another link */
	FAST_MARK_ALIVE = 15,    /* in, the rules': see shaper/io/nft_alive.h */
	FAST_MARK_BITS = 4,
	FAST_ELEMENTS = 3, /* of the map, for a slot: itself, histories */
};

/* Steered packets count in the bits above the epoch's and fall off their end,
 * so that they never reach the others. */
enum {
	FAST_IN_KERNEL = 1,
	FAST_EPOCH_SHIFT = 1,
	FAST_EPOCH_MASK = 15,
	FAST_STEERED_SHIFT = 5,
};
#define FAST_LINK_NONE  UINT64_C(0)
#define FAST_LINK_MIXED UINT64_MAX

/* What a slot is; TAKEN: one of the engines makes something of it, or lets it
 * rest.  It is theirs from the exchange that takes it. */
enum { FAST_FREE, FAST_PAIR, FAST_FLOW, FAST_TAKEN };

/*
 * A pair, and one of its flows beside it: two lines that are neighbours, and
 * all that a packet needs.  Its other flows have slots of their own, by their
 * five-tuple, of which the pair's half is not used.
 */
struct fast_slot {
	uint64_t inside[2], outside[2];
	uint16_t zone;
	uint8_t kind;
	uint8_t passed_on;  /* keys of earlier slots that stand further on */
	uint32_t span_64ns; /* of a bucket; that of all its flows */
	struct fast_window pair;

	struct fast_window flow;
	uint32_t ports;
	uint16_t segment_bytes;   /* TCP: of a full one; 0: none was sent */
	uint8_t proto, has_flow;  /* 0: there is none */
	uint32_t sent_end, acked; /* TCP, see shaper/evidence.h */
	uint32_t flow_ratio_q16;  /* it is given back above this */
	uint32_t ratio_q16;       /* pair: the same */
	uint32_t state;           /* pair: whose, epoch, steered */
	uint32_t heard_pkts;      /* pair: in buckets that are older */
	uint64_t link;            /* pair: MAC, interface */
};
_Static_assert(sizeof(struct fast_slot) == 128, "a slot is two lines");
_Static_assert(sizeof(struct fast_history) == sizeof(struct fast_slot),
	       "elements of one map");

/* Of `slots` slots and their histories, in one map. */
static inline uint32_t fast_history_index(uint32_t slots, uint32_t slot,
					  bool of_flow)
{
	return slots + 2 * slot + of_flow;
}

/* Is it this pair's, or a flow's of it? */
static inline bool fast_slot_is(const struct fast_slot *slot, uint8_t kind,
				const struct fast_key *key)
{
	uint64_t differ = (slot->inside[0] ^ key->inside[0]) |
			  (slot->inside[1] ^ key->inside[1]) |
			  (slot->outside[0] ^ key->outside[0]) |
			  (slot->outside[1] ^ key->outside[1]) |
			  (uint64_t)(slot->zone ^ key->zone) |
			  (uint64_t)(slot->kind ^ kind);

	return differ == 0;
}

/* Is the flow that stands there this one, if it is the pair's? */
static inline bool fast_slot_has(const struct fast_slot *slot,
				 const struct fast_key *key)
{
	return slot->ports == key->ports && slot->proto == key->proto &&
	       slot->has_flow;
}

static inline uint32_t fast_epoch(uint32_t state)
{
	return state >> FAST_EPOCH_SHIFT & FAST_EPOCH_MASK;
}

/* Written by the daemon before it attaches the program, and at a reload. */
struct fast_config {
	uint32_t version, slot_bytes; /* FAST_VERSION, of a struct fast_slot */
	uint64_t k0, k1;              /* seed of the multipliers */
	struct fast_multipliers multipliers;
	uint32_t slots_mask; /* slots - 1; a power of two */
	uint32_t mark_mask;  /* four adjacent bits */
	uint32_t mark_shift;
	uint32_t interfaces_count;
	uint32_t consent; /* an acknowledgement counts for what it answers */
	uint32_t links;   /* a leased pair keeps to its link */
	uint32_t bridge;  /* frames are handed on: we hear of tagged ones, too,
			   * and of neighbours */
	uint32_t room;
	struct fast_interface {
		uint32_t ifindex;
		uint32_t zone;
		uint32_t bridge; /* `direct`: of which; 0: not here */
		uint32_t room;
	} interfaces[FAST_INTERFACES];
	struct fast_uplink {
		uint32_t ifindex, bridge; /* 0: nobody's place */
		uint32_t most_bytes;      /* of a frame */
		uint32_t room;
		uint64_t bridge_mac;
	} uplinks[FAST_UPLINKS];
	uint64_t direct_until_ns;   /* unless the daemon looks again */
	uint16_t index[FAST_INDEX]; /* 1 + place, by ifindex; 0: none */
};

/* Knuth's multiplicative hash; interfaces mostly have numbers in a row. */
static inline uint32_t fast_index_home(uint32_t ifindex)
{
	return ifindex * UINT32_C(2654435769) >> (32 - FAST_INDEX_BITS);
}

/* FAST_INTERFACES: it is none of ours, or found no room in the index, and its
 * packets go to the queue. */
static inline __attribute__((always_inline)) uint32_t
fast_place_of(const struct fast_config *config, uint32_t ifindex)
{
	uint32_t home = fast_index_home(ifindex);

	for (uint32_t i = 0; i < FAST_INDEX_PROBES; i++) {
		uint32_t at = config->index[(home + i) % FAST_INDEX];

		if (at == 0)
			break;
		at = (at - 1) % FAST_INTERFACES;
		if (config->interfaces[at].ifindex == ifindex)
			return at;
	}
	return FAST_INTERFACES;
}

/* `direct`: a neighbour of a guest's, as it was last heard. */
struct fast_way {
	uint64_t there; /* its MAC, and above that 1 + place of its uplink */
	uint64_t from;  /* the guest's MAC and interface */
	uint64_t bridged_ns;
	uint64_t room;
};
enum { FAST_WAY_BITS = 3, FAST_WAYS = 1 << FAST_WAY_BITS };

/* Of one processor. */
struct fast_counts {
	uint64_t out_passed_pkts, in_passed_pkts; /* wire packets, leased */
	uint64_t steered_pkts; /* out, of a pair that is the engine's */
	uint64_t given_back;   /* leases that the program ended */
	uint64_t told, untold; /* packets in; untold: the ring was full */
	uint64_t strangers;    /* out, of a leased pair by another link */
	uint64_t direct_pkts;  /* out, of those passed, past the bridge */
};
enum { FAST_PROCESSORS = 128 };

/* A packet that the engine is to hear of: one in, which has left already, or
 * with `hold: qdisc` one out. */
struct fast_event {
	uint64_t ticket; /* out: hold_memory.h; in: 0 */
	uint32_t ifindex;
	uint32_t wire_bytes;
	uint32_t wire_pkts;
	uint16_t captured_bytes;
	uint16_t vlan;                    /* a tag beside the bytes; 0: none */
	uint8_t bytes[FAST_COPIED_BYTES]; /* from the Ethernet header on */
};

#endif
