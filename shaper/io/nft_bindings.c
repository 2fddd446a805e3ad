/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

enum { MAC_BYTES = 8, KEY_BYTES = MAC_BYTES + 16 };

static bool applies(const struct nftbindings *bindings,
		    const struct policy_binding *binding)
{
	return bindings->shared || binding->interface[0] == '\0' ||
	       strcmp(binding->interface, bindings->interface) == 0;
}

static void note_families(struct nftbindings *bindings)
{
	const struct policy *policy = bindings->policy;
	size_t i;

	for (i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (!applies(bindings, binding))
			continue;
		bindings->ipv4 |=
			nftranges_has_family(&binding->addresses, true);
		bindings->ipv6 |=
			nftranges_has_family(&binding->addresses, false);
	}
}

void nftbindings_init(struct nftbindings *bindings, const struct policy *policy,
		      const char *interface)
{
	size_t i;

	*bindings = (struct nftbindings){ .policy = policy,
					  .interface = interface,
					  .shared = true };
	for (i = 0; i < policy->bindings_count; i++)
		if (policy->bindings[i].interface[0])
			bindings->shared = false;
	note_families(bindings);
}

void nftbindings_init_all(struct nftbindings *bindings,
			  const struct policy *policy)
{
	*bindings = (struct nftbindings){ .policy = policy, .shared = true };
	note_families(bindings);
}

bool nftbindings_has(const struct nftbindings *bindings, bool ipv4)
{
	return ipv4 ? bindings->ipv4 : bindings->ipv6;
}

bool nftbindings_has_any(const struct nftbindings *bindings)
{
	return bindings->ipv4 || bindings->ipv6;
}

static struct nftbindings_name name_of(const struct nftbindings *bindings,
				       const char *what)
{
	struct nftbindings_name name;

	snprintf(name.text, sizeof(name.text), "%s%s%s", what,
		 bindings->shared ? "" : "_",
		 bindings->shared ? "" : bindings->interface);
	return name;
}

struct nftbindings_name nftbindings_pairs(const struct nftbindings *bindings,
					  bool ipv4)
{
	return name_of(bindings, ipv4 ? "bindings4" : "bindings6");
}

struct nftbindings_name
nftbindings_addresses(const struct nftbindings *bindings, bool ipv4)
{
	return name_of(bindings, ipv4 ? "bound4" : "bound6");
}

struct nftbindings_name nftbindings_macs(const struct nftbindings *bindings)
{
	return name_of(bindings, "bound_macs");
}

/* A MAC and a range of its addresses. */
struct pair {
	uint8_t mac[MAC_BYTES];
	struct nftranges_range range;
};

struct pairs {
	struct pair *list;
	size_t count, size;
	bool singles; /* no range is longer than one address */
};

static bool add_pair(struct pairs *pairs, const uint8_t mac[6],
		     const struct nftranges_range *range)
{
	size_t size = pairs->size ? 2 * pairs->size : 64;
	struct pair *list;

	if (pairs->count == pairs->size) {
		list = realloc(pairs->list, size * sizeof(*list));
		if (!list)
			return false;
		pairs->list = list;
		pairs->size = size;
	}
	list = &pairs->list[pairs->count++];
	memset(list, 0, sizeof(*list));
	memcpy(list->mac, mac, 6);
	list->range = *range;
	if (memcmp(range->first, range->last, sizeof(range->first)) != 0)
		pairs->singles = false;
	return true;
}

static int compare_pairs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pair));
}

/* Ranges of one MAC that overlap become one. */
static void merge_pairs(struct pairs *pairs)
{
	struct pair *last;
	size_t kept = 0;
	size_t i;

	if (pairs->count == 0)
		return;
	qsort(pairs->list, pairs->count, sizeof(*pairs->list), compare_pairs);
	for (i = 1; i < pairs->count; i++) {
		struct pair *next = &pairs->list[i];

		last = &pairs->list[kept];
		if (memcmp(last->mac, next->mac, MAC_BYTES) != 0 ||
		    memcmp(next->range.first, last->range.last, 16) > 0) {
			pairs->list[++kept] = *next;
			continue;
		}
		if (memcmp(next->range.last, last->range.last, 16) > 0)
			memcpy(last->range.last, next->range.last, 16);
	}
	pairs->count = kept + 1;
}

static bool collect(const struct nftbindings *bindings, bool ipv4,
		    struct pairs *pairs)
{
	const struct policy *policy = bindings->policy;
	struct nftranges ranges = { .ipv4 = ipv4 };
	bool good = true;
	size_t i, j;

