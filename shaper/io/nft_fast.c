/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel program has let pass goes no further here: packets out bear
 * its mark, which the first rule of each hook accepts, and of packets in it
 * tells the daemon itself, as they leave by one of its interfaces.
 */
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"

_Static_assert((int)FAST_INTERFACES >= (int)POLICY_FAST_INTERFACES,
	       "what may be named has a place");

static const char LINKS[] = "fast_links";

/* With several queues their chains are each family's own. */
struct nftcompile_name nftfast_target(const struct nftcompile *compile,
				      bool ipv4, bool by_source)
{
	struct nftcompile_name out = { "fast_out" }, in = { "fast_in" };

	if (compile->shards > 1)
		return nftcompile_name(by_source ? out.text : in.text, ipv4);
	return by_source ? out : in;
}

/* The mark is in host order. */
void nftfast_is_marked(struct nftexpr_rule rule, const struct policy *policy,
		       uint32_t value)
{
	uint32_t bit = policy->fast.mark_bit;
	uint32_t mask = ((1u << FAST_MARK_BITS) - 1) << bit;

	value <<= bit;
	nftexpr_meta(rule, NFT_META_MARK, 0);
	nftexpr_mask(rule, 0, &mask, sizeof(mask));
	nftexpr_equal(rule, 0, &value, sizeof(value));
}

static void passed(struct nftplan_table *table, const struct policy *policy,
		   const char *chain)
{
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftfast_is_marked(rule, policy, FAST_MARK_PASSED);
	nftexpr_accept(rule);
}

/* Where netback judges them all, the program is attached to none, and nobody
 * has to be asked for its mark. */
static bool is_needed(const struct nftplan_table *table,
		      const struct nftcompile *compile)
{
	return compile->fast && (compile->fast_count > 0 ||
				 !nftjudged_has(table, compile->policy));
}

/* Other rules were asked when the flow's first packets came to the engine, and
 * no lease outlives a change of them. */
void nftfast_first(struct nftplan_table *table,
		   const struct nftcompile *compile, const char *chain)
{
	if (is_needed(table, compile) &&
	    (strcmp(chain, NFTCOMPILE_EARLY) == 0 ||
	     !policy_wants_each_packet(compile->policy)))
		passed(table, compile->policy, chain);
}

bool nftfast_is_direct(const struct nftplan_table *table,
		       const struct nftcompile *compile)
{
	return compile->fast && compile->uplinks_count > 0 &&
	       table->view == NFTEXPR_FRAMES;
}

/* The program does not tell of what the gateway itself says. */
static void of_the_gateway(struct nftplan_table *table, const char *chain,
			   const char *queue)
{
	const uint32_t none = 0;
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_equal(rule, 0, &none, sizeof(none));
	nftexpr_goto(rule, queue);
}

/* By index: one that goes and comes again is not attached yet. */
static void add_links(struct nftplan_table *table,
		      const struct nftcompile *compile)
{
	struct nftnl_set *set = nftplan_set(
		table, &(struct nftplan_set){
			       .name = LINKS,
			       .kind = NFTPLAN_FIXED,
			       .fields = { NFTPLAN_IFINDEX },
			       .size_max = nftplan_room(compile->fast_count) });

	for (size_t i = 0; i < compile->fast_count; i++)
		nftplan_element(table, set, &compile->fast_ifindexes[i], NULL,
				sizeof(compile->fast_ifindexes[i]), NULL);
}

/* As many rules as are needed; br_netfilter shows a bridge's ports one by one,
 * and by their names. */
static size_t links_rules(const struct nftplan_table *table,
			  const struct nftcompile *compile)
{
	return table->view == NFTEXPR_BRIDGED ? compile->fast_count : 1;
}

static void leaves_by(struct nftexpr_rule rule,
		      const struct nftcompile *compile, size_t at)
{
	char name[IF_NAMESIZE] = "/"; /* no interface has */

	if (rule.view == NFTEXPR_BRIDGED) {
		/* Or it is gone. */
		if_indextoname(compile->fast_ifindexes[at], name);
		nftexpr_is_interface(rule, false, name);
	} else {
		nftexpr_meta(rule, NFT_META_OIF, 0);
		nftexpr_in_set(rule, 0, LINKS);
	}
	/* Else nobody is there to be told: nft_alive.h. */
	if (compile->policy->nfqueue.fail == POLICY_FAIL_CLOSED)
		nftfast_is_marked(rule, compile->policy, FAST_MARK_ALIVE);
}

static void add_chains(struct nftplan_table *table,
		       const struct nftcompile *compile, bool ipv4)
{
	const struct nftcompile_name out = nftfast_target(compile, ipv4, true);
	const struct nftcompile_name in = nftfast_target(compile, ipv4, false);
	const struct nftcompile_name in_queue =
		nftshards_queue(compile, ipv4, false);

	nftplan_chain(table, out.text);
	nftplan_chain(table, in.text);
	passed(table, compile->policy, out.text);
	nftexpr_goto(nftplan_rule(table, out.text, NULL),
		     nftshards_queue(compile, ipv4, true).text);
	if (compile->policy->guard_gateway)
		of_the_gateway(table, in.text, in_queue.text);
	for (size_t i = 0; i < links_rules(table, compile); i++) {
		struct nftexpr_rule rule = nftplan_rule(table, in.text, NULL);

		leaves_by(rule, compile, i);
		nftexpr_accept(rule);
	}
	nftexpr_goto(nftplan_rule(table, in.text, NULL), in_queue.text);
}

/* In a table of one family the nft command cannot list a rule that asks for it
 * and for an address. */
void nftfast_in(struct nftplan_table *table, const struct nftcompile *compile,
		const char *chain, bool ipv4)
{
	struct nftexpr_rule rule;

	if (!compile->fast || !nftplan_sees(table, ipv4))
		return;
	for (size_t i = 0; i < links_rules(table, compile); i++) {
		rule = nftplan_rule(table, chain, NULL);
		if (nftplan_sees(table, !ipv4))
			nftexpr_is_ip(rule, ipv4);
		nftcompile_is_outside(rule, compile->policy,
				      nftfields_source(ipv4), ipv4);
		leaves_by(rule, compile, i);
		nftexpr_accept(rule);
	}
}

void nftfast_compile(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	if (!compile->fast)
		return;
	if (table->view != NFTEXPR_BRIDGED)
		add_links(table, compile);
	if (compile->shards == 1) {
		add_chains(table, compile, true);
		return;
	}
	if (nftplan_sees(table, true))
		add_chains(table, compile, true);
	if (nftplan_sees(table, false))
		add_chains(table, compile, false);
}
