/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_plan.h"

#include <stdio.h>

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

const uint32_t NFTPLAN_FAMILIES[NFTPLAN_TABLES] = {
	NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP, NFPROTO_BRIDGE,
};

struct nftplan {
	/* Those that were found, of any table. */
	size_t last_chain, last_set, last_counter;
	struct nftplan_table tables[NFTPLAN_TABLES];
	size_t tables_count;
	bool broken;
};

struct nftplan *nftplan_new(void)
{
	return calloc(1, sizeof(struct nftplan));
}

void nftplan_free(struct nftplan *plan)
{
	struct nftplan_table *table;
	size_t i;

	if (!plan)
		return;
	for (table = plan->tables; table < plan->tables + plan->tables_count;
	     table++) {
		for (i = 0; i < table->chains_count; i++)
			nftnl_chain_free(table->chains[i]);
		for (i = 0; i < table->sets_count; i++)
			nftnl_set_free(table->sets[i]);
		free(table->chains);
		free(table->sets);
		free(table->counters);
	}
	free(plan);
}

bool nftplan_is_broken(const struct nftplan *plan)
{
	return plan->broken;
}

void nftplan_break(struct nftplan *plan)
{
	plan->broken = true;
}

struct nftplan_table *nftplan_find_table(const struct nftplan *plan,
					 uint32_t family)
{
	size_t i;

	for (i = 0; i < plan->tables_count; i++)
		if (plan->tables[i].family == family)
			return (struct nftplan_table *)&plan->tables[i];
	return NULL;
}

struct nftplan_table *nftplan_table(struct nftplan *plan, uint32_t family)
{
	struct nftplan_table *table = nftplan_find_table(plan, family);

	if (table)
		return table;
	table = &plan->tables[plan->tables_count++];
	table->plan = plan;
	table->family = family;
	table->view = family == NFPROTO_BRIDGE ? NFTEXPR_FRAMES
					       : NFTEXPR_PACKETS;
	return table;
}

bool nftplan_sees(const struct nftplan_table *table, bool ipv4)
{
	return table->family == NFPROTO_INET ||
	       table->family == NFPROTO_BRIDGE ||
	       table->family == (ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

/* One more place at the end of an array; NULL: out of memory. */
static void *grow(struct nftplan_table *table, void **array, size_t *count,
		  size_t size)
{
	void *larger;

	/* Room for a power of two, asked for when that is full. */
	if ((*count & (*count - 1)) == 0) {
		larger = realloc(*array, (*count ? 2 * *count : 1) * size);
		if (!larger) {
			table->plan->broken = true;
			return NULL;
		}
		*array = larger;
	}
	return (char *)*array + size * (*count)++;
}

void nftplan_take_chain(struct nftplan_table *table, struct nftnl_chain *chain)
{
	struct nftnl_chain **place = grow(table, (void **)&table->chains,
					  &table->chains_count, sizeof(*place));

	if (place)
		*place = chain;
	else
		nftnl_chain_free(chain);
}

void nftplan_take_set(struct nftplan_table *table, struct nftnl_set *set)
{
	struct nftnl_set **place = grow(table, (void **)&table->sets,
					&table->sets_count, sizeof(*place));

	if (place)
		*place = set;
	else
		nftnl_set_free(set);
}

static struct nftnl_chain *new_chain(struct nftplan_table *table,
				     const char *name)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain) {
		table->plan->broken = true;
		return NULL;
	}
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, table->family);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFTPLAN_NAME);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
	return chain;
}

void nftplan_base_chain(struct nftplan_table *table, const char *name,
			uint32_t hook, int32_t priority)
{
	struct nftnl_chain *chain = new_chain(table, name);

	if (!chain)
		return;
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, priority);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nftplan_take_chain(table, chain);
}

void nftplan_chain(struct nftplan_table *table, const char *name)
{
	struct nftnl_chain *chain;

	if (nftplan_find_chain(table, name))
		return;
	chain = new_chain(table, name);
	if (chain)
		nftplan_take_chain(table, chain);
}

