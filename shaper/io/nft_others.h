/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_OTHERS_H
#define SHAPER_IO_NFT_OTHERS_H

/*
 * Whose rules, besides ours, may do more to a frame that passes a bridge than
 * let it pass.  Rules that only count are none of these.  Of iptables-legacy
 * and ebtables-legacy is told that they are in use, not what they say.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nftothers_where {
	NFTOTHERS_NOWHERE, /* not on a frame's way */
	NFTOTHERS_FRAMES,  /* of every bridge */
	NFTOTHERS_PACKETS, /* of those that br_netfilter shows them */
	NFTOTHERS_INGRESS, /* at one interface */
	NFTOTHERS_EGRESS,
};

enum {
	NFTOTHERS_MAX = 256,
	NFTOTHERS_NAME_BYTES = 64,
	NFTOTHERS_TEXT_BYTES = 128
};

struct nftothers_chain { /* that a hook calls */
	enum nftothers_where where;
	uint32_t family;
	char device[16];
	char table[NFTOTHERS_NAME_BYTES], name[NFTOTHERS_NAME_BYTES];
	bool acts;
};

struct nftothers {
	struct nftothers_chain chains[NFTOTHERS_MAX];
	size_t count;        /* more than NFTOTHERS_MAX: there are others */
	bool frames_legacy;  /* ebtables, */
	bool packets_legacy; /* iptables */
};

/* 0 or -errno; -EINTR: they change all the time. */
int nftothers_read(struct nftothers *ret_others);
/* Nobody tells of these.  true: it is not as it was. */
bool nftothers_look_for_legacy(struct nftothers *others);

/* `device`: of one interface; else "".  false: nobody. */
bool nftothers_at(const struct nftothers *others, enum nftothers_where where,
		  const char *device, char ret_who[NFTOTHERS_TEXT_BYTES]);

#endif
