/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_H
#define XEN_HOOKS_NETBACK_GUARD_H

/*
 * What guards one vif from inside of netback: may the packet that its guest
 * sends go on, and if not, when is it to be asked about again?  Compiled for
 * the kernel and, for tests, for user space: integers, no memory of its own, no
 * clock.  The gate is the core's (shaper/gate.h), and so is what a TCP
 * acknowledgement is worth (shaper/evidence.h); all else is one reply each.
 *
 * The window is that of the kernel's fast path (shaper/bpf/fast_window.h): 14
 * buckets besides the running one, so packets are forgotten up to W/14 late,
 * those heard as well: without replies up to 7 % fewer packets leave than an
 * exact window allows, never more.
 *
 * Keys stand in a table of a fixed size, 8 places for each hash.  One that is
 * forgotten had an empty window and nothing that waits.  Keys that only packets
 * from outside made give way to the guest's own; when a pair has no place, all
 * that have none are one key; a flow that has none is judged by its pair alone.
 *
 * A packet waits behind those of its narrowest enforced key, and of a wider one
 * that owes a packet: order within a key stays as it was.  A super-packet is
 * owed for once for each packet on the wire.
 *
 * The caller locks.  Times are from one monotonic clock; one that runs back is
 * taken for the latest seen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "policy/gate_params.h"
#include "shaper/bpf/fast_window.h"
#include "shaper/evidence.h"
#include "shaper/gate.h"

enum {
	GUARD_WAYS = 8,
	GUARD_KEYS_LEAST = 64,
	GUARD_KEYS_MOST = 1 << 16, /* per vif; powers of two */
};

#define GUARD_NEVER UINT64_MAX

enum guard_scope { GUARD_PAIR = 1, GUARD_FLOW = 2 };

/* Set by the operator, checked by whoever takes it from him. */
struct guard_params {
	struct gate_params gate;
	uint32_t scopes;           /* which are enforced; 0: only counted */
	uint32_t slots_per_key;    /* of the ring, then a packet is dropped; 0:
				    * it waits like any other */
	uint32_t other_pkts_per_s; /* of what S does not hold; 0: any number */
};

enum guard_verdict { GUARD_GO_ON, GUARD_WITHHOLD, GUARD_DROP };

/* Every counter, in the order in which they are told: name, what it counts. */
#define GUARD_COUNTERS(X)                                             \
	X(asked_pkts, "packets of the guest that were judged")        \
	X(withheld_pkts, "of these, packets that had to wait")        \
	X(released_pkts, "packets that went on after a wait")         \
	X(shed_pkts, "dropped: their key held too many slots")        \
	X(lost_pkts, "withheld when the vif went down")               \
	X(heard_pkts, "packets to the guest")                         \
	X(other_pkts, "packets that S does not hold: multicast, "     \
		      "neighbours, DHCP, ICMP errors, no IP")         \
	X(other_dropped_pkts, "of these, dropped: too many a second") \
	X(unread_pkts, "dropped: whose they are cannot be read")      \
	X(forged_mac_pkts, "dropped: another's MAC")                  \
	X(stamped_pkts, "another's MAC, overwritten")                 \
	X(forged_address_pkts, "dropped: another's IPv4 or IPv6")     \
	X(forged_neighbour_pkts, "dropped: ARP or ND for another")    \
	X(no_place_pkts, "judged by a wider key, the table was full") \
	X(waiting_pkts, "packets that wait now")                      \
	X(keys, "keys that are in use, or were")

enum guard_counter {
#define GUARD_ENUM(name, help) GUARD_##name,
	GUARD_COUNTERS(GUARD_ENUM)
#undef GUARD_ENUM
		GUARD_COUNTERS_COUNT
};

/* Of what a packet is counted, and as what. */
struct guard_packet {
	struct flow_key flow, pair;
	const struct packet_meta *meta; /* what the keys were made of */
	uint32_t segment_bytes; /* TCP: payload of one packet on the wire */
	uint32_t wire_pkts;     /* > 0 */
	uint32_t slots;         /* of the ring; 1..254 */
};

struct guard_key {
	struct flow_key key;
	struct gate gate;
	struct fast_window window;
	struct fast_history history;
	uint64_t last_ns;         /* something was sent or heard; 0: free */
	uint32_t waiting_pkts;    /* of this key */
	uint32_t waiting_slots;   /* of packets that wait in its line */
	uint32_t round;           /* the last in which one stayed in its line */
	uint32_t paid_pkts;       /* of a super-packet */
	struct evidence evidence; /* TCP */
	uint32_t segment_bytes;   /* the largest payload of one packet */
	bool outside;             /* its guest sent nothing yet */
};

struct guard {
	struct guard_params params;
	uint64_t seed[2];
	uint64_t now_ns;
	uint64_t other_ns; /* when what S does not hold has its full rate */
	uint64_t counters[GUARD_COUNTERS_COUNT];
	uint32_t span_64ns;
	uint32_t keys_count; /* a power of two; one more follows */
	struct guard_key keys[];
};

/* What a guard of so many keys needs; keys_count is a power of two in range. */
uint64_t guard_bytes(uint32_t keys_count);

/* `guard` is all-zero, of guard_bytes(keys_count).  Cannot fail. */
void guard_init(struct guard *guard, const struct guard_params *params,
		const uint64_t seed[2], uint32_t keys_count);

/* Keys and penalties stay.  Cannot fail. */
void guard_set(struct guard *guard, const struct guard_params *params);

/*
 * The guest sends it.  GUARD_WITHHOLD: it is to be kept with *ret_note, and
 * asked about again at *until_ns at the latest, which is lowered if need be.
 */
enum guard_verdict guard_ask(struct guard *guard,
			     const struct guard_packet *packet,
			     uint64_t *ret_note, uint64_t *until_ns,
			     uint64_t now_ns);

/* The guest sends what S does not hold.  false: too many a second. */
bool guard_allows_other(struct guard *guard, uint32_t wire_pkts,
			uint64_t now_ns);

/* All that wait are asked about in the order in which they came, in a round of
 * another number each time, and not 0. */
enum guard_verdict guard_ask_again(struct guard *guard, uint64_t note,
				   uint32_t round, uint64_t *until_ns,
				   uint64_t now_ns);

/* One that waited is gone.  Cannot fail. */
void guard_let_go(struct guard *guard, uint64_t note);

/* The guest is sent it.  true: something that waits may go on. */
bool guard_hear(struct guard *guard, const struct guard_packet *packet,
		uint64_t now_ns);

#endif
