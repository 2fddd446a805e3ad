/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_COMPARE_H
#define SHAPER_IO_NFT_COMPARE_H

/*
 * Is what the kernel tells (first) what we asked for (second)?  What changes by
 * itself, as counters do, and what the kernel adds, as handles, is left out.
 */

#include <stdbool.h>

struct nftnl_chain;
struct nftnl_set;

/* Type, hook, priority and policy; not the rules. */
bool nftcompare_chains(const struct nftnl_chain *there,
		       const struct nftnl_chain *wanted);
/* Every rule, every expression, in order. */
bool nftcompare_rules(const struct nftnl_chain *there,
		      const struct nftnl_chain *wanted);
/* Key, flags, size and timeout; not the elements (nft_elements.h). */
bool nftcompare_sets(const struct nftnl_set *there,
		     const struct nftnl_set *wanted);

#endif
