/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_COMPILE_H
#define SHAPER_IO_NFT_COMPILE_H

/*
 * From policy to plan.  Each part adds its chains, sets and rules:
 *
 *	prerouting (before defragmentation)	nft_antispoof, nft_early
 *	prerouting (before conntrack)		nft_room
 *	forward (after the operator's filter)	nft_forward
 *	arp, bridge				nft_antispoof
 *
 * Where netback asks every frame first who sends it, a bridge has no hook of
 * ours before the forward one: nft_judged.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/nft_bridge.h"
#include "shaper/io/nft_expr.h"
#include "shaper/io/nft_rules.h"

struct nftplan;
struct nftplan_table;
struct policy;

/* Before anything else looks at a packet; after the operator's filter (0) and
 * before source NAT (100); between raw (-300) and conntrack (-200). */
enum {
	NFTCOMPILE_EARLY_PRIORITY = -450,
	NFTCOMPILE_ROOM_PRIORITY = -250,
	NFTCOMPILE_FORWARD_PRIORITY = 20,
};

/* Rules whose comments say what to put back at the end. */
#define NFTCOMPILE_RESTORE "restore"

/* Base chains. */
#define NFTCOMPILE_EARLY   "early"
#define NFTCOMPILE_ROOM    "room"
#define NFTCOMPILE_FORWARD "forward"
#define NFTCOMPILE_INPUT   "input"
#define NFTCOMPILE_OUTPUT  "output"

/* What stands in "early", for base chains behind it. */
#define NFTCOMPILE_CHECKS "checks"

/* Sets of the guarded addresses, in the inet and bridge tables. */
#define NFTCOMPILE_INSIDE4 "inside4"
#define NFTCOMPILE_INSIDE6 "inside6"

/* How guarded packets come by. */
enum nftcompile_way {
	NFTCOMPILE_ROUTED,
	NFTCOMPILE_BRIDGED,      /* the bridge family queues them */
	NFTCOMPILE_BR_NETFILTER, /* it cannot: they pass the inet hooks */
};

struct nftcompile {
	const struct policy *policy;
	uint32_t shard_seed;
	uint8_t shards;
	uint16_t log_group;
	enum nftexpr_queue method;
	enum nftrules_conntrack conntrack; /* not _LOOK */
	enum nftcompile_way way;
	struct nftbridge_list bridges;      /* NFTCOMPILE_BR_NETFILTER: ours */
	struct nftbridge_settings settings; /* and what was changed for them */
	bool blocking;                      /* drop instead of queueing */
	bool fast;                          /* see nft_fast.c */
	const uint32_t *fast_ifindexes;
	size_t fast_count;
	const uint32_t *uplinks; /* `direct` */
	size_t uplinks_count;
};

static inline const char *nftcompile_inside(bool ipv4)
{
	return ipv4 ? NFTCOMPILE_INSIDE4 : NFTCOMPILE_INSIDE6;
}

/* The name of `what` for one family: "out4" */
struct nftcompile_name {
	char text[40];
};
struct nftcompile_name nftcompile_name(const char *what, bool ipv4);

/* Condition of `rule`: `field` is a guarded address, or none. */
void nftcompile_is_inside(struct nftexpr_rule rule, const struct policy *policy,
			  struct nftexpr_field field, bool ipv4);
void nftcompile_is_outside(struct nftexpr_rule rule,
			   const struct policy *policy,
			   struct nftexpr_field field, bool ipv4);

/* What an earlier plan's "restore" says. */
void nftcompile_recall(const struct nftplan *plan,
		       struct nftbridge_settings *ret_settings);

/* All of it.  NULL: out of memory. */
struct nftplan *nftcompile_plan(const struct nftcompile *compile);

/* Rules of chain `chain`: to the shard of the guarded end, which is the source
 * or the destination, and to its queue. */
void nftshards_compile(struct nftplan_table *table,
		       const struct nftcompile *compile);
/* Where the packets of a guarded end go: a chain of nftshards_dispatch, or the
 * only queue's. */
struct nftcompile_name nftshards_target(const struct nftcompile *compile,
					bool ipv4, bool by_source);
