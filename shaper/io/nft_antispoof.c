/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Nobody sends as somebody else.  A listed interface passes its own sources
 * only, a bound MAC its own addresses only, a bound address comes from its own
 * MAC only, and a port with an owner has frames of no other MAC; what comes in
 * elsewhere is not from inside.  Runs before anything else, so that a forged
 * packet leaves no trace but its counters.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_bindings.h"
#include "shaper/io/nft_claims.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

enum { PORT_BYTES = 16 };

static void source_sets(const struct nftclaims_port *port, bool with_ipv6)
{
	nftranges_set(port->table,
		      nftclaims_name("sources4", port->interface).text,
		      port->sources, true);
	if (with_ipv6)
		nftranges_set(port->table,
			      nftclaims_name("sources6", port->interface).text,
			      port->sources, false);
}

/* Ports, that is interfaces which only bindings name, share everything: what
 * belongs to one of them are elements.  No interface has such a name. */
static const char PORTS[] = "/ports";
static const char FORGED_BY_PORT[] = "forged_by_port";

static void watch(struct nftclaims_port *port)
{
	struct nftplan_table *table = port->table;
	bool arp_only = table->family == NFPROTO_ARP;

	nftbindings_sets(port->bindings, table);
	source_sets(port, !arp_only);
	if (table->family != NFPROTO_INET)
		nftclaims_arp(port);
	if (arp_only)
		return;
	nftclaims_ipv4(port);
	nftclaims_ipv6(port);
	if (table->family == NFPROTO_BRIDGE)
		nftclaims_wrapped(port);
}

static void listed_interface(struct nftplan_table *table,
			     const struct policy *policy, const char *interface,
			     const struct policy_prefixes *sources)
{
	struct nftclaims_name counter = nftclaims_name("forged", interface);
	struct nftbindings bindings;
	struct nftclaims_port port = { .table = table,
				       .bindings = &bindings,
				       .interface = interface,
				       .sources = sources,
				       .counter = counter.text };

	nftbindings_at_interface(&bindings, policy, interface);
	nftplan_counter(table, port.counter);
	watch(&port);
}

/* The guarded addresses are the permitted sources. */
static void ports(struct nftplan_table *table, const struct policy *policy)
{
	struct nftbindings bindings;
	struct nftclaims_port port = { .table = table,
				       .bindings = &bindings,
				       .interface = PORTS,
				       .sources = &policy->inside };

	nftbindings_at_ports(&bindings, policy);
	watch(&port);
}

/* Interfaces under watch, by name; the chains of each are named for `chains`.
 */
struct watched {
	const char *interface, *chains;
};

struct watched_list {
	struct watched *list;
	size_t listed, count; /* those behind the listed ones are ports */
};

static int by_name(const void *a, const void *b)
{
	const struct watched *of_a = a, *of_b = b;

	return strcmp(of_a->interface, of_b->interface);
}

/* list->list has room for every source and binding. */
static void find_watched(const struct policy *policy, struct watched_list *list)
{
	struct watched *found;
	size_t kept, i;

	for (i = 0; i < policy->sources_count; i++) {
		const char *interface = policy->sources[i].interface;

		list->list[list->count++] =
			(struct watched){ interface, interface };
	}
	list->listed = list->count;
	for (i = 0; i < policy->bindings_count; i++)
		if (nftbindings_is_of_port(policy, &policy->bindings[i]))
			list->list[list->count++] =
				(struct watched){ policy->bindings[i].interface,
						  PORTS };
	if (list->count == list->listed)
		return;
	found = list->list + list->listed;
	qsort(found, list->count - list->listed, sizeof(*found), by_name);
	for (kept = 0, i = 1; i < list->count - list->listed; i++)
		if (by_name(&found[kept], &found[i]) != 0)
			found[++kept] = found[i];
	list->count = list->listed + kept + 1;
}

void nftantispoof_port_counters(struct nftplan_table *table,
				const struct policy *policy)
{
	if (!nftplan_find_set(table, FORGED_BY_PORT))
		return;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		if (nftbindings_is_of_port(policy, binding))
			nftplan_counter(table,
					nftclaims_name("forged",
						       binding->interface)
						.text);
	}
}

/* Each port has a counter of what is forged there. */
static void count_by_port(struct nftplan_table *table,
			  const struct watched_list *list)
{
	struct nftnl_set *map =
		nftplan_set(table, &(struct nftplan_set){
					   .name = FORGED_BY_PORT,
					   .kind = NFTPLAN_COUNTERS,
					   .fields = { NFTPLAN_INTERFACE } });

	for (size_t i = list->listed; i < list->count; i++) {
		struct nftclaims_name counter =
			nftclaims_name("forged", list->list[i].interface);
		char key[PORT_BYTES] = { 0 };

		memcpy(key, list->list[i].interface,
		       strnlen(list->list[i].interface, sizeof(key) - 1));
		nftplan_element(table, map, key, NULL, sizeof(key),
				counter.text);
	}
}

static void exempt_interfaces(struct nftplan_table *table, const char *chain)
{
	static const char VRF[16] = "vrf";
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftexpr_is_interface(rule, true, "lo");
	nftexpr_return(rule);
	if (table->family != NFPROTO_INET)
		return;
	/* Comes by a second time, after its own interface was asked. */
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_meta(rule, NFT_META_IIFKIND, 0);
	nftexpr_equal(rule, 0, VRF, sizeof(VRF));
	nftexpr_return(rule);
}

