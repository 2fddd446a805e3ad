/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_compare.h"

#include <stdio.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRIBUTES_MAX = 8 };

/* What of an expression we set; the rest is the kernel's. */
static const struct shape {
	const char *name;
	uint16_t attributes[ATTRIBUTES_MAX]; /* 0 ends them */
} SHAPES[] = {
	{ "meta", { NFTNL_EXPR_META_KEY, NFTNL_EXPR_META_DREG } },
	{ "payload",
	  { NFTNL_EXPR_PAYLOAD_DREG, NFTNL_EXPR_PAYLOAD_SREG,
	    NFTNL_EXPR_PAYLOAD_BASE, NFTNL_EXPR_PAYLOAD_OFFSET,
	    NFTNL_EXPR_PAYLOAD_LEN } },
	{ "immediate",
	  { NFTNL_EXPR_IMM_DREG, NFTNL_EXPR_IMM_DATA, NFTNL_EXPR_IMM_VERDICT,
	    NFTNL_EXPR_IMM_CHAIN } },
	{ "ct", { NFTNL_EXPR_CT_DREG, NFTNL_EXPR_CT_KEY, NFTNL_EXPR_CT_DIR } },
	{ "fib",
	  { NFTNL_EXPR_FIB_DREG, NFTNL_EXPR_FIB_RESULT,
	    NFTNL_EXPR_FIB_FLAGS } },
	{ "exthdr",
	  { NFTNL_EXPR_EXTHDR_DREG, NFTNL_EXPR_EXTHDR_TYPE,
	    NFTNL_EXPR_EXTHDR_OFFSET, NFTNL_EXPR_EXTHDR_LEN,
	    NFTNL_EXPR_EXTHDR_OP } },
	{ "bitwise",
	  { NFTNL_EXPR_BITWISE_SREG, NFTNL_EXPR_BITWISE_DREG,
	    NFTNL_EXPR_BITWISE_LEN, NFTNL_EXPR_BITWISE_MASK,
	    NFTNL_EXPR_BITWISE_XOR } },
	{ "hash",
	  { NFTNL_EXPR_HASH_SREG, NFTNL_EXPR_HASH_DREG, NFTNL_EXPR_HASH_LEN,
	    NFTNL_EXPR_HASH_MODULUS, NFTNL_EXPR_HASH_SEED,
	    NFTNL_EXPR_HASH_TYPE } },
	{ "cmp",
	  { NFTNL_EXPR_CMP_SREG, NFTNL_EXPR_CMP_OP, NFTNL_EXPR_CMP_DATA } },
	{ "lookup",
	  { NFTNL_EXPR_LOOKUP_SREG, NFTNL_EXPR_LOOKUP_DREG,
	    NFTNL_EXPR_LOOKUP_SET, NFTNL_EXPR_LOOKUP_FLAGS } },
	{ "limit",
	  { NFTNL_EXPR_LIMIT_RATE, NFTNL_EXPR_LIMIT_UNIT,
	    NFTNL_EXPR_LIMIT_BURST, NFTNL_EXPR_LIMIT_TYPE } },
	{ "dynset",
	  { NFTNL_EXPR_DYNSET_SREG_KEY, NFTNL_EXPR_DYNSET_OP,
	    NFTNL_EXPR_DYNSET_SET_NAME } },
	{ "objref",
	  { NFTNL_EXPR_OBJREF_IMM_TYPE, NFTNL_EXPR_OBJREF_IMM_NAME,
	    NFTNL_EXPR_OBJREF_SET_SREG, NFTNL_EXPR_OBJREF_SET_NAME } },
	{ "log",
	  { NFTNL_EXPR_LOG_GROUP, NFTNL_EXPR_LOG_PREFIX,
	    NFTNL_EXPR_LOG_SNAPLEN } },
	{ "queue",
	  { NFTNL_EXPR_QUEUE_NUM, NFTNL_EXPR_QUEUE_TOTAL,
	    NFTNL_EXPR_QUEUE_FLAGS } },
	{ "target",
	  { NFTNL_EXPR_TG_NAME, NFTNL_EXPR_TG_REV, NFTNL_EXPR_TG_INFO } },
	{ "match",
	  { NFTNL_EXPR_MT_NAME, NFTNL_EXPR_MT_REV, NFTNL_EXPR_MT_INFO } },
	{ "counter", { 0 } },
};

