/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_compile.h"

#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <stdio.h>

#include "policy/policy.h"
#include "shaper/io/nft_match.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

struct nftcompile_name nftcompile_name(const char *what, bool ipv4)
{
	struct nftcompile_name name;

	snprintf(name.text, sizeof(name.text), "%s%c", what, ipv4 ? '4' : '6');
	return name;
}

void nftcompile_inside_sets(struct nftplan_table *table,
			    const struct policy *policy)
{
	nftranges_set(table, NFTCOMPILE_INSIDE4, &policy->inside, true);
	nftranges_set(table, NFTCOMPILE_INSIDE6, &policy->inside, false);
}

static void arp_table(struct nftplan *plan, const struct policy *policy)
{
	struct nftplan_table *table = nftplan_table(plan, NFPROTO_ARP);

	nftranges_set(table, NFTCOMPILE_INSIDE4, &policy->inside, true);
	nftplan_base_chain(table, NFTCOMPILE_EARLY, NF_ARP_IN,
			   NFTCOMPILE_EARLY_PRIORITY);
	nftantispoof_compile(table, policy, NFTCOMPILE_EARLY);
}

struct nftplan *nftcompile_plan(const struct nftcompile *compile)
{
	struct nftplan *plan = nftplan_new();
	struct nftplan_table *inet;
	size_t i;

	if (!plan)
		return NULL;
	inet = nftplan_table(plan, NFPROTO_INET);
	nftcompile_inside_sets(inet, compile->policy);
	for (i = 0; i < compile->policy->rules_count; i++)
		nftmatch_sets(inet, &compile->policy->rules[i]);
	nftshards_compile(inet, compile);
	nftearly_compile(inet, compile);
	nftforward_base(inet);
	nftroom_compile(inet, compile);
	nftforward_compile(inet, compile);
	if (nftantispoof_is_wanted(compile->policy))
		arp_table(plan, compile->policy);
	if (nftplan_is_broken(plan)) {
		nftplan_free(plan);
		return NULL;
	}
	return plan;
}