/* What comes in, and the chain of its interface that asks who sends it. */
static const struct entry {
	uint16_t ethertype;
	const char *chain;
	const char *map;
	bool inet, bridge, arp; /* the tables where it occurs */
} ENTRIES[] = {
	{ 0x0800, "from4", "listed4", true, true, false },
	{ 0x86dd, "from6", "listed6", true, true, false },
	{ 0x0806, "arp", "listed_arp", false, true, true },
	/* One tag is set aside by the kernel; these have two. */
	{ 0x8100, "tagged", "listed_tagged", false, true, false },
	{ 0x88a8, "tagged", "listed_tagged", false, true, false },
	{ 0x8864, "pppoe", "listed_pppoe", false, true, false },
};

static bool occurs(const struct entry *entry, const struct nftplan_table *table)
{
	if (table->family == NFPROTO_BRIDGE)
		return entry->bridge;
	return table->family == NFPROTO_ARP ? entry->arp : entry->inet;
}

static void listed_map(struct nftplan_table *table, const struct entry *entry,
		       const struct watched *list, size_t count)
{
	struct nftnl_set *map;
	char padded[16];
	size_t i;

	if (nftplan_find_set(table, entry->map))
		return;
	map = nftplan_set(table, &(struct nftplan_set){
					 .name = entry->map,
					 .kind = NFTPLAN_VERDICTS,
					 .fields = { NFTPLAN_INTERFACE } });
	for (i = 0; i < count; i++) {
		memset(padded, 0, sizeof(padded));
		memcpy(padded, list[i].interface,
		       strnlen(list[i].interface, sizeof(padded) - 1));
		nftplan_element(
			table, map, padded, NULL, sizeof(padded),
			nftclaims_name(entry->chain, list[i].chains).text);
	}
}

/* count 0: every interface is the one named "any". */
static void dispatch(struct nftplan_table *table, const char *chain,
		     const struct watched *list, size_t count)
{
	const struct entry *entry;
	struct nftexpr_rule rule;
	size_t i;

	for (i = 0; i < sizeof(ENTRIES) / sizeof(*ENTRIES); i++) {
		entry = &ENTRIES[i];
		if (!occurs(entry, table))
			continue;
		if (count)
			listed_map(table, entry, list, count);
		rule = nftplan_rule(table, chain, NULL);
		nftclaims_is_kind(rule, entry->ethertype);
		if (count) {
			nftexpr_meta(rule, NFT_META_IIFNAME, 0);
			nftexpr_verdict_of(rule, 0, entry->map);
		} else {
			nftexpr_goto(rule,
				     nftclaims_name(entry->chain, "any").text);
		}
	}
}

/* No interface is listed or named: bound hosts are held to their bindings,
 * wherever they come in. */
static void bindings_only(struct nftplan_table *table,
			  const struct policy *policy, const char *chain)
{
	static struct policy_prefix everything[] = {
		{ .addr = { [10] = 0xff, [11] = 0xff }, .length = 96 },
		{ .length = 0 },
	};
	const struct policy_prefixes sources = { everything, 2 };

	listed_interface(table, policy, "any", &sources);
	exempt_interfaces(table, chain);
	dispatch(table, chain, NULL, 0);
}

static void elsewhere(struct nftplan_table *table, const struct policy *policy,
		      const char *chain)
{
	nftplan_counter(table, "forged_elsewhere");
	if (policy->sources_count == 0)
		return;
	exempt_interfaces(table, chain);
	if (table->family != NFPROTO_ARP) {
		nftclaims_elsewhere(table, policy, chain, NFTCLAIMS_SOURCE4);
		nftclaims_elsewhere(table, policy, chain, NFTCLAIMS_SOURCE6);
	}
	if (table->family != NFPROTO_INET)
		nftclaims_elsewhere(table, policy, chain, NFTCLAIMS_ARP);
}

void nftantispoof_compile(struct nftplan_table *table,
			  const struct policy *policy, const char *chain)
{
	struct watched_list list = { 0 };
	size_t i;

	list.list = calloc(policy->sources_count + policy->bindings_count + 1,
			   sizeof(*list.list));
	if (!list.list) {
		nftplan_break(table->plan);
		return;
	}
	nftowners_compile(table, policy, chain);
	find_watched(policy, &list);
	if (list.count > list.listed)
		count_by_port(table, &list);
	nftclaims_forged(table,
			 list.count > list.listed ? FORGED_BY_PORT : NULL);
	for (i = 0; i < list.listed; i++)
		listed_interface(table, policy, list.list[i].interface,
				 &policy->sources[i].sources);
	if (list.count > list.listed)
		ports(table, policy);
	if (list.count)
		dispatch(table, chain, list.list, list.count);
	else
		bindings_only(table, policy, chain);
	elsewhere(table, policy, chain);
	free(list.list);
}

bool nftantispoof_is_wanted(const struct policy *policy)
{
	return policy->sources_count || policy->bindings_count ||
	       policy->owners_count;
}
