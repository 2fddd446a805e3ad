/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_BINDINGS_H
#define SHAPER_IO_NFT_BINDINGS_H

/* MAC bindings as sets: who may use which address at one interface. */

#include <stdbool.h>

struct nftplan_table;
struct policy;

/* Those that apply at one interface.  All interfaces share their sets as long
 * as no binding names one. */
struct nftbindings {
	const struct policy *policy;
	const char *interface;
	bool shared;
	bool ipv4, ipv6;
};

struct nftbindings_name {
	char text[48];
};

void nftbindings_init(struct nftbindings *bindings, const struct policy *policy,
		      const char *interface);

/* All of them, wherever they apply. */
void nftbindings_init_all(struct nftbindings *bindings,
			  const struct policy *policy);

/* Make the sets, unless another interface that shares them has. */
void nftbindings_sets(const struct nftbindings *bindings,
		      struct nftplan_table *table);

/* Make a set of the addresses alone. */
void nftbindings_address_set(const struct nftbindings *bindings,
			     struct nftplan_table *table, const char *name,
			     bool ipv4);

/* Is any address of the family bound here?  Any at all? */
bool nftbindings_has(const struct nftbindings *bindings, bool ipv4);
bool nftbindings_has_any(const struct nftbindings *bindings);

/* Names of the sets: MACs with their addresses, the addresses, the MACs. */
struct nftbindings_name nftbindings_pairs(const struct nftbindings *bindings,
					  bool ipv4);
struct nftbindings_name
nftbindings_addresses(const struct nftbindings *bindings, bool ipv4);
struct nftbindings_name nftbindings_macs(const struct nftbindings *bindings);

#endif
