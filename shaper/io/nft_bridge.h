/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_BRIDGE_H
#define SHAPER_IO_NFT_BRIDGE_H

/*
 * Which bridges are guarded, and what has to be switched on for their packets
 * to reach our rules where the kernel's bridge family cannot queue:
 * br_netfilter for these bridges only.  What was changed is known, and can be
 * put back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

enum { NFTBRIDGE_MAX = 64, NFTBRIDGE_TEXT = 48 };

struct nftbridge_list {
	char names[NFTBRIDGE_MAX][16];
	size_t count;
};

/* "br0 iptables 0": a setting as it was before we changed it. */
struct nftbridge_settings {
	char was[2 * NFTBRIDGE_MAX + 2][NFTBRIDGE_TEXT];
	size_t count;
};

/*
 * The bridges of the ports that the policy names; if it names none, the only
 * bridge there is.  -ENODEV: none; -EBUSY: cannot be told.  ret_error says
 * which.
 */
int nftbridge_find(const struct policy *policy, struct nftbridge_list *ret_list,
		   char *ret_error, size_t size);

/*
 * What must be changed for these bridges, as it is now.  -EBUSY: another bridge
 * would be changed with them; ret_error names it.
 */
int nftbridge_plan(const struct nftbridge_list *list,
		   struct nftbridge_settings *ret_settings, char *ret_error,
		   size_t size);

/* Switch on, or put back, every setting.  What is gone by now is no error. */
int nftbridge_switch_on(const struct nftbridge_settings *settings);
int nftbridge_put_back(const struct nftbridge_settings *settings);

/* Does br_netfilter show frames to rules for packets, whichever the bridge? */
bool nftbridge_calls_all(void);

/* Has somebody switched one of them off again? */
bool nftbridge_is_on(const struct nftbridge_settings *settings);

#endif
