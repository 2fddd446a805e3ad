/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_probe.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_read.h"

#define PROBE_TABLE "symtap_probe"
#define PROBE_CHAIN "probe"

static bool add_chain(struct nftbatch *batch, uint32_t family)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		return false;
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, family);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, PROBE_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, PROBE_CHAIN);
	nftbatch_chain(batch, NFT_MSG_NEWCHAIN, chain);
	nftnl_chain_free(chain);
	return true;
}

static bool add_rule(struct nftbatch *batch, uint32_t family,
		     enum nftexpr_queue method)
{
	bool failed = false;
	struct nftexpr_rule rule = { nftnl_rule_alloc(), &failed,
				     NFTEXPR_PACKETS };

	if (!rule.rule)
		return false;
	nftnl_rule_set_u32(rule.rule, NFTNL_RULE_FAMILY, family);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_TABLE, PROBE_TABLE);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_CHAIN, PROBE_CHAIN);
	nftexpr_queue(rule, method, 0, true);
	nftbatch_rule(batch, NFT_MSG_NEWRULE, rule.rule);
	nftnl_rule_free(rule.rule);
	return !failed;
}

static int try_method(struct nftbatch *batch, struct mnl_socket *socket,
		      uint32_t family, enum nftexpr_queue method)
{
	const char *what;

	nftbatch_reset(batch);
	nftbatch_table(batch, NFT_MSG_NEWTABLE, family, PROBE_TABLE);
	if (!add_chain(batch, family) || !add_rule(batch, family, method))
		return -ENOMEM;
	nftbatch_table(batch, NFT_MSG_DELTABLE, family, PROBE_TABLE);
	return nftbatch_commit(batch, socket, &what);
}

int nftprobe_method(struct nftbatch *batch, struct mnl_socket *socket,
		    uint32_t family, enum nftexpr_queue *ret_method)
{
	static const enum nftexpr_queue METHODS[] = { NFTEXPR_QUEUE_NATIVE,
						      NFTEXPR_QUEUE_TARGET };
	size_t i;
	int error;

	for (i = 0; i < sizeof(METHODS) / sizeof(*METHODS); i++) {
		/* Taken in this chain, but not in one that a bridge calls. */
		if (family == NFPROTO_BRIDGE &&
		    METHODS[i] == NFTEXPR_QUEUE_TARGET)
			continue;
		error = try_method(batch, socket, family, METHODS[i]);
		if (error == 0) {
			*ret_method = METHODS[i];
			return 0;
		}
		if (error == -EPERM || error == -ENOMEM)
			return error;
	}
	return -EOPNOTSUPP;
}

static void at_least(enum nftrules_conntrack *level,
		     enum nftrules_conntrack found)
{
	if (found > *level)
		*level = found;
}

static int look_at_chain(const struct nlmsghdr *message, void *level)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *type = NULL;

	if (!chain)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(message, chain) == 0)
		type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
	if (type && strcmp(type, "nat") == 0)
		at_least(level, NFTRULES_CONNTRACK_TRANSLATES);
	nftnl_chain_free(chain);
	return 0;
}

/* Expressions, nft's and iptables', that switch tracking on. */
static bool tracks(const char *name)
{
	static const char *const NAMES[] = {
		"ct",        "nat",       "masq",     "redir",
		"connlimit", "conntrack", "state",    "connmark",
		"helper",    "CT",        "CONNMARK", "connbytes"
	};
	size_t i;

	for (i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++)
		if (strcmp(name, NAMES[i]) == 0)
			return true;
	return false;
}

static int look_at_expression(struct nftnl_expr *expr, void *level)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (name && strcmp(name, "match") == 0)
		name = nftnl_expr_get_str(expr, NFTNL_EXPR_MT_NAME);
	else if (name && strcmp(name, "target") == 0)
		name = nftnl_expr_get_str(expr, NFTNL_EXPR_TG_NAME);
	if (name && tracks(name))
		at_least(level, NFTRULES_CONNTRACK_TRACKS);
	return 0;
}

static int look_at_rule(const struct nlmsghdr *message, void *level)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const char *table;

	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(message, rule) == 0) {
		table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
		if (table && strcmp(table, NFTPLAN_NAME) != 0)
			nftnl_expr_foreach(rule, look_at_expression, level);
	}
	nftnl_rule_free(rule);
	return 0;
}

void nftprobe_message(const struct nlmsghdr *message,
		      enum nftrules_conntrack *level)
{
	switch (NFNL_MSG_TYPE(message->nlmsg_type)) {
	case NFT_MSG_NEWCHAIN:
		look_at_chain(message, level);
		break;
	case NFT_MSG_NEWRULE:
		look_at_rule(message, level);
		break;
	}
}

bool nftprobe_is_anything_tracked(void)
{
	FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	char line[32];
	bool tracked = false;

	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		tracked = strtoul(line, NULL, 10) > 0;
	fclose(file);
	return tracked;
}

/* Tables of iptables-legacy are told to root alone.  Who is not takes it that
 * there may be one, where anything is tracked: then some wait in order who need
 * not. */
static bool has_legacy_nat(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[64];
	bool found = false;

	if (!file)
		return errno == EACCES && nftprobe_is_anything_tracked();
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, "nat") == 0;
	}
	fclose(file);
	return found;
}

int nftprobe_conntrack(struct mnl_socket *socket,
		       enum nftrules_conntrack *ret_conntrack)
{
	enum nftrules_conntrack level = NFTRULES_CONNTRACK_NONE;
	struct nftread_request request = { .type = NFT_MSG_GETCHAIN,
					   .family = NFPROTO_UNSPEC,
					   .each = look_at_chain,
					   .data = &level };
	int error = nftread_dump(socket, &request);

	request.type = NFT_MSG_GETRULE;
	request.each = look_at_rule;
	if (!error || error == -EINTR)
		error = nftread_dump(socket, &request);
	/* It changes while we look: the watch will tell us to look again. */
	if (error && error != -EINTR)
		return error;
	if (has_legacy_nat("/proc/net/ip_tables_names") ||
	    has_legacy_nat("/proc/net/ip6_tables_names"))
		at_least(&level, NFTRULES_CONNTRACK_TRANSLATES);
	if (nftprobe_is_anything_tracked())
		at_least(&level, NFTRULES_CONNTRACK_TRACKS);
	*ret_conntrack = level;
	return 0;
}
