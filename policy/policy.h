/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

/*
 * What the operator wants, as values.  Built by policy/parse.h from text;
 * read-only afterwards, so that any number of threads may read one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "policy/credit_params.h"
#include "policy/gate_params.h"
#include "policy/rate_params.h"

struct policy_guest;
struct policy_index;
struct zone;

enum {
	POLICY_HELD_PKTS_MAX = 16777216, /* limits.held_* when lifted, too */
	POLICY_QUEUE_BURST_PKTS = 4096,  /* a queue's room beside what waits */
	POLICY_FAST_INTERFACES = 16,
	POLICY_PARAMS_MAX = 256, /* different limits, the default's
				  * included */
};

enum policy_mode {
	POLICY_SHADOW, /* measure and report what would be held */
	POLICY_ENFORCE,
};

enum policy_action {
	POLICY_DROP,
	POLICY_ACCEPT, /* never counted, never held */
	POLICY_EXEMPT, /* counted for display, never held */
	POLICY_LIMIT,  /* its own gate_params */
	POLICY_LOG,    /* and go on to the next rule */
};

/* What counts as a reply. */
enum policy_evidence {
	POLICY_EVIDENCE_CONSENT, /* a packet, or what it acknowledges */
	POLICY_EVIDENCE_PACKETS, /* a packet: plain S */
};

enum policy_fail { POLICY_FAIL_OPEN, POLICY_FAIL_CLOSED };

/* Where packets of a guarded interface of the fast path wait. */
enum policy_hold {
	POLICY_HOLD_PUMP,  /* in the kernel's queues, by the daemon */
	POLICY_HOLD_QDISC, /* where the sender's memory stays charged */
	POLICY_HOLD_EDT,   /* in the fq of the interface they leave by */
};

enum policy_at_bound { POLICY_BOUND_DROP, POLICY_BOUND_RELEASE };

struct policy_prefix {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d; host bits are 0 */
	uint8_t length;   /* 0..128; an IPv4 /n is 96 + n */
};

struct policy_prefixes {
	struct policy_prefix *list;
	size_t count;
};

struct policy_port_range {
	uint16_t first, last;
};

struct policy_ports {
	struct policy_port_range *list;
	size_t count; /* 0: any */
};

/* Everything that is set must match; an empty list matches anything. */
struct policy_match {
	struct policy_prefixes src; /* the guarded end of an out packet */
	struct policy_prefixes dst;
	struct policy_ports src_port, dst_port;
	uint8_t proto; /* 0: any; `proto: icmp` matches ICMP and ICMPv6 */
	uint8_t tcp_flags_set, tcp_flags_mask; /* (flags & mask) == set;
						* mask 0: any */
	char interface[16];                    /* the guarded end's; "": any */
	uint16_t vlan;                         /* 0: any */
};

struct policy_rule {
	int32_t priority; /* lowest first; unique */
	uint32_t line;    /* where it stands in its file */
	enum policy_action action;
	struct policy_match match;
	uint16_t params; /* POLICY_LIMIT: index into policy->params */
};

struct policy_source { /* antispoof.interfaces */
	char interface[16];
	struct policy_prefixes sources;
};

struct policy_binding { /* antispoof.bindings */
	uint8_t mac[6];
	struct policy_prefixes addresses;
	char interface[16]; /* "": any */
	bool has_rate;      /* of its own: `rate`; else the policy's */
	struct rate_params rate;
};

struct policy_zone { /* zones: named groups of interfaces and VLANs */
	char name[32];
	struct policy_zone_member {
		char interface[16];
		uint16_t vlan; /* 0: untagged */
	} * members;
	size_t count;
};

/* All sized at start; what "full" means stands beside each in symtap.yaml(5).
 * 0 lifts a held_* bound. */
struct policy_limits {
	uint32_t pairs, flows, hosts;
	uint32_t suspects; /* keys with an exact window and a gate */
	uint32_t pairs_per_host, flows_per_host;
	uint32_t fragments;
	uint32_t held_packets; /* wire packets, in all */
	uint64_t held_bytes;
	uint32_t held_packets_per_host, held_packets_per_key;
	enum policy_at_bound at_bound;
};

