/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_FLOWTABLES_H
#define SHAPER_IO_NFT_FLOWTABLES_H

#include <stdbool.h>
#include <stddef.h>

enum { NFTFLOWTABLES_NAME_BYTES = 96 };

struct nftflowtable {
	char name[NFTFLOWTABLES_NAME_BYTES]; /* "inet filter ft" */
	bool hardware; /* the interface forwards by itself */
};

/*
 * The flow tables (software or hardware offload) of this network namespace,
 * whoever made them: packets of the flows in them bypass the forward hook.
 * Up to `max`; *ret_count is how many there are.  0 or -errno; -EPERM: only
 * for CAP_NET_ADMIN; -EINTR: nftables is changed all the time.
 */
int nftflowtables_list(struct nftflowtable *ret_tables, size_t max,
		       size_t *ret_count);

#endif
