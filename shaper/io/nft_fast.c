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

_Static_assert((int)FAST_INTERFACES == (int)POLICY_FAST_INTERFACES,
	       "what may be named has a place");

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
static void is_marked(struct nftexpr_rule rule, const struct policy *policy,
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

	is_marked(rule, policy, FAST_MARK_PASSED);
	nftexpr_accept(rule);
}

/* `log` wants every packet, and flags are each packet's own; all other rules
 * were asked when the flow's first packets came to the engine, and no lease
 * outlives a change of them. */
static bool wants_all(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action == POLICY_LOG ||
		    policy->rules[i].match.tcp_flags_mask != 0)
			return true;
	return false;
}

void nftfast_first(struct nftplan_table *table,
		   const struct nftcompile *compile, const char *chain)
{
	if (compile->fast && (strcmp(chain, NFTCOMPILE_EARLY) == 0 ||
			      !wants_all(compile->policy)))
		passed(table, compile->policy, chain);
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

/* By index: one that goes and comes again is not attached yet.  But
 * br_netfilter shows a bridge's ports by their names. */
static void leaves_by(struct nftexpr_rule rule, const struct policy *policy,
		      uint32_t ifindex)
{
	char name[IF_NAMESIZE] = "/"; /* no interface has */

	if (rule.view == NFTEXPR_BRIDGED) {
		/* Or it is gone. */
		if_indextoname(ifindex, name);
		nftexpr_is_interface(rule, false, name);
	} else {
		nftexpr_meta(rule, NFT_META_OIF, 0);
		nftexpr_equal(rule, 0, &ifindex, sizeof(ifindex));
	}
	/* Else nobody is there to be told: nft_alive.h. */
	if (policy->nfqueue.fail == POLICY_FAIL_CLOSED)
		is_marked(rule, policy, FAST_MARK_ALIVE);
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
	for (size_t i = 0; i < compile->fast_count; i++) {
		struct nftexpr_rule rule = nftplan_rule(table, in.text, NULL);

		leaves_by(rule, compile->policy, compile->fast_ifindexes[i]);
		nftexpr_accept(rule);
	}
	nftexpr_goto(nftplan_rule(table, in.text, NULL), in_queue.text);
}

static void is_family(struct nftexpr_rule rule, bool ipv4)
{
	if (ipv4)
		nftexpr_is_ipv4(rule);
	else
		nftexpr_is_ipv6(rule);
}

/* In a table of one family the nft command cannot list a rule that asks for it
 * and for an address. */
void nftfast_in(struct nftplan_table *table, const struct nftcompile *compile,
		const char *chain, bool ipv4)
{
	struct nftexpr_rule rule;

	if (!compile->fast || !nftplan_sees(table, ipv4))
		return;
	for (size_t i = 0; i < compile->fast_count; i++) {
		rule = nftplan_rule(table, chain, NULL);
		if (nftplan_sees(table, !ipv4))
			is_family(rule, ipv4);
		nftcompile_is_outside(rule, compile->policy,
				      nftfields_source(ipv4), ipv4);
		leaves_by(rule, compile->policy, compile->fast_ifindexes[i]);
		nftexpr_accept(rule);
	}
}

void nftfast_compile(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	if (!compile->fast)
		return;
	if (compile->shards == 1) {
		add_chains(table, compile, true);
		return;
	}
	if (nftplan_sees(table, true))
		add_chains(table, compile, true);
	if (nftplan_sees(table, false))
		add_chains(table, compile, false);
}
