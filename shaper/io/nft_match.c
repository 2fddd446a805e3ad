/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_match.h"

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

enum { NAME_BYTES = 40, ICMP = 1, TCP = 6, ICMPV6 = 58 };

/* Protocols that begin with two ports. */
static const uint8_t WITH_PORTS[] = { 6, 17, 33, 132, 136 };
#define WITH_PORTS_SET "with_ports"

static void name_set(char name[NAME_BYTES], const struct policy_rule *rule,
		     const char *what)
{
	snprintf(name, NAME_BYTES, "rule_%d_%s", (int)rule->priority, what);
}

static void address_sets(struct nftplan_table *table,
			 const struct policy_rule *rule,
			 const struct policy_prefixes *prefixes,
			 const char *ipv4, const char *ipv6)
{
	char name[NAME_BYTES];

	if (nftranges_has_family(prefixes, true)) {
		name_set(name, rule, ipv4);
		nftranges_set(table, name, prefixes, true);
	}
	if (nftranges_has_family(prefixes, false)) {
		name_set(name, rule, ipv6);
		nftranges_set(table, name, prefixes, false);
	}
}

/* Ranges may overlap in the policy, but not in the kernel. */
static void add_ports(struct nftplan_table *table, struct nftnl_set *set,
		      const struct policy_ports *ports)
{
	uint32_t port = 0;
	uint32_t last;
	size_t i;

	while (port <= UINT16_MAX) {
		uint32_t first = UINT32_MAX;

		for (i = 0; i < ports->count; i++)
			if (ports->list[i].last >= port &&
			    ports->list[i].first < first)
				first = ports->list[i].first;
		if (first == UINT32_MAX)
			return;
		if (first < port)
			first = port;
		last = first;
		for (i = 0; i < ports->count; i++)
			if (ports->list[i].first <= last + 1 &&
			    ports->list[i].last > last) {
				last = ports->list[i].last;
				i = (size_t)-1; /* another may join on */
			}
		nftplan_element(
			table, set,
			(uint8_t[]){ (uint8_t)(first >> 8), (uint8_t)first },
			(uint8_t[]){ (uint8_t)(last >> 8), (uint8_t)last }, 2,
			NULL);
		port = last + 1;
	}
}

static void port_set(struct nftplan_table *table,
		     const struct policy_rule *rule,
		     const struct policy_ports *ports, const char *what)
{
	char name[NAME_BYTES];

	if (ports->count == 0)
		return;
	name_set(name, rule, what);
	add_ports(table,
		  nftplan_set(
			  table,
			  &(struct nftplan_set){ .name = name,
						 .kind = NFTPLAN_RANGES,
						 .fields = { NFTPLAN_PORT } }),
		  ports);
}

static bool needs_ports(const struct policy_match *match)
{
	return match->src_port.count || match->dst_port.count;
}

void nftmatch_sets(struct nftplan_table *table, const struct policy_rule *rule)
{
	const struct policy_match *match = &rule->match;
	struct nftnl_set *set;
	size_t i;

	address_sets(table, rule, &match->src, "src4", "src6");
	address_sets(table, rule, &match->dst, "dst4", "dst6");
	port_set(table, rule, &match->src_port, "sport");
	port_set(table, rule, &match->dst_port, "dport");
	if (!needs_ports(match) || match->proto ||
	    nftplan_find_set(table, WITH_PORTS_SET))
		return;
	set = nftplan_set(
		table, &(struct nftplan_set){ .name = WITH_PORTS_SET,
					      .kind = NFTPLAN_FIXED,
					      .fields = { NFTPLAN_PROTOCOL } });
	for (i = 0; i < sizeof(WITH_PORTS); i++)
		nftplan_element(table, set, &WITH_PORTS[i], NULL, 1, NULL);
}

static bool has_address_for(const struct policy_prefixes *prefixes, bool ipv4)
{
	return prefixes->count == 0 || nftranges_has_family(prefixes, ipv4);
}

