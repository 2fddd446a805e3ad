/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_change.h"

#include <stdio.h>

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_compare.h"
#include "shaper/io/nft_elements.h"
#include "shaper/io/nft_plan.h"

static bool is_base(const struct nftnl_chain *chain)
{
	return nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);
}

/* Does the chain that is there serve for the one that is wanted? */
static bool chain_serves(const struct nftplan_table *now,
			 const struct nftnl_chain *wanted)
{
	const struct nftnl_chain *chain = NULL;

	if (now)
		chain = nftplan_find_chain(
			now, nftnl_chain_get_str(wanted, NFTNL_CHAIN_NAME));
	return chain && is_base(chain) && nftcompare_chains(chain, wanted);
}

static bool chain_stays(const struct nftnl_chain *chain,
			const struct nftplan_table *next)
{
	const struct nftnl_chain *wanted = NULL;

	if (!is_base(chain))
		return false;
	if (next)
		wanted = nftplan_find_chain(
			next, nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	return !wanted || nftcompare_chains(chain, wanted);
}

static bool set_serves(const struct nftplan_table *now,
		       const struct nftnl_set *wanted)
{
	const struct nftnl_set *set = NULL;

	if (now)
		set = nftplan_find_set(now, nftnl_set_get_str(wanted,
							      NFTNL_SET_NAME));
	return set && nftplan_set_is_kept(wanted) &&
	       nftcompare_sets(set, wanted);
}

static void flush_rules(struct nftbatch *batch,
			const struct nftplan_table *table)
{
	struct nftnl_rule *all = nftnl_rule_alloc();

	if (!all)
		return;
	nftnl_rule_set_u32(all, NFTNL_RULE_FAMILY, table->family);
	nftnl_rule_set_str(all, NFTNL_RULE_TABLE, NFTPLAN_NAME);
	nftbatch_rule(batch, NFT_MSG_DELRULE, all);
	nftnl_rule_free(all);
}

/* By name only: handles may have changed. */
static void delete_chain(struct nftbatch *batch, uint32_t family,
			 const char *name)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		return;
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, family);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFTPLAN_NAME);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
	nftbatch_chain(batch, NFT_MSG_DELCHAIN, chain);
	nftnl_chain_free(chain);
}

static void clear_table(struct nftbatch *batch, const struct nftplan_table *now,
			const struct nftplan_table *next)
{
	size_t i;

	flush_rules(batch, now);
	for (i = 0; i < now->sets_count; i++) {
		const char *name =
			nftnl_set_get_str(now->sets[i], NFTNL_SET_NAME);
		const struct nftnl_set *wanted =
			next ? nftplan_find_set(next, name) : NULL;

		if (!wanted || !set_serves(now, wanted))
			nftbatch_set(batch, NFT_MSG_DELSET, now->sets[i]);
	}
	for (i = 0; i < now->chains_count; i++)
		if (!chain_stays(now->chains[i], next))
			delete_chain(batch, now->family,
				     nftnl_chain_get_str(now->chains[i],
							 NFTNL_CHAIN_NAME));
	for (i = 0; i < now->counters_count; i++)
		if (!next || !nftplan_has_counter(next, now->counters[i]))
			nftbatch_counter(batch, NFT_MSG_DELOBJ, now->family,
					 NFTPLAN_NAME, now->counters[i]);
}

static int add_rule(struct nftnl_rule *rule, void *batch)
{
	nftbatch_rule(batch, NFT_MSG_NEWRULE, rule);
	return 0;
}

static void fill_table(struct nftbatch *batch, const struct nftplan_table *now,
		       const struct nftplan_table *next)
{
	size_t i;

	nftbatch_table(batch, NFT_MSG_NEWTABLE, next->family, NFTPLAN_NAME);
	for (i = 0; i < next->chains_count; i++)
		if (!chain_serves(now, next->chains[i]))
			nftbatch_chain(batch, NFT_MSG_NEWCHAIN,
				       next->chains[i]);
	for (i = 0; i < next->counters_count; i++)
		if (!now || !nftplan_has_counter(now, next->counters[i]))
			nftbatch_counter(batch, NFT_MSG_NEWOBJ, next->family,
					 NFTPLAN_NAME, next->counters[i]);
	for (i = 0; i < next->sets_count; i++) {
		if (set_serves(now, next->sets[i]))
			continue;
		nftbatch_set(batch, NFT_MSG_NEWSET, next->sets[i]);
		nftbatch_elements(batch, NFT_MSG_NEWSETELEM, next->sets[i]);
	}
	for (i = 0; i < next->chains_count; i++)
		nftnl_rule_foreach(next->chains[i], add_rule, batch);
}

