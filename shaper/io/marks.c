/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/marks.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/fib_rules.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_read.h"
#include "shaper/io/rtdump.h"

struct list {
	uint32_t bits;
	struct marks_user *users;
	size_t count, max;
};

static char *next(struct list *list)
{
	static char none[MARKS_TEXT_BYTES];
	size_t at = list->count++;

	return at < list->max ? list->users[at].text : none;
}

/* ------ rules of routing */

_Static_assert((int)FRA_MAX < RTDUMP_ATTRIBUTES, "a place for each");

/* Rules without a mark have neither. */
static void on_rule(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	struct rtdump_attributes attributes = { 0 };
	struct list *list = data;

	if (message->nlmsg_type != RTM_NEWRULE ||
	    mnl_attr_parse(message, sizeof(*header), rtdump_note, &attributes) <
		    0 ||
	    !(rtdump_number(&attributes, FRA_FWMASK) & list->bits))
		return;
	snprintf(next(list), MARKS_TEXT_BYTES, "ip%s rule %u, fwmark 0x%x/0x%x",
		 header->family == AF_INET6 ? " -6" : "",
		 rtdump_number(&attributes, FRA_PRIORITY),
		 rtdump_number(&attributes, FRA_FWMARK),
		 rtdump_number(&attributes, FRA_FWMASK));
}

static int read_routing(struct list *list, uint8_t family)
{
	const struct fib_rule_hdr body = { .family = family };

	return rtdump_ask(&(struct rtdump){ .type = RTM_GETRULE,
					    .flags = NLM_F_DUMP,
					    .body = &body,
					    .body_bytes = sizeof(body),
					    .each = on_rule,
					    .data = list });
}

/* ------ nftables: what a rule's registers have of the mark */

enum { REGISTERS = 20, MARK_BYTES = 4 };

struct register_state {
	bool is_mark;
	uint32_t kept;    /* bits of the mark that are in it */
	uint32_t changed; /* of what was the mark */
};

struct registers {
	struct register_state of[REGISTERS];
	uint32_t bits; /* read or changed, so far */
};

/* The four old ones are four of the new each. */
static struct register_state *at(struct registers *registers, uint32_t number)
{
	uint32_t place = number >= NFT_REG32_00 ? number - NFT_REG32_00
						: (number - NFT_REG_1) * 4;

	return &registers->of[number >= NFT_REG_1 && place < REGISTERS - 1
				      ? place
				      : REGISTERS - 1];
}

static struct register_state *of(struct registers *registers,
				 const struct nftnl_expr *expr,
				 uint16_t attribute)
{
	return at(registers, nftnl_expr_get_u32(expr, attribute));
}

static void follow_meta(struct registers *registers,
			const struct nftnl_expr *expr)
{
	struct register_state *state;

	if (nftnl_expr_is_set(expr, NFTNL_EXPR_META_DREG)) {
		state = of(registers, expr, NFTNL_EXPR_META_DREG);
		*state = (struct register_state){ 0 };
		if (nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY) ==
		    NFT_META_MARK)
			*state = (struct register_state){ true, UINT32_MAX, 0 };
		return;
	}
	if (nftnl_expr_get_u32(expr, NFTNL_EXPR_META_KEY) != NFT_META_MARK)
		return;
	state = of(registers, expr, NFTNL_EXPR_META_SREG);
	registers->bits |= state->is_mark ? state->changed : UINT32_MAX;
}

static uint32_t word_of(const struct nftnl_expr *expr, uint16_t attribute,
			uint32_t otherwise)
{
	uint32_t bytes = 0, word;
	const void *data = nftnl_expr_get(expr, attribute, &bytes);

	if (!data || bytes != MARK_BYTES)
		return otherwise;
	memcpy(&word, data, sizeof(word));
	return word;
}

/* (mark & mask) ^ flip; a shift moves all of it. */
static void follow_bitwise(struct registers *registers,
			   const struct nftnl_expr *expr)
{
	struct register_state state =
		*of(registers, expr, NFTNL_EXPR_BITWISE_SREG);
	uint32_t mask = word_of(expr, NFTNL_EXPR_BITWISE_MASK, 0);
	uint32_t flip = word_of(expr, NFTNL_EXPR_BITWISE_XOR, UINT32_MAX);

	if (nftnl_expr_is_set(expr, NFTNL_EXPR_BITWISE_MASK)) {
		state.kept &= mask;
		state.changed |= ~mask | flip;
	} else {
		state.changed = UINT32_MAX;
	}
	*of(registers, expr, NFTNL_EXPR_BITWISE_DREG) = state;
}