bool nftmatch_is_possible(const struct policy_rule *rule,
			  struct nftmatch_view view)
{
	const struct policy_match *match = &rule->match;

	if (match->tcp_flags_mask && view.reply)
		return false;
	/* A routed packet's tag was its interface's name. */
	if (match->vlan && view.routed)
		return false;
	return has_address_for(&match->src, view.ipv4) &&
	       has_address_for(&match->dst, view.ipv4);
}

static void protocol(struct nftexpr_rule to, const struct policy_match *match,
		     bool ipv4)
{
	uint8_t number = match->proto;

	if (match->tcp_flags_mask && !number)
		number = TCP;
	if (number == ICMP || number == ICMPV6)
		number = ipv4 ? ICMP : ICMPV6;
	if (number) {
		nftexpr_is_protocol(to, number);
	} else if (needs_ports(match)) {
		nftfields_protocol(to, 0);
		nftexpr_in_set(to, 0, WITH_PORTS_SET);
	}
}

static void address(struct nftexpr_rule to, const struct policy_rule *rule,
		    struct nftmatch_view view, bool inside)
{
	const struct policy_prefixes *prefixes = inside ? &rule->match.src
							: &rule->match.dst;
	char name[NAME_BYTES];

	if (prefixes->count == 0)
		return;
	if (inside)
		name_set(name, rule, view.ipv4 ? "src4" : "src6");
	else
		name_set(name, rule, view.ipv4 ? "dst4" : "dst6");
	nftexpr_load(to,
		     inside != view.reply ? nftfields_source(view.ipv4)
					  : nftfields_destination(view.ipv4),
		     0);
	nftexpr_in_set(to, 0, name);
}

static void port(struct nftexpr_rule to, const struct policy_rule *rule,
		 bool reply, bool inside)
{
	const struct policy_ports *ports = inside ? &rule->match.src_port
						  : &rule->match.dst_port;
	char name[NAME_BYTES];

	if (ports->count == 0)
		return;
	name_set(name, rule, inside ? "sport" : "dport");
	nftexpr_load(to,
		     inside != reply ? NFTFIELDS_SOURCE_PORT
				     : NFTFIELDS_DESTINATION_PORT,
		     0);
	nftexpr_in_set(to, 0, name);
}

/* The kernel shows the outer tag in its place, though it keeps it beside. */
static void vlan(struct nftexpr_rule to, uint16_t number)
{
	static const struct nftexpr_field KIND = { NFTEXPR_LINK, 12, 2 };
	static const struct nftexpr_field TAG = { NFTEXPR_LINK, 14, 2 };
	static const uint8_t DOT1Q[2] = { 0x81, 0 }, ID[2] = { 0x0f, 0xff };
	const uint8_t wanted[2] = { (uint8_t)(number >> 8), (uint8_t)number };

	nftexpr_load(to, KIND, 0);
	nftexpr_equal(to, 0, DOT1Q, sizeof(DOT1Q));
	nftexpr_load(to, TAG, 0);
	nftexpr_mask(to, 0, ID, sizeof(ID));
	nftexpr_equal(to, 0, wanted, sizeof(wanted));
}

void nftmatch_conditions(struct nftexpr_rule to, const struct policy_rule *rule,
			 struct nftmatch_view view)
{
	const struct policy_match *match = &rule->match;

	if (match->interface[0])
		nftexpr_is_interface(to, !view.reply, match->interface);
	if (match->vlan)
		vlan(to, match->vlan);
	protocol(to, match, view.ipv4);
	address(to, rule, view, true);
	address(to, rule, view, false);
	port(to, rule, view.reply, true);
	port(to, rule, view.reply, false);
	if (match->tcp_flags_mask) {
		nftexpr_load(to, NFTFIELDS_TCP_FLAGS, 0);
		nftexpr_mask(to, 0, &match->tcp_flags_mask, 1);
		nftexpr_equal(to, 0, &match->tcp_flags_set, 1);
	}
}
