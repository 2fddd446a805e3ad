/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_ALIVE_H
#define SHAPER_IO_NFT_ALIVE_H

/*
 * A table that the kernel takes away when we are gone, however that came: it
 * marks what is forwarded as known to a living daemon.  With the fast path and
 * `fail: closed` packets in pass by that mark alone.
 */

#include <stdint.h>

#define NFTALIVE_TABLE "symtap_alive"

struct mnl_socket;
struct nftbatch;

/*
 * The table belongs to `socket` and lasts as long.  `family`: of the hook whose
 * packets are marked with `value` where all bits of `mask` are 0.  0 or
 * -errno, and *ret_what names what went wrong.
 */
int nftalive_install(struct nftbatch *batch, struct mnl_socket *socket,
		     uint32_t family, uint32_t mask, uint32_t value,
		     const char **ret_what);

#endif
