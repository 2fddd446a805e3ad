/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_ENGINE_H
#define SHAPER_ENGINE_H

/*
 * Packet > keys > windows > gates: what is known of every flow, pair and host,
 * and what their gates answer.  Knows nothing of packets that wait: that is
 * the pump's.  Internal to shaper/; an adapter uses pump.h.
 *
 * Places.  A flow has a place only beside its pair, a pair only beside its
 * host: `up` always leads to the wider key, which counts in `below` what hangs
 * on it and stays as long as that is not 0.  What finds no place is judged by
 * its host's gate; a host without one shares the first host of the table.
 * While packets of such a key wait, it gets no place: it would overtake itself.
 *
 * Who pays.  A key is charged to the host whose packet made it, at most
 * `pairs_per_host` and `flows_per_host`.  Keys that only packets from outside
 * made live in an eighth of the table, added to what `limits` says, so that
 * they displace nothing.
 *
 * What is forgotten.  Only a key that owes nothing: nothing in its window, no
 * penalty, nothing waiting, nothing below it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/flowtable.h"
#include "policy/policy.h"
#include "shaper/bucket.h"
#include "shaper/contacts.h"
#include "shaper/credit.h"
#include "shaper/lengths.h"
#include "shaper/media.h"
#include "shaper/stats.h"
#include "shaper/suspects.h"

struct expected;
struct pump_record;
struct zones;

enum {
	ENGINE_PARAMS_MAX = POLICY_PARAMS_MAX, /* fits flow_entry.params */
	ENGINE_EXEMPTIONS_MAX = 256,
	ENGINE_HOST_SHARED = 0, /* slot of the host of all that have none */
	ENGINE_RESTING = 4096,  /* a power of two */
};

struct engine_params {
	struct gate_params gate;
	uint32_t near_q16; /* 2^(T - 1/2): an exact window is wanted */
	uint32_t far_q16;  /* 2^(T - 1): it is no longer */
};

/* What a guarded host has beside its entry. */
struct engine_host {
	uint32_t made[FLOW_SCOPE_HOST]; /* flows, pairs it is charged for */
	uint32_t suspects;              /* its flows and pairs borrowed */
	uint32_t held_pkts;             /* wire packets that wait, in all */
	uint32_t aside_pkts;            /* on their way there */
	uint32_t supers;                /* super-packets since a probe */
	uint16_t probe_chance;          /* see pump_segments.c */
	uint8_t probes_equal;           /* in a row, that told nothing new */
	uint64_t multicast_ns, dhcp_ns, icmp_error_ns; /* see engine_allows */
	uint64_t refused_until_ns;
	uint64_t forgot_until_ns; /* a pair was forgotten that sent less than a
				   * minute before: no patience for new ones */
	uint32_t leased_keys; /* slots that it has elsewhere: pump_lease.h */
	struct contacts contacts; /* first ones, see pump_guards.c */
	uint32_t held_slots;      /* of its ring, by what waits */
	bool holds_slots;         /* what waits keeps them: a vif's */
	struct rate_params rate;  /* in all; see pump_rate.c */
	struct bucket bucket;
	uint32_t stir_first, stir_last; /* suspects; see pump_turns.c */
	uint32_t turn_next;             /* slot + 1 */
	bool has_turn;
	struct lengths fifos; /* of held packets, by length */
};

struct engine_exemption {
	uint8_t address[16];
	uint64_t until_ns;
};

struct engine {
	const struct policy *policy;
	struct zones *zones;
	struct flowtable tables[FLOW_SCOPES];
	uint32_t inside_max[FLOW_SCOPES];  /* as `limits` says */
	uint32_t outside_max[FLOW_SCOPES]; /* made from outside */
	uint32_t outside[FLOW_SCOPES];
	uint32_t per_host_max[FLOW_SCOPE_HOST];
	uint32_t hands[FLOW_SCOPES]; /* where each sweep goes on */
	struct engine_host *hosts;
	uint32_t hosts_count;      /* capacity, with the shared last one */
	struct credit *credits;    /* by slot of the pair */
	uint32_t *held_below;      /* the same: wire packets that wait at its
				    * flows */
	struct media *media;       /* by slot of the flow */
	uint64_t patience_from_ns; /* what was before that is not known */
	uint64_t meets_until_ns;   /* see engine_credit_meet; NS_NEVER: nothing
				    * went out yet; 0: it does not */
	struct suspects suspects;
	struct lengths_link *fifo_links; /* by suspect id */
	struct engine_params params[ENGINE_PARAMS_MAX];
	struct engine_exemption exemptions[ENGINE_EXEMPTIONS_MAX];
	uint32_t exemptions_count;
	uint8_t generation;          /* what keys are: see engine_reclassify */
	uint8_t oldest[FLOW_SCOPES]; /* no key's is older than this, */
	uint8_t begun[FLOW_SCOPES];  /* nor than this one, once this pass of
				      * the sweep has ended */
	struct expected *expected;   /* keys that may come back */
	uint32_t resting[ENGINE_RESTING]; /* packets that wait, whose key has
					   * no place; by its hash */
	uint64_t reclaim_ns;              /* not before: see engine_gates.c */
	bool has_rates;                   /* the policy has any */
	uint32_t penalties;               /* keys over their threshold */
	bool exact; /* the simulator: every key has an exact window, always */
	struct stats stats;
};