static const struct shape *shape_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(SHAPES) / sizeof(*SHAPES); i++)
		if (strcmp(SHAPES[i].name, name) == 0)
			return &SHAPES[i];
	return NULL;
}

/* Absent is zero, and what is longer must end in zeros: the kernel pads. */
static bool bytes_match(const uint8_t *a, uint32_t a_bytes, const uint8_t *b,
			uint32_t b_bytes)
{
	uint32_t longer = a_bytes > b_bytes ? a_bytes : b_bytes;
	uint32_t i;

	for (i = 0; i < longer; i++)
		if ((i < a_bytes ? a[i] : 0) != (i < b_bytes ? b[i] : 0))
			return false;
	return true;
}

static bool attribute_matches(const struct nftnl_expr *a,
			      const struct nftnl_expr *b, uint16_t type)
{
	uint32_t a_bytes = 0, b_bytes = 0;
	const void *a_data = NULL, *b_data = NULL;

	if (nftnl_expr_is_set(a, type))
		a_data = nftnl_expr_get(a, type, &a_bytes);
	if (nftnl_expr_is_set(b, type))
		b_data = nftnl_expr_get(b, type, &b_bytes);
	return bytes_match(a_data, a_data ? a_bytes : 0, b_data,
			   b_data ? b_bytes : 0);
}

static bool expressions_match(const struct nftnl_expr *a,
			      const struct nftnl_expr *b);

struct inner {
	struct nftnl_expr *expr;
	uint32_t count;
};

static int note_inner(struct nftnl_expr *expr, void *data)
{
	struct inner *inner = data;

	inner->expr = expr;
	inner->count++;
	return 0;
}

/* We give the elements that a rule adds one expression at most. */
static bool inner_matches(const struct nftnl_expr *a,
			  const struct nftnl_expr *b)
{
	struct inner in_a = { 0 }, in_b = { 0 };

	nftnl_expr_expr_foreach(a, note_inner, &in_a);
	nftnl_expr_expr_foreach(b, note_inner, &in_b);
	if (in_a.count != in_b.count || in_a.count > 1)
		return false;
	return in_a.count == 0 || expressions_match(in_a.expr, in_b.expr);
}

static bool expressions_match(const struct nftnl_expr *a,
			      const struct nftnl_expr *b)
{
	const char *name = nftnl_expr_get_str(a, NFTNL_EXPR_NAME);
	const char *other = nftnl_expr_get_str(b, NFTNL_EXPR_NAME);
	const struct shape *shape;
	size_t i;

	if (!name || !other || strcmp(name, other) != 0)
		return false;
	shape = shape_of(name);
	if (!shape)
		return false;
	for (i = 0; i < ATTRIBUTES_MAX && shape->attributes[i]; i++)
		if (!attribute_matches(a, b, shape->attributes[i]))
			return false;
	return strcmp(name, "dynset") != 0 || inner_matches(a, b);
}

static bool rules_match(struct nftnl_rule *a, struct nftnl_rule *b)
{
	struct nftnl_expr_iter *in_a = nftnl_expr_iter_create(a);
	struct nftnl_expr_iter *in_b = nftnl_expr_iter_create(b);
	struct nftnl_expr *of_a = NULL, *of_b = NULL;
	bool match = in_a && in_b;

	while (match) {
		of_a = nftnl_expr_iter_next(in_a);
		of_b = nftnl_expr_iter_next(in_b);
		if (!of_a || !of_b)
			break;
		match = expressions_match(of_a, of_b);
	}
	if (in_a)
		nftnl_expr_iter_destroy(in_a);
	if (in_b)
		nftnl_expr_iter_destroy(in_b);
	return match && !of_a && !of_b;
}