/* Where the packets of a guest wait; see symtap.yaml(5). */
enum policy_way {
	POLICY_WAY_AUTO,    /* the best of them that can be had */
	POLICY_WAY_QUEUE,   /* in the kernel's queues, behind a bridge */
	POLICY_WAY_RING,    /* in a device of ours, as they leave the vif */
	POLICY_WAY_RATE,    /* in the guest: netback is told to pause */
	POLICY_WAY_NETBACK, /* in the guest's ring, by a hook in netback */
	POLICY_WAYS,
};

/* What becomes of a frame of a guest that has not its vif's MAC. */
enum policy_xen_mac { POLICY_XEN_MAC_DROP, POLICY_XEN_MAC_OVERWRITE };

/* At the bound of slots: the guest waits, or packets are dropped. */
enum policy_at_slots { POLICY_SLOTS_WAIT, POLICY_SLOTS_SHED };

struct policy_xen {
	bool vifs;           /* guard those whose backend is this domain */
	enum policy_way way; /* of a vif that nothing else is said of */
	enum policy_xen_mac mac;
	/* Places in a guest's ring that packets which wait may take. */
	uint16_t held_slots_per_key, held_slots_per_vif;
	enum policy_at_slots at_slots;
	bool announce;               /* a guest's addresses, when it comes */
	struct policy_guest *guests; /* the first that fits; guests.h */
	size_t guests_count;
};

struct policy_owner { /* of a port: frames of another MAC are forged */
	char interface[16];
	uint8_t mac[6];
	bool stamps; /* they are given this one, and judged as its */
};

struct policy_vif { /* one that is there */
	char interface[16];
	enum policy_way way; /* as it was chosen: never AUTO */
	bool is_listened; /* QUEUE: what waits is a copy, and no guest does */
};

struct policy {
	enum policy_mode mode;
	struct policy_prefixes inside;
	uint8_t host_prefix6; /* one IPv6 host is one prefix; 32..128 */
	uint8_t enforce;      /* bit (1 << enum flow_scope) */
	enum policy_evidence evidence;
	struct credit_params credit;
	bool force_one_sided; /* hold although we see one direction only */
	bool guard_gateway;   /* judge the gateway's own traffic as well */

	struct gate_params *params; /* [0] is the default; all different but
				     * for it */
	size_t params_count;
	struct policy_rule *rules; /* by priority */
	size_t rules_count;

	struct policy_source *sources;
	size_t sources_count;
	struct policy_binding *bindings;
	size_t bindings_count;
	struct policy_zone *zones;
	size_t zones_count;

	struct rate_params rate; /* of each guarded host, unless its binding
				  * has one */
	uint16_t
		first_contacts_per_s; /* per guarded host, unanswered; 0: any */
	uint16_t connections_per_s;   /* new ones per pair; 0: any */
	uint32_t multicast_pkts_per_s; /* per guarded host */
	uint32_t dhcp_pkts_per_s;
	uint32_t icmp_error_pkts_per_s;
	uint32_t fragment_pkts_per_s; /* tiny ones, before reassembly */
	struct policy_limits limits;

	struct {
		uint16_t queues;      /* 0: auto */
		uint16_t first_queue; /* its number; each engine takes two */
		enum policy_fail fail;
		bool bridge;           /* hook bridged packets, not routed */
		uint32_t queue_length; /* 0: what may be held, and a burst */
	} nfqueue;
	struct {
		char interfaces[POLICY_FAST_INTERFACES][16];
		uint32_t interfaces_count;
		bool all;      /* `auto`: all guarded ones, if the kernel can */
		char pin[108]; /* folder of a BPF file system; "": none */
		uint32_t keys; /* a power of two; 0: by this machine's memory */
		uint8_t mark_bit; /* lowest of four of the packet mark */
		enum policy_hold hold;
		bool direct; /* past the bridge */
	} fast;
	struct policy_xen xen;
	struct policy_vif *vifs;       /* of no file: see policy_add_vif */
	size_t vifs_count, vifs_ready; /* so many are sorted */
	struct policy_owner *owners;   /* of no file: see policy_add_owner */
	size_t owners_count;
	char control_socket[108];
	char control_group[32];
	uint16_t control_mode;   /* octal file mode */
	char metrics_listen[64]; /* "ADDRESS:PORT"; "": none */
	char state_file[108];    /* "": counters do not outlive the process */

