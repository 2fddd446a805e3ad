/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_alive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_expr.h"

#define ALIVE_CHAIN "alive"

static void add_table(struct nftbatch *batch, uint32_t family)
{
	struct nlmsghdr *message = nftbatch_begin(batch, NFT_MSG_NEWTABLE,
						  family, NLM_F_CREATE, "table",
						  NFTALIVE_TABLE);

	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, NFTALIVE_TABLE);
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	nftbatch_end(batch, message);
}

static bool add_chain(struct nftbatch *batch, uint32_t family)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		return false;
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, family);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFTALIVE_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, ALIVE_CHAIN);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
	/* Hooks of bridges have the same numbers. */
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, NF_INET_FORWARD);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO,
			    NFTCOMPILE_FORWARD_PRIORITY - 1);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nftbatch_chain(batch, NFT_MSG_NEWCHAIN, chain);
	nftnl_chain_free(chain);
	return true;
}

static bool add_rule(struct nftbatch *batch, uint32_t family, uint32_t mask,
		     uint32_t value)
{
	const uint32_t none = 0;
	bool failed = false;
	struct nftexpr_rule rule = { nftnl_rule_alloc(), &failed,
				     NFTEXPR_PACKETS };

	if (!rule.rule)
		return false;
	nftnl_rule_set_u32(rule.rule, NFTNL_RULE_FAMILY, family);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_TABLE, NFTALIVE_TABLE);
	nftnl_rule_set_str(rule.rule, NFTNL_RULE_CHAIN, ALIVE_CHAIN);
	nftexpr_meta(rule, NFT_META_MARK, 0);
	nftexpr_mask(rule, 0, &mask, sizeof(mask));
	nftexpr_equal(rule, 0, &none, sizeof(none));
	nftexpr_set_mark_bits(rule, value);
	nftbatch_rule(batch, NFT_MSG_NEWRULE, rule.rule);
	nftnl_rule_free(rule.rule);
	return !failed;
}

int nftalive_install(struct nftbatch *batch, struct mnl_socket *socket,
		     uint32_t family, uint32_t mask, uint32_t value,
		     const char **ret_what)
{
	nftbatch_reset(batch);
	add_table(batch, family);
	*ret_what = "memory";
	if (!add_chain(batch, family) || !add_rule(batch, family, mask, value))
		return -ENOMEM;
	return nftbatch_commit(batch, socket, ret_what);
}