struct engine_place {
	struct flow_entry *flow, *pair; /* NULL: no place */
	struct flow_entry *host;        /* never NULL */
	uint32_t host_slot;
};

enum engine_answer {
	ENGINE_OPEN,
	ENGINE_OWES,
	ENGINE_CLOSED,
	ENGINE_NO_GATE, /* over, and no gate left to borrow: ask the host */
};

/* false: out of memory. */
bool engine_init(struct engine *engine, const struct policy *policy,
		 struct zones *zones, const uint8_t seed[16], bool exact);
void engine_fini(struct engine *engine);
size_t engine_bytes(const struct engine *engine);
void engine_set_policy(struct engine *engine, const struct policy *policy);

/* Let rules and exemptions decide what this key is. */
void engine_classify(const struct engine *engine, struct flow_entry *entry);

/* A key that its host uses from now on: if it is expected, what is known of it
 * is put into it. */
void engine_meet(struct engine *engine, struct flow_entry *entry,
		 uint64_t now_ns);

/* Put a record into a key that is there: by the stricter, where the key has a
 * penalty or a window of its own. */
void engine_remember(struct engine *engine, struct flow_entry *entry,
		     const struct pump_record *record, uint64_t now_ns);

/* What it is may have changed since it was last seen. */
static inline void engine_refresh(const struct engine *engine,
				  struct flow_entry *entry)
{
	if (entry->generation != engine->generation)
		engine_classify(engine, entry);
}

/* Rules and exemptions apply anew to every key, as it is next seen, by a packet
 * or by the sweep. */
void engine_reclassify(struct engine *engine);

/*
 * Find the keys of a flow, or make them.  `guess` is flowtable_guess's answer
 * for it.  Borrowed until the next call that makes or forgets keys.
 */
void engine_place(struct engine *engine, const struct flow_key *key,
		  uint64_t hash, uint32_t guess, enum flow_direction direction,
		  uint64_t now_ns, struct engine_place *ret_place);

/* The key of the host that a flow belongs to, and its hash. */
uint64_t engine_host_key(const struct engine *engine,
			 const struct flow_key *flow, struct flow_key *ret_key);

/* How many packets wait whose key has this hash and no place; perhaps others
 * as well. */
static inline uint32_t *engine_resting(struct engine *engine, uint64_t hash)
{
	return &engine->resting[hash % ENGINE_RESTING];
}

/* The same for a key of any scope, with its wider keys.  false: no place. */
bool engine_place_of_key(struct engine *engine, const struct flow_key *key,
			 uint64_t now_ns, struct engine_place *ret_place);

/* Does this key's gate hold packets? */
static inline bool engine_enforces(const struct engine *engine,
				   const struct flow_entry *entry)
{
	return (engine->policy->enforce >> entry->key.scope & 1) &&
	       !(entry->flags & FLOW_ENTRY_EXEMPT);
}

static inline const struct engine_params *
engine_params(const struct engine *engine, const struct flow_entry *entry)
{
	return &engine->params[entry->params];
}

static inline struct flow_entry *engine_entry_of(const struct engine *engine,
						 const struct suspect *suspect)
{
	return flowtable_entry(&engine->tables[suspect->scope], suspect->slot);
}

static inline uint32_t engine_slot(const struct engine *engine,
				   const struct flow_entry *entry)
{
	return (uint32_t)(entry - engine->tables[entry->key.scope].entries);
}

/* The host that a key belongs to. */
static inline uint32_t engine_host_slot(const struct engine *engine,
					const struct flow_entry *entry)
{
	switch ((enum flow_scope)entry->key.scope) {
	case FLOW_SCOPE_FLOW:
		return flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
				       entry->up)
			->up;
	case FLOW_SCOPE_PAIR:
		return entry->up;
	case FLOW_SCOPE_HOST:
	case FLOW_SCOPES:
		break;
	}
	return (uint32_t)(entry - engine->tables[FLOW_SCOPE_HOST].entries);
}

/* Its pair is counted elsewhere (pump_lease.h). */
static inline bool engine_is_leased(const struct engine *engine,
				    const struct flow_entry *entry)
{
	const struct flow_entry *pair = entry;

	if (entry->key.scope == FLOW_SCOPE_HOST)
		return false;
	if (entry->key.scope == FLOW_SCOPE_FLOW)
		pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
				       entry->up);
	return pair->flags & FLOW_ENTRY_LEASED;
}

