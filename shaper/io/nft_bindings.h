/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_BINDINGS_H
#define SHAPER_IO_NFT_BINDINGS_H

/* MAC bindings as sets: who may use which address where. */

#include <stdbool.h>
#include <stddef.h>

struct nftplan_table;
struct policy;
struct policy_binding;

/* Whose bindings apply. */
enum nftbindings_where {
	NFTBINDINGS_ANYWHERE,     /* those that name no interface */
	NFTBINDINGS_AT_INTERFACE, /* these, and those that name this one */
	/* These, and those that name one that is not listed.  All such ports
	 * share their sets, which have the port's name in each element: one
	 * more of them is a few elements, and no rule. */
	NFTBINDINGS_AT_PORTS,
	NFTBINDINGS_ALL, /* whatever they name */
};

struct nftbindings {
	const struct policy *policy;
	enum nftbindings_where where;
	const char *interface;
	/* By family: 0 is IPv6, 1 IPv4. */
	bool has[2];          /* of any interface, or of this one */
	bool port_singles[2]; /* AT_PORTS: addresses of ports */
	bool port_ranges[2];  /* and ranges of them */
};

/* A list is asked as a whole: who is in one of its sets is in it. */
struct nftbindings_list {
	struct nftbindings_set {
		char name[40];
		bool by_port; /* its keys begin with the interface */
	} sets[3];
	size_t count;
};

void nftbindings_at_interface(struct nftbindings *ret_bindings,
			      const struct policy *policy,
			      const char *interface);
void nftbindings_at_ports(struct nftbindings *ret_bindings,
			  const struct policy *policy);
void nftbindings_all(struct nftbindings *ret_bindings,
		     const struct policy *policy);

/* Does this binding name a port, that is an interface which is not listed? */
bool nftbindings_is_of_port(const struct policy *policy,
			    const struct policy_binding *binding);

/* Make the sets, unless another interface that shares them has. */
void nftbindings_sets(const struct nftbindings *bindings,
		      struct nftplan_table *table);

/* Make a set of the addresses alone, or of what is longer; false: there is
 * none, and no set. */
bool nftbindings_single_set(const struct nftbindings *bindings,
			    struct nftplan_table *table, const char *name,
			    bool ipv4);
bool nftbindings_range_set(const struct nftbindings *bindings,
			   struct nftplan_table *table, const char *name,
			   bool ipv4);

/* Is any address of the family bound here? */
bool nftbindings_has(const struct nftbindings *bindings, bool ipv4);

/* MACs with their addresses, the addresses, the MACs. */
void nftbindings_pairs(const struct nftbindings *bindings, bool ipv4,
		       struct nftbindings_list *ret_list);
void nftbindings_addresses(const struct nftbindings *bindings, bool ipv4,
			   struct nftbindings_list *ret_list);
void nftbindings_macs(const struct nftbindings *bindings,
		      struct nftbindings_list *ret_list);

#endif
