/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_LINKS_H
#define SHAPER_IO_NFT_LINKS_H

/* Interfaces and bridges, as the kernel's routing netlink tells them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftlinks_link {
	char name[16];
	uint32_t index, master; /* 0: port of nothing */
	uint32_t mtu_bytes;
	bool up;
	uint8_t mac[6]; /* 0: it has none of that length */
	bool forwards;  /* port of a bridge: nothing keeps frames back, */
	bool learns;    /* who sends by it is sought there, */
	bool isolated;  /* it reaches no other that is, */
	bool locked;    /* and only who was let in sends by it */
	bool bridge;
	bool filters_vlans, spans; /* a bridge: VLANs, spanning tree */
	bool known_call; /* a bridge that br_netfilter can be told of */
	uint8_t call_iptables, call_ip6tables;
};

struct nftlinks {
	struct nftlinks_link *list;
	size_t count, size;
};

/* 0: nftlinks_fini afterwards; -errno. */
int nftlinks_read(struct nftlinks *ret_links);
void nftlinks_fini(struct nftlinks *links);

/* NULL: there is none. */
const struct nftlinks_link *nftlinks_find(const struct nftlinks *links,
					  const char *name);
const struct nftlinks_link *nftlinks_find_index(const struct nftlinks *links,
						uint32_t index);

/* Sets one IFLA_BR_* of a bridge.  0 or -errno. */
int nftlinks_set_bridge(const char *bridge, uint16_t attribute, uint8_t value);

#endif
