/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/index.h"
#include "policy/protocol.h"
#include "policy/zones.h"

static void free_match(struct policy_match *match)
{
	free(match->src.list);
	free(match->dst.list);
	free(match->src_port.list);
	free(match->dst_port.list);
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	index_free(policy->index);
	free(policy->inside.list);
	free(policy->params);
	for (size_t i = 0; i < policy->rules_count; i++)
		free_match(&policy->rules[i].match);
	free(policy->rules);
	for (size_t i = 0; i < policy->sources_count; i++)
		free(policy->sources[i].sources.list);
	free(policy->sources);
	for (size_t i = 0; i < policy->bindings_count; i++)
		free(policy->bindings[i].addresses.list);
	free(policy->bindings);
	free(policy->vifs);
	free(policy->owners);
	for (size_t i = 0; i < policy->zones_count; i++)
		free(policy->zones[i].members);
	free(policy->zones);
	free(policy->xen.guests);
	free(policy);
}

bool policy_add_binding(struct policy *policy,
			const struct policy_binding *binding)
{
	size_t bytes =
		binding->addresses.count * sizeof(binding->addresses.list[0]);
	struct policy_prefix *addresses = malloc(bytes);
	struct policy_binding *list = realloc(
		policy->bindings, (policy->bindings_count + 1) * sizeof(*list));

	if (list != NULL)
		policy->bindings = list;
	if (list == NULL || addresses == NULL) {
		free(addresses);
		return false;
	}
	memcpy(addresses, binding->addresses.list, bytes);
	list[policy->bindings_count] = *binding;
	list[policy->bindings_count++].addresses.list = addresses;
	return true;
}

bool policy_add_owner(struct policy *policy, const struct policy_owner *owner)
{
	struct policy_owner *list = policy->owners;

	list = realloc(list, (policy->owners_count + 1) * sizeof(*list));
	if (list == NULL)
		return false;
	policy->owners = list;
	list[policy->owners_count++] = *owner;
	return true;
}

bool policy_add_vif(struct policy *policy, const struct policy_vif *vif)
{
	struct policy_vif *list = policy->vifs;

	list = realloc(list, (policy->vifs_count + 1) * sizeof(*list));
	if (list == NULL)
		return false;
	policy->vifs = list;
	list[policy->vifs_count++] = *vif;
	return true;
}

static int by_interface(const void *a, const void *b)
{
	const struct policy_vif *of_a = a, *of_b = b;

	return strcmp(of_a->interface, of_b->interface);
}

static int by_name(const void *name, const void *vif)
{
	return strcmp(name, ((const struct policy_vif *)vif)->interface);
}

const struct policy_vif *policy_vif_of(const struct policy *policy,
				       const char *interface)
{
	const struct policy_vif *found = NULL;

	if (policy->vifs_ready > 0)
		found = bsearch(interface, policy->vifs, policy->vifs_ready,
				sizeof(*found), by_name);
	for (size_t i = policy->vifs_ready; !found && i < policy->vifs_count;
	     i++)
		if (by_name(interface, &policy->vifs[i]) == 0)
			found = &policy->vifs[i];
	return found;
}

const struct policy_vif *policy_vif_at(const struct policy *policy,
				       const uint8_t addr[16])
{
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		for (size_t j = 0; j < binding->addresses.count; j++)
			if (address_is_in(addr, &binding->addresses.list[j]))
				return policy_vif_of(policy,
						     binding->interface);
	}
	return NULL;
}

bool policy_prepare(struct policy *policy)
{
	struct policy_index *index = index_new(policy);

	if (index == NULL)
		return false;
	index_free(policy->index);
	policy->index = index;
	if (policy->vifs_count > 0)
		qsort(policy->vifs, policy->vifs_count, sizeof(*policy->vifs),
		      by_interface);
	policy->vifs_ready = policy->vifs_count;
	return true;
}

bool policy_wants_fast(const struct policy *policy)
{
	return policy->fast.all || policy->fast.interfaces_count > 0;
}

bool policy_wants_each_packet(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action == POLICY_LOG ||
		    policy->rules[i].match.tcp_flags_mask != 0)
			return true;
	return false;
}

uint32_t policy_queue_length(const struct policy *policy)
{
	uint32_t held_pkts = policy->limits.held_packets;

	if (policy->nfqueue.queue_length != 0)
		return policy->nfqueue.queue_length;
	if (held_pkts == 0)
		held_pkts = POLICY_HELD_PKTS_MAX;
	return held_pkts + POLICY_QUEUE_BURST_PKTS;
}

