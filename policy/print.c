/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/print.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/guests.h"
#include "policy/policy.h"
#include "policy/protocol.h"
#include "policy/units.h"

struct text {
	char *bytes;
	size_t length, room;
	bool failed; /* out of memory: all that follows is lost as well */
};

static bool make_room(struct text *text, size_t more)
{
	size_t room = text->room == 0 ? 4096 : text->room;
	char *bytes;

	while (room - text->length <= more)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (bytes == NULL) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

static void add(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	if (length < 0)
		text->failed = true;
	if (!text->failed && make_room(text, (size_t)length)) {
		vsnprintf(text->bytes + text->length, (size_t)length + 1,
			  format, again);
		text->length += (size_t)length;
	}
	va_end(again);
	va_end(arguments);
}

/* Quoted, unless every YAML reader takes it for one plain word. */
static void add_text(struct text *text, const char *value)
{
	size_t plain = strspn(value, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_./-:");
	char last = value[0] == '\0' ? ':' : value[strlen(value) - 1];

	if (value[plain] == '\0' && last != ':' && value[0] != ':' &&
	    value[0] != '-') {
		add(text, "%s", value);
		return;
	}
	add(text, "\"");
	for (; *value != '\0'; value++)
		add(text, *value == '"' || *value == '\\' ? "\\%c" : "%c",
		    *value);
	add(text, "\"");
}

static void add_prefixes(struct text *text,
			 const struct policy_prefixes *prefixes)
{
	add(text, "[");
	for (size_t i = 0; i < prefixes->count; i++) {
		char prefix[ADDRESS_TEXT_SIZE];

		address_print_prefix(&prefixes->list[i], prefix);
		add(text, i > 0 ? ", " : "");
		add_text(text, prefix);
	}
	add(text, "]");
}

static void add_time(struct text *text, const char *key, uint64_t ns)
{
	char value[UNITS_TEXT_SIZE];

	units_print_time(ns, value);
	add(text, ", %s: %s", key, value);
}

static void add_params(struct text *text, const struct gate_params *params)
{
	char value[UNITS_TEXT_SIZE];

	units_print_log2(params->ratio_q16, value);
	add(text, "threshold: %s", value);
	add_time(text, "window", params->window_ns);
	add_time(text, "first_delay", params->first_delay_ns);
	add_time(text, "max_delay", params->max_delay_ns);
}

static const char *yes_or_no(bool value)
{
	return value ? "true" : "false";
}

static void add_limiter(struct text *text, const struct policy *policy)
{
	const char *comma = "";

	add(text, "limiter: {");
	add_params(text, &policy->params[0]);
	add(text, ", enforce: [");
	for (unsigned scope = 0; scope < FLOW_SCOPES; scope++) {
		if (!(policy->enforce & 1u << scope))
			continue;
		add(text, "%s%s", comma,
		    flow_scope_name((enum flow_scope)scope));
		comma = ", ";
	}
	add(text,
	    "], evidence: %s, floor: %u, patience: %u, credit: %u, "
	    "force_one_sided: %s, "
	    "guard_gateway: %s}\n",
	    policy->evidence == POLICY_EVIDENCE_CONSENT ? "consent" : "packets",
	    policy->credit.floor_pkts, policy->credit.patience_pkts,
	    policy->credit.earned_pkts, yes_or_no(policy->force_one_sided),
	    yes_or_no(policy->guard_gateway));
}

static void add_zones(struct text *text, const struct policy *policy)
{
	if (policy->zones_count > 0)
		add(text, "zones:\n");
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];

		add(text, "  ");
		add_text(text, zone->name);
		add(text, ": [");
		for (size_t j = 0; j < zone->count; j++) {
			add(text, "%s{interface: ", j > 0 ? ", " : "");
			add_text(text, zone->members[j].interface);
			if (zone->members[j].vlan != 0)
				add(text, ", vlan: %u", zone->members[j].vlan);
			add(text, "}");
		}
		add(text, "]\n");
	}
}

