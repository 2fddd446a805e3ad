/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>

#include "policy/policy.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_match.h"
#include "shaper/io/nft_plan.h"

/* Lines a second of one `log` rule, and how much of the packet goes with it. */
enum { LOG_PKTS_PER_S = 10, LOG_BURST_PKTS = 20, LOG_CAPTURED_BYTES = 128 };

/* Which of a packet's ends are guarded. */
enum ends { ENDS_OUT, ENDS_IN, ENDS_BOTH };

static struct nftcompile_name chain_of(enum ends ends, bool ipv4)
{
	switch (ends) {
	case ENDS_OUT:
		return nftcompile_name("out", ipv4);
	case ENDS_IN:
		return nftcompile_name("in", ipv4);
	case ENDS_BOTH:
		break;
	}
	return nftcompile_name("both", ipv4);
}

/*
 * Has the kernel anything to decide?  `exempt` and `limit` only matter to it
 * ahead of a rule that does.
 */
static size_t rules_that_matter(const struct policy *policy)
{
	size_t count = 0;
	size_t i;

	for (i = 0; i < policy->rules_count; i++) {
		switch (policy->rules[i].action) {
		case POLICY_DROP:
		case POLICY_ACCEPT:
		case POLICY_LOG:
			count = i + 1;
			break;
		case POLICY_EXEMPT:
		case POLICY_LIMIT:
			break;
		}
	}
	return count;
}

static void log_rule(struct nftexpr_rule to, const struct nftcompile *compile,
		     int priority, bool reply)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), NFTPLAN_NAME " %d %s", priority,
		 reply ? "in" : "out");
	nftexpr_limit(to, LOG_PKTS_PER_S, LOG_BURST_PKTS);
	nftexpr_log(to, compile->log_group, prefix, LOG_CAPTURED_BYTES);
}

static void add_rule(struct nftplan_table *table,
		     const struct nftcompile *compile, const char *chain,
		     const struct policy_rule *rule, struct nftmatch_view view,
		     const char *queue)
{
	char name[NFTPLAN_COUNTER];
	struct nftexpr_rule to;

	if (!nftmatch_is_possible(rule, view))
		return;
	snprintf(name, sizeof(name), "rule %d", (int)rule->priority);
	to = nftplan_rule(table, chain, name);
	nftmatch_conditions(to, rule, view);
	snprintf(name, sizeof(name), "rule_%d", (int)rule->priority);
	switch (rule->action) {
	case POLICY_DROP:
		nftplan_counter(table, name);
		nftexpr_count(to, name);
		nftexpr_drop(to);
		break;
	case POLICY_ACCEPT:
		nftplan_counter(table, name);
		nftexpr_count(to, name);
		nftexpr_accept(to);
		break;
	case POLICY_LOG:
		nftplan_counter(table, name);
		nftexpr_count(to, name);
		log_rule(to, compile, (int)rule->priority, view.reply);
		break;
	case POLICY_EXEMPT:
	case POLICY_LIMIT:
		nftexpr_goto(to, queue);
		break;
	}
}

static void add_rules(struct nftplan_table *table,
		      const struct nftcompile *compile, enum ends ends,
		      bool ipv4)
{
	struct nftcompile_name chain = chain_of(ends, ipv4);
	struct nftcompile_name queue =
		nftshards_target(compile, ipv4, ends != ENDS_IN);
	bool routed = table->view == NFTEXPR_PACKETS;
	size_t count = rules_that_matter(compile->policy);
	size_t i;

	for (i = 0; i < count; i++) {
		const struct policy_rule *rule = &compile->policy->rules[i];

		if (ends != ENDS_IN)
			add_rule(table, compile, chain.text, rule,
				 (struct nftmatch_view){ ipv4, false, routed },
				 queue.text);
		if (ends != ENDS_OUT)
			add_rule(table, compile, chain.text, rule,
				 (struct nftmatch_view){ ipv4, true, routed },
				 queue.text);
	}
	nftexpr_goto(nftplan_rule(table, chain.text, NULL), queue.text);
}

