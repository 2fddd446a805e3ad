/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_claims.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_bindings.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

enum {
	OFFENDERS_MAX = 1024,
	OFFENDER_TIMEOUT_MS = 3600 * 1000,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
};

struct claim {
	const char *name;
	bool ipv4;
	struct nftexpr_field address;
};

static const struct claim CLAIMS[] = {
	[NFTCLAIMS_SOURCE4] = { "source4", true, { NFTEXPR_NETWORK, 12, 4 } },
	[NFTCLAIMS_SOURCE6] = { "source6", false, { NFTEXPR_NETWORK, 8, 16 } },
	[NFTCLAIMS_TARGET6] = { "target6",
				false,
				{ NFTEXPR_TRANSPORT, 8, 16 } },
	[NFTCLAIMS_ARP] = { "arp", true, { NFTEXPR_NETWORK, 14, 4 } },
	/* Behind 4 bytes of tag, or 8 of PPPoE and PPP. */
	[NFTCLAIMS_TAGGED4] = { "tagged4", true, { NFTEXPR_NETWORK, 16, 4 } },
	[NFTCLAIMS_TAGGED6] = { "tagged6", false, { NFTEXPR_NETWORK, 12, 16 } },
	[NFTCLAIMS_PPPOE4] = { "pppoe4", true, { NFTEXPR_NETWORK, 20, 4 } },
	[NFTCLAIMS_PPPOE6] = { "pppoe6", false, { NFTEXPR_NETWORK, 16, 16 } },
};

struct nftclaims_name nftclaims_name(const char *what, const char *interface)
{
	struct nftclaims_name name;

	snprintf(name.text, sizeof(name.text), "%s_%s", what, interface);
	return name;
}

static struct nftexpr_rule rule_in(const struct nftclaims_port *port,
				   const char *chain)
{
	return nftplan_rule(port->table, chain, NULL);
}

static void reject(const struct nftclaims_port *port, struct nftexpr_rule rule,
		   const struct claim *claim)
{
	if (port->counter)
		nftexpr_count(rule, port->counter);
	nftexpr_goto(rule, nftclaims_name("forged", claim->name).text);
}

/* The last to have claimed what they are not: interface, MAC and address. */
static void forged_chain(struct nftplan_table *table, const struct claim *claim,
			 const char *counters)
{
	static const uint8_t NO_MAC[8];
	struct nftclaims_name chain = nftclaims_name("forged", claim->name);
	struct nftcompile_name set = nftcompile_name("offenders", claim->ipv4);
	struct nftexpr_rule rule;
	int has_mac;

	nftplan_chain(table, chain.text);
	if (counters) {
		rule = nftplan_rule(table, chain.text, NULL);
		nftexpr_meta(rule, NFT_META_IIFNAME, 0);
		nftexpr_count_by(rule, 0, counters);
	}
	for (has_mac = 1; has_mac >= 0; has_mac--) {
		rule = nftplan_rule(table, chain.text, NULL);
		nftexpr_meta(rule, NFT_META_IIFNAME, 0);
		if (has_mac)
			nftexpr_load(rule, NFTFIELDS_SOURCE_MAC, 4);
		else
			nftexpr_value(rule, NO_MAC, sizeof(NO_MAC), 4);
		nftexpr_load(rule, claim->address, 6);
		nftexpr_remember(rule, 0, set.text, NFTEXPR_COUNT);
		nftexpr_drop(rule);
	}
	rule = nftplan_rule(table, chain.text, NULL);
	nftexpr_count(rule, "offenders_overflow");
	nftexpr_drop(rule);
}

static void offender_set(struct nftplan_table *table, bool ipv4)
{
	struct nftcompile_name name = nftcompile_name("offenders", ipv4);

	nftplan_set(table,
		    &(struct nftplan_set){
			    .name = name.text,
			    .kind = NFTPLAN_LEARNT,
			    .fields = { NFTPLAN_INTERFACE, NFTPLAN_MAC,
					ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6 },
			    .size_max = OFFENDERS_MAX,
			    .timeout_ms = OFFENDER_TIMEOUT_MS });
}

/* The key of a set of bindings into register 0 and those behind it: the
 * interface where it is asked by that, a MAC, an address; NULL: left out. */
static void load_key(struct nftexpr_rule rule,
		     const struct nftbindings_set *set,
		     const struct nftexpr_field *mac,
		     const struct nftexpr_field *address)
{
	unsigned int reg = 0;

	if (set->by_port) {
		nftexpr_meta(rule, NFT_META_IIFNAME, reg);
		reg += 4;
	}
	if (mac) {
		nftexpr_load(rule, *mac, reg);
		reg += 2;
	}
	if (address)
		nftexpr_load(rule, *address, reg);
}

