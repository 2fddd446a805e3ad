/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_others.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shaper/io/nft_alive.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_read.h"

enum { TRIES = 16, AT_INGRESS = 0, AT_EGRESS = 1, INET_INGRESS = 5 };

static bool is_ours(const char *table)
{
	return strcmp(table, NFTPLAN_NAME) == 0 ||
	       strcmp(table, NFTALIVE_TABLE) == 0;
}

/* ------ chains */

static bool is_on_the_way(uint32_t hook)
{
	return hook == NF_INET_PRE_ROUTING || hook == NF_INET_FORWARD ||
	       hook == NF_INET_POST_ROUTING;
}

static enum nftothers_where where_is(uint32_t family, uint32_t hook)
{
	switch (family) {
	case NFPROTO_BRIDGE: /* hooks have the same numbers */
		return is_on_the_way(hook) ? NFTOTHERS_FRAMES
					   : NFTOTHERS_NOWHERE;
	case NFPROTO_NETDEV:
		return hook == AT_EGRESS ? NFTOTHERS_EGRESS : NFTOTHERS_INGRESS;
	case NFPROTO_INET:
	case NFPROTO_IPV4:
	case NFPROTO_IPV6:
		if (family == NFPROTO_INET && hook == INET_INGRESS)
			return NFTOTHERS_INGRESS;
		return is_on_the_way(hook) ? NFTOTHERS_PACKETS
					   : NFTOTHERS_NOWHERE;
	}
	return NFTOTHERS_NOWHERE;
}

static void add(struct nftothers *others, const struct nftothers_chain *chain,
		const char *device)
{
	struct nftothers_chain *to = &others->chains[others->count];

	if (others->count++ >= NFTOTHERS_MAX)
		return;
	*to = *chain;
	snprintf(to->device, sizeof(to->device), "%s", device);
}

/* Whose devices we cannot read may be at any. */
static void add_at_devices(struct nftothers *others,
			   const struct nftothers_chain *chain,
			   const struct nftnl_chain *of)
{
	const char *const *devices =
		nftnl_chain_get_array(of, NFTNL_CHAIN_DEVICES);
	const char *device = nftnl_chain_get_str(of, NFTNL_CHAIN_DEV);
	size_t before = others->count;

	if (device != NULL)
		add(others, chain, device);
	for (; devices != NULL && *devices != NULL; devices++)
		if (device == NULL || strcmp(*devices, device) != 0)
			add(others, chain, *devices);
	if (others->count == before)
		add(others, chain, "*");
}

static void note_chain(struct nftothers *others, const struct nftnl_chain *of)
{
	const char *table = nftnl_chain_get_str(of, NFTNL_CHAIN_TABLE);
	const char *name = nftnl_chain_get_str(of, NFTNL_CHAIN_NAME);
	struct nftothers_chain chain = {
		.family = nftnl_chain_get_u32(of, NFTNL_CHAIN_FAMILY),
		.acts = nftnl_chain_get_u32(of, NFTNL_CHAIN_POLICY) !=
			NF_ACCEPT,
	};

	if (table == NULL || name == NULL || is_ours(table) ||
	    !nftnl_chain_is_set(of, NFTNL_CHAIN_HOOKNUM))
		return;
	chain.where = where_is(chain.family,
			       nftnl_chain_get_u32(of, NFTNL_CHAIN_HOOKNUM));
	snprintf(chain.table, sizeof(chain.table), "%s", table);
	snprintf(chain.name, sizeof(chain.name), "%s", name);
	if (chain.where == NFTOTHERS_INGRESS || chain.where == NFTOTHERS_EGRESS)
		add_at_devices(others, &chain, of);
	else
		add(others, &chain, "");
}

static int on_chain(const struct nlmsghdr *message, void *self)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (chain == NULL)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(message, chain) == 0)
		note_chain(self, chain);
	nftnl_chain_free(chain);
	return 0;
}

/* ------ rules */

static bool lets_pass(const struct nftnl_expr *verdict)
{
	uint32_t code;

	if (!nftnl_expr_is_set(verdict, NFTNL_EXPR_IMM_VERDICT))
		return true;
	code = nftnl_expr_get_u32(verdict, NFTNL_EXPR_IMM_VERDICT);
	return code == NF_ACCEPT || (int32_t)code < 0; /* NFT_CONTINUE, .. */
}

/* It finds something out or counts: what writes, or decides, says so by one
 * more attribute. */
static bool only_looks(const struct nftnl_expr *expr)
{
	static const struct {
		const char *name;
		uint16_t writes;
	} LOOKS[] = {
		{ "cmp", 0 },
		{ "range", 0 },
		{ "bitwise", 0 },
		{ "byteorder", 0 },
		{ "counter", 0 },
		{ "match", 0 },
		{ "fib", 0 },
		{ "payload", NFTNL_EXPR_PAYLOAD_SREG },
		{ "meta", NFTNL_EXPR_META_SREG },
		{ "exthdr", NFTNL_EXPR_EXTHDR_SREG },
		{ "lookup", NFTNL_EXPR_LOOKUP_DREG },
	};
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);

	if (strcmp(name, "immediate") == 0)
		return lets_pass(expr);
	if (strcmp(name, "objref") == 0)
		return nftnl_expr_is_set(expr, NFTNL_EXPR_OBJREF_IMM_TYPE) &&
		       nftnl_expr_get_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE) ==
			       NFT_OBJECT_COUNTER;
	for (size_t i = 0; i < sizeof(LOOKS) / sizeof(*LOOKS); i++)
		if (strcmp(name, LOOKS[i].name) == 0)
			return LOOKS[i].writes == 0 ||
			       !nftnl_expr_is_set(expr, LOOKS[i].writes);
	return false;
}

