/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Vifs that are judged inside of netback: what they send bears its mark, so it
 * is asked for nothing once more, and what they send to the outside and hear
 * from there does not come to the queue.  Between two guarded hosts it does,
 * since the other one is judged here.  Fragments bear none: how many of them
 * may be tiny is for the rules to say.
 */
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_rules.h"

_Static_assert((int)NFTRULES_MARK_JUDGED == (int)FAST_MARK_JUDGED,
	       "the program and the rules mean the same");

static const char JUDGED[] = "judged_in_netback", NAMES[] = "judged_names";

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

static struct nftnl_set *make_set(struct nftplan_table *table,
				  const struct policy *policy, const char *name,
				  enum nftplan_field field)
{
	return nftplan_set(
		table, &(struct nftplan_set){
			       .name = name,
			       .kind = NFTPLAN_FIXED,
			       .fields = { field },
			       .size_max = nftplan_room(policy->vifs_count) });
}

/* By index, which is found sooner: one that goes and comes again goes by the
 * queue until it is guarded anew.  Who sends is asked by name: what was forged
 * there before is forged then, too. */
static void add_sets(struct nftplan_table *table, const struct policy *policy,
		     bool checked)
{
	struct nftnl_set *set =
		make_set(table, policy, JUDGED, NFTPLAN_IFINDEX);
	struct nftnl_set *names =
		checked ? NULL
			: make_set(table, policy, NAMES, NFTPLAN_INTERFACE);

	for (size_t i = 0; i < policy->vifs_count; i++) {
		const struct policy_vif *vif = &policy->vifs[i];
		uint32_t index;

		if (vif->way != POLICY_WAY_NETBACK)
			continue;
		nftplan_element(table, names, vif->interface, NULL,
				sizeof(vif->interface), NULL);
		index = if_nametoindex(vif->interface);
		if (index != 0)
			nftplan_element(table, set, &index, NULL, sizeof(index),
					NULL);
	}
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

/* Each search begins where the last one ended: ports stand in the same order
 * everywhere. */
static bool is_judged(const struct policy *policy, const char *interface,
		      size_t *at)
{
	for (size_t tries = 0; tries < policy->vifs_count; tries++) {
		const struct policy_vif *vif = &policy->vifs[*at];

		if (vif->way == POLICY_WAY_NETBACK &&
		    strcmp(vif->interface, interface) == 0)
			return true;
		*at = (*at + 1) % policy->vifs_count;
	}
	return false;
}

bool nftjudged_has_all(const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;
	size_t at = 0;

	if (compile->way != NFTCOMPILE_BRIDGED || policy->sources_count > 0)
		return false;
	for (size_t i = 0; i < policy->owners_count; i++)
		if (!is_judged(policy, policy->owners[i].interface, &at))
			return false;
	for (size_t i = 0; i < policy->bindings_count; i++)
		if (!is_judged(policy, policy->bindings[i].interface, &at))
			return false;
	return policy->xen.vifs || policy->vifs_count > 0;
}

/* What leaves, by its mark or by where it came in, or else what comes in. */
struct side {
	bool out, by_mark, ipv4;
};

/* What comes in comes from no guest, and if nothing was asked for yet it is no
 * fragment whose length is still to be asked for. */
static void is_unsuspected(struct nftexpr_rule rule)
{
	static const uint8_t MORE4[2] = { 0x20, 0 }, NONE[2];

	nftexpr_meta(rule, NFT_META_IIFNAME, 0);
	nftexpr_not_in_set(rule, 0, NAMES);
	nftexpr_load(rule, NFTFIELDS_FRAGMENT4, 0);
	nftexpr_mask(rule, 0, MORE4, sizeof(MORE4));
	nftexpr_equal(rule, 0, NONE, sizeof(NONE));
}

static void pass(struct nftplan_table *table, const struct policy *policy,
		 const char *chain, struct side side, bool checked)
{
	struct nftexpr_rule rule;

	if (!nftplan_sees(table, side.ipv4))
		return;
	rule = nftplan_rule(table, chain, NULL);
	if (side.by_mark)
		nftfast_is_marked(rule, policy, FAST_MARK_JUDGED);
	nftexpr_is_ip(rule, side.ipv4);
	if (!side.by_mark) {
		nftexpr_meta(rule, side.out ? NFT_META_IIF : NFT_META_OIF, 0);
		nftexpr_in_set(rule, 0, JUDGED);
	}
	if (!side.out && !checked)
		is_unsuspected(rule);
	nftcompile_is_outside(rule, policy,
			      side.out ? nftfields_destination(side.ipv4)
				       : nftfields_source(side.ipv4),
			      side.ipv4);
	nftexpr_accept(rule);
}

void nftjudged_compile(struct nftplan_table *table, const struct policy *policy,
		       const char *chain, bool checked)
{
	if (!nftjudged_has(table, policy))
		return;
	add_sets(table, policy, checked);
	for (int ipv4 = 1; ipv4 >= 0; ipv4--) {
		pass(table, policy, chain,
		     (struct side){
			     .out = true, .by_mark = true, .ipv4 = ipv4 },
		     checked);
		if (ipv4 || checked)
			pass(table, policy, chain,
			     (struct side){ .ipv4 = ipv4 }, checked);
	}
}

void nftjudged_rest(struct nftplan_table *table, const struct policy *policy,
		    const char *chain, bool checked)
{
	if (!nftjudged_has(table, policy))
		return;
	for (int ipv4 = 1; ipv4 >= 0; ipv4--) {
		pass(table, policy, chain,
		     (struct side){ .out = true, .ipv4 = ipv4 }, true);
		if (!checked)
			pass(table, policy, chain,
			     (struct side){ .ipv4 = ipv4 }, true);
	}
}
