/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_PROBE_H
#define SHAPER_IO_NFT_PROBE_H

/* What this kernel, and this network namespace, can do and does. */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/nft_expr.h"
#include "shaper/io/nft_rules.h"

struct mnl_socket;
struct nftbatch;
struct nlmsghdr;

/*
 * How packets of a family can be queued, found by trying: a table is made and
 * removed again within one transaction, so that nobody ever sees it.  0;
 * -EOPNOTSUPP: not at all.
 */
int nftprobe_method(struct nftbatch *batch, struct mnl_socket *socket,
		    uint32_t family, enum nftexpr_queue *ret_method);

/* From the other tables, and from whether anything is tracked now. */
int nftprobe_conntrack(struct mnl_socket *socket,
		       enum nftrules_conntrack *ret_conntrack);

/* By connection tracking, now. */
bool nftprobe_is_anything_tracked(void);

/* Raises *level if a chain or rule that is announced asks for more. */
void nftprobe_message(const struct nlmsghdr *message,
		      enum nftrules_conntrack *level);

#endif
