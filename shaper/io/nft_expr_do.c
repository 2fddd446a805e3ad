/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rule does: elements of sets, counters, verdicts. */
#include "shaper/io/nft_expr.h"

#include <stdio.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <stdlib.h>

#include "shaper/io/nft_expr_add.h"

static struct nftnl_expr *change_set(struct nftexpr_rule rule, unsigned int reg,
				     const char *set, uint32_t operation)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "dynset",
		{ NFTNL_EXPR_DYNSET_SREG_KEY, nftexpr_named(reg) },
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
		nftexpr_set_limit(limit, pkts_per_s, burst_pkts);
}

void nftexpr_count(struct nftexpr_rule rule, const char *counter)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(rule, "objref",
						   { NFTNL_EXPR_OBJREF_IMM_TYPE,
						     NFT_OBJECT_COUNTER });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

void nftexpr_count_by(struct nftexpr_rule rule, unsigned int reg,
		      const char *set)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(rule, "objref",
						   { NFTNL_EXPR_OBJREF_SET_SREG,
						     nftexpr_named(reg) });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_OBJREF_SET_NAME, set);
}

static void decide(struct nftexpr_rule rule, int verdict, const char *chain)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
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
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set);
}

void nftexpr_value_of(struct nftexpr_rule rule, unsigned int reg,
		      const char *set, unsigned int value)
{
	struct nftnl_expr *expr = NFTEXPR_ADD_WITH(
		rule, "lookup", { NFTNL_EXPR_LOOKUP_SREG, nftexpr_named(reg) },
		{ NFTNL_EXPR_LOOKUP_DREG, nftexpr_named(value) });

	if (expr)
		nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set);
}

void nftexpr_log(struct nftexpr_rule rule, uint16_t group, const char *prefix,
		 uint32_t captured_bytes)
{
	struct nftnl_expr *expr = nftexpr_add(rule, "log");

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
		expr = nftexpr_add(rule, "queue");
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
	expr = info ? NFTEXPR_ADD_WITH(rule, "target", { NFTNL_EXPR_TG_REV, 3 })
		    : NULL;
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