/* "Does this end belong to us?  Then go there." */
static void guarded(struct nftplan_table *table, const struct policy *policy,
		    const char *chain, bool ipv4, bool source,
		    const char *target)
{
	struct nftexpr_rule rule = nftplan_rule(table, chain, NULL);

	nftcompile_is_inside(rule, policy,
			     source ? nftfields_source(ipv4)
				    : nftfields_destination(ipv4),
			     ipv4);
	nftexpr_goto(rule, target);
}

/* With no rules to ask, a packet goes where its guarded end says. */
static void without_rules(struct nftplan_table *table,
			  const struct nftcompile *compile, bool ipv4)
{
	struct nftcompile_name judge = nftcompile_name("judge", ipv4);

	guarded(table, compile->policy, judge.text, ipv4, true,
		nftshards_target(compile, ipv4, true).text);
	guarded(table, compile->policy, judge.text, ipv4, false,
		nftshards_target(compile, ipv4, false).text);
}

static void with_rules(struct nftplan_table *table,
		       const struct nftcompile *compile, bool ipv4)
{
	struct nftcompile_name judge = nftcompile_name("judge", ipv4);
	struct nftcompile_name out = chain_of(ENDS_OUT, ipv4);
	struct nftcompile_name in = chain_of(ENDS_IN, ipv4);
	struct nftcompile_name both = chain_of(ENDS_BOTH, ipv4);

	nftplan_chain(table, out.text);
	nftplan_chain(table, in.text);
	nftplan_chain(table, both.text);
	guarded(table, compile->policy, judge.text, ipv4, true, out.text);
	guarded(table, compile->policy, judge.text, ipv4, false, in.text);
	guarded(table, compile->policy, out.text, ipv4, false, both.text);
	add_rules(table, compile, ENDS_OUT, ipv4);
	add_rules(table, compile, ENDS_IN, ipv4);
	add_rules(table, compile, ENDS_BOTH, ipv4);
}

static void compile_family(struct nftplan_table *table,
			   const struct nftcompile *compile, bool ipv4)
{
	struct nftcompile_name judge = nftcompile_name("judge", ipv4);

	if (!nftplan_sees(table, ipv4))
		return;
	nftplan_chain(table, judge.text);
	nftshards_targets(table, compile, ipv4);
	if (rules_that_matter(compile->policy) > 0)
		with_rules(table, compile, ipv4);
	else
		without_rules(table, compile, ipv4);
	nftexpr_count(nftplan_rule(table, judge.text, NULL), "transit");
}

static void enter(struct nftplan_table *table, const char *chain, bool ipv4)
{
	struct nftexpr_rule rule;

	if (!nftplan_sees(table, ipv4))
		return;
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_is_ip(rule, ipv4);
	nftexpr_goto(rule, nftcompile_name("judge", ipv4).text);
}

/* What the gateway itself says and hears; what stays within it does not. */
static void own_traffic(struct nftplan_table *table, const char *chain,
			uint32_t hook)
{
	struct nftexpr_rule rule;

	nftplan_base_chain(table, chain, hook, NFTCOMPILE_FORWARD_PRIORITY);
	rule = nftplan_rule(table, chain, NULL);
	nftexpr_is_interface(rule, hook == NF_INET_LOCAL_IN, "lo");
	nftexpr_accept(rule);
	enter(table, chain, true);
	enter(table, chain, false);
}

/* Of the inet family's packets, those that one of our bridges forwards. */
static void only_bridged(struct nftplan_table *table,
			 const struct nftbridge_list *bridges)
{
	static const uint32_t KEYS[] = { NFT_META_IIFNAME, NFT_META_OIFNAME };
	struct nftnl_set *set =
		nftplan_set(table, &(struct nftplan_set){
					   .name = "bridges",
					   .kind = NFTPLAN_FIXED,
					   .fields = { NFTPLAN_INTERFACE } });
	struct nftexpr_rule rule;
	size_t i;

	for (i = 0; i < bridges->count; i++)
		nftplan_element(table, set, bridges->names[i], NULL,
				sizeof(bridges->names[i]), NULL);
	for (i = 0; i < 2; i++) {
		rule = nftplan_rule(table, NFTCOMPILE_FORWARD, NULL);
		nftexpr_meta(rule, KEYS[i], 0);
		nftexpr_not_in_set(rule, 0, "bridges");
		nftexpr_accept(rule);
	}
}

