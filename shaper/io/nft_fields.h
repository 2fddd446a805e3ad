/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_FIELDS_H
#define SHAPER_IO_NFT_FIELDS_H

/* Where in a packet things are. */

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#include "shaper/io/nft_expr.h"

#define NFTFIELDS_SOURCE_PORT \
	((struct nftexpr_field){ NFTEXPR_TRANSPORT, 0, 2 })
#define NFTFIELDS_DESTINATION_PORT \
	((struct nftexpr_field){ NFTEXPR_TRANSPORT, 2, 2 })
#define NFTFIELDS_PORTS     ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 0, 4 })
#define NFTFIELDS_TCP_FLAGS ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 13, 1 })
#define NFTFIELDS_ICMP_TYPE ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 0, 1 })
#define NFTFIELDS_ECHO_ID   ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 4, 2 })
#define NFTFIELDS_ND_TARGET ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 8, 16 })
/* Type and length of the first option, and the address in it. */
#define NFTFIELDS_ND_OPTION ((struct nftexpr_field){ NFTEXPR_TRANSPORT, 24, 2 })
#define NFTFIELDS_ND_OPTION_MAC \
	((struct nftexpr_field){ NFTEXPR_TRANSPORT, 26, 6 })
#define NFTFIELDS_SOURCE_MAC ((struct nftexpr_field){ NFTEXPR_LINK, 6, 6 })
#define NFTFIELDS_LENGTH4    ((struct nftexpr_field){ NFTEXPR_NETWORK, 2, 2 })
#define NFTFIELDS_LENGTH6    ((struct nftexpr_field){ NFTEXPR_NETWORK, 4, 2 })
#define NFTFIELDS_FRAGMENT4  ((struct nftexpr_field){ NFTEXPR_NETWORK, 6, 2 })

static inline struct nftexpr_field nftfields_source(bool ipv4)
{
	return (struct nftexpr_field){ NFTEXPR_NETWORK, ipv4 ? 12u : 8u,
				       ipv4 ? 4u : 16u };
}

static inline struct nftexpr_field nftfields_destination(bool ipv4)
{
	return (struct nftexpr_field){ NFTEXPR_NETWORK, ipv4 ? 16u : 24u,
				       ipv4 ? 4u : 16u };
}

static inline void nftfields_protocol(struct nftexpr_rule rule,
				      unsigned int reg)
{
	nftexpr_meta(rule, NFT_META_L4PROTO, reg);
}

#endif