bool nftcompare_rules(const struct nftnl_chain *there,
		      const struct nftnl_chain *wanted)
{
	struct nftnl_rule_iter *in_there = nftnl_rule_iter_create(there);
	struct nftnl_rule_iter *in_wanted = nftnl_rule_iter_create(wanted);
	struct nftnl_rule *a = NULL, *b = NULL;
	bool match = in_there && in_wanted;

	while (match) {
		a = nftnl_rule_iter_next(in_there);
		b = nftnl_rule_iter_next(in_wanted);
		if (!a || !b)
			break;
		match = rules_match(a, b);
	}
	if (in_there)
		nftnl_rule_iter_destroy(in_there);
	if (in_wanted)
		nftnl_rule_iter_destroy(in_wanted);
	return match && !a && !b;
}

bool nftcompare_chains(const struct nftnl_chain *there,
		       const struct nftnl_chain *wanted)
{
	const char *a, *b;

	if (!nftnl_chain_is_set(wanted, NFTNL_CHAIN_HOOKNUM))
		return !nftnl_chain_is_set(there, NFTNL_CHAIN_HOOKNUM);
	if (!nftnl_chain_is_set(there, NFTNL_CHAIN_HOOKNUM))
		return false;
	a = nftnl_chain_get_str(there, NFTNL_CHAIN_TYPE);
	b = nftnl_chain_get_str(wanted, NFTNL_CHAIN_TYPE);
	return a && b && strcmp(a, b) == 0 &&
	       nftnl_chain_get_u32(there, NFTNL_CHAIN_HOOKNUM) ==
		       nftnl_chain_get_u32(wanted, NFTNL_CHAIN_HOOKNUM) &&
	       nftnl_chain_get_s32(there, NFTNL_CHAIN_PRIO) ==
		       nftnl_chain_get_s32(wanted, NFTNL_CHAIN_PRIO) &&
	       nftnl_chain_get_u32(there, NFTNL_CHAIN_POLICY) ==
		       nftnl_chain_get_u32(wanted, NFTNL_CHAIN_POLICY);
}

static uint64_t timeout_of(const struct nftnl_set *set)
{
	return nftnl_set_is_set(set, NFTNL_SET_TIMEOUT)
		       ? nftnl_set_get_u64(set, NFTNL_SET_TIMEOUT)
		       : 0;
}

static uint32_t number_of(const struct nftnl_set *set, uint16_t attribute)
{
	return nftnl_set_is_set(set, attribute)
		       ? nftnl_set_get_u32(set, attribute)
		       : 0;
}

bool nftcompare_sets(const struct nftnl_set *there,
		     const struct nftnl_set *wanted)
{
	static const uint16_t ATTRIBUTES[] = {
		NFTNL_SET_KEY_TYPE, NFTNL_SET_KEY_LEN, NFTNL_SET_DATA_TYPE,
		NFTNL_SET_OBJ_TYPE, NFTNL_SET_DESC_SIZE
	};
	const uint32_t flags = NFT_SET_INTERVAL | NFT_SET_MAP |
			       NFT_SET_TIMEOUT | NFT_SET_EVAL | NFT_SET_CONCAT |
			       NFT_SET_OBJECT;
	size_t i;

	for (i = 0; i < sizeof(ATTRIBUTES) / sizeof(*ATTRIBUTES); i++)
		if (number_of(there, ATTRIBUTES[i]) !=
		    number_of(wanted, ATTRIBUTES[i]))
			return false;
	return (number_of(there, NFTNL_SET_FLAGS) & flags) ==
		       (number_of(wanted, NFTNL_SET_FLAGS) & flags) &&
	       timeout_of(there) == timeout_of(wanted);
}
