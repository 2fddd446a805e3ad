/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_difference.h"

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdlib.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_compare.h"
#include "shaper/io/nft_elements.h"
#include "shaper/io/nft_plan.h"

/* One table, before and after. */
struct both {
	struct nftbatch *batch;
	const struct nftplan_table *now, *next;
	struct nftnl_set **come; /* elements, by place of their set in next:
				  * ours, or that set itself */
};

static const char *name_of_chain(const struct nftnl_chain *chain)
{
	return nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
}

static const char *name_of_set(const struct nftnl_set *set)
{
	return nftnl_set_get_str(set, NFTNL_SET_NAME);
}

static bool is_base(const struct nftnl_chain *chain)
{
	return nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);
}

/* Is what both have of one kind, so that it can stay?  A base chain that goes
 * would be emptied, not removed: that is for who writes everything. */
static bool can_stay(const struct both *both)
{
	const struct nftplan_table *now = both->now, *next = both->next;

	for (size_t i = 0; i < now->chains_count; i++) {
		const struct nftnl_chain *wanted =
			nftplan_find_chain(next, name_of_chain(now->chains[i]));

		if (wanted ? !nftcompare_chains(now->chains[i], wanted)
			   : is_base(now->chains[i]))
			return false;
	}
	for (size_t i = 0; i < next->chains_count; i++)
		if (is_base(next->chains[i]) &&
		    !nftplan_find_chain(now, name_of_chain(next->chains[i])))
			return false;
	for (size_t i = 0; i < now->sets_count; i++) {
		const struct nftnl_set *wanted =
			nftplan_find_set(next, name_of_set(now->sets[i]));

		if (wanted && !nftcompare_sets(now->sets[i], wanted))
			return false;
	}
	return true;
}

static void add_what_is_new(const struct both *both)
{
	const struct nftplan_table *now = both->now, *next = both->next;

	for (size_t i = 0; i < next->chains_count; i++)
		if (!nftplan_find_chain(now, name_of_chain(next->chains[i])))
			nftbatch_chain(both->batch, NFT_MSG_NEWCHAIN,
				       next->chains[i]);
	for (size_t i = 0; i < next->counters_count; i++)
		if (!nftplan_has_counter(now, next->counters[i]))
			nftbatch_counter(both->batch, NFT_MSG_NEWOBJ,
					 next->family, NFTPLAN_NAME,
					 next->counters[i]);
	for (size_t i = 0; i < next->sets_count; i++)
		if (!nftplan_find_set(now, name_of_set(next->sets[i])))
			nftbatch_set(both->batch, NFT_MSG_NEWSET,
				     next->sets[i]);
}

/* A rule without a handle is all of its chain. */
static bool empty_chain(const struct both *both, const char *chain)
{
	struct nftnl_rule *all = nftnl_rule_alloc();

	if (!all)
		return false;
	nftnl_rule_set_u32(all, NFTNL_RULE_FAMILY, both->now->family);
	nftnl_rule_set_str(all, NFTNL_RULE_TABLE, NFTPLAN_NAME);
	nftnl_rule_set_str(all, NFTNL_RULE_CHAIN, chain);
	nftbatch_rule(both->batch, NFT_MSG_DELRULE, all);
	nftnl_rule_free(all);
	return true;
}

static bool has_other_rules(const struct both *both,
			    const struct nftnl_chain *chain)
{
	const struct nftnl_chain *other =
		nftplan_find_chain(both->next, name_of_chain(chain));

	return !other || !nftcompare_rules(chain, other);
}

static bool empty_chains(const struct both *both)
{
	for (size_t i = 0; i < both->now->chains_count; i++) {
		const struct nftnl_chain *chain = both->now->chains[i];

		if (nftnl_rule_lookup_byindex((void *)chain, 0) &&
		    has_other_rules(both, chain) &&
		    !empty_chain(both, name_of_chain(chain)))
			return false;
	}
	return true;
}

static struct nftnl_set *empty_set(const struct nftnl_set *like)
{
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		return NULL;
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY,
			  nftnl_set_get_u32(like, NFTNL_SET_FAMILY));
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFTPLAN_NAME);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name_of_set(like));
	return set;
}

/* Its ranges may touch, so that what comes and what goes cannot be told apart
 * by elements: the kernel refuses some of that. */
static bool is_in_order(const struct nftnl_set *set)
{
	uint32_t flags = nftnl_set_get_u32(set, NFTNL_SET_FLAGS);

	return flags & NFT_SET_INTERVAL && !(flags & NFT_SET_CONCAT);
}

