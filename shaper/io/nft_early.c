/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Before anything else looks at a packet: forgeries, tiny fragments, and what
 * the daemon has refused.  The cheapest way to get rid of what must not pass.
 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_bindings.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_match.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"
#include "shaper/io/nft_refusals.h"

enum {
	/* A fragment that is not the last is tiny below these (RFC 791 and
	 * 8200: every host takes so much in one piece). */
	TINY4_BYTES = 576,
	TINY6_BYTES = 1280 - 40,
	FRAGMENT_HOSTS_MAX = 65536,
	FRAGMENT_TIMEOUT_MS = 10 * 1000,
	ICMP = 1,
	ICMPV6 = 58,
};

static const uint8_t MORE4[2] = { 0x20, 0 }, MORE6[2] = { 0, 1 };
static const uint8_t NONE[2];

static void is_tiny_fragment(struct nftexpr_rule rule, bool ipv4)
{
	uint16_t bytes = ipv4 ? TINY4_BYTES : TINY6_BYTES;
	const uint8_t limit[2] = { (uint8_t)(bytes >> 8), (uint8_t)bytes };

	if (ipv4) {
		nftexpr_is_ip(rule, true);
		nftexpr_load(rule, NFTFIELDS_FRAGMENT4, 0);
	} else {
		nftexpr_is_ip(rule, false);
		nftexpr_fragment6(rule, 0);
	}
	nftexpr_mask(rule, 0, ipv4 ? MORE4 : MORE6, 2);
	nftexpr_unequal(rule, 0, NONE, sizeof(NONE));
	nftexpr_load(rule, ipv4 ? NFTFIELDS_LENGTH4 : NFTFIELDS_LENGTH6, 0);
	nftexpr_less(rule, 0, limit, sizeof(limit));
}

/* So many a second from, or to, one guarded host. */
static void limit_end(struct nftplan_table *table, const struct policy *policy,
		      const char *chain, struct nftexpr_field end)
{
	uint32_t pkts_per_s = policy->fragment_pkts_per_s;
	bool ipv4 = end.length_bytes == 4;
	struct nftcompile_name set = nftcompile_name("fragments", ipv4);
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftcompile_is_inside(rule, policy, end, ipv4);
	nftexpr_load(rule, end, 0);
	nftexpr_limit_each(rule, 0, set.text, pkts_per_s, pkts_per_s);
	nftexpr_return(rule);
	rule = nftplan_rule(table, chain, NULL);
	nftcompile_is_inside(rule, policy, end, ipv4);
	nftexpr_count(rule, "tiny_fragments");
	nftexpr_drop(rule);
}

static void fragments(struct nftplan_table *table, const struct policy *policy,
		      const char *from, bool ipv4)
{
	struct nftcompile_name chain = nftcompile_name("tiny", ipv4);
	struct nftcompile_name set = nftcompile_name("fragments", ipv4);
	struct nftexpr_rule rule;

	if (policy->fragment_pkts_per_s == 0)
		return;
	nftplan_counter(table, "tiny_fragments");
	nftplan_chain(table, chain.text);
	nftplan_set(table,
		    &(struct nftplan_set){
			    .name = set.text,
			    .kind = NFTPLAN_LEARNT,
			    .fields = { ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6 },
			    .size_max = FRAGMENT_HOSTS_MAX,
			    .timeout_ms = FRAGMENT_TIMEOUT_MS });
	limit_end(table, policy, chain.text, nftfields_source(ipv4));
	limit_end(table, policy, chain.text, nftfields_destination(ipv4));
	rule = nftplan_rule(table, from, NULL);
	is_tiny_fragment(rule, ipv4);
	nftexpr_jump(rule, chain.text);
}

static void refuse(struct nftexpr_rule rule, const char *set)
{
	nftexpr_in_set(rule, 0, set);
	nftexpr_count(rule, "refused");
	nftexpr_drop(rule);
}