static void follow_test(struct registers *registers,
			const struct nftnl_expr *expr, uint16_t source)
{
	const struct register_state *state = of(registers, expr, source);

	if (state->is_mark)
		registers->bits |= state->kept;
}

/* "match" and "target" are those of iptables. */
static void follow_compat(struct registers *registers,
			  const struct nftnl_expr *expr, bool target)
{
	uint16_t name_of = target ? NFTNL_EXPR_TG_NAME : NFTNL_EXPR_MT_NAME;
	uint16_t info_of = target ? NFTNL_EXPR_TG_INFO : NFTNL_EXPR_MT_INFO;
	const char *name = nftnl_expr_get_str(expr, name_of);
	uint32_t bytes = 0;
	const void *info = nftnl_expr_get(expr, info_of, &bytes);
	struct xt_connmark_tginfo1 connmark;
	struct xt_mark_mtinfo1 match;
	struct xt_mark_tginfo2 mark;

	if (!name || !info)
		return;
	if (!target && strcmp(name, "mark") == 0 && bytes >= sizeof(match)) {
		memcpy(&match, info, sizeof(match));
		registers->bits |= match.mask;
	} else if (target && strcmp(name, "MARK") == 0 &&
		   bytes >= sizeof(mark)) {
		memcpy(&mark, info, sizeof(mark));
		registers->bits |= mark.mask | mark.mark;
	} else if (target && strcmp(name, "CONNMARK") == 0 &&
		   bytes >= sizeof(connmark)) {
		memcpy(&connmark, info, sizeof(connmark));
		if (connmark.mode == XT_CONNMARK_RESTORE)
			registers->bits |= connmark.nfmask;
	}
}

static int follow(struct nftnl_expr *expr, void *data)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
	struct registers *registers = data;

	if (strcmp(name, "meta") == 0)
		follow_meta(registers, expr);
	else if (strcmp(name, "bitwise") == 0)
		follow_bitwise(registers, expr);
	else if (strcmp(name, "cmp") == 0)
		follow_test(registers, expr, NFTNL_EXPR_CMP_SREG);
	else if (strcmp(name, "lookup") == 0)
		follow_test(registers, expr, NFTNL_EXPR_LOOKUP_SREG);
	else if (strcmp(name, "range") == 0)
		follow_test(registers, expr, NFTNL_EXPR_RANGE_SREG);
	else if (strcmp(name, "immediate") == 0)
		*of(registers, expr, NFTNL_EXPR_IMM_DREG) =
			(struct register_state){ 0 };
	else if (strcmp(name, "ct") == 0 &&
		 nftnl_expr_is_set(expr, NFTNL_EXPR_CT_DREG))
		*of(registers, expr, NFTNL_EXPR_CT_DREG) =
			(struct register_state){ 0 };
	else if (strcmp(name, "match") == 0 || strcmp(name, "target") == 0)
		follow_compat(registers, expr, name[0] == 't');
	return 0;
}

static int on_nft_rule(const struct nlmsghdr *message, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct registers registers = { 0 };
	struct list *list = data;
	const char *table;

	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(message, rule) == 0) {
		table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
		nftnl_expr_foreach(rule, follow, &registers);
		if (strcmp(table, NFTPLAN_NAME) != 0 &&
		    registers.bits & list->bits)
			snprintf(next(list), MARKS_TEXT_BYTES,
				 "nft rule in table %.40s, chain %.40s", table,
				 nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	}
	nftnl_rule_free(rule);
	return 0;
}

static int read_nft(struct list *list)
{
	const struct nftread_request request = { .type = NFT_MSG_GETRULE,
						 .family = NFPROTO_UNSPEC,
						 .each = on_nft_rule,
						 .data = list };
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int error;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	else
		error = nftread_dump(socket, &request);
	mnl_socket_close(socket);
	return error;
}

int marks_read(uint32_t bits, struct marks_user *ret_users, size_t max,
	       size_t *ret_count)
{
	struct list list = { .bits = bits, .users = ret_users, .max = max };
	int error = read_routing(&list, AF_INET);

	/* A kernel without IPv6 has no such rules. */
	if (error == 0)
		read_routing(&list, AF_INET6);
	if (error == 0)
		error = read_nft(&list);
	if (error == 0)
		*ret_count = list.count;
	return error;
}
