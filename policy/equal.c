/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/policy.h"

#include <string.h>

#include "policy/guests.h"

static bool prefixes_equal(const struct policy_prefixes *a,
			   const struct policy_prefixes *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].length != b->list[i].length ||
		    memcmp(a->list[i].addr, b->list[i].addr, 16) != 0)
			return false;
	}
	return true;
}

static bool ports_equal(const struct policy_ports *a,
			const struct policy_ports *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->list[i].first != b->list[i].first ||
		    a->list[i].last != b->list[i].last)
			return false;
	}
	return true;
}

static bool match_equal(const struct policy_match *a,
			const struct policy_match *b)
{
	return prefixes_equal(&a->src, &b->src) &&
	       prefixes_equal(&a->dst, &b->dst) &&
	       ports_equal(&a->src_port, &b->src_port) &&
	       ports_equal(&a->dst_port, &b->dst_port) &&
	       a->proto == b->proto && a->tcp_flags_set == b->tcp_flags_set &&
	       a->tcp_flags_mask == b->tcp_flags_mask &&
	       strcmp(a->interface, b->interface) == 0 && a->vlan == b->vlan;
}

static bool params_equal(const struct gate_params *a,
			 const struct gate_params *b)
{
	return a->ratio_q16 == b->ratio_q16 && a->window_ns == b->window_ns &&
	       a->first_delay_ns == b->first_delay_ns &&
	       a->max_delay_ns == b->max_delay_ns;
}

static bool rules_equal(const struct policy *a, const struct policy *b)
{
	if (a->rules_count != b->rules_count)
		return false;
	for (size_t i = 0; i < a->rules_count; i++) {
		const struct policy_rule *left = &a->rules[i];
		const struct policy_rule *right = &b->rules[i];

		if (left->priority != right->priority ||
		    left->action != right->action ||
		    !match_equal(&left->match, &right->match))
			return false;
		if (left->action == POLICY_LIMIT &&
		    !params_equal(&a->params[left->params],
				  &b->params[right->params]))
			return false;
	}
	return true;
}

static bool fast_equal(const struct policy *a, const struct policy *b)
{
	if (a->fast.all != b->fast.all ||
	    a->fast.interfaces_count != b->fast.interfaces_count)
		return false;
	for (uint32_t i = 0; i < a->fast.interfaces_count; i++)
		if (strcmp(a->fast.interfaces[i], b->fast.interfaces[i]) != 0)
			return false;
	return strcmp(a->fast.pin, b->fast.pin) == 0 &&
	       a->fast.keys == b->fast.keys &&
	       a->fast.mark_bit == b->fast.mark_bit &&
	       a->fast.hold == b->fast.hold && a->fast.direct == b->fast.direct;
}

static bool rate_equal(const struct rate_params *a, const struct rate_params *b)
{
	if (!rate_is_set(a) && !rate_is_set(b))
		return true;
	return a->pkts_per_s == b->pkts_per_s &&
	       a->bytes_per_s == b->bytes_per_s && a->burst_ns == b->burst_ns;
}

static bool antispoof_equal(const struct policy *a, const struct policy *b)
{
	if (a->sources_count != b->sources_count ||
	    a->bindings_count != b->bindings_count)
		return false;
	for (size_t i = 0; i < a->sources_count; i++) {
		if (strcmp(a->sources[i].interface, b->sources[i].interface) ||
		    !prefixes_equal(&a->sources[i].sources,
				    &b->sources[i].sources))
			return false;
	}
	for (size_t i = 0; i < a->bindings_count; i++) {
		const struct policy_binding *left = &a->bindings[i];
		const struct policy_binding *right = &b->bindings[i];

		if (memcmp(left->mac, right->mac, 6) != 0 ||
		    strcmp(left->interface, right->interface) != 0 ||
		    left->has_rate != right->has_rate ||
		    (left->has_rate &&
		     !rate_equal(&left->rate, &right->rate)) ||
		    !prefixes_equal(&left->addresses, &right->addresses))
			return false;
	}
	return true;
}

