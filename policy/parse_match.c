/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdio.h>
#include <string.h>

#include "policy/address.h"
#include "policy/protocol.h"
#include "policy/yaml.h"

static bool one_port(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	static const char RIGHT[] = "a port from 1 to 65535, or a range such "
				    "as 1000-2000";
	struct policy_ports *ports = into;
	struct policy_port_range range, *list;
	const char *text = keys_text(reader, node, RIGHT);

	if (text == NULL)
		return false;
	if (!protocol_parse_ports(text, &range)) {
		keys_error(reader, node, RIGHT, "\"%.*s\" is no port",
			   KEYS_SHOWN, text);
		return false;
	}
	for (size_t i = 0; i < ports->count; i++) {
		const struct policy_port_range *other = &ports->list[i];

		if (range.first <= other->last && other->first <= range.last) {
			keys_error(reader, node, "give every port once",
				   "%.*s overlaps a port before it", KEYS_SHOWN,
				   text);
			return false;
		}
	}
	list = draft_grow(ports->list, ports->count, sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	ports->list = list;
	ports->list[ports->count++] = range;
	return true;
}

static bool read_src(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct draft_rule *rule = into;

	return draft_read_prefixes(reader, node, DRAFT_PREFIXES_MAX,
				   &rule->rule.match.src);
}

static bool read_dst(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct draft_rule *rule = into;

	return draft_read_prefixes(reader, node, DRAFT_PREFIXES_MAX,
				   &rule->rule.match.dst);
}

static bool read_src_port(struct keys_reader *reader,
			  const struct yaml_node *node, void *into)
{
	struct draft_rule *rule = into;

	return keys_each(reader, node, DRAFT_PORTS_MAX, one_port,
			 &rule->rule.match.src_port);
}

static bool read_dst_port(struct keys_reader *reader,
			  const struct yaml_node *node, void *into)
{
	struct draft_rule *rule = into;

	return keys_each(reader, node, DRAFT_PORTS_MAX, one_port,
			 &rule->rule.match.dst_port);
}

static bool read_proto(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	static const char RIGHT[] = "tcp, udp, icmp, icmpv6, sctp, esp, ah, "
				    "gre, or a number from 1 to 255";
	struct draft_rule *rule = into;
	const char *text = keys_text(reader, node, RIGHT);

	if (text == NULL)
		return false;
	if (protocol_parse(text, &rule->rule.match.proto))
		return true;
	keys_error(reader, node, RIGHT, "\"%.*s\" is no protocol", KEYS_SHOWN,
		   text);
	return false;
}

static bool one_flag(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct policy_match *match = into;
	size_t bit;

	if (!keys_word(reader, node, PROTOCOL_TCP_FLAGS, &bit))
		return false;
	match->tcp_flags_set |= (uint8_t)(1u << bit);
	return true;
}

static bool read_flags(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct draft_rule *rule = into;
	struct policy_match *match = &rule->rule.match;

	match->tcp_flags_set = 0;
	if (!keys_each(reader, node, 6, one_flag, match))
		return false;
	match->tcp_flags_mask = protocol_flags_mask(match->tcp_flags_set);
	return true;
}

static bool read_interface(struct keys_reader *reader,
			   const struct yaml_node *node, void *into)
{
	struct draft_rule *rule = into;

	return draft_read_interface(reader, node, rule->rule.match.interface);
}

const struct keys_entry DRAFT_MATCH_KEYS[] = {
	{ .name = "src",
	  .type = KEYS_OTHER,
	  .read = read_src,
	  .help = "prefixes of the guarded end; left out: any" },
	{ .name = "dst",
	  .type = KEYS_OTHER,
	  .read = read_dst,
	  .help = "prefixes of the other end; left out: any" },
	{ .name = "src_port",
	  .type = KEYS_OTHER,
	  .read = read_src_port,
	  .help = "ports and ranges of the guarded end; left out: any" },
	{ .name = "dst_port",
	  .type = KEYS_OTHER,
	  .read = read_dst_port,
	  .help = "ports and ranges of the other end; left out: any" },
	{ .name = "proto",
	  .type = KEYS_OTHER,
	  .read = read_proto,
	  .help = "protocol, by name or number; left out: any" },
	{ .name = "flags",
	  .type = KEYS_OTHER,
	  .read = read_flags,
	  .help = "TCP flags that are all set; left out: any" },
	{ .name = "interface",
	  .type = KEYS_OTHER,
	  .read = read_interface,
	  .help = "interface of the guarded end; left out: any" },
	{ .name = "vlan",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 4094,
	  KEYS_FIELD(struct draft_rule, rule.match.vlan),
	  .help = "VLAN of the guarded end; left out: any" },
	{ 0 },
};

static bool check_ports(struct keys_reader *reader,
			const struct yaml_node *node,
			const struct policy_match *match)
{
	if (match->src_port.count == 0 && match->dst_port.count == 0)
		return true;
	if (match->proto == 0 || protocol_has_ports(match->proto))
		return true;
	keys_error(reader, node,
		   "proto tcp, udp or sctp; or leave the ports out",
		   "this protocol has no ports");
	return false;
}

static bool check_flags(struct keys_reader *reader,
			const struct yaml_node *node,
			const struct policy_rule *rule)
{
	if (rule->match.tcp_flags_mask == 0)
		return true;
	if (rule->match.proto != PROTOCOL_TCP) {
		keys_error(reader, node, "add proto: tcp",
			   "only TCP has flags");
		return false;
	}
	if (rule->action != POLICY_EXEMPT)
		return true;
	keys_error(reader, node, "leave the flags out",
		   "exempt cannot match TCP flags: a conversation is counted "
		   "or not as a whole");
	return false;
}

static bool has_family(const struct policy_prefixes *prefixes, bool v4)
{
	static const struct policy_prefix ANY_V4 = {
		.addr = { [10] = 255, [11] = 255 },
		.length = 96,
	};

	for (size_t i = 0; i < prefixes->count; i++) {
		if (address_covers(&ANY_V4, &prefixes->list[i]) == v4)
			return true;
	}
	return prefixes->count == 0;
}

static bool check_family(struct keys_reader *reader,
			 const struct yaml_node *node,
			 const struct policy_match *match)
{
	if (match->proto != PROTOCOL_ICMPV6 && has_family(&match->src, true) &&
	    has_family(&match->dst, true))
		return true;
	if (has_family(&match->src, false) && has_family(&match->dst, false))
		return true;
	keys_error(reader, node, "src, dst and proto of one family",
		   "this matches nothing: IPv4 and IPv6 are mixed");
	return false;
}

static bool check_limit(struct keys_reader *reader,
			const struct yaml_node *node,
			const struct policy *policy,
			const struct policy_rule *rule)
{
	uint8_t enforce = policy->enforce;
	enum flow_scope narrowest = FLOW_SCOPES;
	const char *missing;
	size_t before;

	if (rule->action != POLICY_LIMIT)
		return true;
	for (unsigned scope = FLOW_SCOPES; scope-- > 0;) {
		if (!(enforce & 1u << scope))
			continue;
		narrowest = (enum flow_scope)scope;
		if (policy_match_beyond(&rule->match, narrowest) == NULL)
			return true;
	}
	if (narrowest == FLOW_SCOPES)
		return true; /* enforce itself has an error */
	missing = policy_match_beyond(&rule->match, narrowest);
	before = keys_enter(reader, missing);
	keys_error(reader, yaml_tree_find(node, missing),
		   narrowest == FLOW_SCOPE_FLOW || missing[0] == 'f'
			   ? "leave it out"
			   : "leave it out, or add flow to limiter.enforce",
		   "limit cannot match %s: the key of a %s does not contain it",
		   missing, flow_scope_name(narrowest));
	keys_leave(reader, before);
	return false;
}

/* The wider key of the same packets goes on by its own threshold. */
static void warn_half_limit(struct keys_reader *reader,
			    const struct yaml_node *node,
			    const struct policy *policy,
			    const struct policy_rule *rule)
{
	const char *beyond = policy_match_beyond(&rule->match, FLOW_SCOPE_PAIR);
	size_t before;

	if (rule->action != POLICY_LIMIT || beyond == NULL ||
	    !(policy->enforce & 1u << FLOW_SCOPE_PAIR) ||
	    policy->params[rule->params].ratio_q16 <=
		    policy->params[0].ratio_q16)
		return;
	before = keys_enter(reader, beyond);
	keys_warning(reader, yaml_tree_find(node, beyond),
		     "action: exempt, or limiter.enforce: [flow]",
		     "this threshold is for flows only: %s is not in a pair's "
		     "key, and the pair is held by its own",
		     beyond);
	keys_leave(reader, before);
}

bool draft_check_match(struct keys_reader *reader, const struct yaml_node *node,
		       const struct policy *policy,
		       const struct policy_rule *rule)
{
	size_t before = keys_enter(reader, "match");
	bool good = check_ports(reader, node, &rule->match);

	good &= check_flags(reader, node, rule);
	good &= check_family(reader, node, &rule->match);
	good &= check_limit(reader, node, policy, rule);
	good &= draft_check_zones(reader, node, policy, rule);
	if (good)
		warn_half_limit(reader, node, policy, rule);
	keys_leave(reader, before);
	return good;
}
