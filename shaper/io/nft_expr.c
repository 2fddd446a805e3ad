/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_expr.h"

#include <stdio.h>

#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_physdev.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/io/nft_expr_add.h"

enum { WIDE = 4, INTERFACE_BYTES = 16, FRAGMENT_HEADER = 44 };

uint32_t nftexpr_named(unsigned int reg)
{
	return reg % WIDE == 0 ? NFT_REG_1 + reg / WIDE : NFT_REG32_00 + reg;
}

struct nftnl_expr *nftexpr_add(struct nftexpr_rule rule, const char *name)
{
	struct nftnl_expr *expr = rule.rule ? nftnl_expr_alloc(name) : NULL;

	if (!expr) {
		*rule.failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(rule.rule, expr);
	return expr;
}

struct nftnl_expr *nftexpr_add_with(struct nftexpr_rule rule, const char *name,
				    const struct nftexpr_attribute *attributes,
				    size_t count)
{
	struct nftnl_expr *expr = nftexpr_add(rule, name);

	for (size_t i = 0; expr && i < count; i++)
		nftnl_expr_set_u32(expr, attributes[i].type,
				   attributes[i].value);
	return expr;
}

void nftexpr_meta(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	NFTEXPR_ADD_WITH(rule, "meta", { NFTNL_EXPR_META_KEY, key },
			 { NFTNL_EXPR_META_DREG, nftexpr_named(reg) });
}

static const uint32_t BASES[] = {
	[NFTEXPR_LINK] = NFT_PAYLOAD_LL_HEADER,
	[NFTEXPR_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
	[NFTEXPR_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
};

void nftexpr_store(struct nftexpr_rule rule, unsigned int reg,
		   struct nftexpr_field field)
{
	NFTEXPR_ADD_WITH(rule, "payload",
			 { NFTNL_EXPR_PAYLOAD_BASE, BASES[field.base] },
			 { NFTNL_EXPR_PAYLOAD_OFFSET, field.offset_bytes },
			 { NFTNL_EXPR_PAYLOAD_LEN, field.length_bytes },
			 { NFTNL_EXPR_PAYLOAD_SREG, nftexpr_named(reg) });
}

void nftexpr_load(struct nftexpr_rule rule, struct nftexpr_field field,
		  unsigned int reg)
{
	NFTEXPR_ADD_WITH(rule, "payload",
			 { NFTNL_EXPR_PAYLOAD_BASE, BASES[field.base] },
			 { NFTNL_EXPR_PAYLOAD_OFFSET, field.offset_bytes },
			 { NFTNL_EXPR_PAYLOAD_LEN, field.length_bytes },
			 { NFTNL_EXPR_PAYLOAD_DREG, nftexpr_named(reg) });
}

void nftexpr_value(struct nftexpr_rule rule, const void *value,
		   uint32_t length_bytes, unsigned int reg)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "immediate", { NFTNL_EXPR_IMM_DREG, nftexpr_named(reg) });

	if (expr)
		nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, value, length_bytes);
}

void nftexpr_conntrack(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	NFTEXPR_ADD_WITH(rule, "ct", { NFTNL_EXPR_CT_KEY, key },
			 { NFTNL_EXPR_CT_DREG, nftexpr_named(reg) });
}

void nftexpr_original(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	struct nftnl_expr *expr =
		NFTEXPR_ADD_WITH(rule, "ct", { NFTNL_EXPR_CT_KEY, key },
				 { NFTNL_EXPR_CT_DREG, nftexpr_named(reg) });

	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, 0);
}

void nftexpr_destination_type(struct nftexpr_rule rule, unsigned int reg)
{
	NFTEXPR_ADD_WITH(rule, "fib",
			 { NFTNL_EXPR_FIB_DREG, nftexpr_named(reg) },
			 { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE },
			 { NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR });
}

