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

void nftcompile_is_inside(struct nftexpr_rule rule, const struct policy *policy,
			  struct nftexpr_field field, bool ipv4)
{
	nftranges_condition(rule, field, nftcompile_inside(ipv4),
			    &policy->inside, ipv4, true);
}

void nftcompile_is_outside(struct nftexpr_rule rule,
			   const struct policy *policy,
			   struct nftexpr_field field, bool ipv4)
{
	nftranges_condition(rule, field, nftcompile_inside(ipv4),
			    &policy->inside, ipv4, false);
}

/* The sets of guarded addresses. */
static void inside_sets(struct nftplan_table *table,
			const struct policy *policy)
{
	if (nftplan_sees(table, true))
		nftranges_set(table, NFTCOMPILE_INSIDE4, &policy->inside, true);
	if (nftplan_sees(table, false))
		nftranges_set(table, NFTCOMPILE_INSIDE6, &policy->inside,
			      false);
}

static void arp_table(struct nftplan *plan, const struct policy *policy)
{
	struct nftplan_table *table = nftplan_table(plan, NFPROTO_ARP);

	nftranges_set(table, NFTCOMPILE_INSIDE4, &policy->inside, true);
	nftplan_base_chain(table, NFTCOMPILE_EARLY, NF_ARP_IN,
			   NFTCOMPILE_EARLY_PRIORITY);
	nftantispoof_compile(table, policy, NFTCOMPILE_EARLY);
}

static void remember_settings(struct nftplan_table *table,
			      const struct nftbridge_settings *settings)
{
	size_t i;

	if (settings->count == 0)
		return;
	nftplan_chain(table, NFTCOMPILE_RESTORE);
	for (i = 0; i < settings->count; i++)
		nftexpr_return(nftplan_rule(table, NFTCOMPILE_RESTORE,
					    settings->was[i]));
}

static int recall_rule(struct nftnl_rule *rule, void *data)
{
	struct nftbridge_settings *settings = data;

	if (settings->count <
		    sizeof(settings->was) / sizeof(settings->was[0]) &&
	    nftplan_comment(rule, settings->was[settings->count],
			    sizeof(settings->was[0])))
		settings->count++;
	return 0;
}

void nftcompile_recall(const struct nftplan *plan,
		       struct nftbridge_settings *ret_settings)
{
	const struct nftplan_table *table =
		nftplan_find_table(plan, NFPROTO_IPV4);

	ret_settings->count = 0;
	if (table)
		nftplan_each_rule(table, NFTCOMPILE_RESTORE, recall_rule,
				  ret_settings);
}

/* The addresses and ports that rules of either hook ask for. */
static struct nftplan_table *table_with_sets(struct nftplan *plan,
					     uint32_t family,
					     const struct policy *policy)
{
	struct nftplan_table *table = nftplan_table(plan, family);
	size_t i;

	inside_sets(table, policy);
	for (i = 0; i < policy->rules_count; i++)
		nftmatch_sets(table, &policy->rules[i]);
	return table;
}

static void routed(struct nftplan *plan, const struct nftcompile *compile)
{
	struct nftplan_table *inet =
		table_with_sets(plan, NFPROTO_INET, compile->policy);

	nftshards_compile(inet, compile);
	nftearly_compile(inet, compile);
	nftforward_base(inet, compile);
	nftroom_compile(inet, compile);
	nftforward_compile(inet, compile);
	if (nftantispoof_is_wanted(compile->policy))
		arp_table(plan, compile->policy);
}

static void bridged(struct nftplan *plan, const struct nftcompile *compile)
{
	struct nftplan_table *bridge =
		table_with_sets(plan, NFPROTO_BRIDGE, compile->policy);

	nftshards_compile(bridge, compile);
	nftearly_compile(bridge, compile);
	nftforward_base(bridge, compile);
	nftforward_compile(bridge, compile);
}

/* One hook of br_netfilter.  Not the inet family: only that of IPv4 and IPv6
 * can name a bridge's port. */
static void inet_hook(struct nftplan *plan, const struct nftcompile *compile,
		      uint32_t family)
{
	struct nftplan_table *table =
		table_with_sets(plan, family, compile->policy);

	table->view = NFTEXPR_BRIDGED;
	nftshards_compile(table, compile);
	nftforward_base(table, compile);
	nftroom_compile(table, compile);
	nftforward_compile(table, compile);
}

static void br_netfilter(struct nftplan *plan, const struct nftcompile *compile)
{
	struct nftplan_table *bridge =
		table_with_sets(plan, NFPROTO_BRIDGE, compile->policy);

	nftearly_compile(bridge, compile);
	nftforward_unjudged(bridge, compile->policy);
	inet_hook(plan, compile, NFPROTO_IPV4);
	inet_hook(plan, compile, NFPROTO_IPV6);
	remember_settings(nftplan_table(plan, NFPROTO_IPV4),
			  &compile->settings);
}

struct nftplan *nftcompile_plan(const struct nftcompile *compile)
{
	struct nftplan *plan = nftplan_new();

	if (!plan)
		return NULL;
	switch (compile->way) {
	case NFTCOMPILE_ROUTED:
		routed(plan, compile);
		break;
	case NFTCOMPILE_BRIDGED:
		bridged(plan, compile);
		break;
	case NFTCOMPILE_BR_NETFILTER:
		br_netfilter(plan, compile);
		break;
	}
	for (size_t i = 0; i < NFTPLAN_TABLES; i++) {
		struct nftplan_table *table =
			nftplan_find_table(plan, NFTPLAN_FAMILIES[i]);

		if (table)
			nftantispoof_port_counters(table, compile->policy);
	}
	if (nftplan_is_broken(plan)) {
		nftplan_free(plan);
		return NULL;
	}
	return plan;
}
