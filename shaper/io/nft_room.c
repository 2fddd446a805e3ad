/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A waiting room before conntrack.  While the first packet of a flow is held,
 * its conntrack entry is not confirmed, and each packet that follows would get
 * an entry of its own: with `masquerade random` each a port of its own, and of
 * ICMP echoes all but one are dropped when they are let go.  So those that
 * follow wait here, where they have none yet, until the first has left.
 *
 *	the flow has had an answer (@confirmed)		go on
 *	the flow is on its way (@pending)		to the room's queue
 *	else it is the first				note it, go on
 *
 * TCP does without: only a repeated SYN can follow, and one is enough.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"

enum {
	FLOWS_MAX = 65536,
	/* As long as the kernel remembers a flow without answers. */
	PENDING_MS = 30 * 1000,
	CONFIRMED_MS = 60 * 1000,
	UDP = 17,
};

static uint8_t echo_protocol(bool ipv4)
{
	return ipv4 ? 1 : 58;
}

/* What tells flows of a protocol apart, besides their addresses. */
enum kind { ECHOES, DATAGRAMS };

/* A flow's key: protocol, addresses, and ports or the echo's identifier. */
static void load_flow(struct nftexpr_rule rule, bool ipv4, enum kind kind)
{
	static const uint8_t NONE[2];
	unsigned int reg = ipv4 ? 3 : 9;

	nftfields_protocol(rule, 0);
	nftexpr_load(rule, nftfields_source(ipv4), 1);
	nftexpr_load(rule, nftfields_destination(ipv4), ipv4 ? 2 : 5);
	if (kind == ECHOES) {
		nftexpr_load(rule, NFTFIELDS_ECHO_ID, reg);
		nftexpr_value(rule, NONE, sizeof(NONE), reg + 1);
	} else {
		nftexpr_load(rule, NFTFIELDS_SOURCE_PORT, reg);
		nftexpr_load(rule, NFTFIELDS_DESTINATION_PORT, reg + 1);
	}
}

/* The same of a packet whose destination may have been translated since. */
static void load_original(struct nftexpr_rule rule, bool ipv4, enum kind kind)
{
	static const uint8_t NONE[2];
	unsigned int reg = ipv4 ? 3 : 9;

	nftfields_protocol(rule, 0);
	nftexpr_original(rule, ipv4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6, 1);
	nftexpr_original(rule, ipv4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6,
			 ipv4 ? 2 : 5);
	if (kind == ECHOES) {
		nftexpr_load(rule, NFTFIELDS_ECHO_ID, reg);
		nftexpr_value(rule, NONE, sizeof(NONE), reg + 1);
	} else {
		nftexpr_original(rule, NFT_CT_PROTO_SRC, reg);
		nftexpr_original(rule, NFT_CT_PROTO_DST, reg + 1);
	}
}

static void flow_set(struct nftplan_table *table, const char *what, bool ipv4,
		     uint64_t timeout_ms)
{
	enum nftplan_field address = ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6;
	struct nftcompile_name name = nftcompile_name(what, ipv4);

	nftplan_set(table,
		    &(struct nftplan_set){
			    .name = name.text,
			    .kind = NFTPLAN_LEARNT,
			    .fields = { NFTPLAN_PROTOCOL, address, address,
					NFTPLAN_PORT, NFTPLAN_PORT },
			    .size_max = FLOWS_MAX,
			    .timeout_ms = timeout_ms });
}

/* The three questions. */
static void wait_in_order(struct nftplan_table *table, const char *chain,
			  bool ipv4, enum kind kind)
{
	struct nftcompile_name confirmed = nftcompile_name("confirmed", ipv4);
	struct nftcompile_name pending = nftcompile_name("pending", ipv4);
	struct nftcompile_name held = nftcompile_name("wait", ipv4);
	struct nftexpr_rule rule;

	nftplan_chain(table, chain);
	rule = nftplan_rule(table, chain, NULL);
	load_flow(rule, ipv4, kind);
	nftexpr_in_set(rule, 0, confirmed.text);
	nftexpr_accept(rule);
	rule = nftplan_rule(table, chain, NULL); /* to ourselves */
	nftexpr_destination_type(rule, 0);
	nftexpr_unequal(rule, 0, &(uint32_t){ RTN_UNICAST }, 4);
	nftexpr_accept(rule);
	rule = nftplan_rule(table, chain, NULL);
	load_flow(rule, ipv4, kind);
	nftexpr_in_set(rule, 0, pending.text);
	nftexpr_remember(rule, 0, pending.text, NFTEXPR_REFRESH);
	nftexpr_goto(rule, held.text);
	rule = nftplan_rule(table, chain, NULL);
	load_flow(rule, ipv4, kind);
	nftexpr_remember(rule, 0, pending.text, NFTEXPR_ADD);
}