void nftexpr_fragment6(struct nftexpr_rule rule, unsigned int reg)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "exthdr", { NFTNL_EXPR_EXTHDR_DREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_EXTHDR_OFFSET, 2 }, { NFTNL_EXPR_EXTHDR_LEN, 2 },
		{ NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_IPV6 });

	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE,
				  FRAGMENT_HEADER);
}

void nftexpr_mask(struct nftexpr_rule rule, unsigned int reg, const void *mask,
		  uint32_t length_bytes)
{
	static const uint8_t NOTHING[16];
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "bitwise",
		{ NFTNL_EXPR_BITWISE_SREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_BITWISE_DREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_BITWISE_LEN, length_bytes },
		{ NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL });

	if (!expr)
		return;
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, length_bytes);
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, NOTHING, length_bytes);
}

void nftexpr_set_mark_bits(struct nftexpr_rule rule, uint32_t bits)
{
	const uint32_t others = ~bits;
	struct nftnl_expr *expr;

	nftexpr_meta(rule, NFT_META_MARK, 0);
	expr = NFTEXPR_ADD_WITH(rule, "bitwise",
				{ NFTNL_EXPR_BITWISE_SREG, nftexpr_named(0) },
				{ NFTNL_EXPR_BITWISE_DREG, nftexpr_named(0) },
				{ NFTNL_EXPR_BITWISE_LEN, sizeof(bits) },
				{ NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL });
	if (!expr)
		return;
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, &others, sizeof(others));
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, &bits, sizeof(bits));
	NFTEXPR_ADD_WITH(rule, "meta", { NFTNL_EXPR_META_KEY, NFT_META_MARK },
			 { NFTNL_EXPR_META_SREG, nftexpr_named(0) });
}

void nftexpr_hash(struct nftexpr_rule rule, unsigned int source,
		  uint32_t length_bytes, uint32_t modulus, uint32_t seed,
		  unsigned int reg)
{
	NFTEXPR_ADD_WITH(rule, "hash",
			 { NFTNL_EXPR_HASH_SREG, nftexpr_named(source) },
			 { NFTNL_EXPR_HASH_DREG, nftexpr_named(reg) },
			 { NFTNL_EXPR_HASH_LEN, length_bytes },
			 { NFTNL_EXPR_HASH_MODULUS, modulus },
			 { NFTNL_EXPR_HASH_SEED, seed },
			 { NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS });
}

static void compare(struct nftexpr_rule rule, uint32_t operation,
		    unsigned int reg, const void *value, uint32_t length_bytes)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "cmp", { NFTNL_EXPR_CMP_SREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_CMP_OP, operation });

	if (expr)
		nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, value, length_bytes);
}

void nftexpr_equal(struct nftexpr_rule rule, unsigned int reg,
		   const void *value, uint32_t length_bytes)
{
	compare(rule, NFT_CMP_EQ, reg, value, length_bytes);
}

void nftexpr_unequal(struct nftexpr_rule rule, unsigned int reg,
		     const void *value, uint32_t length_bytes)
{
	compare(rule, NFT_CMP_NEQ, reg, value, length_bytes);
}

void nftexpr_less(struct nftexpr_rule rule, unsigned int reg, const void *value,
		  uint32_t length_bytes)
{
	compare(rule, NFT_CMP_LT, reg, value, length_bytes);
}

void nftexpr_has_prefix(struct nftexpr_rule rule, struct nftexpr_field field,
			const uint8_t *prefix, unsigned int bits, bool has)
{
	uint8_t mask[16] = { 0 };
	unsigned int bit;

	for (bit = 0; bit < bits; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	/* The kernel has fast ways for these lengths, and for no mask. */
	if (bits == 8 || bits == 16 || bits == 64)
		field.length_bytes = bits / 8;
	nftexpr_load(rule, field, 0);
	if (bits != 8 * field.length_bytes)
		nftexpr_mask(rule, 0, mask, field.length_bytes);
	if (has)
		nftexpr_equal(rule, 0, prefix, field.length_bytes);
	else
		nftexpr_unequal(rule, 0, prefix, field.length_bytes);
}

static void look_up(struct nftexpr_rule rule, unsigned int reg, const char *set,
		    uint32_t flags)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, nftexpr_named(reg) });

	if (!expr)
		return;
	nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set);
	if (flags)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, flags);
}

