/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_pairs.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

enum { SINGLE = 128 };

/* What of a binding's addresses is taken. */
enum part { SINGLES, RANGES, BOTH };

bool nftbindings_is_of_port(const struct policy *policy,
			    const struct policy_binding *binding)
{
	if (binding->interface[0] == '\0')
		return false;
	for (size_t i = 0; i < policy->sources_count; i++)
		if (strcmp(policy->sources[i].interface, binding->interface) ==
		    0)
			return false;
	return true;
}

static bool applies(const struct nftbindings *bindings,
		    const struct policy_binding *binding)
{
	if (bindings->where == NFTBINDINGS_ALL || binding->interface[0] == '\0')
		return true;
	return bindings->where == NFTBINDINGS_AT_INTERFACE &&
	       strcmp(binding->interface, bindings->interface) == 0;
}

static struct nftbindings anywhere(const struct nftbindings *bindings)
{
	return (struct nftbindings){ .policy = bindings->policy,
				     .where = NFTBINDINGS_ANYWHERE,
				     .has = { bindings->has[0],
					      bindings->has[1] } };
}

static void note_port(struct nftbindings *bindings,
		      const struct policy_prefixes *addresses)
{
	for (size_t i = 0; i < addresses->count; i++) {
		const struct policy_prefixes one = { &addresses->list[i], 1 };
		bool ipv4 = nftranges_has_family(&one, true);

		if (addresses->list[i].length == SINGLE)
			bindings->port_singles[ipv4] = true;
		else
			bindings->port_ranges[ipv4] = true;
	}
}

static void note_families(struct nftbindings *bindings)
{
	const struct policy *policy = bindings->policy;

	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (applies(bindings, binding))
			for (int ipv4 = 0; ipv4 <= 1; ipv4++)
				bindings->has[ipv4] |= nftranges_has_family(
					&binding->addresses, ipv4);
		else if (bindings->where == NFTBINDINGS_AT_PORTS &&
			 nftbindings_is_of_port(policy, binding))
			note_port(bindings, &binding->addresses);
	}
}

void nftbindings_at_interface(struct nftbindings *ret_bindings,
			      const struct policy *policy,
			      const char *interface)
{
	*ret_bindings = (struct nftbindings){ .policy = policy,
					      .interface = interface };
	for (size_t i = 0; i < policy->bindings_count; i++)
		if (strcmp(policy->bindings[i].interface, interface) == 0)
			ret_bindings->where = NFTBINDINGS_AT_INTERFACE;
	note_families(ret_bindings);
}

void nftbindings_at_ports(struct nftbindings *ret_bindings,
			  const struct policy *policy)
{
	*ret_bindings = (struct nftbindings){ .policy = policy,
					      .where = NFTBINDINGS_AT_PORTS };
	note_families(ret_bindings);
}

void nftbindings_all(struct nftbindings *ret_bindings,
		     const struct policy *policy)
{
	*ret_bindings = (struct nftbindings){ .policy = policy,
					      .where = NFTBINDINGS_ALL };
	note_families(ret_bindings);
}

bool nftbindings_has(const struct nftbindings *bindings, bool ipv4)
{
	return bindings->has[ipv4] || bindings->port_singles[ipv4] ||
	       bindings->port_ranges[ipv4];
}

/* ------ names */

static void one_more(struct nftbindings_list *list, const char *name,
		     bool by_port)
{
	struct nftbindings_set *set = &list->sets[list->count++];

	snprintf(set->name, sizeof(set->name), "%s", name);
	set->by_port = by_port;
}

static void name_own(const struct nftbindings *bindings, const char *what,
		     struct nftbindings_list *list)
{
	char name[sizeof(list->sets[0].name)];

	if (bindings->where == NFTBINDINGS_AT_INTERFACE)
		snprintf(name, sizeof(name), "%.20s_%.15s", what,
			 bindings->interface);
	else
		snprintf(name, sizeof(name), "%s", what);
	one_more(list, name, false);
}