static bool has_fast_in_first(const struct nftplan_table *table,
			      const struct nftcompile *compile)
{
	return nftfast_is_direct(table, compile) &&
	       rules_that_matter(compile->policy) == 0;
}

void nftforward_base(struct nftplan_table *table,
		     const struct nftcompile *compile)
{
	/* Hooks of bridges have the same numbers. */
	nftplan_base_chain(table, NFTCOMPILE_FORWARD, NF_INET_FORWARD,
			   NFTCOMPILE_FORWARD_PRIORITY);
	if (has_fast_in_first(table, compile))
		nftfast_in(table, compile, NFTCOMPILE_FORWARD, true);
	nftfast_first(table, compile, NFTCOMPILE_FORWARD);
	if (table->view == NFTEXPR_BRIDGED)
		only_bridged(table, &compile->bridges);
}

void nftforward_compile(struct nftplan_table *table,
			const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;
	bool no_rules = rules_that_matter(policy) == 0;
	bool checked = !nftjudged_has_all(compile);

	nftplan_counter(table, "transit");
	compile_family(table, compile, true);
	compile_family(table, compile, false);
	if (no_rules)
		nftjudged_compile(table, policy, NFTCOMPILE_FORWARD, checked);
	if (!checked)
		nftexpr_jump(nftplan_rule(table, NFTCOMPILE_FORWARD, NULL),
			     NFTCOMPILE_CHECKS);
	if (no_rules) {
		nftjudged_rest(table, policy, NFTCOMPILE_FORWARD, checked);
		if (!has_fast_in_first(table, compile))
			nftfast_in(table, compile, NFTCOMPILE_FORWARD, true);
		nftfast_in(table, compile, NFTCOMPILE_FORWARD, false);
	}
	enter(table, NFTCOMPILE_FORWARD, true);
	enter(table, NFTCOMPILE_FORWARD, false);
	/* A bridge's own traffic is not bridged. */
	if (policy->guard_gateway && table->view == NFTEXPR_PACKETS) {
		own_traffic(table, NFTCOMPILE_INPUT, NF_INET_LOCAL_IN);
		own_traffic(table, NFTCOMPILE_OUTPUT, NF_INET_LOCAL_OUT);
	}
}

static void unjudged(struct nftplan_table *bridge, const struct policy *policy,
		     bool ipv4, bool source)
{
	/* Behind the tag that is still in its place. */
	static const struct nftexpr_field INNER_KIND = { NFTEXPR_NETWORK, 2,
							 2 };
	static const uint8_t IPV4[2] = { 8, 0 }, IPV6[2] = { 0x86, 0xdd };
	struct nftexpr_field address = source ? nftfields_source(ipv4)
					      : nftfields_destination(ipv4);
	struct nftexpr_rule rule =
		nftplan_rule(bridge, NFTCOMPILE_FORWARD, NULL);

	address.offset_bytes += 4;
	nftexpr_meta(rule, NFT_META_PROTOCOL, 0);
	nftexpr_in_set(rule, 0, "tags");
	nftexpr_load(rule, INNER_KIND, 0);
	nftexpr_equal(rule, 0, ipv4 ? IPV4 : IPV6, 2);
	nftcompile_is_inside(rule, policy, address, ipv4);
	nftexpr_count(rule, "unjudged");
	nftexpr_accept(rule);
}

void nftforward_unjudged(struct nftplan_table *bridge,
			 const struct policy *policy)
{
	static const uint8_t TAGS[][2] = { { 0x81, 0 }, { 0x88, 0xa8 } };
	struct nftnl_set *set =
		nftplan_set(bridge, &(struct nftplan_set){
					    .name = "tags",
					    .kind = NFTPLAN_FIXED,
					    .fields = { NFTPLAN_ETHERTYPE } });

	nftplan_element(bridge, set, TAGS[0], NULL, 2, NULL);
	nftplan_element(bridge, set, TAGS[1], NULL, 2, NULL);
	nftplan_base_chain(bridge, NFTCOMPILE_FORWARD, NF_INET_FORWARD,
			   NFTCOMPILE_FORWARD_PRIORITY);
	nftplan_counter(bridge, "unjudged");
	unjudged(bridge, policy, true, true);
	unjudged(bridge, policy, true, false);
	unjudged(bridge, policy, false, true);
	unjudged(bridge, policy, false, false);
}
