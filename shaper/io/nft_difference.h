/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_DIFFERENCE_H
#define SHAPER_IO_NFT_DIFFERENCE_H

/*
 * From what is there to what shall be, by what differs alone: elements, the
 * rules of those chains that have others, and what is new or gone.  What
 * nft_change.h does in its place writes everything anew, and comes out the
 * same.
 */

#include <stdbool.h>

struct nftbatch;
struct nftplan;

/*
 * Adds to `batch` what turns `now` into `next`.  false: a table, base chain or
 * set would have to be made anew, or memory ran out; then what is in `batch` is
 * of no use.
 */
bool nftdifference_build(struct nftbatch *batch, const struct nftplan *now,
			 const struct nftplan *next);

#endif