void nftbindings_pairs(const struct nftbindings *bindings, bool ipv4,
		       struct nftbindings_list *ret_list)
{
	ret_list->count = 0;
	if (bindings->port_singles[ipv4])
		one_more(ret_list, ipv4 ? "port_bindings4" : "port_bindings6",
			 true);
	if (bindings->port_ranges[ipv4])
		one_more(ret_list, ipv4 ? "port_ranges4" : "port_ranges6",
			 true);
	if (bindings->has[ipv4])
		name_own(bindings, ipv4 ? "bindings4" : "bindings6", ret_list);
}

void nftbindings_addresses(const struct nftbindings *bindings, bool ipv4,
			   struct nftbindings_list *ret_list)
{
	ret_list->count = 0;
	if (bindings->port_singles[ipv4])
		one_more(ret_list, ipv4 ? "port_bound4" : "port_bound6", true);
	if (bindings->port_ranges[ipv4])
		one_more(ret_list,
			 ipv4 ? "port_bound_ranges4" : "port_bound_ranges6",
			 true);
	if (bindings->has[ipv4])
		name_own(bindings, ipv4 ? "bound4" : "bound6", ret_list);
}

void nftbindings_macs(const struct nftbindings *bindings,
		      struct nftbindings_list *ret_list)
{
	ret_list->count = 0;
	if (bindings->where == NFTBINDINGS_AT_PORTS)
		one_more(ret_list, "port_macs", true);
	if (bindings->has[0] || bindings->has[1])
		name_own(bindings, "bound_macs", ret_list);
}

/* ------ sets */

/* Each of the addresses with its binding's port, if that is asked for, and
 * MAC, if that is. */
static void collect(const struct nftbindings *bindings, bool ipv4,
		    bool of_ports, bool with_mac, enum part part,
		    struct nftpairs *pairs)
{
	const struct policy *policy = bindings->policy;
	struct nftranges ranges = { .ipv4 = ipv4 };
	bool single;

	pairs->count = 0;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (of_ports ? !nftbindings_is_of_port(policy, binding)
			     : !applies(bindings, binding))
			continue;
		ranges.count = 0;
		nftranges_add(&ranges, &binding->addresses);
		for (size_t j = 0; j < ranges.count; j++) {
			single = memcmp(ranges.list[j].first,
					ranges.list[j].last, 16) == 0;
			if (part == BOTH || (part == SINGLES) == single)
				nftpairs_add(
					pairs,
					of_ports ? binding->interface : NULL,
					with_mac ? binding->mac : NULL,
					&ranges.list[j]);
		}
	}
	pairs->failed |= ranges.failed;
	nftranges_fini(&ranges);
	nftpairs_merge(pairs);
}

static void mac_set(const struct nftbindings *bindings,
		    struct nftplan_table *table, const char *name,
		    bool of_ports, struct nftpairs *pairs)
{
	const struct policy *policy = bindings->policy;

	pairs->count = 0;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (of_ports ? nftbindings_is_of_port(policy, binding)
			     : applies(bindings, binding))
			nftpairs_add(pairs,
				     of_ports ? binding->interface : NULL,
				     binding->mac, NULL);
	}
	nftpairs_merge(pairs);
	nftpairs_set(pairs, table, name,
		     &(struct nftpairs_key){ .port = of_ports, .mac = true });
}