static struct nftexpr_rule found_in(const struct nftclaims_port *port,
				    const char *chain,
				    const struct nftbindings_set *set,
				    const struct nftexpr_field *mac,
				    const struct nftexpr_field *address)
{
	struct nftexpr_rule rule = rule_in(port, chain);

	load_key(rule, set, mac, address);
	nftexpr_in_set(rule, 0, set->name);
	return rule;
}

/* Returns from `chain` what may be claimed, rejects the rest. */
static void may_claim(const struct nftclaims_port *port, const char *chain,
		      const struct claim *claim)
{
	const struct nftbindings *bindings = port->bindings;
	struct nftclaims_name sources = nftclaims_name(
		claim->ipv4 ? "sources4" : "sources6", port->interface);
	struct nftbindings_list list;
	struct nftexpr_rule rule;
	size_t i;

	nftbindings_pairs(bindings, claim->ipv4, &list);
	for (i = 0; i < list.count; i++)
		nftexpr_return(found_in(port, chain, &list.sets[i],
					&NFTFIELDS_SOURCE_MAC,
					&claim->address));
	nftbindings_addresses(bindings, claim->ipv4, &list);
	for (i = 0; i < list.count; i++)
		reject(port,
		       found_in(port, chain, &list.sets[i], NULL,
				&claim->address),
		       claim);
	nftbindings_macs(bindings, &list);
	for (i = 0; i < list.count; i++)
		reject(port,
		       found_in(port, chain, &list.sets[i],
				&NFTFIELDS_SOURCE_MAC, NULL),
		       claim);
	rule = rule_in(port, chain);
	nftranges_condition(rule, claim->address, sources.text, port->sources,
			    claim->ipv4, true);
	nftexpr_return(rule);
	reject(port, rule_in(port, chain), claim);
}

/* A bound address must not be told with another MAC inside the packet: in one
 * that `where` adds the conditions of, if there are any. */
static void told_mac(const struct nftclaims_port *port, const char *chain,
		     void (*where)(struct nftexpr_rule rule, const void *what),
		     const void *what, struct nftexpr_field mac,
		     const struct claim *claim)
{
	struct nftbindings_list addresses, pairs;
	struct nftexpr_rule rule;

	nftbindings_addresses(port->bindings, claim->ipv4, &addresses);
	nftbindings_pairs(port->bindings, claim->ipv4, &pairs);
	for (size_t i = 0; i < addresses.count; i++) {
		rule = rule_in(port, chain);
		if (where)
			where(rule, what);
		load_key(rule, &addresses.sets[i], NULL, &claim->address);
		nftexpr_in_set(rule, 0, addresses.sets[i].name);
		for (size_t j = 0; j < pairs.count; j++) {
			load_key(rule, &pairs.sets[j], &mac, &claim->address);
			nftexpr_not_in_set(rule, 0, pairs.sets[j].name);
		}
		reject(port, rule, claim);
	}
}

void nftclaims_ipv4(const struct nftclaims_port *port)
{
	static const uint8_t NOBODY[4], EVERYBODY[4] = { 255, 255, 255, 255 };
	static const uint8_t CLIENT_TO_SERVER[4] = { 0, 68, 0, 67 };
	struct nftclaims_name chain = nftclaims_name("from4", port->interface);
	struct nftexpr_rule rule;

	nftplan_chain(port->table, chain.text);
	rule = rule_in(port, chain.text); /* DHCP */
	nftexpr_load(rule, nftfields_source(true), 0);
	nftexpr_equal(rule, 0, NOBODY, sizeof(NOBODY));
	nftexpr_load(rule, nftfields_destination(true), 0);
	nftexpr_equal(rule, 0, EVERYBODY, sizeof(EVERYBODY));
	nftexpr_is_protocol(rule, 17);
	nftexpr_load(rule, NFTFIELDS_PORTS, 0);
	nftexpr_equal(rule, 0, CLIENT_TO_SERVER, sizeof(CLIENT_TO_SERVER));
	nftexpr_return(rule);
	may_claim(port, chain.text, &CLAIMS[NFTCLAIMS_SOURCE4]);
}

static void is_link_local(struct nftexpr_rule rule, struct nftexpr_field field)
{
	static const uint8_t MASK[2] = { 0xff, 0xc0 },
			     PREFIX[2] = { 0xfe, 0x80 };

	field.length_bytes = 2;
	nftexpr_load(rule, field, 0);
	nftexpr_mask(rule, 0, MASK, sizeof(MASK));
	nftexpr_equal(rule, 0, PREFIX, sizeof(PREFIX));
}