/*
 * May `wire_pkts` packets of this key leave, all at once?  One: the gate is
 * asked, and armed when it is closed.  More: only an open gate that would let
 * all of them go says so.
 */
enum engine_answer engine_ask(struct engine *engine, struct flow_entry *entry,
			      uint32_t wire_pkts, uint64_t now_ns);

/*
 * A pair's purse (credit.h), which stays empty unless `evidence: consent`.
 * Heard: so many packets that are evidence.  Pay: for `wire_pkts` that the
 * gates of `flow` (NULL: it has no place) or `pair` do not let go; false: it
 * can not.
 */
void engine_credit_sent(struct engine *engine, const struct flow_entry *pair,
			uint64_t now_ns);
void engine_credit_heard(struct engine *engine, const struct flow_entry *pair,
			 uint32_t pkts, uint64_t now_ns);
bool engine_credit_pay(struct engine *engine, struct flow_entry *flow,
		       struct flow_entry *pair, uint32_t wire_pkts,
		       uint64_t now_ns);

/* The floor of a pair (floor.h): packets left that were not paid for.  When a
 * packet that waits at this key's gate may leave because of it; UINT64_MAX:
 * never. */
void engine_floor_left(struct engine *engine, const struct flow_entry *pair,
		       uint32_t wire_pkts, uint64_t now_ns);
uint64_t engine_floor_next_ns(const struct engine *engine,
			      const struct flow_entry *entry);

/* Nobody is known to have been silent until now: no patience for a minute. */
void engine_credit_begin(struct engine *engine, uint64_t now_ns);

/* It was counted elsewhere, talked all the while, and heard so many packets. */
void engine_credit_resume(struct engine *engine, const struct flow_entry *pair,
			  uint32_t heard_pkts, uint64_t now_ns);

/*
 * Who begins to count amid traffic has an empty window of it, and a bulk upload
 * has a thousand packets under way: it would wait for acknowledgements of what
 * waits.  So a pair that has `meta`, the middle of a TCP connection, and no
 * penalty, pays for nothing until `meets_until_ns`, a second after the first
 * packet out.  What an attacker gains: that second, once a start.
 */
void engine_credit_meet(struct engine *engine, const struct flow_entry *flow,
			const struct flow_entry *pair,
			const struct packet_meta *meta, uint64_t now_ns);

/* When the pair began to send, after a minute of silence at least; 0: it did
 * not yet, or has been silent for a minute again. */
uint64_t engine_credit_began_ns(const struct engine *engine,
				const struct flow_entry *pair, uint64_t now_ns);

/* May a pair be forgotten, as far as its purse goes?  `crowded`: even if it
 * sent within the last minute, unless it spent of its patience. */
bool engine_credit_forgets(struct engine *engine, const struct flow_entry *pair,
			   bool crowded, uint64_t now_ns);

/* Make sure that the entry has a suspect.  0: none to borrow. */
uint32_t engine_suspect(struct engine *engine, struct flow_entry *entry,
			uint64_t now_ns);

/* Take a suspect back when its key owes nothing and is far from its
 * threshold. */
void engine_absolve(struct engine *engine, uint32_t id, uint64_t now_ns);

/* Count in the windows of one key. */
void engine_count(struct engine *engine, struct flow_entry *entry,
		  uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns);

/*
 * `wire_pkts` came in for this key and count for `replies`.  Where the two
 * differ, a suspect keeps both; one is borrowed for that alone, while there are
 * plenty, by a key that sends and whose replies count for more.
 */
void engine_hear(struct engine *engine, struct flow_entry *entry,
		 uint32_t replies, uint32_t wire_pkts, uint64_t now_ns);

/* How many came in for it within its window.  Without a suspect what does not
 * count is not among them: its S is then shown too high, but below the
 * threshold, where it is of no consequence. */
uint32_t engine_heard_pkts(struct engine *engine, struct flow_entry *entry,
			   uint64_t now_ns);

/* Packets of one key in its window now: what was heard, as what it counts
 * for. */
void engine_sums(struct engine *engine, struct flow_entry *entry,
		 uint64_t now_ns, uint32_t *ret_sent_pkts,
		 uint32_t *ret_heard_pkts);

/* Look at `steps` entries of a table and forget those that owe nothing. */
void engine_sweep(struct engine *engine, enum flow_scope scope, uint32_t steps,
		  uint64_t now_ns);

/*
 * A plain limit of `pkts_per_s`, with a burst of as many (GCRA, ITU-T I.371):
 * `state_ns` is the theoretical arrival time; all-zero is fresh.
 */
bool engine_allows(uint64_t *state_ns, uint32_t pkts_per_s, uint32_t pkts,
		   uint64_t now_ns);

#endif