/* Registers 0, 1..: interface, then the host that `saddr` belongs to. */
static void load_host(struct nftexpr_rule rule, const struct policy *policy,
		      bool ipv4)
{
	uint8_t mask[16] = { 0 };
	unsigned int bit;

	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_load(rule, nftfields_source(ipv4), 1);
	if (ipv4 || policy->host_prefix6 >= 128)
		return;
	for (bit = 0; bit < policy->host_prefix6; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	nftexpr_mask(rule, 1, mask, sizeof(mask));
}

static void load_pair(struct nftexpr_rule rule, bool ipv4)
{
	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_load(rule, nftfields_source(ipv4), 1);
	nftexpr_load(rule, nftfields_destination(ipv4), ipv4 ? 2 : 5);
}

/* Interface, protocol, addresses, and the two ports as one word; of an echo its
 * identifier, and nothing of a protocol that has neither. */
static void refused_flow(struct nftexpr_rule rule, bool ipv4,
			 const struct nftexpr_field *ports)
{
	static const uint8_t NO_PORTS[4];
	unsigned int end = ipv4 ? 4 : 10;

	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftfields_protocol(rule, 1);
	nftexpr_load(rule, nftfields_source(ipv4), 2);
	nftexpr_load(rule, nftfields_destination(ipv4), ipv4 ? 3 : 6);
	if (ports)
		nftexpr_load(rule, *ports, end);
	else
		nftexpr_value(rule, NO_PORTS, sizeof(NO_PORTS), end);
	refuse(rule, nftrefusals_set(NFTREFUSALS_FLOW, ipv4));
}

static void refused_flows(struct nftplan_table *table, const char *chain,
			  bool ipv4)
{
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftexpr_is_protocol(rule, ipv4 ? ICMP : ICMPV6);
	refused_flow(rule, ipv4, &NFTFIELDS_ECHO_ID);
	refused_flow(nftplan_rule(table, chain, NULL), ipv4, &NFTFIELDS_PORTS);
	refused_flow(nftplan_rule(table, chain, NULL), ipv4, NULL);
}

/* A frame has no route: there only the group bit tells. */
static void not_to_one(struct nftplan_table *table, const char *chain)
{
	static const struct nftexpr_field FIRST_BYTE = { NFTEXPR_LINK, 0, 1 };
	static const uint8_t GROUP = 1, NOT_SET = 0;
	const uint32_t unicast = RTN_UNICAST;
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	if (table->view == NFTEXPR_FRAMES) {
		nftexpr_load(rule, FIRST_BYTE, 0);
		nftexpr_mask(rule, 0, &GROUP, sizeof(GROUP));
		nftexpr_unequal(rule, 0, &NOT_SET, sizeof(NOT_SET));
	} else {
		nftexpr_destination_type(rule, 0);
		nftexpr_unequal(rule, 0, &unicast, sizeof(unicast));
	}
	nftexpr_return(rule);
}

/* What is never held is never refused: what goes to the gateway itself, to
 * groups and to all, ICMP errors, and what a rule takes out of the limiter. */
static void never_refused(struct nftplan_table *table,
			  const struct policy *policy, const char *chain,
			  bool ipv4, const char *check)
{
	struct nftexpr_rule rule;
	size_t i;

	not_to_one(table, chain);
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_is_protocol(rule, ipv4 ? ICMP : ICMPV6);
	nftexpr_load(rule, NFTFIELDS_ICMP_TYPE, 0);
	nftexpr_in_set(rule, 0, ipv4 ? "icmp_errors4" : "icmp_errors6");
	nftexpr_return(rule);
	for (i = 0; i < policy->rules_count; i++) {
		const struct nftmatch_view view = {
			ipv4, false, table->view == NFTEXPR_PACKETS
		};
		const struct policy_rule *from = &policy->rules[i];

		if (from->action == POLICY_LOG ||
		    !nftmatch_is_possible(from, view))
			continue;
		rule = nftplan_rule(table, chain, NULL);
		nftmatch_conditions(rule, from, view);
		if (from->action == POLICY_LIMIT)
			nftexpr_goto(rule, check);
		else
			nftexpr_return(rule);
	}
	nftexpr_goto(nftplan_rule(table, chain, NULL), check);
}

static void error_types(struct nftplan_table *table, bool ipv4)
{
	static const uint8_t TYPES4[] = { 3, 4, 5, 11, 12 };
	static const uint8_t TYPES6[] = { 1, 2, 3, 4 };
	size_t count = ipv4 ? sizeof(TYPES4) : sizeof(TYPES6);
	struct nftnl_set *set = nftplan_set(
		table, &(struct nftplan_set){
			       .name = ipv4 ? "icmp_errors4" : "icmp_errors6",
			       .kind = NFTPLAN_FIXED,
			       .fields = { ipv4 ? NFTPLAN_ICMP_TYPE
						: NFTPLAN_ICMP6_TYPE } });
	size_t i;

	for (i = 0; i < count; i++)
		nftplan_element(table, set, ipv4 ? &TYPES4[i] : &TYPES6[i],
				NULL, 1, NULL);
}

/* Whoever has a binding is no part of the host that a prefix is. */
static void is_not_bound(struct nftplan_table *table, struct nftexpr_rule rule,
			 const struct policy *policy)
{
	struct nftbindings all;

	nftbindings_all(&all, policy);
	if (!nftbindings_has(&all, false))
		return;
	nftexpr_load(rule, nftfields_source(false), 0);
	if (nftbindings_single_set(&all, table, "bound_hosts6", false))
		nftexpr_not_in_set(rule, 0, "bound_hosts6");
	if (nftbindings_range_set(&all, table, "bound_ranges6", false))
		nftexpr_not_in_set(rule, 0, "bound_ranges6");
}

static void check_refused(struct nftplan_table *table,
			  const struct policy *policy, const char *check,
			  bool ipv4)
{
	struct nftcompile_name host = nftcompile_name("refused_host", ipv4);
	struct nftexpr_rule rule = nftplan_rule(table, check, NULL);

	nftplan_chain(table, host.text);
	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_load(rule, nftfields_source(ipv4), 1);
	nftexpr_in_set(rule, 0, nftrefusals_set(NFTREFUSALS_HOST, ipv4));
	nftexpr_jump(rule, host.text);
	if (!ipv4 && policy->host_prefix6 < 128) {
		rule = nftplan_rule(table, check, NULL);
		is_not_bound(table, rule, policy);
		load_host(rule, policy, ipv4);
		nftexpr_in_set(rule, 0,
			       nftrefusals_set(NFTREFUSALS_HOST, ipv4));
		nftexpr_jump(rule, host.text);
	}
	rule = nftplan_rule(table, check, NULL);
	load_pair(rule, ipv4);
	refuse(rule, nftrefusals_set(NFTREFUSALS_PAIR, ipv4));
	refused_flows(table, check, ipv4);

	rule = nftplan_rule(table, host.text, NULL);
	load_pair(rule, ipv4);
	nftexpr_in_set(rule, 0, nftrefusals_set(NFTREFUSALS_SPARED, ipv4));
	nftexpr_return(rule);
	rule = nftplan_rule(table, host.text, NULL);
	nftexpr_count(rule, "refused");
	nftexpr_drop(rule);
}

/* A pair that was held is none of what is never held, but for its ICMP errors,
 * and for what a rule takes out. */
static void refused_pair_first(struct nftplan_table *table,
			       const struct policy *policy, const char *chain,
			       bool ipv4)
{
	const uint8_t icmp = ipv4 ? ICMP : ICMPV6;
	struct nftexpr_rule rule;

	for (size_t i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action != POLICY_LOG)
			return;
	rule = nftplan_rule(table, chain, NULL);
	nftfields_protocol(rule, 0);
	nftexpr_unequal(rule, 0, &icmp, sizeof(icmp));
	load_pair(rule, ipv4);
	refuse(rule, nftrefusals_set(NFTREFUSALS_PAIR, ipv4));
}

/*
 * Only hosts of which anything is refused look further: the others pay one
 * look-up.
 */
static void refusals(struct nftplan_table *table, const struct policy *policy,
		     const char *from, bool ipv4)
{
	struct nftcompile_name chain = nftcompile_name("refused", ipv4);
	struct nftcompile_name check = nftcompile_name("refused_check", ipv4);
	struct nftexpr_rule rule;

	nftplan_counter(table, "refused");
	nftplan_chain(table, chain.text);
	nftplan_chain(table, check.text);
	nftrefusals_sets(table, ipv4);
	error_types(table, ipv4);
	refused_pair_first(table, policy, chain.text, ipv4);
	never_refused(table, policy, chain.text, ipv4, check.text);
	check_refused(table, policy, check.text, ipv4);

	rule = nftplan_rule(table, from, NULL);
	nftexpr_is_ip(rule, ipv4);
	load_host(rule, policy, ipv4);
	nftexpr_in_set(rule, 0, nftrefusals_set(NFTREFUSALS_ANY, ipv4));
	nftexpr_goto(rule, chain.text);
}

/* Half of all packets: nobody refuses what comes in, so these need not be
 * asked for one by one.  IPv6 says only of a fragment whether more follow. */
static void comes_in(struct nftexpr_rule rule, const struct policy *policy,
		     bool ipv4)
{
	if (ipv4) {
		nftexpr_is_ip(rule, true);
		nftexpr_load(rule, NFTFIELDS_FRAGMENT4, 0);
		nftexpr_mask(rule, 0, MORE4, sizeof(MORE4));
		nftexpr_equal(rule, 0, NONE, sizeof(NONE));
	} else {
		nftexpr_is_ip(rule, false);
	}
	nftcompile_is_outside(rule, policy, nftfields_source(ipv4), ipv4);
	nftexpr_return(rule);
}

/* The same, of what nobody need be asked for who sends it: one rule, which most
 * packets in leave by. */
static void comes_from_no_port(struct nftplan_table *table,
			       const struct policy *policy, const char *chain)
{
	struct nftexpr_rule rule;

	if (table->view != NFTEXPR_FRAMES || !nftowners_have_all(policy))
		return;
	rule = nftplan_rule(table, chain, NULL);
	nftowners_is_elsewhere(rule);
	comes_in(rule, policy, true);
}

static const char UPLINKS[] = "uplinks";

static bool is_guarded(const struct policy *policy, const char *interface)
{
	for (size_t i = 0; i < policy->owners_count; i++)
		if (strcmp(policy->owners[i].interface, interface) == 0)
			return true;
	return false;
}

/* By index: one that goes and comes again is asked as any other. */
static void add_uplinks(struct nftplan_table *table,
			const struct nftcompile *compile)
{
	struct nftnl_set *set = nftplan_set(
		table,
		&(struct nftplan_set){
			.name = UPLINKS,
			.kind = NFTPLAN_FIXED,
			.fields = { NFTPLAN_IFINDEX },
			.size_max = nftplan_room(compile->uplinks_count) });
	char name[IF_NAMESIZE];

	for (size_t i = 0; i < compile->uplinks_count; i++)
		if (if_indextoname(compile->uplinks[i], name) &&
		    !is_guarded(compile->policy, name))
			nftplan_element(table, set, &compile->uplinks[i], NULL,
					sizeof(compile->uplinks[i]), NULL);
}

/* Nearly all packets in, where those out leave past the bridge. */
static void comes_by_uplink(struct nftplan_table *table,
			    const struct nftcompile *compile, const char *chain)
{
	struct nftexpr_rule rule;

	if (!nftfast_is_direct(table, compile) ||
	    !nftowners_have_all(compile->policy))
		return;
	add_uplinks(table, compile);
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_meta(rule, NFT_META_IIF, 0);
	nftexpr_in_set(rule, 0, UPLINKS);
	comes_in(rule, compile->policy, true);
}

static void checks(struct nftplan_table *table, const struct policy *policy,
		   const char *chain)
{
	if (nftantispoof_is_wanted(policy)) {
		nftplan_chain(table, "antispoof");
		nftantispoof_compile(table, policy, "antispoof");
		comes_from_no_port(table, policy, chain);
		nftexpr_jump(nftplan_rule(table, chain, NULL), "antispoof");
	}
	comes_in(nftplan_rule(table, chain, NULL), policy, true);
	fragments(table, policy, chain, true);
	fragments(table, policy, chain, false);
	comes_in(nftplan_rule(table, chain, NULL), policy, false);
	refusals(table, policy, chain, true);
	refusals(table, policy, chain, false);
}

/* The forward hook does not see what stays here. */
static void checks_late(struct nftplan_table *table,
			const struct policy *policy)
{
	nftplan_chain(table, NFTCOMPILE_CHECKS);
	checks(table, policy, NFTCOMPILE_CHECKS);
	nftplan_base_chain(table, NFTCOMPILE_INPUT, NF_INET_LOCAL_IN,
			   NFTCOMPILE_EARLY_PRIORITY);
	nftjudged_first(table, policy, NFTCOMPILE_INPUT);
	nftexpr_jump(nftplan_rule(table, NFTCOMPILE_INPUT, NULL),
		     NFTCOMPILE_CHECKS);
}

void nftearly_compile(struct nftplan_table *table,
		      const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;

	if (nftjudged_has_all(compile)) {
		checks_late(table, policy);
		return;
	}
	nftplan_base_chain(table, NFTCOMPILE_EARLY, NF_INET_PRE_ROUTING,
			   NFTCOMPILE_EARLY_PRIORITY);
	comes_by_uplink(table, compile, NFTCOMPILE_EARLY);
	nftfast_first(table, compile, NFTCOMPILE_EARLY);
	nftjudged_first(table, policy, NFTCOMPILE_EARLY);
	checks(table, policy, NFTCOMPILE_EARLY);
}
