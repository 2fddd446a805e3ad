/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_REFUSALS_H
#define SHAPER_IO_NFT_REFUSALS_H

/* The sets of what is refused, and their keys. */

#include <stdbool.h>

struct nftplan_table;

enum nftrefusals_kind {
	NFTREFUSALS_ANY,    /* interface, host: look at the others */
	NFTREFUSALS_HOST,   /* interface, host */
	NFTREFUSALS_PAIR,   /* interface, both addresses */
	NFTREFUSALS_FLOW,   /* interface, protocol, both addresses, ports */
	NFTREFUSALS_SPARED, /* as pairs: passes though its host is refused */
	NFTREFUSALS_KINDS
};

const char *nftrefusals_set(enum nftrefusals_kind kind, bool ipv4);

/* Make those of one family. */
void nftrefusals_sets(struct nftplan_table *table, bool ipv4);

#endif