void nftchange_build(struct nftbatch *batch, const struct nftplan *now,
		     const struct nftplan *next)
{
	const struct nftplan_table *from, *to;
	size_t i;

	for (i = 0; i < NFTPLAN_TABLES; i++) {
		from = nftplan_find_table(now, NFTPLAN_FAMILIES[i]);
		to = nftplan_find_table(next, NFTPLAN_FAMILIES[i]);
		if (from)
			clear_table(batch, from, to);
		if (to)
			fill_table(batch, from, to);
	}
}

void nftchange_remove(struct nftbatch *batch, const struct nftplan *now)
{
	size_t i;

	for (i = 0; i < NFTPLAN_TABLES; i++)
		if (nftplan_find_table(now, NFTPLAN_FAMILIES[i]))
			nftbatch_table(batch, NFT_MSG_DELTABLE,
				       NFTPLAN_FAMILIES[i], NFTPLAN_NAME);
}

struct difference {
	char *text;
	size_t size;
	bool found;
};

static void differs(struct difference *difference, const char *what,
		    const char *name)
{
	if (!difference->found)
		snprintf(difference->text, difference->size, "%s %s", what,
			 name);
	difference->found = true;
}

static void compare_table(const struct nftplan_table *now,
			  const struct nftplan_table *next,
			  struct difference *difference)
{
	const char *name;
	size_t i;

	for (i = 0; i < next->chains_count; i++) {
		const struct nftnl_chain *chain;

		name = nftnl_chain_get_str(next->chains[i], NFTNL_CHAIN_NAME);
		chain = nftplan_find_chain(now, name);
		if (!chain || !nftcompare_chains(chain, next->chains[i]))
			differs(difference, "chain", name);
		else if (!nftcompare_rules(chain, next->chains[i]))
			differs(difference, "rules in", name);
	}
	for (i = 0; i < now->chains_count; i++) {
		name = nftnl_chain_get_str(now->chains[i], NFTNL_CHAIN_NAME);
		if (!nftplan_find_chain(next, name) &&
		    (!is_base(now->chains[i]) ||
		     nftnl_rule_lookup_byindex(now->chains[i], 0)))
			differs(difference, "foreign chain", name);
	}
	for (i = 0; i < next->sets_count; i++) {
		struct nftnl_set *set;

		name = nftnl_set_get_str(next->sets[i], NFTNL_SET_NAME);
		set = nftplan_find_set(now, name);
		if (!set || !nftcompare_sets(set, next->sets[i]))
			differs(difference, "set", name);
		else if (!nftplan_set_is_kept(set) &&
			 !nftelements_match(set, next->sets[i]))
			differs(difference, "elements of", name);
	}
	for (i = 0; i < next->counters_count; i++)
		if (!nftplan_has_counter(now, next->counters[i]))
			differs(difference, "counter", next->counters[i]);
}

bool nftchange_is_done(const struct nftplan *now, const struct nftplan *next,
		       char *ret_difference, size_t size)
{
	struct difference difference = { ret_difference, size, false };
	const struct nftplan_table *there, *wanted;
	size_t i;

	for (i = 0; i < NFTPLAN_TABLES; i++) {
		there = nftplan_find_table(now, NFTPLAN_FAMILIES[i]);
		wanted = nftplan_find_table(next, NFTPLAN_FAMILIES[i]);
		if (wanted && !there)
			differs(&difference, "table", "is missing");
		else if (wanted)
			compare_table(there, wanted, &difference);
	}
	return !difference.found;
}