	/* Made of the above by policy_prepare; NULL: the answers are the
	 * same, slower and without bindings. */
	struct policy_index *index;
};

/* What applies to one key. */
struct policy_class {
	uint16_t params; /* index into policy->params */
	bool exempt;
};

/* Also one that was only partly filled. */
void policy_free(struct policy *policy);

/*
 * Make ready for the packet path.  policy_parse does it; only who fills a
 * struct policy by hand has to.  false: out of memory.
 */
bool policy_prepare(struct policy *policy);

/* Another one that says the same, ready for the packet path: the caller's to
 * free.  NULL: out of memory. */
struct policy *policy_copy(const struct policy *policy);

/*
 * One more binding: copied, and in force as if it stood in the file.  Ready it
 * with policy_prepare once all are in.  false: out of memory, nothing changed.
 */
bool policy_add_binding(struct policy *policy,
			const struct policy_binding *binding);

/* One more owner of a port: copied.  false: out of memory, nothing changed. */
bool policy_add_owner(struct policy *policy, const struct policy_owner *owner);

/* One more vif: copied.  false: out of memory, nothing changed. */
bool policy_add_vif(struct policy *policy, const struct policy_vif *vif);

/* NULL: it is no vif that is followed. */
const struct policy_vif *policy_vif_of(const struct policy *policy,
				       const char *interface);

/* The vif that this address is bound to, if any. */
const struct policy_vif *policy_vif_at(const struct policy *policy,
				       const uint8_t addr[16]);

/* They ask for the same; where their rules stand in a file does not matter. */
bool policy_equal(const struct policy *a, const struct policy *b);

/* "auto", "queue" .. */
const char *policy_way_name(enum policy_way way);

/* By name, or `auto`. */
bool policy_wants_fast(const struct policy *policy);

/* `log` does, and flags, which are each packet's own. */
bool policy_wants_each_packet(const struct policy *policy);

/* The length of each queue: `queue_length`, or what may be held and a burst. */
uint32_t policy_queue_length(const struct policy *policy);

/*
 * The name of a key of `match` that keys of this scope do not contain, so
 * that they cannot be told apart by it; NULL: the match fits the scope.
 */
const char *policy_match_beyond(const struct policy_match *match,
				enum flow_scope scope);

/* Is this address (v4 mapped) one of ours?  On the packet path.  Cannot fail.
 */
bool policy_is_inside(const struct policy *policy, const uint8_t addr[16]);

/*
 * The first `limit` or `exempt` rule that fits `key` (any scope: only rules
 * whose match is contained in that scope's key are considered).  `zone` says
 * where its guarded end lives.  Once per new key, not per packet.  Cannot fail.
 */
void policy_classify(const struct policy *policy, const struct flow_key *key,
		     const struct zone *zone, struct policy_class *ret_class);

/*
 * What the first rule other than `log` that fits a packet says of it: what the
 * kernel does before anything is judged.  POLICY_LOG: none fits.  `flow` has
 * the guarded end first, whichever way the packet goes.  Cannot fail.
 */
enum policy_action policy_action_of(const struct policy *policy,
				    const struct flow_key *flow,
				    uint8_t tcp_flags, const struct zone *zone);

/*
 * The address that stands for the guarded host behind `addr`: the first
 * address of its MAC binding, else the IPv4 address, else the IPv6 prefix
 * host_prefix6.  Cannot fail.
 */
void policy_host_of(const struct policy *policy, const uint8_t addr[16],
		    const struct zone *zone, uint8_t ret_host[16]);

/* The binding of that host; NULL: none.  Cannot fail. */
const struct policy_binding *policy_binding_of(const struct policy *policy,
					       const uint8_t addr[16],
					       const struct zone *zone);

/* Is there any `rate`? */
bool policy_wants_rate(const struct policy *policy);

#endif