static void add_rate(struct text *text, const struct rate_params *rate)
{
	char pkts[UNITS_TEXT_SIZE] = "any", bytes[UNITS_TEXT_SIZE] = "any";
	char burst[UNITS_TEXT_SIZE];

	if (rate->pkts_per_s != 0)
		units_print_count_per_s(rate->pkts_per_s, pkts);
	if (rate->bytes_per_s != 0)
		units_print_bytes_per_s(rate->bytes_per_s, bytes);
	units_print_time(rate->burst_ns, burst);
	add(text, "rate: {packets: %s, bytes: %s, burst: %s}", pkts, bytes,
	    burst);
}

static void add_antispoof(struct text *text, const struct policy *policy)
{
	if (policy->sources_count + policy->bindings_count > 0)
		add(text, "antispoof:\n");
	if (policy->sources_count > 0)
		add(text, "  interfaces:\n");
	for (size_t i = 0; i < policy->sources_count; i++) {
		add(text, "    ");
		add_text(text, policy->sources[i].interface);
		add(text, ": {sources: ");
		add_prefixes(text, &policy->sources[i].sources);
		add(text, "}\n");
	}
	if (policy->bindings_count > 0)
		add(text, "  bindings:\n");
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];
		char mac[ADDRESS_MAC_TEXT_SIZE];

		address_print_mac(binding->mac, mac);
		add(text, "    - {mac: %s, addresses: ", mac);
		add_prefixes(text, &binding->addresses);
		if (binding->interface[0] != '\0') {
			add(text, ", interface: ");
			add_text(text, binding->interface);
		}
		if (binding->has_rate) {
			add(text, ", ");
			add_rate(text, &binding->rate);
		}
		add(text, "}\n");
	}
}

/* "{" before the first key of a map, ", " before the others. */
static void add_key(struct text *text, size_t *count, const char *key)
{
	add(text, "%s%s: ", (*count)++ > 0 ? ", " : "", key);
}

static void add_ports(struct text *text, size_t *count, const char *key,
		      const struct policy_ports *ports)
{
	if (ports->count == 0)
		return;
	add_key(text, count, key);
	for (size_t i = 0; i < ports->count; i++) {
		char range[PROTOCOL_TEXT_SIZE];

		protocol_print_ports(&ports->list[i], range);
		add(text, "%s%s", i > 0 ? ", " : "[", range);
	}
	add(text, "]");
}

static void add_flags(struct text *text, size_t *count, uint8_t flags)
{
	const char *before = "[";

	add_key(text, count, "flags");
	for (size_t i = 0; PROTOCOL_TCP_FLAGS[i] != NULL; i++) {
		if (!(flags & 1u << i))
			continue;
		add(text, "%s%s", before, PROTOCOL_TCP_FLAGS[i]);
		before = ", ";
	}
	add(text, "]");
}

