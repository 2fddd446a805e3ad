/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_CLAIMS_H
#define SHAPER_IO_NFT_CLAIMS_H

/* Who a packet says it is from, and whether it may: chains of one interface
 * that return what is permitted, and remember and drop the rest. */

#include <stdint.h>

#include "shaper/io/nft_expr.h"

struct nftbindings;
struct nftplan_table;
struct policy;
struct policy_prefixes;

/* Where it says so. */
enum nftclaims_claim {
	NFTCLAIMS_SOURCE4,
	NFTCLAIMS_SOURCE6,
	NFTCLAIMS_TARGET6, /* of neighbour discovery */
	NFTCLAIMS_ARP,     /* the sender's address */
	NFTCLAIMS_TAGGED4, /* behind a second tag, or in PPPoE: see what */
	NFTCLAIMS_TAGGED6, /* the network header is then */
	NFTCLAIMS_PPPOE4,
	NFTCLAIMS_PPPOE6,
	NFTCLAIMS_COUNT
};

/* One interface under watch.  Its sets of sources are made before. */
struct nftclaims_port {
	struct nftplan_table *table;
	const struct nftbindings *bindings;
	const char *interface;
	const struct policy_prefixes *sources;
	const char *counter; /* of what is forged here; NULL: see below */
};

/* "what_interface" */
struct nftclaims_name {
	char text[48];
};
struct nftclaims_name nftclaims_name(const char *what, const char *interface);

/* The sets of the last offenders, and the chains where forgeries end.  There
 * they are counted by interface, in map `counters`; NULL: there is none. */
void nftclaims_forged(struct nftplan_table *table, const char *counters);

/* Chains from4_X, from6_X and arp_X; tagged_X and pppoe_X. */
void nftclaims_ipv4(const struct nftclaims_port *port);
void nftclaims_ipv6(const struct nftclaims_port *port);
void nftclaims_arp(const struct nftclaims_port *port);
void nftclaims_wrapped(const struct nftclaims_port *port);

/* A rule of `chain`: nothing that comes here is from inside. */
void nftclaims_elsewhere(struct nftplan_table *table,
			 const struct policy *policy, const char *chain,
			 enum nftclaims_claim which);

void nftclaims_is_kind(struct nftexpr_rule rule, uint16_t ethertype);

#endif
