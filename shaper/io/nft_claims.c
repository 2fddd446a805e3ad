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
	nftexpr_count(rule, port->counter);
	nftexpr_goto(rule, nftclaims_name("forged", claim->name).text);
}

/* The last to have claimed what they are not: interface, MAC and address. */
static void forged_chain(struct nftplan_table *table, const struct claim *claim)
{
	static const uint8_t NO_MAC[8];
	struct nftclaims_name chain = nftclaims_name("forged", claim->name);
	struct nftcompile_name set = nftcompile_name("offenders", claim->ipv4);
	struct nftexpr_rule rule;
	int has_mac;

	nftplan_chain(table, chain.text);
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

/* (MAC, address) into registers 0 and 2. */
static void load_pair(struct nftexpr_rule rule, struct nftexpr_field mac,
		      const struct claim *claim)
{
	nftexpr_load(rule, mac, 0);
	nftexpr_load(rule, claim->address, 2);
}

/* Returns from `chain` what may be claimed, rejects the rest. */
static void may_claim(const struct nftclaims_port *port, const char *chain,
		      const struct claim *claim)
{
	const struct nftbindings *bindings = port->bindings;
	struct nftclaims_name sources = nftclaims_name(
		claim->ipv4 ? "sources4" : "sources6", port->interface);
	struct nftexpr_rule rule;

	if (nftbindings_has(bindings, claim->ipv4)) {
		rule = rule_in(port, chain);
		load_pair(rule, NFTFIELDS_SOURCE_MAC, claim);
		nftexpr_in_set(rule, 0,
			       nftbindings_pairs(bindings, claim->ipv4).text);
		nftexpr_return(rule);
		rule = rule_in(port, chain);
		nftexpr_load(rule, claim->address, 0);
		nftexpr_in_set(
			rule, 0,
			nftbindings_addresses(bindings, claim->ipv4).text);
		reject(port, rule, claim);
	}
	if (nftbindings_has_any(bindings)) {
		rule = rule_in(port, chain);
		nftexpr_load(rule, NFTFIELDS_SOURCE_MAC, 0);
		nftexpr_in_set(rule, 0, nftbindings_macs(bindings).text);
		reject(port, rule, claim);
	}
	rule = rule_in(port, chain);
	nftranges_condition(rule, claim->address, sources.text, port->sources,
			    claim->ipv4, true);
	nftexpr_return(rule);
	reject(port, rule_in(port, chain), claim);
}

/* A bound address must not be told with another MAC inside the packet. */
static void told_mac(const struct nftclaims_port *port,
		     struct nftexpr_rule rule, struct nftexpr_field mac,
		     const struct claim *claim)
{
	const struct nftbindings *bindings = port->bindings;

	nftexpr_load(rule, claim->address, 0);
	nftexpr_in_set(rule, 0,
		       nftbindings_addresses(bindings, claim->ipv4).text);
	load_pair(rule, mac, claim);
	nftexpr_not_in_set(rule, 0,
			   nftbindings_pairs(bindings, claim->ipv4).text);
	reject(port, rule, claim);
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
static void told_neighbour(const struct nftclaims_port *port, const char *chain,
			   uint8_t type, const uint8_t option[2],
			   const struct claim *claim)
{
	struct nftexpr_rule rule;

	if (!nftbindings_has(port->bindings, false))
		return;
	rule = rule_in(port, chain);
	is_icmp6(rule, type);
	nftexpr_load(rule, NFTFIELDS_ND_OPTION, 0);
	nftexpr_equal(rule, 0, option, 2);
	told_mac(port, rule, NFTFIELDS_ND_OPTION_MAC, claim);
}

void nftclaims_ipv6(const struct nftclaims_port *port)
{
	/* Membership reports and router solicitation, RFC 2710, 3810, 4861 */
	static const uint8_t FROM_NOBODY[] = { 131, 132, 133, 143 };
	static const uint8_t SOURCE_OPTION[2] = { 1, 1 };
	static const uint8_t TARGET_OPTION[2] = { 2, 1 };
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

	told_neighbour(port, chain.text, NEIGHBOUR_SOLICITATION, SOURCE_OPTION,
		       &CLAIMS[NFTCLAIMS_SOURCE6]);
	told_neighbour(port, chain.text, NEIGHBOUR_ADVERTISEMENT, TARGET_OPTION,
		       &CLAIMS[NFTCLAIMS_TARGET6]);
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
	if (nftbindings_has(port->bindings, true))
		told_mac(port, rule_in(port, chain.text),
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

void nftclaims_forged(struct nftplan_table *table)
{
	unsigned int claim;

	nftplan_counter(table, "offenders_overflow");
	offender_set(table, true);
	if (table->family != NFPROTO_ARP)
		offender_set(table, false);
	for (claim = 0; claim < NFTCLAIMS_COUNT; claim++)
		if (occurs(table, claim))
			forged_chain(table, &CLAIMS[claim]);
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
