/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_CHANGE_H
#define SHAPER_IO_NFT_CHANGE_H

/*
 * From what is there to what shall be, in one transaction: rules and sets are
 * replaced, base chains, learnt sets and counters stay.  Deleting a base chain
 * or a table drops every packet that waits in any queue of the namespace.
 */

#include <stdbool.h>
#include <stddef.h>

struct nftbatch;
struct nftplan;

/* Adds to `batch` what turns `now` into `next`. */
void nftchange_build(struct nftbatch *batch, const struct nftplan *now,
		     const struct nftplan *next);

/* Adds to `batch` what removes all of `now`. */
void nftchange_remove(struct nftbatch *batch, const struct nftplan *now);

/*
 * Is `now` what `next` asked for?  Base chains that an earlier policy needed
 * may be left over if they are empty.  When not, says what differs.
 */
bool nftchange_is_done(const struct nftplan *now, const struct nftplan *next,
		       char *ret_difference, size_t size);

#endif