static int look_at(struct nftnl_expr *expr, void *self)
{
	bool *acts = self;

	*acts |= !only_looks(expr);
	return 0;
}

static bool is_named(const char name[NFTOTHERS_NAME_BYTES], const char *other)
{
	return strncmp(name, other, NFTOTHERS_NAME_BYTES - 1) == 0;
}

/* All of the table's, or those of one name alone.  How many? */
static size_t note_acts(struct nftothers *others, uint32_t family,
			const char *table, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < others->count && i < NFTOTHERS_MAX; i++) {
		struct nftothers_chain *chain = &others->chains[i];

		if (chain->family != family || !is_named(chain->table, table) ||
		    (name != NULL && !is_named(chain->name, name)))
			continue;
		chain->acts = true;
		count++;
	}
	return count;
}

/* Which of them leads to a chain that no hook calls is not asked. */
static void note_rule(struct nftothers *others, struct nftnl_rule *rule)
{
	const char *table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
	const char *name = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	uint32_t family = nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY);
	bool acts = false;

	if (table == NULL || name == NULL || is_ours(table))
		return;
	nftnl_expr_foreach(rule, look_at, &acts);
	if (acts && note_acts(others, family, table, name) == 0)
		note_acts(others, family, table, NULL);
}

static int on_rule(const struct nlmsghdr *message, void *self)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (rule == NULL)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(message, rule) == 0)
		note_rule(self, rule);
	nftnl_rule_free(rule);
	return 0;
}

/* ------ legacy */

/* Modules of these are loaded when somebody asks for them. */
static bool is_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", module);
	return access(path, F_OK) == 0;
}

static bool is_any_loaded(const char *const modules[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_loaded(modules[i]))
			return true;
	return false;
}

/* Told to root alone. */
static bool has_tables(const char *names, const char *const modules[],
		       size_t count)
{
	FILE *file = fopen(names, "re");
	bool found;

	if (file == NULL)
		return errno == EACCES && is_any_loaded(modules, count);
	found = fgetc(file) != EOF;
	fclose(file);
	return found;
}

bool nftothers_look_for_legacy(struct nftothers *others)
{
	static const char *const FRAMES[] = { "ebtable_filter", "ebtable_nat",
					      "ebtable_broute" };
	static const char *const V4[] = { "iptable_filter", "iptable_mangle",
					  "iptable_nat", "iptable_raw",
					  "iptable_security" };
	static const char *const V6[] = { "ip6table_filter", "ip6table_mangle",
					  "ip6table_nat", "ip6table_raw",
					  "ip6table_security" };
	bool frames = is_any_loaded(FRAMES, sizeof(FRAMES) / sizeof(*FRAMES));
	bool packets = has_tables("/proc/net/ip_tables_names", V4,
				  sizeof(V4) / sizeof(*V4)) ||
		       has_tables("/proc/net/ip6_tables_names", V6,
				  sizeof(V6) / sizeof(*V6));
	bool changed = frames != others->frames_legacy ||
		       packets != others->packets_legacy;

	others->frames_legacy = frames;
	others->packets_legacy = packets;
	return changed;
}

/* ------ all */

static int read_once(struct mnl_socket *socket, struct nftothers *others)
{
	struct nftread_request request = { .type = NFT_MSG_GETCHAIN,
					   .family = NFPROTO_UNSPEC,
					   .each = on_chain,
					   .data = others };
	int error;

	*others = (struct nftothers){ 0 };
	error = nftread_dump(socket, &request);
	request.type = NFT_MSG_GETRULE;
	request.each = on_rule;
	if (error == 0 && others->count > 0)
		error = nftread_dump(socket, &request);
	return error;
}

int nftothers_read(struct nftothers *ret_others)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int error = 0, tries = TRIES;

	if (socket == NULL)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	else
		do
			error = read_once(socket, ret_others);
		while (error == -EINTR && --tries > 0);
	mnl_socket_close(socket);
	nftothers_look_for_legacy(ret_others);
	return error;
}

static const char *family_name(uint32_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_BRIDGE:
		return "bridge";
	}
	return "netdev";
}

/* By name, or by how names begin: "vif*". */
static bool is_at(const struct nftothers_chain *chain, const char *device)
{
	size_t bytes = strlen(chain->device);

	if (bytes > 0 && chain->device[bytes - 1] == '*')
		return strncmp(chain->device, device, bytes - 1) == 0;
	return strcmp(chain->device, device) == 0;
}

bool nftothers_at(const struct nftothers *others, enum nftothers_where where,
		  const char *device, char ret_who[NFTOTHERS_TEXT_BYTES])
{
	for (size_t i = 0; i < others->count && i < NFTOTHERS_MAX; i++) {
		const struct nftothers_chain *chain = &others->chains[i];

		if (!chain->acts || chain->where != where ||
		    !is_at(chain, device))
			continue;
		snprintf(ret_who, NFTOTHERS_TEXT_BYTES,
			 "rules of nftables' table %s %s",
			 family_name(chain->family), chain->table);
		return true;
	}
	snprintf(ret_who, NFTOTHERS_TEXT_BYTES, "rules of %s",
		 others->count > NFTOTHERS_MAX ? "too many to look at"
		 : where == NFTOTHERS_FRAMES   ? "ebtables-legacy"
					       : "iptables-legacy");
	return others->count > NFTOTHERS_MAX ||
	       (where == NFTOTHERS_FRAMES && others->frames_legacy) ||
	       (where == NFTOTHERS_PACKETS && others->packets_legacy);
}