static bool zones_equal(const struct policy *a, const struct policy *b)
{
	if (a->zones_count != b->zones_count)
		return false;
	for (size_t i = 0; i < a->zones_count; i++) {
		const struct policy_zone *left = &a->zones[i];
		const struct policy_zone *right = &b->zones[i];

		if (strcmp(left->name, right->name) != 0 ||
		    left->count != right->count)
			return false;
		for (size_t j = 0; j < left->count; j++) {
			if (left->members[j].vlan != right->members[j].vlan ||
			    strcmp(left->members[j].interface,
				   right->members[j].interface) != 0)
				return false;
		}
	}
	return true;
}

static bool limits_equal(const struct policy_limits *a,
			 const struct policy_limits *b)
{
	return a->pairs == b->pairs && a->flows == b->flows &&
	       a->hosts == b->hosts && a->suspects == b->suspects &&
	       a->pairs_per_host == b->pairs_per_host &&
	       a->flows_per_host == b->flows_per_host &&
	       a->fragments == b->fragments &&
	       a->held_packets == b->held_packets &&
	       a->held_bytes == b->held_bytes &&
	       a->held_packets_per_host == b->held_packets_per_host &&
	       a->held_packets_per_key == b->held_packets_per_key &&
	       a->at_bound == b->at_bound;
}

static bool xen_equal(const struct policy_xen *a, const struct policy_xen *b)
{
	if (!a->vifs && !b->vifs)
		return true;
	if (a->vifs != b->vifs || a->way != b->way || a->mac != b->mac ||
	    a->held_slots_per_key != b->held_slots_per_key ||
	    a->held_slots_per_vif != b->held_slots_per_vif ||
	    a->at_slots != b->at_slots || a->announce != b->announce ||
	    a->guests_count != b->guests_count)
		return false;
	for (size_t i = 0; i < a->guests_count; i++)
		if (!guest_equal(&a->guests[i], &b->guests[i]))
			return false;
	return true;
}

static bool rest_equal(const struct policy *a, const struct policy *b)
{
	return a->mode == b->mode && a->host_prefix6 == b->host_prefix6 &&
	       a->enforce == b->enforce && a->evidence == b->evidence &&
	       a->credit.floor_pkts == b->credit.floor_pkts &&
	       a->credit.patience_pkts == b->credit.patience_pkts &&
	       a->credit.earned_pkts == b->credit.earned_pkts &&
	       a->force_one_sided == b->force_one_sided &&
	       a->guard_gateway == b->guard_gateway &&
	       rate_equal(&a->rate, &b->rate) &&
	       a->first_contacts_per_s == b->first_contacts_per_s &&
	       a->connections_per_s == b->connections_per_s &&
	       a->multicast_pkts_per_s == b->multicast_pkts_per_s &&
	       a->dhcp_pkts_per_s == b->dhcp_pkts_per_s &&
	       a->icmp_error_pkts_per_s == b->icmp_error_pkts_per_s &&
	       a->fragment_pkts_per_s == b->fragment_pkts_per_s &&
	       a->nfqueue.queues == b->nfqueue.queues &&
	       a->nfqueue.first_queue == b->nfqueue.first_queue &&
	       a->nfqueue.fail == b->nfqueue.fail &&
	       a->nfqueue.bridge == b->nfqueue.bridge &&
	       a->nfqueue.queue_length == b->nfqueue.queue_length &&
	       fast_equal(a, b) && xen_equal(&a->xen, &b->xen) &&
	       strcmp(a->control_socket, b->control_socket) == 0 &&
	       strcmp(a->control_group, b->control_group) == 0 &&
	       a->control_mode == b->control_mode &&
	       strcmp(a->metrics_listen, b->metrics_listen) == 0 &&
	       strcmp(a->state_file, b->state_file) == 0;
}

bool policy_equal(const struct policy *a, const struct policy *b)
{
	return rest_equal(a, b) && limits_equal(&a->limits, &b->limits) &&
	       prefixes_equal(&a->inside, &b->inside) &&
	       params_equal(&a->params[0], &b->params[0]) &&
	       rules_equal(a, b) && antispoof_equal(a, b) && zones_equal(a, b);
}