const char *policy_match_beyond(const struct policy_match *match,
				enum flow_scope scope)
{
	if (match->tcp_flags_mask != 0)
		return "flags";
	if (scope == FLOW_SCOPE_FLOW)
		return NULL;
	if (match->proto != 0)
		return "proto";
	if (match->src_port.count != 0)
		return "src_port";
	if (match->dst_port.count != 0)
		return "dst_port";
	if (scope == FLOW_SCOPE_HOST && match->dst.count != 0)
		return "dst";
	return NULL;
}

bool policy_is_inside(const struct policy *policy, const uint8_t addr[16])
{
	if (policy->index != NULL)
		return index_is_inside(policy->index, addr);
	for (size_t i = 0; i < policy->inside.count; i++) {
		if (address_is_in(addr, &policy->inside.list[i]))
			return true;
	}
	return false;
}

static bool holds_address(const struct policy_prefixes *prefixes,
			  const uint8_t addr[16])
{
	for (size_t i = 0; i < prefixes->count; i++) {
		if (address_is_in(addr, &prefixes->list[i]))
			return true;
	}
	return prefixes->count == 0;
}

/* What a protocol without ports has in their place is not a port. */
static bool holds_port(const struct policy_ports *ports, uint8_t proto,
		       uint16_t port)
{
	if (ports->count == 0)
		return true;
	if (!protocol_has_ports(proto))
		return false;
	for (size_t i = 0; i < ports->count; i++) {
		if (port >= ports->list[i].first && port <= ports->list[i].last)
			return true;
	}
	return false;
}

static bool holds_proto(uint8_t wanted, uint8_t proto)
{
	return wanted == 0 || wanted == proto ||
	       (wanted == PROTOCOL_ICMP && proto == PROTOCOL_ICMPV6);
}

/* But for TCP flags. */
static bool holds_key(const struct policy_match *match,
		      const struct flow_key *key, const struct zone *zone)
{
	if (match->interface[0] != '\0' &&
	    strcmp(match->interface, zone->interface) != 0)
		return false;
	if (match->vlan != 0 && match->vlan != zone->vlan)
		return false;
	return holds_proto(match->proto, key->proto) &&
	       holds_address(&match->src, key->inside) &&
	       holds_address(&match->dst, key->outside) &&
	       holds_port(&match->src_port, key->proto, key->inside_port) &&
	       holds_port(&match->dst_port, key->proto, key->outside_port);
}

static bool fits(const struct policy_match *match, const struct flow_key *key,
		 const struct zone *zone)
{
	return policy_match_beyond(match, (enum flow_scope)key->scope) ==
		       NULL &&
	       holds_key(match, key, zone);
}

enum policy_action policy_action_of(const struct policy *policy,
				    const struct flow_key *flow,
				    uint8_t tcp_flags, const struct zone *zone)
{
	for (size_t i = 0; i < policy->rules_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->action != POLICY_LOG &&
		    (tcp_flags & rule->match.tcp_flags_mask) ==
			    rule->match.tcp_flags_set &&
		    holds_key(&rule->match, flow, zone))
			return rule->action;
	}
	return POLICY_LOG;
}

void policy_classify(const struct policy *policy, const struct flow_key *key,
		     const struct zone *zone, struct policy_class *ret_class)
{
	*ret_class = (struct policy_class){ 0 };
	for (size_t i = 0; i < policy->rules_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->action != POLICY_EXEMPT &&
		    rule->action != POLICY_LIMIT)
			continue;
		if (!fits(&rule->match, key, zone))
			continue;
		if (rule->action == POLICY_EXEMPT)
			ret_class->exempt = true;
		else
			ret_class->params = rule->params;
		return;
	}
}

void policy_host_of(const struct policy *policy, const uint8_t addr[16],
		    const struct zone *zone, uint8_t ret_host[16])
{
	if (policy->index != NULL) {
		index_host_of(policy->index, policy, addr, zone, ret_host);
		return;
	}
	memmove(ret_host, addr, 16);
	if (!address_is_v4(addr))
		address_mask(ret_host, policy->host_prefix6);
}

const struct policy_binding *policy_binding_of(const struct policy *policy,
					       const uint8_t addr[16],
					       const struct zone *zone)
{
	return policy->index != NULL
		       ? index_binding_of(policy->index, policy, addr, zone)
		       : NULL;
}

bool policy_wants_rate(const struct policy *policy)
{
	if (rate_is_set(&policy->rate))
		return true;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		if (policy->bindings[i].has_rate &&
		    rate_is_set(&policy->bindings[i].rate))
			return true;
	}
	return false;
}
