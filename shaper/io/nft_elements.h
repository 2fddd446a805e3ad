/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_ELEMENTS_H
#define SHAPER_IO_NFT_ELEMENTS_H

/* Two sets, element by element.  What changes by itself, as counters do, is
 * left out. */

#include <stdbool.h>

struct nftnl_set;

/* false: also when memory ran out */
bool nftelements_match(struct nftnl_set *a, struct nftnl_set *b);

/*
 * Adds to `gone` what `now` has and `next` has not, and to `come` what only
 * `next` has.  Both are empty sets of the caller's.  false: out of memory.
 */
bool nftelements_differ(struct nftnl_set *now, struct nftnl_set *next,
			struct nftnl_set *gone, struct nftnl_set *come);

#endif