static bool refill_set(const struct both *both, size_t at)
{
	struct nftnl_set *next = both->next->sets[at];

	if (nftelements_match(nftplan_find_set(both->now, name_of_set(next)),
			      next))
		return true;
	nftbatch_set(both->batch, NFT_MSG_DELSETELEM, next);
	both->come[at] = next;
	return true;
}

static bool compare_set(const struct both *both, size_t at)
{
	struct nftnl_set *next = both->next->sets[at];
	struct nftnl_set *now = nftplan_find_set(both->now, name_of_set(next));
	struct nftnl_set *gone;
	bool good;

	if (!now || nftplan_set_is_kept(next))
		return true;
	if (is_in_order(next))
		return refill_set(both, at);
	both->come[at] = empty_set(next);
	gone = empty_set(next);
	good = gone && both->come[at] &&
	       nftelements_differ(now, next, gone, both->come[at]);
	if (good)
		nftbatch_elements(both->batch, NFT_MSG_DELSETELEM, gone);
	if (gone)
		nftnl_set_free(gone);
	return good;
}

static void delete_what_is_gone(const struct both *both)
{
	const struct nftplan_table *now = both->now, *next = both->next;

	for (size_t i = 0; i < now->sets_count; i++)
		if (!nftplan_find_set(next, name_of_set(now->sets[i])))
			nftbatch_set(both->batch, NFT_MSG_DELSET, now->sets[i]);
	for (size_t i = 0; i < now->chains_count; i++)
		if (!nftplan_find_chain(next, name_of_chain(now->chains[i])))
			nftbatch_chain(both->batch, NFT_MSG_DELCHAIN,
				       now->chains[i]);
	for (size_t i = 0; i < now->counters_count; i++)
		if (!nftplan_has_counter(next, now->counters[i]))
			nftbatch_counter(both->batch, NFT_MSG_DELOBJ,
					 now->family, NFTPLAN_NAME,
					 now->counters[i]);
}

static int add_rule(struct nftnl_rule *rule, void *batch)
{
	nftbatch_rule(batch, NFT_MSG_NEWRULE, rule);
	return 0;
}

static void fill(const struct both *both)
{
	const struct nftplan_table *now = both->now, *next = both->next;

	for (size_t i = 0; i < next->sets_count; i++) {
		if (!nftplan_find_set(now, name_of_set(next->sets[i])))
			nftbatch_elements(both->batch, NFT_MSG_NEWSETELEM,
					  next->sets[i]);
		else if (both->come[i])
			nftbatch_elements(both->batch, NFT_MSG_NEWSETELEM,
					  both->come[i]);
	}
	for (size_t i = 0; i < next->chains_count; i++) {
		const struct nftnl_chain *before =
			nftplan_find_chain(now, name_of_chain(next->chains[i]));

		if (!before || has_other_rules(both, before))
			nftnl_rule_foreach(next->chains[i], add_rule,
					   both->batch);
	}
}

static bool build_table(struct nftbatch *batch, const struct nftplan_table *now,
			const struct nftplan_table *next)
{
	struct both both = { .batch = batch, .now = now, .next = next };
	bool good;

	if (!can_stay(&both))
		return false;
	both.come = calloc(next->sets_count + 1, sizeof(*both.come));
	good = both.come != NULL;
	if (good)
		add_what_is_new(&both);
	good = good && empty_chains(&both);
	for (size_t i = 0; good && i < next->sets_count; i++)
		good = compare_set(&both, i);
	if (good) {
		delete_what_is_gone(&both);
		fill(&both);
	}
	for (size_t i = 0; both.come && i < next->sets_count; i++)
		if (both.come[i] && both.come[i] != next->sets[i])
			nftnl_set_free(both.come[i]);
	free(both.come);
	return good;
}

bool nftdifference_build(struct nftbatch *batch, const struct nftplan *now,
			 const struct nftplan *next)
{
	for (size_t i = 0; i < NFTPLAN_TABLES; i++) {
		const struct nftplan_table *from =
			nftplan_find_table(now, NFTPLAN_FAMILIES[i]);
		const struct nftplan_table *to =
			nftplan_find_table(next, NFTPLAN_FAMILIES[i]);

		if (!from && !to)
			continue;
		if (!from || !to || !build_table(batch, from, to))
			return false;
	}
	return true;
}