	pairs->singles = true;
	for (i = 0; good && i < policy->bindings_count; i++) {
		if (!applies(bindings, &policy->bindings[i]))
			continue;
		ranges.count = 0;
		nftranges_add(&ranges, &policy->bindings[i].addresses);
		for (j = 0; good && j < ranges.count; j++)
			good = add_pair(pairs, policy->bindings[i].mac,
					&ranges.list[j]);
	}
	good &= !ranges.failed;
	nftranges_fini(&ranges);
	merge_pairs(pairs);
	return good;
}

static void pair_set(const struct nftbindings *bindings,
		     struct nftplan_table *table, bool ipv4,
		     const struct pairs *pairs)
{
	uint32_t bytes = nftranges_bytes(ipv4);
	uint32_t offset = nftranges_offset(ipv4);
	uint8_t first[KEY_BYTES], last[KEY_BYTES];
	struct nftbindings_name name = nftbindings_pairs(bindings, ipv4);
	struct nftnl_set *set = nftplan_set(
		table,
		&(struct nftplan_set){
			.name = name.text,
			.kind = pairs->singles ? NFTPLAN_FIXED : NFTPLAN_RANGES,
			.fields = { NFTPLAN_MAC,
				    ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6 } });
	size_t i;

	for (i = 0; i < pairs->count; i++) {
		memcpy(first, pairs->list[i].mac, MAC_BYTES);
		memcpy(last, pairs->list[i].mac, MAC_BYTES);
		memcpy(first + MAC_BYTES, pairs->list[i].range.first + offset,
		       bytes);
		memcpy(last + MAC_BYTES, pairs->list[i].range.last + offset,
		       bytes);
		nftplan_element(table, set, first, pairs->singles ? NULL : last,
				MAC_BYTES + bytes, NULL);
	}
}

void nftbindings_address_set(const struct nftbindings *bindings,
			     struct nftplan_table *table, const char *name,
			     bool ipv4)
{
	struct policy_prefixes all = { 0 };
	const struct policy *policy = bindings->policy;
	size_t count = 0;
	size_t i;

	for (i = 0; i < policy->bindings_count; i++)
		if (applies(bindings, &policy->bindings[i]))
			count += policy->bindings[i].addresses.count;
	all.list = calloc(count ? count : 1, sizeof(*all.list));
	if (!all.list) {
		nftplan_break(table->plan);
		return;
	}
	for (i = 0; i < policy->bindings_count; i++) {
		const struct policy_prefixes *some =
			&policy->bindings[i].addresses;

		if (!applies(bindings, &policy->bindings[i]))
			continue;
		memcpy(all.list + all.count, some->list,
		       some->count * sizeof(*some->list));
		all.count += some->count;
	}
	nftranges_set(table, name, &all, ipv4);
	free(all.list);
}

static int compare_macs(const void *a, const void *b)
{
	return memcmp(a, b, 6);
}

static void mac_set(const struct nftbindings *bindings,
		    struct nftplan_table *table)
{
	const struct policy *policy = bindings->policy;
	uint8_t(*macs)[6] = calloc(policy->bindings_count, sizeof(*macs));
	struct nftbindings_name name = nftbindings_macs(bindings);
	struct nftnl_set *set = nftplan_set(
		table, &(struct nftplan_set){ .name = name.text,
					      .kind = NFTPLAN_FIXED,
					      .fields = { NFTPLAN_MAC } });
	size_t count = 0;
	size_t i;

	if (!macs) {
		nftplan_break(table->plan);
		return;
	}
	for (i = 0; i < policy->bindings_count; i++)
		if (applies(bindings, &policy->bindings[i]))
			memcpy(macs[count++], policy->bindings[i].mac, 6);
	qsort(macs, count, sizeof(*macs), compare_macs);
	for (i = 0; i < count; i++)
		if (i == 0 || memcmp(macs[i], macs[i - 1], 6) != 0)
			nftplan_element(table, set, macs[i], NULL, 6, NULL);
	free(macs);
}

void nftbindings_sets(const struct nftbindings *bindings,
		      struct nftplan_table *table)
{
	struct pairs pairs = { 0 };
	int ipv4;

	if (!nftbindings_has_any(bindings) ||
	    nftplan_find_set(table, nftbindings_macs(bindings).text))
		return;
	mac_set(bindings, table);
	for (ipv4 = 0; ipv4 <= 1; ipv4++) {
		if (!nftbindings_has(bindings, ipv4))
			continue;
		pairs.count = 0;
		if (!collect(bindings, ipv4, &pairs))
			nftplan_break(table->plan);
		pair_set(bindings, table, ipv4, &pairs);
		nftbindings_address_set(
			bindings, table,
			nftbindings_addresses(bindings, ipv4).text, ipv4);
	}
	free(pairs.list);
}