static void is_icmp6(struct nftexpr_rule rule, uint8_t type)
{
	nftexpr_is_protocol(rule, 58);
	nftexpr_load(rule, NFTFIELDS_ICMP_TYPE, 0);
	nftexpr_equal(rule, 0, &type, sizeof(type));
}

static void is_unspecified(struct nftexpr_rule rule)
{
	static const uint8_t NOBODY[16];

	nftexpr_load(rule, nftfields_source(false), 0);
	nftexpr_equal(rule, 0, NOBODY, sizeof(NOBODY));
}

/* RFC 4861: what neighbour discovery tells of who is where. */
struct neighbour {
	uint8_t type;
	uint8_t option[2];
};

static void tells_neighbour(struct nftexpr_rule rule, const void *what)
{
	const struct neighbour *neighbour = what;

	is_icmp6(rule, neighbour->type);
	nftexpr_load(rule, NFTFIELDS_ND_OPTION, 0);
	nftexpr_equal(rule, 0, neighbour->option, sizeof(neighbour->option));
}

static void told_neighbour(const struct nftclaims_port *port, const char *chain,
			   const struct neighbour *neighbour,
			   const struct claim *claim)
{
	told_mac(port, chain, tells_neighbour, neighbour,
		 NFTFIELDS_ND_OPTION_MAC, claim);
}

void nftclaims_ipv6(const struct nftclaims_port *port)
{
	/* Membership reports and router solicitation, RFC 2710, 3810, 4861 */
	static const uint8_t FROM_NOBODY[] = { 131, 132, 133, 143 };
	static const struct neighbour SOURCE = { NEIGHBOUR_SOLICITATION,
						 { 1, 1 } };
	static const struct neighbour TARGET = { NEIGHBOUR_ADVERTISEMENT,
						 { 2, 1 } };
	struct nftclaims_name chain = nftclaims_name("from6", port->interface);
	struct nftclaims_name target =
		nftclaims_name("target6", port->interface);
	struct nftexpr_rule rule;
	size_t i;

	nftplan_chain(port->table, chain.text);
	nftplan_chain(port->table, target.text);
	rule = rule_in(port, target.text);
	is_link_local(rule, NFTFIELDS_ND_TARGET);
	nftexpr_return(rule);
	may_claim(port, target.text, &CLAIMS[NFTCLAIMS_TARGET6]);

	told_neighbour(port, chain.text, &SOURCE, &CLAIMS[NFTCLAIMS_SOURCE6]);
	told_neighbour(port, chain.text, &TARGET, &CLAIMS[NFTCLAIMS_TARGET6]);
	rule = rule_in(port, chain.text);
	is_icmp6(rule, NEIGHBOUR_ADVERTISEMENT);
	nftexpr_jump(rule, target.text);
	rule = rule_in(port, chain.text); /* is this address free? */
	is_unspecified(rule);
	is_icmp6(rule, NEIGHBOUR_SOLICITATION);
	nftexpr_goto(rule, target.text);
	for (i = 0; i < sizeof(FROM_NOBODY); i++) {
		rule = rule_in(port, chain.text);
		is_unspecified(rule);
		is_icmp6(rule, FROM_NOBODY[i]);
		nftexpr_return(rule);
	}
	rule = rule_in(port, chain.text);
	is_link_local(rule, nftfields_source(false));
	nftexpr_return(rule);
	may_claim(port, chain.text, &CLAIMS[NFTCLAIMS_SOURCE6]);
}

void nftclaims_arp(const struct nftclaims_port *port)
{
	/* Ethernet, IPv4, lengths 6 and 4 */
	static const uint8_t KIND[6] = { 0, 1, 8, 0, 6, 4 }, NOBODY[4];
	struct nftclaims_name chain = nftclaims_name("arp", port->interface);
	struct nftexpr_rule rule;

	nftplan_chain(port->table, chain.text);
	rule = rule_in(port, chain.text);
	nftexpr_load(rule, (struct nftexpr_field){ NFTEXPR_NETWORK, 0, 6 }, 0);
	nftexpr_unequal(rule, 0, KIND, sizeof(KIND));
	reject(port, rule, &CLAIMS[NFTCLAIMS_ARP]);
	rule = rule_in(port, chain.text); /* RFC 5227: a probe */
	nftexpr_load(rule, CLAIMS[NFTCLAIMS_ARP].address, 0);
	nftexpr_equal(rule, 0, NOBODY, sizeof(NOBODY));
	nftexpr_return(rule);
	told_mac(port, chain.text, NULL, NULL,
		 (struct nftexpr_field){ NFTEXPR_NETWORK, 8, 6 },
		 &CLAIMS[NFTCLAIMS_ARP]);
	may_claim(port, chain.text, &CLAIMS[NFTCLAIMS_ARP]);
}

