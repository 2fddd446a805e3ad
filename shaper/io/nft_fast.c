/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel program has let pass goes no further here: packets out bear
 * its mark, which the first rule of each hook accepts, and of packets in it
 * tells the daemon itself, as they leave by one of its interfaces.
 */
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"

_Static_assert((int)FAST_INTERFACES == (int)POLICY_FAST_INTERFACES,
	       "what may be named has a place");

struct nftcompile_name nftfast_target(bool by_source)
{
	struct nftcompile_name out = { "fast_out" }, in = { "fast_in" };

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
static void of_the_gateway(struct nftplan_table *table, const char *chain)
{
	const uint32_t none = 0;
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_equal(rule, 0, &none, sizeof(none));
	nftexpr_goto(rule, "shard_0");
}

/* By index: one that goes and comes again is not attached yet. */
static void leaves_by(struct nftexpr_rule rule, const struct policy *policy,
		      const uint32_t *ifindex)
{
	nftexpr_meta(rule, NFT_META_OIF, 0);
	nftexpr_equal(rule, 0, ifindex, sizeof(*ifindex));
	/* Else nobody is there to be told: nft_alive.h. */
	if (policy->nfqueue.fail == POLICY_FAIL_CLOSED)
		is_marked(rule, policy, FAST_MARK_ALIVE);
}

void nftfast_in(struct nftplan_table *table, const struct nftcompile *compile,
		const char *chain, bool ipv4)
{
	struct nftexpr_rule rule;

	if (!compile->fast || !nftplan_sees(table, ipv4))
		return;
	for (size_t i = 0; i < compile->fast_count; i++) {
		rule = nftplan_rule(table, chain, NULL);
		if (ipv4)
			nftexpr_is_ipv4(rule);
		else
			nftexpr_is_ipv6(rule);
		nftcompile_is_outside(rule, compile->policy,
				      nftfields_source(ipv4), ipv4);
		leaves_by(rule, compile->policy, &compile->fast_ifindexes[i]);
		nftexpr_accept(rule);
	}
}

void nftfast_compile(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;
	const struct nftcompile_name out = nftfast_target(true);
	const struct nftcompile_name in = nftfast_target(false);
	struct nftexpr_rule rule;

	if (!compile->fast)
		return;
	nftplan_chain(table, out.text);
	nftplan_chain(table, in.text);
	passed(table, policy, out.text);
	nftexpr_goto(nftplan_rule(table, out.text, NULL), "shard_0");
	if (policy->guard_gateway)
		of_the_gateway(table, in.text);
	for (size_t i = 0; i < compile->fast_count; i++) {
		rule = nftplan_rule(table, in.text, NULL);
		leaves_by(rule, policy, &compile->fast_ifindexes[i]);
		nftexpr_accept(rule);
	}
	nftexpr_goto(nftplan_rule(table, in.text, NULL), "shard_0");
}