static void address_set(const struct nftbindings *bindings,
			struct nftplan_table *table, const char *name,
			bool ipv4)
{
	const struct policy *policy = bindings->policy;
	struct policy_prefixes all = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < policy->bindings_count; i++)
		if (applies(bindings, &policy->bindings[i]))
			count += policy->bindings[i].addresses.count;
	all.list = calloc(count ? count : 1, sizeof(*all.list));
	if (!all.list) {
		nftplan_break(table->plan);
		return;
	}
	for (size_t i = 0; i < policy->bindings_count; i++) {
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

static bool part_set(const struct nftbindings *bindings,
		     struct nftplan_table *table, const char *name, bool ipv4,
		     enum part part)
{
	struct nftpairs pairs = { 0 };
	bool any;

	collect(bindings, ipv4, false, false, part, &pairs);
	any = pairs.count > 0;
	if (any)
		nftpairs_set(&pairs, table, name,
			     &(struct nftpairs_key){ .address = true,
						     .ranges = part == RANGES,
						     .ipv4 = ipv4 });
	nftpairs_fini(&pairs);
	return any;
}

bool nftbindings_single_set(const struct nftbindings *bindings,
			    struct nftplan_table *table, const char *name,
			    bool ipv4)
{
	return part_set(bindings, table, name, ipv4, SINGLES);
}

bool nftbindings_range_set(const struct nftbindings *bindings,
			   struct nftplan_table *table, const char *name,
			   bool ipv4)
{
	return part_set(bindings, table, name, ipv4, RANGES);
}

static void own_sets(const struct nftbindings *bindings,
		     struct nftplan_table *table, struct nftpairs *pairs)
{
	struct nftbindings_list macs, list;

	nftbindings_macs(bindings, &macs);
	if (macs.count == 0 || nftplan_find_set(table, macs.sets[0].name))
		return;
	mac_set(bindings, table, macs.sets[0].name, false, pairs);
	for (int ipv4 = 0; ipv4 <= 1; ipv4++) {
		if (!bindings->has[ipv4])
			continue;
		nftbindings_pairs(bindings, ipv4, &list);
		collect(bindings, ipv4, false, true, BOTH, pairs);
		nftpairs_set(pairs, table, list.sets[0].name,
			     &(struct nftpairs_key){
				     .mac = true,
				     .address = true,
				     .ranges = !nftpairs_are_single(pairs),
				     .ipv4 = ipv4 });
		nftbindings_addresses(bindings, ipv4, &list);
		address_set(bindings, table, list.sets[0].name, ipv4);
	}
}

/* Of one family: addresses, or what is longer, with and without their MACs. */
static void port_sets(const struct nftbindings *bindings,
		      struct nftplan_table *table, bool ipv4, enum part part,
		      size_t at, struct nftpairs *pairs)
{
	struct nftpairs_key key = { .port = true,
				    .mac = true,
				    .address = true,
				    .ranges = part == RANGES,
				    .ipv4 = ipv4 };
	struct nftbindings_list list;

	nftbindings_pairs(bindings, ipv4, &list);
	collect(bindings, ipv4, true, true, part, pairs);
	nftpairs_set(pairs, table, list.sets[at].name, &key);
	nftbindings_addresses(bindings, ipv4, &list);
	key.mac = false;
	collect(bindings, ipv4, true, false, part, pairs);
	nftpairs_set(pairs, table, list.sets[at].name, &key);
}

void nftbindings_sets(const struct nftbindings *bindings,
		      struct nftplan_table *table)
{
	const struct nftbindings of_any = anywhere(bindings);
	struct nftpairs pairs = { 0 };

	if (bindings->where != NFTBINDINGS_AT_PORTS) {
		own_sets(bindings, table, &pairs);
		nftpairs_fini(&pairs);
		return;
	}
	own_sets(&of_any, table, &pairs);
	mac_set(bindings, table, "port_macs", true, &pairs);
	for (int ipv4 = 0; ipv4 <= 1; ipv4++) {
		if (bindings->port_singles[ipv4])
			port_sets(bindings, table, ipv4, SINGLES, 0, &pairs);
		if (bindings->port_ranges[ipv4])
			port_sets(bindings, table, ipv4, RANGES,
				  bindings->port_singles[ipv4], &pairs);
	}
	nftpairs_fini(&pairs);
}
