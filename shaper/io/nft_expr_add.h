/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_EXPR_ADD_H
#define SHAPER_IO_NFT_EXPR_ADD_H

/* How a word comes into a rule, for the files nft_expr*.c only. */

#include <stddef.h>
#include <stdint.h>

struct nftexpr_rule;
struct nftnl_expr;

/* A register as the kernel answers: with its wide name, where there is one. */
uint32_t nftexpr_named(unsigned int reg);

/* At the end of the rule, which owns it.  NULL: out of memory, and that is
 * noted. */
struct nftnl_expr *nftexpr_add(struct nftexpr_rule rule, const char *name);

/* Most words have such attributes only. */
struct nftexpr_attribute {
	uint16_t type;
	uint32_t value;
};
struct nftnl_expr *nftexpr_add_with(struct nftexpr_rule rule, const char *name,
				    const struct nftexpr_attribute *attributes,
				    size_t count);

#define NFTEXPR_ADD_WITH(rule, name, ...)                                      \
	nftexpr_add_with(                                                      \
		rule, name, (const struct nftexpr_attribute[]){ __VA_ARGS__ }, \
		sizeof((const struct nftexpr_attribute[]){ __VA_ARGS__ }) /    \
			sizeof(struct nftexpr_attribute))

/* Of a limit by packets. */
void nftexpr_set_limit(struct nftnl_expr *expr, uint64_t pkts_per_s,
		       uint32_t burst_pkts);

#endif
