/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A port of one owner: whatever a frame carries, its MAC is the owner's.  One
 * that has another is dropped, or is given the owner's; then it is judged as
 * the owner's.  What is told inside of it, as in ARP, stays as it is.
 */
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"

enum { PORT_BYTES = 16, MAC_BYTES = 8 };

static const char STRANGER[] = "stranger";
static const char STAMPS[] = "stamps";

/* A frame that has not its owner's MAC. */
static void stranger(struct nftplan_table *table)
{
	struct nftexpr_rule rule;

	nftplan_counter(table, "forged_mac");
	nftplan_counter(table, "stamped_mac");
	nftplan_chain(table, STRANGER);
	rule = nftplan_rule(table, STRANGER, NULL);
	nftexpr_meta(rule, NFT_META_IIFNAME, 0);
	nftexpr_value_of(rule, 0, STAMPS, 8);
	nftexpr_store(rule, 8, NFTFIELDS_SOURCE_MAC);
	nftexpr_count(rule, "stamped_mac");
	nftexpr_return(rule);
	rule = nftplan_rule(table, STRANGER, NULL);
	nftexpr_count(rule, "forged_mac");
	nftexpr_drop(rule);
}

static void note_owner(struct nftplan_table *table,
		       const struct policy_owner *owner)
{
	char key[PORT_BYTES + MAC_BYTES] = { 0 };

	memcpy(key, owner->interface,
	       strnlen(owner->interface, PORT_BYTES - 1));
	memcpy(key + PORT_BYTES, owner->mac, sizeof(owner->mac));
	nftplan_element(table, nftplan_find_set(table, "owned"), key, NULL,
			PORT_BYTES, NULL);
	nftplan_element(table, nftplan_find_set(table, "owners"), key, NULL,
			sizeof(key), NULL);
	if (owner->stamps)
		nftplan_element_mac(table, nftplan_find_set(table, STAMPS), key,
				    PORT_BYTES, owner->mac);
}

/* Nobody else has anything to be asked for: most packets in are spared all the
 * other questions by one.  What belongs together stands together, so each
 * search begins where the last one ended. */
bool nftowners_have_all(const struct policy *policy)
{
	size_t at = 0;

	if (policy->sources_count > 0)
		return false;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		size_t tries = 0;

		while (tries < policy->owners_count &&
		       strcmp(policy->owners[at].interface,
			      policy->bindings[i].interface) != 0) {
			at = (at + 1) % policy->owners_count;
			tries++;
		}
		if (tries == policy->owners_count)
			return false;
	}
	return policy->bindings_count > 0;
}

void nftowners_is_elsewhere(struct nftexpr_rule rule)
{
	nftexpr_meta(rule, NFT_META_IIFNAME, 0);
	nftexpr_not_in_set(rule, 0, "owned");
}

static void ask_who_sends(struct nftplan_table *table,
			  const struct policy *policy, const char *chain)
{
	bool all = nftowners_have_all(policy);
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	if (all) {
		nftowners_is_elsewhere(rule);
		nftexpr_return(rule);
		rule = nftplan_rule(table, chain, NULL);
	}
	nftexpr_meta(rule, NFT_META_IIFNAME, 0);
	if (!all)
		nftexpr_in_set(rule, 0, "owned");
	nftexpr_load(rule, NFTFIELDS_SOURCE_MAC, 4);
	nftexpr_not_in_set(rule, 0, "owners");
	nftexpr_jump(rule, STRANGER);
}

void nftowners_compile(struct nftplan_table *table, const struct policy *policy,
		       const char *chain)
{
	if (policy->owners_count == 0)
		return;
	nftplan_set(table,
		    &(struct nftplan_set){
			    .name = "owned",
			    .kind = NFTPLAN_FIXED,
			    .fields = { NFTPLAN_INTERFACE },
			    .size_max = nftplan_room(policy->owners_count) });
	nftplan_set(table, &(struct nftplan_set){ .name = "owners",
						  .kind = NFTPLAN_FIXED,
						  .fields = { NFTPLAN_INTERFACE,
							      NFTPLAN_MAC } });
	nftplan_set(table,
		    &(struct nftplan_set){ .name = STAMPS,
					   .kind = NFTPLAN_MACS,
					   .fields = { NFTPLAN_INTERFACE } });
	for (size_t i = 0; i < policy->owners_count; i++)
		note_owner(table, &policy->owners[i]);
	stranger(table);
	ask_who_sends(table, policy, chain);
}
