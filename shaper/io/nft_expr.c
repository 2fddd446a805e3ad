/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_expr.h"

#include <stdio.h>

#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_physdev.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 4, INTERFACE_BYTES = 16, FRAGMENT_HEADER = 44 };

/* The kernel answers with the wide name of a register where there is one. */
static uint32_t named(unsigned int reg)
{
	return reg % WIDE == 0 ? NFT_REG_1 + reg / WIDE : NFT_REG32_00 + reg;
}

static struct nftnl_expr *add(struct nftexpr_rule rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (!expr) {
		*rule.failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(rule.rule, expr);
	return expr;
}

/* Attributes as (number, value) pairs, as most expressions have only those. */
struct attribute {
	uint16_t type;
	uint32_t value;
};

static struct nftnl_expr *add_with(struct nftexpr_rule rule, const char *name,
				   const struct attribute *attributes,
				   size_t count)
{
	struct nftnl_expr *expr = add(rule, name);
	size_t i;

	for (i = 0; expr && i < count; i++)
		nftnl_expr_set_u32(expr, attributes[i].type,
				   attributes[i].value);
	return expr;
}

#define ADD_WITH(rule, name, ...)                                       \
	add_with(rule, name, (const struct attribute[]){ __VA_ARGS__ }, \
		 sizeof((const struct attribute[]){ __VA_ARGS__ }) /    \
			 sizeof(struct attribute))

void nftexpr_meta(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	ADD_WITH(rule, "meta", { NFTNL_EXPR_META_KEY, key },
		 { NFTNL_EXPR_META_DREG, named(reg) });
}

void nftexpr_load(struct nftexpr_rule rule, struct nftexpr_field field,
		  unsigned int reg)
{
	static const uint32_t BASES[] = {
		[NFTEXPR_LINK] = NFT_PAYLOAD_LL_HEADER,
		[NFTEXPR_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
		[NFTEXPR_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
	};

	ADD_WITH(rule, "payload",
		 { NFTNL_EXPR_PAYLOAD_BASE, BASES[field.base] },
		 { NFTNL_EXPR_PAYLOAD_OFFSET, field.offset_bytes },
		 { NFTNL_EXPR_PAYLOAD_LEN, field.length_bytes },
		 { NFTNL_EXPR_PAYLOAD_DREG, named(reg) });
}

void nftexpr_value(struct nftexpr_rule rule, const void *value,
		   uint32_t length_bytes, unsigned int reg)
{
	struct nftnl_expr *expr = ADD_WITH(rule, "immediate",
					   { NFTNL_EXPR_IMM_DREG, named(reg) });

	if (expr)
		nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, value, length_bytes);
}

void nftexpr_conntrack(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	ADD_WITH(rule, "ct", { NFTNL_EXPR_CT_KEY, key },
		 { NFTNL_EXPR_CT_DREG, named(reg) });
}

void nftexpr_original(struct nftexpr_rule rule, uint32_t key, unsigned int reg)
{
	struct nftnl_expr *expr = ADD_WITH(rule, "ct",
					   { NFTNL_EXPR_CT_KEY, key },
					   { NFTNL_EXPR_CT_DREG, named(reg) });

	if (expr)
		nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, 0);
}

void nftexpr_destination_type(struct nftexpr_rule rule, unsigned int reg)
{
	ADD_WITH(rule, "fib", { NFTNL_EXPR_FIB_DREG, named(reg) },
		 { NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE },
		 { NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR });
}

void nftexpr_fragment6(struct nftexpr_rule rule, unsigned int reg)
{
	struct nftnl_expr *expr = ADD_WITH(
		rule, "exthdr", { NFTNL_EXPR_EXTHDR_DREG, named(reg) },
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
	struct nftnl_expr *expr = ADD_WITH(
		rule, "bitwise", { NFTNL_EXPR_BITWISE_SREG, named(reg) },
		{ NFTNL_EXPR_BITWISE_DREG, named(reg) },
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
	expr = ADD_WITH(rule, "bitwise", { NFTNL_EXPR_BITWISE_SREG, named(0) },
			{ NFTNL_EXPR_BITWISE_DREG, named(0) },
			{ NFTNL_EXPR_BITWISE_LEN, sizeof(bits) },
			{ NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL });
	if (!expr)
		return;
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, &others, sizeof(others));
	nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, &bits, sizeof(bits));
	ADD_WITH(rule, "meta", { NFTNL_EXPR_META_KEY, NFT_META_MARK },
		 { NFTNL_EXPR_META_SREG, named(0) });
}

void nftexpr_hash(struct nftexpr_rule rule, unsigned int source,
		  uint32_t length_bytes, uint32_t modulus, uint32_t seed,
		  unsigned int reg)
{
	ADD_WITH(rule, "hash", { NFTNL_EXPR_HASH_SREG, named(source) },
		 { NFTNL_EXPR_HASH_DREG, named(reg) },
		 { NFTNL_EXPR_HASH_LEN, length_bytes },
		 { NFTNL_EXPR_HASH_MODULUS, modulus },
		 { NFTNL_EXPR_HASH_SEED, seed },
		 { NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS });
}

static void compare(struct nftexpr_rule rule, uint32_t operation,
		    unsigned int reg, const void *value, uint32_t length_bytes)
{
	struct nftnl_expr *expr = ADD_WITH(rule, "cmp",
					   { NFTNL_EXPR_CMP_SREG, named(reg) },
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

void nftexpr_between(struct nftexpr_rule rule, unsigned int reg,
		     const void *first, const void *last, uint32_t length_bytes)
{
	compare(rule, NFT_CMP_GTE, reg, first, length_bytes);
	compare(rule, NFT_CMP_LTE, reg, last, length_bytes);
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
	struct nftnl_expr *expr = ADD_WITH(
		rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, named(reg) });

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

static void set_limit(struct nftnl_expr *expr, uint64_t pkts_per_s,
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
	struct nftnl_expr *expr = add(rule, "limit");

	if (expr)
		set_limit(expr, pkts_per_s, burst_pkts);
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

void nftexpr_is_ipv4(struct nftexpr_rule rule)
{
	is_family(rule, NFPROTO_IPV4, 0x0800);
}

void nftexpr_is_ipv6(struct nftexpr_rule rule)
{
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
		info ? ADD_WITH(rule, "match", { NFTNL_EXPR_MT_REV, 0 }) : NULL;

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

static struct nftnl_expr *change_set(struct nftexpr_rule rule, unsigned int reg,
				     const char *set, uint32_t operation)
{
	struct nftnl_expr *expr = ADD_WITH(
		rule, "dynset", { NFTNL_EXPR_DYNSET_SREG_KEY, named(reg) },
		{ NFTNL_EXPR_DYNSET_OP, operation });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_DYNSET_SET_NAME, set);
	return expr;
}

static struct nftnl_expr *add_to_each(struct nftexpr_rule rule,
				      struct nftnl_expr *change,
				      const char *name)
{
	struct nftnl_expr *each = change ? nftnl_expr_alloc(name) : NULL;

	if (!each) {
		*rule.failed = true;
		return NULL;
	}
	nftnl_expr_add_expr(change, NFTNL_EXPR_DYNSET_EXPRESSIONS, each);
	return each;
}

void nftexpr_remember(struct nftexpr_rule rule, unsigned int reg,
		      const char *set, enum nftexpr_remember how)
{
	struct nftnl_expr *change = change_set(
		rule, reg, set,
		how == NFTEXPR_ADD ? NFT_DYNSET_OP_ADD : NFT_DYNSET_OP_UPDATE);

	if (how == NFTEXPR_COUNT)
		add_to_each(rule, change, "counter");
}

void nftexpr_limit_each(struct nftexpr_rule rule, unsigned int reg,
			const char *set, uint64_t pkts_per_s,
			uint32_t burst_pkts)
{
	struct nftnl_expr *change =
		change_set(rule, reg, set, NFT_DYNSET_OP_UPDATE);
	struct nftnl_expr *limit = add_to_each(rule, change, "limit");

	if (limit)
		set_limit(limit, pkts_per_s, burst_pkts);
}

void nftexpr_count(struct nftexpr_rule rule, const char *counter)
{
	struct nftnl_expr *expr =
		ADD_WITH(rule, "objref",
			 { NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

static void decide(struct nftexpr_rule rule, int verdict, const char *chain)
{
	struct nftnl_expr *expr = ADD_WITH(
		rule, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT },
		{ NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict });

	if (expr && chain)
		nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nftexpr_accept(struct nftexpr_rule rule)
{
	decide(rule, NF_ACCEPT, NULL);
}

void nftexpr_drop(struct nftexpr_rule rule)
{
	decide(rule, NF_DROP, NULL);
}

void nftexpr_return(struct nftexpr_rule rule)
{
	decide(rule, NFT_RETURN, NULL);
}

void nftexpr_jump(struct nftexpr_rule rule, const char *chain)
{
	decide(rule, NFT_JUMP, chain);
}

void nftexpr_goto(struct nftexpr_rule rule, const char *chain)
{
	decide(rule, NFT_GOTO, chain);
}

void nftexpr_verdict_of(struct nftexpr_rule rule, unsigned int reg,
			const char *set)
{
	struct nftnl_expr *expr =
		ADD_WITH(rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, named(reg) },
			 { NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set);
}

void nftexpr_log(struct nftexpr_rule rule, uint16_t group, const char *prefix,
		 uint32_t captured_bytes)
{
	struct nftnl_expr *expr = add(rule, "log");

	if (!expr)
		return;
	nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, group);
	nftnl_expr_set_str(expr, NFTNL_EXPR_LOG_PREFIX, prefix);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOG_SNAPLEN, captured_bytes);
}

void nftexpr_queue(struct nftexpr_rule rule, enum nftexpr_queue method,
		   uint16_t number, bool bypass)
{
	struct xt_NFQ_info_v3 *info;
	struct nftnl_expr *expr;

	if (method == NFTEXPR_QUEUE_NATIVE) {
		expr = add(rule, "queue");
		if (!expr)
			return;
		nftnl_expr_set_u16(expr, NFTNL_EXPR_QUEUE_NUM, number);
		nftnl_expr_set_u16(expr, NFTNL_EXPR_QUEUE_TOTAL, 1);
		nftnl_expr_set_u16(expr, NFTNL_EXPR_QUEUE_FLAGS,
				   bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
		return;
	}
	/* The library frees it, so it must be of the heap. */
	info = calloc(1, sizeof(*info));
	expr = info ? ADD_WITH(rule, "target", { NFTNL_EXPR_TG_REV, 3 }) : NULL;
	if (!expr) {
		*rule.failed = true;
		free(info);
		return;
	}
	info->queuenum = number;
	info->queues_total = 1;
	info->flags = bypass ? NFQ_FLAG_BYPASS : 0;
	nftnl_expr_set_str(expr, NFTNL_EXPR_TG_NAME, "NFQUEUE");
	nftnl_expr_set(expr, NFTNL_EXPR_TG_INFO, info, sizeof(*info));
}