static void add_match(struct text *text, const struct policy_match *match)
{
	char proto[PROTOCOL_TEXT_SIZE];
	size_t count = 0;

	add(text, "{");
	if (match->src.count > 0) {
		add_key(text, &count, "src");
		add_prefixes(text, &match->src);
	}
	if (match->dst.count > 0) {
		add_key(text, &count, "dst");
		add_prefixes(text, &match->dst);
	}
	add_ports(text, &count, "src_port", &match->src_port);
	add_ports(text, &count, "dst_port", &match->dst_port);
	if (match->proto != 0) {
		protocol_print(match->proto, proto);
		add_key(text, &count, "proto");
		add(text, "%s", proto);
	}
	if (match->tcp_flags_mask != 0)
		add_flags(text, &count, match->tcp_flags_set);
	if (match->interface[0] != '\0') {
		add_key(text, &count, "interface");
		add_text(text, match->interface);
	}
	if (match->vlan != 0) {
		add_key(text, &count, "vlan");
		add(text, "%u", match->vlan);
	}
	add(text, "}");
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

static void add_rules(struct text *text, const struct policy *policy)
{
	if (policy->rules_count > 0)
		add(text, "rules:\n");
	for (size_t i = 0; i < policy->rules_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		add(text, "  - {priority: %d, match: ", rule->priority);
		add_match(text, &rule->match);
		add(text, ", action: %s", action_name(rule->action));
		if (rule->action == POLICY_LIMIT) {
			add(text, ", ");
			add_params(text, &policy->params[rule->params]);
		}
		add(text, "}\n");
	}
}

static void add_limits(struct text *text, const struct policy_limits *limits)
{
	char held_bytes[UNITS_TEXT_SIZE];

	units_print_bytes(limits->held_bytes, held_bytes);
	add(text,
	    "limits:\n"
	    "  pairs: %u\n"
	    "  flows: %u\n"
	    "  hosts: %u\n"
	    "  suspects: %u\n"
	    "  pairs_per_host: %u\n"
	    "  flows_per_host: %u\n"
	    "  fragments: %u\n",
	    limits->pairs, limits->flows, limits->hosts, limits->suspects,
	    limits->pairs_per_host, limits->flows_per_host, limits->fragments);
	add(text,
	    "  held_packets: %u\n"
	    "  held_bytes: %s\n"
	    "  held_packets_per_host: %u\n"
	    "  held_packets_per_key: %u\n"
	    "  at_bound: %s\n",
	    limits->held_packets, held_bytes, limits->held_packets_per_host,
	    limits->held_packets_per_key,
	    limits->at_bound == POLICY_BOUND_DROP ? "drop" : "release");
}

/* A number, or `auto` for 0. */
static void add_auto(struct text *text, const char *key, uint32_t value)
{
	if (value == 0)
		add(text, "%s: auto", key);
	else
		add(text, "%s: %u", key, value);
}

static const char *const HOLDS[] = { "pump", "qdisc", "edt" };

static void add_text_or_none(struct text *text, const char *value)
{
	if (value[0] == '\0')
		add(text, "none");
	else
		add_text(text, value);
}

static void add_fast(struct text *text, const struct policy *policy)
{
	if (!policy_wants_fast(policy))
		return;
	add(text, "  fast: {interfaces: %s", policy->fast.all ? "auto" : "[");
	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++) {
		add(text, i > 0 ? ", " : "");
		add_text(text, policy->fast.interfaces[i]);
	}
	add(text, "%s, keys: %u, mark_bit: %u, hold: %s, pin: ",
	    policy->fast.all ? "" : "]", policy->fast.keys,
	    policy->fast.mark_bit, HOLDS[policy->fast.hold]);
	add_text_or_none(text, policy->fast.pin);
	add(text, "}\n");
}

static void add_nfqueue(struct text *text, const struct policy *policy)
{
	add(text, "datapath:\n  nfqueue: {");
	add_auto(text, "queues", policy->nfqueue.queues);
	add(text, ", first_queue: %u, fail: %s, bridge: %s, ",
	    policy->nfqueue.first_queue,
	    policy->nfqueue.fail == POLICY_FAIL_OPEN ? "open" : "closed",
	    yes_or_no(policy->nfqueue.bridge));
	add_auto(text, "queue_length", policy->nfqueue.queue_length);
	add(text, "}\n");
	add_fast(text, policy);
}

static const char *mac_name(enum policy_xen_mac mac)
{
	return mac == POLICY_XEN_MAC_DROP ? "drop" : "overwrite";
}

static void add_name(struct text *text, size_t *count, const char *key,
		     const char *value)
{
	if (value[0] == '\0')
		return;
	add_key(text, count, key);
	add_text(text, value);
}