/* The same, when the fast path has been asked. */
struct nftcompile_name nftshards_queue(const struct nftcompile *compile,
				       bool ipv4, bool by_source);
/* The chains that nftshards_queue names. */
void nftshards_targets(struct nftplan_table *table,
		       const struct nftcompile *compile, bool ipv4);
void nftshards_dispatch(struct nftplan_table *table,
			const struct nftcompile *compile, const char *chain,
			bool ipv4, bool by_source, enum nftrules_queue queue);

/* With the kernel's fast path, these come before the queue. */
struct nftcompile_name nftfast_target(const struct nftcompile *compile,
				      bool ipv4, bool by_source);
/* The first rule of a base chain: what the program passed goes on.  Forgeries
 * are none of that: a lease keeps to the link that nftables let pass. */
void nftfast_first(struct nftplan_table *table,
		   const struct nftcompile *compile, const char *chain);
/* Of the mark's bits that are ours: a FAST_MARK_... */
void nftfast_is_marked(struct nftexpr_rule rule, const struct policy *policy,
		       uint32_t value);
void nftfast_compile(struct nftplan_table *table,
		     const struct nftcompile *compile);
/* Packets in are asked for before packets out. */
bool nftfast_is_direct(const struct nftplan_table *table,
		       const struct nftcompile *compile);
/* Rules of `chain`: packets in, of which no other rule wants to know. */
void nftfast_in(struct nftplan_table *table, const struct nftcompile *compile,
		const char *chain, bool ipv4);

/* Into `batch`: the chains of `table` that queue drop instead.  `scratch` is an
 * empty table of the same family. */
struct nftbatch;
void nftshards_block(struct nftbatch *batch, const struct nftplan_table *table,
		     struct nftplan_table *scratch);

/* Who may send as whom: rules of `chain`, in the inet, arp or bridge table. */
bool nftantispoof_is_wanted(const struct policy *policy);
void nftantispoof_compile(struct nftplan_table *table,
			  const struct policy *policy, const char *chain);
/* The counters of ports, of which there may be many: last of all, so that who
 * reads them finds the others. */
void nftantispoof_port_counters(struct nftplan_table *table,
				const struct policy *policy);
/* Which MAC a port's frames have: a rule of `chain`, before these. */
void nftowners_compile(struct nftplan_table *table, const struct policy *policy,
		       const char *chain);
/* Is each port that somebody is bound to one of these, and no other interface
 * under watch?  Then a condition is that a frame comes by none of them. */
bool nftowners_have_all(const struct policy *policy);
void nftowners_is_elsewhere(struct nftexpr_rule rule);

/* Is any vif judged inside of netback, and can `table` tell? */
bool nftjudged_has(const struct nftplan_table *table,
		   const struct policy *policy);
/* Netback has asked every frame that a port of ours sends, so who sends it is
 * asked no sooner than where it goes: for what netback did not see, or no
 * longer sees. */
bool nftjudged_has_all(const struct nftcompile *compile);
/* What netback judged is asked for nothing early, and does not come to the
 * queue: rules of `chain`.  Between _compile and _rest, what was not `checked`
 * is. */
void nftjudged_first(struct nftplan_table *table, const struct policy *policy,
		     const char *chain);
void nftjudged_compile(struct nftplan_table *table, const struct policy *policy,
		       const char *chain, bool checked);
void nftjudged_rest(struct nftplan_table *table, const struct policy *policy,
		    const char *chain, bool checked);

/* Forgeries, tiny fragments and refusals: chain "early", or "checks". */
void nftearly_compile(struct nftplan_table *table,
		      const struct nftcompile *compile);

/* Who waits before conntrack. */
void nftroom_compile(struct nftplan_table *table,
		     const struct nftcompile *compile);

/* The base chain, and its rules. */
void nftforward_base(struct nftplan_table *table,
		     const struct nftcompile *compile);
/* Counts what br_netfilter does not show us: frames with two tags. */
void nftforward_unjudged(struct nftplan_table *bridge,
			 const struct policy *policy);
void nftforward_compile(struct nftplan_table *table,
			const struct nftcompile *compile);

#endif