static void put_comment(struct nftnl_rule *rule, const char *comment)
{
	uint8_t bytes[2 + 128];
	size_t length = strnlen(comment, sizeof(bytes) - 3) + 1;

	bytes[0] = NFTNL_UDATA_RULE_COMMENT;
	bytes[1] = (uint8_t)length;
	memcpy(bytes + 2, comment, length - 1);
	bytes[2 + length - 1] = '\0';
	nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, bytes,
			    (uint32_t)(2 + length));
}

struct nftexpr_rule nftplan_rule(struct nftplan_table *table, const char *chain,
				 const char *comment)
{
	struct nftnl_chain *home = nftplan_find_chain(table, chain);
	struct nftexpr_rule rule = { home ? nftnl_rule_alloc() : NULL,
				     &table->plan->broken, table->view };

	/* Then expressions go nowhere. */
	if (!rule.rule) {
		table->plan->broken = true;
		return rule;
	}
	nftnl_rule_set_u32(rule.rule, NFTNL_RULE_FAMILY, table->family);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_TABLE, NFTPLAN_NAME);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_CHAIN, chain);
	if (comment)
		put_comment(rule.rule, comment);
	nftnl_chain_rule_add_tail(rule.rule, home);
	return rule;
}

bool nftplan_comment(const struct nftnl_rule *rule, char *ret_comment,
		     size_t size)
{
	const uint8_t *bytes;
	uint32_t length = 0;

	if (!nftnl_rule_is_set(rule, NFTNL_RULE_USERDATA))
		return false;
	bytes = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);
	if (length < 3 || bytes[0] != NFTNL_UDATA_RULE_COMMENT ||
	    bytes[1] > length - 2 || bytes[1 + bytes[1]] != '\0')
		return false;
	snprintf(ret_comment, size, "%s", (const char *)bytes + 2);
	return true;
}

void nftplan_counter(struct nftplan_table *table, const char *name)
{
	char(*place)[NFTPLAN_COUNTER];

	if (nftplan_has_counter(table, name))
		return;
	place = grow(table, (void **)&table->counters, &table->counters_count,
		     sizeof(*place));
	if (place)
		snprintf(*place, sizeof(*place), "%s", name);
}

/* Who asks does so in order, mostly: rule by rule of a chain, and one chain or
 * set after the other.  So the search begins where the last one ended. */
struct nftnl_chain *nftplan_find_chain(const struct nftplan_table *table,
				       const char *name)
{
	size_t *last = &table->plan->last_chain;

	for (size_t n = table->chains_count; n > 0; n--, ++*last) {
		const char *other;

		if (*last >= table->chains_count)
			*last = 0;
		other = nftnl_chain_get_str(table->chains[*last],
					    NFTNL_CHAIN_NAME);
		if (other && strcmp(other, name) == 0)
			return table->chains[*last];
	}
	return NULL;
}

struct nftnl_set *nftplan_find_set(const struct nftplan_table *table,
				   const char *name)
{
	size_t *last = &table->plan->last_set;

	for (size_t n = table->sets_count; n > 0; n--, ++*last) {
		const char *other;

		if (*last >= table->sets_count)
			*last = 0;
		other = nftnl_set_get_str(table->sets[*last], NFTNL_SET_NAME);
		if (other && strcmp(other, name) == 0)
			return table->sets[*last];
	}
	return NULL;
}

bool nftplan_has_counter(const struct nftplan_table *table, const char *name)
{
	size_t *last = &table->plan->last_counter;

	for (size_t n = table->counters_count; n > 0; n--, ++*last) {
		if (*last >= table->counters_count)
			*last = 0;
		if (strcmp(table->counters[*last], name) == 0)
			return true;
	}
	return false;
}

void nftplan_each_rule(const struct nftplan_table *table, const char *chain,
		       int (*each)(struct nftnl_rule *rule, void *data),
		       void *data)
{
	struct nftnl_chain *found = nftplan_find_chain(table, chain);

	if (found)
		nftnl_rule_foreach(found, each, data);
}
