/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/print_rules.h"

#include "policy/address.h"
#include "policy/policy.h"
#include "policy/protocol.h"
#include "policy/text.h"

void print_zones(struct text *text, const struct policy *policy)
{
	if (policy->zones_count > 0)
		text_add(text, "zones:\n");
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];

		text_add(text, "  ");
		text_word(text, zone->name);
		text_add(text, ": [");
		for (size_t j = 0; j < zone->count; j++) {
			text_add(text, "%s{interface: ", j > 0 ? ", " : "");
			text_word(text, zone->members[j].interface);
			if (zone->members[j].vlan != 0)
				text_add(text, ", vlan: %u",
					 zone->members[j].vlan);
			text_add(text, "}");
		}
		text_add(text, "]\n");
	}
}

void print_antispoof(struct text *text, const struct policy *policy)
{
	if (policy->sources_count + policy->bindings_count > 0)
		text_add(text, "antispoof:\n");
	if (policy->sources_count > 0)
		text_add(text, "  interfaces:\n");
	for (size_t i = 0; i < policy->sources_count; i++) {
		text_add(text, "    ");
		text_word(text, policy->sources[i].interface);
		text_add(text, ": {sources: ");
		text_prefixes(text, &policy->sources[i].sources);
		text_add(text, "}\n");
	}
	if (policy->bindings_count > 0)
		text_add(text, "  bindings:\n");
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];
		char mac[ADDRESS_MAC_TEXT_SIZE];

		address_print_mac(binding->mac, mac);
		text_add(text, "    - {mac: %s, addresses: ", mac);
		text_prefixes(text, &binding->addresses);
		if (binding->interface[0] != '\0') {
			text_add(text, ", interface: ");
			text_word(text, binding->interface);
		}
		if (binding->has_rate) {
			text_add(text, ", ");
			text_rate(text, &binding->rate);
		}
		text_add(text, "}\n");
	}
}

static void add_ports(struct text *text, size_t *count, const char *key,
		      const struct policy_ports *ports)
{
	if (ports->count == 0)
		return;
	text_key(text, count, key);
	for (size_t i = 0; i < ports->count; i++) {
		char range[PROTOCOL_TEXT_SIZE];

		protocol_print_ports(&ports->list[i], range);
		text_add(text, "%s%s", i > 0 ? ", " : "[", range);
	}
	text_add(text, "]");
}

static void add_flags(struct text *text, size_t *count, uint8_t flags)
{
	const char *before = "[";

	text_key(text, count, "flags");
	for (size_t i = 0; PROTOCOL_TCP_FLAGS[i] != NULL; i++) {
		if (!(flags & 1u << i))
			continue;
		text_add(text, "%s%s", before, PROTOCOL_TCP_FLAGS[i]);
		before = ", ";
	}
	text_add(text, "]");
}

static void add_match(struct text *text, const struct policy_match *match)
{
	char proto[PROTOCOL_TEXT_SIZE];
	size_t count = 0;

	text_add(text, "{");
	if (match->src.count > 0) {
		text_key(text, &count, "src");
		text_prefixes(text, &match->src);
	}
	if (match->dst.count > 0) {
		text_key(text, &count, "dst");
		text_prefixes(text, &match->dst);
	}
	add_ports(text, &count, "src_port", &match->src_port);
	add_ports(text, &count, "dst_port", &match->dst_port);
	if (match->proto != 0) {
		protocol_print(match->proto, proto);
		text_key(text, &count, "proto");
		text_add(text, "%s", proto);
	}
	if (match->tcp_flags_mask != 0)
		add_flags(text, &count, match->tcp_flags_set);
	if (match->interface[0] != '\0') {
		text_key(text, &count, "interface");
		text_word(text, match->interface);
	}
	if (match->vlan != 0) {
		text_key(text, &count, "vlan");
		text_add(text, "%u", match->vlan);
	}
	text_add(text, "}");
}

static const char *action_name(enum policy_action action)
{
	switch (action) {
	case POLICY_DROP:
		return "drop";
	case POLICY_ACCEPT:
		return "accept";
	case POLICY_EXEMPT:
		return "exempt";
	case POLICY_LIMIT:
		return "limit";
	case POLICY_LOG:
		return "log";
	}
	return "?";
}

void print_rules(struct text *text, const struct policy *policy)
{
	if (policy->rules_count > 0)
		text_add(text, "rules:\n");
	for (size_t i = 0; i < policy->rules_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		text_add(text, "  - {priority: %d, match: ", rule->priority);
		add_match(text, &rule->match);
		text_add(text, ", action: %s", action_name(rule->action));
		if (rule->action == POLICY_LIMIT) {
			text_add(text, ", ");
			text_params(text, &policy->params[rule->params]);
		}
		text_add(text, "}\n");
	}
}
