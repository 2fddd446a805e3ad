/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_MATCH_H
#define SHAPER_IO_NFT_MATCH_H

/* A policy rule's pattern as conditions of a kernel rule. */

#include <stdbool.h>

#include "shaper/io/nft_expr.h"

struct nftplan_table;
struct policy_rule;

/* How a packet is seen. */
struct nftmatch_view {
	bool ipv4;
	bool reply; /* it comes back to the guarded end: ends are exchanged */
	bool routed;
};

/* The sets that nftmatch_conditions will look up, both families. */
void nftmatch_sets(struct nftplan_table *table, const struct policy_rule *rule);

/* Can a packet seen so match at all?  A pattern with TCP flags only matches
 * outgoing packets; one with addresses of one family only that family. */
bool nftmatch_is_possible(const struct policy_rule *rule,
			  struct nftmatch_view view);

/* `to` goes on only if the packet matches.  The sets must be there. */
void nftmatch_conditions(struct nftexpr_rule to, const struct policy_rule *rule,
			 struct nftmatch_view view);

#endif
