/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_READ_H
#define SHAPER_IO_NFT_READ_H

/* Reading tables, rules and sets back from the kernel. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct nftnl_rule;
struct nftnl_set;
struct nftplan;
struct nlmsghdr;

/*
 * Ask for a dump (NFT_MSG_GET*) of one family, or of all with NFPROTO_UNSPEC,
 * and bring each answer to `each`, which returns 0 or -errno.  Attributes of
 * the request are `table` and `name` where they are not NULL.  0 or -errno;
 * -EINTR: it changed meanwhile, and what came is not to be trusted.
 */
struct nftread_request {
	uint16_t type;
	uint32_t family;
	const char *table;
	const char *name; /* NFT_MSG_GETSETELEM: the set */
	int (*each)(const struct nlmsghdr *message, void *data);
	void *data;
};
int nftread_dump(struct mnl_socket *socket,
		 const struct nftread_request *request);

/* All tables of our name, whole; elements only of sets that are not kept.
 * 0: *ret_plan is the caller's. */
int nftread_tables(struct mnl_socket *socket, struct nftplan **ret_plan);

/* The elements of one set, into `set`, which names it. */
int nftread_elements(struct mnl_socket *socket, struct nftnl_set *set);

/* Calls `each` with every named counter of ours. */
struct nftread_counter {
	const char *name;
	uint64_t pkts, bytes;
};
int nftread_counters(struct mnl_socket *socket,
		     void (*each)(const struct nftread_counter *counter,
				  void *data),
		     void *data);

#endif
