/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Vifs that are judged inside of netback: what they send bears its mark, so it
 * is asked for nothing once more, and what they send to the outside and hear
 * from there does not come to the queue.  Between two guarded hosts it does,
 * since the other one is judged here.  Fragments bear none: how many of them
 * may be tiny is for the rules to say.
 */
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_rules.h"

_Static_assert((int)NFTRULES_MARK_JUDGED == (int)FAST_MARK_JUDGED,
	       "the program and the rules mean the same");

static const char JUDGED[] = "judged_in_netback";

bool nftjudged_has(const struct nftplan_table *table,
		   const struct policy *policy)
{
	/* br_netfilter shows ports in another way: the queue has them. */
	if (table->view == NFTEXPR_BRIDGED)
		return false;
	for (size_t i = 0; i < policy->vifs_count; i++)
		if (policy->vifs[i].way == POLICY_WAY_NETBACK)
			return true;
	return false;
}

static void add_set(struct nftplan_table *table, const struct policy *policy)
{
	struct nftnl_set *set =
		nftplan_set(table, &(struct nftplan_set){
					   .name = JUDGED,
					   .kind = NFTPLAN_FIXED,
					   .fields = { NFTPLAN_INTERFACE } });

	for (size_t i = 0; i < policy->vifs_count; i++)
		if (policy->vifs[i].way == POLICY_WAY_NETBACK)
			nftplan_element(table, set, policy->vifs[i].interface,
					NULL, sizeof(policy->vifs[i].interface),
					NULL);
}

void nftjudged_first(struct nftplan_table *table, const struct policy *policy,
		     const char *chain)
{
	struct nftexpr_rule rule;

	if (!nftjudged_has(table, policy))
		return;
	rule = nftplan_rule(table, chain, NULL);
	nftfast_is_marked(rule, policy, FAST_MARK_JUDGED);
	nftexpr_accept(rule);
}

/* What leaves is asked by its mark; then what comes in, and what bears none, by
 * the name of its interface. */
static const struct side {
	enum nft_meta_keys interface;
	bool out, by_mark;
} SIDES[] = {
	{ NFT_META_IIFNAME, true, true },
	{ NFT_META_OIFNAME, false, false },
	{ NFT_META_IIFNAME, true, false },
};

static void pass(struct nftplan_table *table, const struct policy *policy,
		 const char *chain, bool ipv4, const struct side *side)
{
	struct nftexpr_rule rule;

	if (!nftplan_sees(table, ipv4))
		return;
	rule = nftplan_rule(table, chain, NULL);
	if (side->by_mark)
		nftfast_is_marked(rule, policy, FAST_MARK_JUDGED);
	nftexpr_is_ip(rule, ipv4);
	if (!side->by_mark) {
		nftexpr_meta(rule, side->interface, 0);
		nftexpr_in_set(rule, 0, JUDGED);
	}
	nftcompile_is_outside(rule, policy,
			      side->out ? nftfields_destination(ipv4)
					: nftfields_source(ipv4),
			      ipv4);
	nftexpr_accept(rule);
}

void nftjudged_compile(struct nftplan_table *table, const struct policy *policy,
		       const char *chain)
{
	if (!nftjudged_has(table, policy))
		return;
	add_set(table, policy);
	for (int ipv4 = 1; ipv4 >= 0; ipv4--)
		for (size_t i = 0; i < sizeof(SIDES) / sizeof(*SIDES); i++)
			pass(table, policy, chain, ipv4 == 1, &SIDES[i]);
}