static void enter(struct nftplan_table *table, const struct policy *policy,
		  bool ipv4, uint8_t protocol, const uint8_t *icmp_type,
		  const char *chain)
{
	struct nftexpr_rule rule = nftplan_rule(table, NFTCOMPILE_ROOM, NULL);

	nftexpr_is_ip(rule, ipv4);
	nftexpr_is_protocol(rule, protocol);
	if (icmp_type) {
		nftexpr_load(rule, NFTFIELDS_ICMP_TYPE, 0);
		nftexpr_equal(rule, 0, icmp_type, 1);
	}
	nftcompile_is_inside(rule, policy, nftfields_source(ipv4), ipv4);
	nftexpr_goto(rule, chain);
}

/* In the forward hook: who has had an answer needs the room no more. */
static void confirm(struct nftplan_table *table, const struct policy *policy,
		    bool ipv4, uint8_t protocol)
{
	static const uint32_t ANSWERED = IPS_SEEN_REPLY, NOT = 0;
	struct nftcompile_name confirmed = nftcompile_name("confirmed", ipv4);
	struct nftexpr_rule rule =
		nftplan_rule(table, NFTCOMPILE_FORWARD, NULL);

	nftexpr_is_ip(rule, ipv4);
	nftexpr_is_protocol(rule, protocol);
	nftcompile_is_inside(rule, policy, nftfields_source(ipv4), ipv4);
	nftexpr_conntrack(rule, NFT_CT_STATUS, 0);
	nftexpr_mask(rule, 0, &ANSWERED, sizeof(ANSWERED));
	nftexpr_unequal(rule, 0, &NOT, sizeof(NOT));
	load_original(rule, ipv4, protocol == UDP ? DATAGRAMS : ECHOES);
	nftexpr_remember(rule, 0, confirmed.text, NFTEXPR_ADD);
}

static void compile_family(struct nftplan_table *table,
			   const struct nftcompile *compile, bool ipv4)
{
	struct nftcompile_name echo = nftcompile_name("room_echo", ipv4);
	struct nftcompile_name udp = nftcompile_name("room_udp", ipv4);
	struct nftcompile_name held = nftcompile_name("wait", ipv4);
	const uint8_t request = ipv4 ? 8 : 128;

	if (!nftplan_sees(table, ipv4))
		return;
	flow_set(table, "pending", ipv4, PENDING_MS);
	flow_set(table, "confirmed", ipv4, CONFIRMED_MS);
	nftplan_chain(table, held.text);
	nftshards_dispatch(table, compile, held.text, ipv4, true,
			   NFTRULES_QUEUE_ROOM);
	wait_in_order(table, echo.text, ipv4, ECHOES);
	enter(table, compile->policy, ipv4, echo_protocol(ipv4), &request,
	      echo.text);
	confirm(table, compile->policy, ipv4, echo_protocol(ipv4));
	if (compile->conntrack != NFTRULES_CONNTRACK_TRANSLATES)
		return;
	wait_in_order(table, udp.text, ipv4, DATAGRAMS);
	enter(table, compile->policy, ipv4, UDP, NULL, udp.text);
	confirm(table, compile->policy, ipv4, UDP);
}

void nftroom_compile(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	if (compile->conntrack == NFTRULES_CONNTRACK_NONE)
		return;
	nftplan_base_chain(table, NFTCOMPILE_ROOM, NF_INET_PRE_ROUTING,
			   NFTCOMPILE_ROOM_PRIORITY);
	compile_family(table, compile, true);
	compile_family(table, compile, false);
}
