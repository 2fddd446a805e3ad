/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_PAIRS_H
#define SHAPER_IO_NFT_PAIRS_H

/* Who may use which address, as the elements of sets are: a port, a MAC and a
 * range of addresses, of which any but the last may be left out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/nft_ranges.h"

struct nftnl_set;
struct nftplan_table;

enum { NFTPAIRS_PORT = 16, NFTPAIRS_MAC = 8 };

struct nftpairs {
	struct nftpairs_pair {
		char port[NFTPAIRS_PORT];
		uint8_t mac[NFTPAIRS_MAC];
		struct nftranges_range range;
	} * list;
	size_t count, size;
	bool failed; /* out of memory */
};

/* All-zero is a valid fresh state.  port, mac and range may each be NULL. */
void nftpairs_add(struct nftpairs *pairs, const char *port,
		  const uint8_t mac[6], const struct nftranges_range *range);
/* Sort; ranges of one port and MAC that overlap become one. */
void nftpairs_merge(struct nftpairs *pairs);
/* Is no range longer than one address? */
bool nftpairs_are_single(const struct nftpairs *pairs);
void nftpairs_fini(struct nftpairs *pairs);

/* What of them is a set's key, in this order. */
struct nftpairs_key {
	bool port, mac, address;
	bool ranges; /* the elements have two ends */
	bool ipv4;   /* the address */
};

/* Make a set of them. */
void nftpairs_set(const struct nftpairs *pairs, struct nftplan_table *table,
		  const char *name, const struct nftpairs_key *key);

#endif