static void add_guest(struct text *text, const struct policy_guest *guest)
{
	const struct guest_wish *wish = &guest->wish;
	char threshold[UNITS_TEXT_SIZE];
	size_t count = 0;

	add_name(text, &count, "name", guest->name);
	add_name(text, &count, "uuid", guest->uuid);
	if (guest->domain != 0) {
		add_key(text, &count, "domain");
		add(text, "%u", guest->domain);
	}
	add_name(text, &count, "vif", guest->vif);
	add_name(text, &count, "bridge", guest->bridge);
	if (wish->said & GUEST_WAY)
		add_name(text, &count, "way", policy_way_name(wish->way));
	if (wish->said & GUEST_MAC)
		add_name(text, &count, "mac", mac_name(wish->mac));
	if (wish->said & GUEST_GUARD)
		add_name(text, &count, "guard", wish->guarded ? "on" : "off");
	if (wish->said & GUEST_THRESHOLD) {
		units_print_log2(wish->ratio_q16, threshold);
		add_name(text, &count, "threshold", threshold);
	}
	if (wish->said & GUEST_RATE) {
		add(text, count > 0 ? ", " : "");
		add_rate(text, &wish->rate);
	}
}

static void add_xen(struct text *text, const struct policy_xen *xen)
{
	if (!xen->vifs)
		return;
	add(text, "xen: {vifs: follow, way: %s, mac: %s",
	    policy_way_name(xen->way), mac_name(xen->mac));
	add(text,
	    ", held_slots_per_key: %u, held_slots_per_vif: %u, at_slots: %s",
	    xen->held_slots_per_key, xen->held_slots_per_vif,
	    xen->at_slots == POLICY_SLOTS_WAIT ? "wait" : "shed");
	if (xen->announce)
		add(text, ", announce: true");
	for (size_t i = 0; i < xen->guests_count; i++) {
		add(text, i > 0 ? ",\n  {" : ", guests: [\n  {");
		add_guest(text, &xen->guests[i]);
		add(text, "}");
	}
	add(text, xen->guests_count > 0 ? "]}\n" : "}\n");
}

static void add_daemon(struct text *text, const struct policy *policy)
{
	add_xen(text, &policy->xen);
	add(text, "control: {socket: ");
	add_text(text, policy->control_socket);
	add(text, ", group: ");
	add_text_or_none(text, policy->control_group);
	add(text, ", mode: %04o}\nmetrics: {listen: ", policy->control_mode);
	add_text_or_none(text, policy->metrics_listen);
	add(text, "}\nstate: {file: ");
	add_text_or_none(text, policy->state_file);
	add(text, "}\n");
}

char *policy_print(const struct policy *policy)
{
	struct text text = { 0 };

	add(&text, "mode: %s\ninside: ",
	    policy->mode == POLICY_ENFORCE ? "enforce" : "shadow");
	add_prefixes(&text, &policy->inside);
	add(&text, "\nhost_prefix6: %u\n", policy->host_prefix6);
	add_limiter(&text, policy);
	add_zones(&text, policy);
	if (rate_is_set(&policy->rate)) {
		add_rate(&text, &policy->rate);
		add(&text, "\n");
	}
	add_antispoof(&text, policy);
	add_rules(&text, policy);
	add(&text,
	    "guards: {first_contacts: %u, new_connections: %u}\n"
	    "multicast: {packets_per_s: %u}\n"
	    "dhcp: {packets_per_s: %u}\n"
	    "icmp_errors: {packets_per_s: %u}\n"
	    "fragments: {packets_per_s: %u}\n",
	    policy->first_contacts_per_s, policy->connections_per_s,
	    policy->multicast_pkts_per_s, policy->dhcp_pkts_per_s,
	    policy->icmp_error_pkts_per_s, policy->fragment_pkts_per_s);
	add_limits(&text, &policy->limits);
	add_nfqueue(&text, policy);
	add_daemon(&text, policy);
	if (!text.failed)
		return text.bytes;
	free(text.bytes);
	return NULL;
}
