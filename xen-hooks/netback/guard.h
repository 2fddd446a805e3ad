/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_H
#define XEN_HOOKS_NETBACK_GUARD_H

/*
 * What guards one vif from inside of netback: may the packet that its guest
 * sends go on, and if not, when is it to be asked about again?  Compiled for
 * the kernel and, for tests, for user space: integers, no memory of its own, no
 * clock.  What is decided is the core's, in its own files: the gate (gate.h),
 * what is a reply (evidence.h), who leaves although a gate is closed (floor.h,
 * credit.h, media.h), first contacts and new connections (contacts.h,
 * pacer.h), and the rate (bucket.h).  The vif is one guarded host.
 *
 * The window is that of the kernel's fast path (shaper/bpf/fast_window.h): 14
 * buckets besides the running one, so packets are forgotten up to W/14 late,
 * those heard as well: without replies up to 7 % fewer packets leave than an
 * exact window allows, never more.
 *
 * Keys stand in a table of a fixed size, 16 places for each hash.  One that is
 * forgotten had an empty window, nothing that waits, and no purse to remember;
 * where places are short, a pair that spent nothing of its patience may go
 * before its minute is over, and then no new one has any for a minute.  Keys
 * that only packets from outside made give way to the guest's own.  When a pair
 * has no place, all that have none are one key, with a gate alone; a flow that
 * has none is judged by its pair alone.  Flows are kept for TCP, for what looks
 * like RTP, and where they are enforced.
 *
 * A packet waits behind those of its narrowest enforced key, and of a wider one
 * that owes a packet: order within a key stays as it was.  A super-packet
 * leaves whole, once as many of its packets as its gates do not let go were
 * owed or paid for, one by one.
 *
 * The caller locks.  Times are from one monotonic clock; one that runs back is
 * taken for the latest seen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "policy/credit_params.h"
#include "policy/gate_params.h"
#include "policy/rate_params.h"
#include "shaper/bpf/fast_window.h"
#include "shaper/bucket.h"
#include "shaper/contacts.h"
#include "shaper/credit.h"
#include "shaper/evidence.h"
#include "shaper/floor.h"
#include "shaper/gate.h"
#include "shaper/media.h"
#include "xen-hooks/netback/guard_record.h"

enum {
	GUARD_WAYS = 16,
	GUARD_RECENT_BITS = 9, /* keys that are found without their hash */
	GUARD_KEYS_LEAST = 64,
	GUARD_KEYS_MOST = 1 << 16, /* per vif; powers of two */
};

#define GUARD_NEVER UINT64_MAX

enum guard_scope { GUARD_PAIR = 1, GUARD_FLOW = 2 };

/* What the network tap's modes are here; another may be set at any time. */
enum guard_mode {
	GUARD_INTERPOSE, /* what is over its threshold waits */
	GUARD_OBSERVE,   /* it goes on, and is counted */
	GUARD_INTERCEPT, /* nothing that the guest sends goes on */
	GUARD_MODES
};

/* Set by the operator, checked by whoever takes it from him. */
struct guard_params {
	struct gate_params gate;
	uint32_t scopes; /* which are judged; 0: only counted */
	enum guard_mode mode;
	uint32_t slots_per_key;    /* of the ring, then a packet is dropped; 0:
				    * it waits like any other */
	uint32_t other_pkts_per_s; /* of what S does not hold; 0: any number */
	/* What follows is heeded where anything is enforced. */
	bool wants_consent;            /* else a packet is a reply: plain S */
	struct credit_params credit;   /* of no use without that */
	uint32_t first_contacts_per_s; /* 1..10000; 0: any number */
	uint32_t connections_per_s;    /* of each pair; 1..65535; 0: any */
	struct rate_params rate;       /* of all that S may hold */
};

enum guard_verdict { GUARD_GO_ON, GUARD_WITHHOLD, GUARD_DROP };

