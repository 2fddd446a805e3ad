/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel program has let pass goes no further here: packets out bear
 * its mark, and of packets in it tells the daemon itself, as they leave by one
 * of its interfaces.
 */
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>

#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_plan.h"

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
	nftexpr_count(rule, "fast_out");
	nftexpr_accept(rule);
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

void nftfast_compile(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;
	const struct nftcompile_name out = nftfast_target(true);
	const struct nftcompile_name in = nftfast_target(false);
	struct nftexpr_rule rule;

	if (!compile->fast)
		return;
	nftplan_counter(table, "fast_out");
	nftplan_counter(table, "fast_in");
	nftplan_chain(table, out.text);
	nftplan_chain(table, in.text);
	passed(table, policy, out.text);
	nftexpr_goto(nftplan_rule(table, out.text, NULL), "shard_0");
	if (policy->guard_gateway)
		of_the_gateway(table, in.text);
	/* By index: one that goes and comes again is not attached yet. */
	for (size_t i = 0; i < compile->fast_count; i++) {
		rule = nftplan_rule(table, in.text, NULL);
		nftexpr_meta(rule, NFT_META_OIF, 0);
		nftexpr_equal(rule, 0, &compile->fast_ifindexes[i],
			      sizeof(uint32_t));
		/* Else nobody is there to be told: nft_alive.h. */
		if (policy->nfqueue.fail == POLICY_FAIL_CLOSED)
			is_marked(rule, policy, FAST_MARK_ALIVE);
		nftexpr_count(rule, "fast_in");
		nftexpr_accept(rule);
	}
	nftexpr_goto(nftplan_rule(table, in.text, NULL), "shard_0");
}
