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

enum { PORT_BYTES = 16, MAC_BYTES = 8 };

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
	bool arp_only = table->family == NFPROTO_ARP;

	nftbindings_init(&bindings, policy, interface);
	nftbindings_sets(&bindings, table);
	nftplan_counter(table, port.counter);
	source_sets(&port, !arp_only);
	if (table->family != NFPROTO_INET)
		nftclaims_arp(&port);
	if (arp_only)
		return;
	nftclaims_ipv4(&port);
	nftclaims_ipv6(&port);
	if (table->family == NFPROTO_BRIDGE)
		nftclaims_wrapped(&port);
}

/*
 * Interfaces under watch: the listed ones, and those that only bindings name,
 * where the guarded addresses are the permitted sources.
 */
struct watched {
	const char *interface;
	const struct policy_prefixes *sources;
};

static bool is_watched(const struct watched *list, size_t count,
		       const char *interface)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(list[i].interface, interface) == 0)
			return true;
	return false;
}

/* `ret_list` has room for every source and binding. */
static size_t find_watched(const struct policy *policy,
			   struct watched *ret_list)
{
	size_t count = 0;
	size_t i;

	for (i = 0; i < policy->sources_count; i++)
		ret_list[count++] =
			(struct watched){ policy->sources[i].interface,
					  &policy->sources[i].sources };
	for (i = 0; i < policy->bindings_count; i++) {
		const char *interface = policy->bindings[i].interface;

		if (interface[0] && !is_watched(ret_list, count, interface))
			ret_list[count++] =
				(struct watched){ interface, &policy->inside };
	}
	return count;
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
			nftclaims_name(entry->chain, list[i].interface).text);
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

/* A port of one owner: whatever a frame carries, its MAC is the owner's. */
static void owned_ports(struct nftplan_table *table,
			const struct policy *policy, const char *chain)
{
	struct nftnl_set *ports, *owners;
	struct nftexpr_rule rule;
	size_t i;

	if (policy->owners_count == 0)
		return;
	ports = nftplan_set(table, &(struct nftplan_set){
					   .name = "owned",
					   .kind = NFTPLAN_FIXED,
					   .fields = { NFTPLAN_INTERFACE } });
	owners = nftplan_set(
		table, &(struct nftplan_set){
			       .name = "owners",
			       .kind = NFTPLAN_FIXED,
			       .fields = { NFTPLAN_INTERFACE, NFTPLAN_MAC } });
	for (i = 0; i < policy->owners_count; i++) {
		const struct policy_owner *owner = &policy->owners[i];
		char key[PORT_BYTES + MAC_BYTES] = { 0 };

		memcpy(key, owner->interface,
		       strnlen(owner->interface, PORT_BYTES - 1));
		nftplan_element(table, ports, key, NULL, PORT_BYTES, NULL);
		memcpy(key + PORT_BYTES, owner->mac, sizeof(owner->mac));
		nftplan_element(table, owners, key, NULL, sizeof(key), NULL);
	}
	nftplan_counter(table, "forged_mac");
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_meta(rule, NFT_META_IIFNAME, 0);
	nftexpr_in_set(rule, 0, "owned");
	nftexpr_load(rule, NFTFIELDS_SOURCE_MAC, 4);
	nftexpr_not_in_set(rule, 0, "owners");
	nftexpr_count(rule, "forged_mac");
	nftexpr_drop(rule);
}

void nftantispoof_compile(struct nftplan_table *table,
			  const struct policy *policy, const char *chain)
{
	struct watched *list =
		calloc(policy->sources_count + policy->bindings_count + 1,
		       sizeof(*list));
	size_t count, i;

	if (!list) {
		nftplan_break(table->plan);
		return;
	}
	owned_ports(table, policy, chain);
	nftclaims_forged(table);
	count = find_watched(policy, list);
	for (i = 0; i < count; i++)
		listed_interface(table, policy, list[i].interface,
				 list[i].sources);
	if (count)
		dispatch(table, chain, list, count);
	else
		bindings_only(table, policy, chain);
	elsewhere(table, policy, chain);
	free(list);
}

bool nftantispoof_is_wanted(const struct policy *policy)
{
	return policy->sources_count || policy->bindings_count ||
	       policy->owners_count;
}
