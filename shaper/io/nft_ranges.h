/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFT_RANGES_H
#define SHAPER_IO_NFT_RANGES_H

/* Prefixes as the kernel's sets want them: ranges that do not overlap. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/nft_expr.h"

struct nftplan_table;
struct policy_prefixes;

struct nftranges {
	struct nftranges_range {
		uint8_t first[16], last[16]; /* IPv4: the last 4 bytes */
	} * list;
	size_t count, size;
	bool ipv4;
	bool failed; /* out of memory */
};

/* All-zero but for `ipv4` is a valid fresh state.  Takes those prefixes that
 * are of its family. */
void nftranges_add(struct nftranges *ranges,
		   const struct policy_prefixes *prefixes);
/* Sort, and join those that touch. */
void nftranges_merge(struct nftranges *ranges);
void nftranges_fini(struct nftranges *ranges);

/* How wide an address is, and where it begins in 16 bytes. */
uint32_t nftranges_bytes(bool ipv4);
uint32_t nftranges_offset(bool ipv4);

/* Does any prefix belong to this family? */
bool nftranges_has_family(const struct policy_prefixes *prefixes, bool ipv4);

/* Make set `name` of `prefixes`, merged. */
void nftranges_set(struct nftplan_table *table, const char *name,
		   const struct policy_prefixes *prefixes, bool ipv4);

/*
 * Condition of `rule`: `field` is an address of `prefixes`, of which set `name`
 * was made; or, not `within`, it is none.  A single prefix is compared, which
 * is cheaper than a look-up.
 */
void nftranges_condition(struct nftexpr_rule rule, struct nftexpr_field field,
			 const char *name,
			 const struct policy_prefixes *prefixes, bool ipv4,
			 bool within);

#endif