void nftexpr_in_set(struct nftexpr_rule rule, unsigned int reg, const char *set)
{
	look_up(rule, reg, set, 0);
}

void nftexpr_not_in_set(struct nftexpr_rule rule, unsigned int reg,
			const char *set)
{
	look_up(rule, reg, set, NFT_LOOKUP_F_INV);
}

void nftexpr_set_limit(struct nftnl_expr *expr, uint64_t pkts_per_s,
		       uint32_t burst_pkts)
{
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, pkts_per_s);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, burst_pkts);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_FLAGS, 0);
}

void nftexpr_limit(struct nftexpr_rule rule, uint64_t pkts_per_s,
		   uint32_t burst_pkts)
{
	struct nftnl_expr *expr = nftexpr_add(rule, "limit");

	if (expr)
		nftexpr_set_limit(expr, pkts_per_s, burst_pkts);
}

static void is_family(struct nftexpr_rule rule, uint8_t family,
		      uint16_t ethertype)
{
	const uint8_t bytes[2] = { (uint8_t)(ethertype >> 8),
				   (uint8_t)ethertype };

	if (rule.view == NFTEXPR_FRAMES) {
		nftexpr_meta(rule, NFT_META_PROTOCOL, 0);
		nftexpr_equal(rule, 0, bytes, sizeof(bytes));
	} else {
		nftexpr_meta(rule, NFT_META_NFPROTO, 0);
		nftexpr_equal(rule, 0, &family, sizeof(family));
	}
}

void nftexpr_is_ip(struct nftexpr_rule rule, bool ipv4)
{
	if (ipv4)
		is_family(rule, NFPROTO_IPV4, 0x0800);
	else
		is_family(rule, NFPROTO_IPV6, 0x86dd);
}

void nftexpr_is_protocol(struct nftexpr_rule rule, uint8_t protocol)
{
	nftexpr_meta(rule, NFT_META_L4PROTO, 0);
	nftexpr_equal(rule, 0, &protocol, sizeof(protocol));
}

/* The bridge's port, which the inet family itself cannot name. */
static void is_port(struct nftexpr_rule rule, bool in, const char *name)
{
	struct xt_physdev_info *info = calloc(1, sizeof(*info));
	struct nftnl_expr *expr =
		info ? NFTEXPR_ADD_WITH(rule, "match", { NFTNL_EXPR_MT_REV, 0 })
		     : NULL;

	if (!expr) {
		*rule.failed = true;
		free(info);
		return;
	}
	memcpy(in ? info->physindev : info->physoutdev, name,
	       strnlen(name, INTERFACE_BYTES - 1));
	memset(in ? info->in_mask : info->out_mask, 0xff, INTERFACE_BYTES);
	info->bitmask = in ? XT_PHYSDEV_OP_IN : XT_PHYSDEV_OP_OUT;
	nftnl_expr_set_str(expr, NFTNL_EXPR_MT_NAME, "physdev");
	nftnl_expr_set(expr, NFTNL_EXPR_MT_INFO, info, sizeof(*info));
}

void nftexpr_is_interface(struct nftexpr_rule rule, bool in, const char *name)
{
	char padded[INTERFACE_BYTES] = { 0 };

	if (rule.view == NFTEXPR_BRIDGED) {
		is_port(rule, in, name);
		return;
	}
	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	nftexpr_meta(rule, in ? NFT_META_IIFNAME : NFT_META_OIFNAME, 0);
	nftexpr_equal(rule, 0, padded, sizeof(padded));
}