/* The source of what is wrapped, and nothing more. */
static void wrapped_family(const struct nftclaims_port *port, const char *entry,
			   struct nftexpr_field kind_at, const uint8_t kind[2],
			   const struct claim *claim)
{
	static const uint8_t NOBODY[16];
	struct nftclaims_name chain =
		nftclaims_name(claim->name, port->interface);
	struct nftexpr_rule rule;

	nftplan_chain(port->table, chain.text);
	rule = rule_in(port, chain.text);
	nftexpr_load(rule, claim->address, 0);
	nftexpr_equal(rule, 0, NOBODY, claim->address.length_bytes);
	nftexpr_return(rule);
	if (!claim->ipv4) {
		rule = rule_in(port, chain.text);
		is_link_local(rule, claim->address);
		nftexpr_return(rule);
	}
	may_claim(port, chain.text, claim);
	rule = rule_in(port, entry);
	nftexpr_load(rule, kind_at, 0);
	nftexpr_equal(rule, 0, kind, 2);
	nftexpr_goto(rule, chain.text);
}

void nftclaims_wrapped(const struct nftclaims_port *port)
{
	static const struct nftexpr_field TAGGED = { NFTEXPR_NETWORK, 2, 2 };
	static const struct nftexpr_field PPP = { NFTEXPR_NETWORK, 6, 2 };
	struct nftclaims_name tagged =
		nftclaims_name("tagged", port->interface);
	struct nftclaims_name pppoe = nftclaims_name("pppoe", port->interface);

	nftplan_chain(port->table, tagged.text);
	nftplan_chain(port->table, pppoe.text);
	wrapped_family(port, tagged.text, TAGGED, (uint8_t[]){ 8, 0 },
		       &CLAIMS[NFTCLAIMS_TAGGED4]);
	wrapped_family(port, tagged.text, TAGGED, (uint8_t[]){ 0x86, 0xdd },
		       &CLAIMS[NFTCLAIMS_TAGGED6]);
	wrapped_family(port, pppoe.text, PPP, (uint8_t[]){ 0, 0x21 },
		       &CLAIMS[NFTCLAIMS_PPPOE4]);
	wrapped_family(port, pppoe.text, PPP, (uint8_t[]){ 0, 0x57 },
		       &CLAIMS[NFTCLAIMS_PPPOE6]);
}

static bool occurs(const struct nftplan_table *table,
		   enum nftclaims_claim claim)
{
	switch (claim) {
	case NFTCLAIMS_SOURCE4:
	case NFTCLAIMS_SOURCE6:
	case NFTCLAIMS_TARGET6:
		return table->family != NFPROTO_ARP;
	case NFTCLAIMS_ARP:
		return table->family != NFPROTO_INET;
	case NFTCLAIMS_TAGGED4:
	case NFTCLAIMS_TAGGED6:
	case NFTCLAIMS_PPPOE4:
	case NFTCLAIMS_PPPOE6:
		return table->family == NFPROTO_BRIDGE;
	case NFTCLAIMS_COUNT:
		break;
	}
	return false;
}

void nftclaims_forged(struct nftplan_table *table, const char *counters)
{
	unsigned int claim;

	nftplan_counter(table, "offenders_overflow");
	offender_set(table, true);
	if (table->family != NFPROTO_ARP)
		offender_set(table, false);
	for (claim = 0; claim < NFTCLAIMS_COUNT; claim++)
		if (occurs(table, claim))
			forged_chain(table, &CLAIMS[claim], counters);
}

void nftclaims_elsewhere(struct nftplan_table *table,
			 const struct policy *policy, const char *chain,
			 enum nftclaims_claim which)
{
	static const uint16_t ETHERTYPES[] = {
		[NFTCLAIMS_SOURCE4] = 0x0800,
		[NFTCLAIMS_SOURCE6] = 0x86dd,
		[NFTCLAIMS_ARP] = 0x0806,
	};
	const struct claim *claim = &CLAIMS[which];
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftclaims_is_kind(rule, ETHERTYPES[which]);
	nftcompile_is_inside(rule, policy, claim->address, claim->ipv4);
	nftexpr_count(rule, "forged_elsewhere");
	nftexpr_goto(rule, nftclaims_name("forged", claim->name).text);
}

void nftclaims_is_kind(struct nftexpr_rule rule, uint16_t ethertype)
{
	const uint8_t kind[2] = { (uint8_t)(ethertype >> 8),
				  (uint8_t)ethertype };

	nftexpr_meta(rule, NFT_META_PROTOCOL, 0);
	nftexpr_equal(rule, 0, kind, sizeof(kind));
}