/* Every counter, in the order in which they are told: name, what it counts. */
#define GUARD_COUNTERS(X)                                             \
	X(asked_pkts, "packets of the guest that were judged")        \
	X(passed_pkts, "of these, packets that went on at once")      \
	X(withheld_pkts, "of these, packets that had to wait")        \
	X(released_pkts, "packets that went on after a wait")         \
	X(shed_pkts, "dropped: their key held too many slots")        \
	X(lost_pkts, "withheld when the vif went down")               \
	X(observed_pkts, "observed: packets that would have waited")  \
	X(intercepted_pkts, "dropped: the device ends here")          \
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
	X(keys, "keys that are in use, or were")                      \
	X(floor_pkts, "let go as too few to be held")                 \
	X(paid_pkts, "let go by patience, credit, or as a stream")    \
	X(paced_contact_pkts, "had to wait: a first contact")         \
	X(paced_connection_pkts, "had to wait: a new connection")     \
	X(rated_pkts, "had to wait for the vif's rate")               \
	X(refused_rst_pkts, "from outside, no reply: RST")            \
	X(refused_syn_ack_pkts, "from outside, no reply before the "  \
				"guest goes on: SYN-ACK")

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
	uint32_t bytes;         /* on the wire, from layer 3 on */
};

enum guard_key_flag {
	GUARD_OUTSIDE = 1,   /* its guest sent nothing yet */
	GUARD_HEARD = 2,     /* pair: it is no first contact */
	GUARD_CONTACTED = 4, /* pair: it has been one */
	GUARD_ASKED = 8,     /* flow: its latest packet opens a connection */
	GUARD_ACCEPTED = 16, /* flow: a SYN-ACK is to count once it goes on */
};

struct guard_key {
	struct flow_key key;
	struct gate gate;
	struct fast_window window;
	struct fast_history history;
	uint64_t last_ns;       /* something was sent or heard; 0: free */
	uint64_t since_ns;      /* something waits */
	uint32_t waiting_pkts;  /* of this key */
	uint32_t waiting_slots; /* of packets that wait in its line */
	uint32_t round;         /* the last in which one stayed in its line */
	uint32_t paid_pkts;     /* of a super-packet */
	uint8_t flags;          /* enum guard_key_flag */
	bool met;               /* nothing is expected of it any more */
	union {
		struct {
			struct floor_log floor;
			struct credit credit;
			struct pacer connections;
		} pair;
		struct {
			struct evidence evidence; /* TCP */
			uint32_t segment_bytes;   /* the largest payload of one
						   * packet */
			struct media media;       /* RTP */
		} flow;
	};
};
_Static_assert(sizeof(struct guard_key) == 448, "as the documentation says");

struct guard {
	struct guard_params params;
	uint64_t seed[2];
	uint64_t now_ns;
	uint64_t other_ns; /* when what S does not hold has its full rate */
	uint64_t counters[GUARD_COUNTERS_COUNT];
	uint32_t span_64ns;
	uint64_t number;         /* of the running bucket of all windows */
	uint64_t number_ends_ns; /* 0: it is not known */
	uint32_t recent[1 << GUARD_RECENT_BITS]; /* keys that may be looked
						  * for again */
	struct contacts contacts;
	uint64_t paced_ns; /* a first contact waits until then, at most */
	struct bucket bucket;
	uint64_t rated_ns;         /* nobody goes before who waits for that */
	uint64_t forgot_until_ns;  /* new pairs have no patience: one may be
				    * among those forgotten early */
	uint64_t patience_from_ns; /* the same: what was before the guard is
				    * not known */
	uint32_t keys_count;       /* a power of two; one more follows */
	uint32_t expected_count;
	struct guard_record expected[GUARD_EXPECTED_MOST]; /* guard_state.h */
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
 * another number each time, and not 0.  `bytes` as it was asked. */
enum guard_verdict guard_ask_again(struct guard *guard, uint64_t note,
				   uint32_t bytes, uint32_t round,
				   uint64_t *until_ns, uint64_t now_ns);

/* One that waited is gone.  Cannot fail. */
void guard_let_go(struct guard *guard, uint64_t note);

/* The guest is sent it.  true: something that waits may go on. */
bool guard_hear(struct guard *guard, const struct guard_packet *packet,
		uint64_t now_ns);

/* NULL: it is not known.  For guard_state.c. */
struct guard_key *guard_find(struct guard *guard, const struct flow_key *key);

#endif
