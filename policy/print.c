/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/print.h"

#include <stdbool.h>
#include <stdlib.h>

#include "policy/guests.h"
#include "policy/policy.h"
#include "policy/print_rules.h"
#include "policy/text.h"
#include "policy/units.h"

static const char *yes_or_no(bool value)
{
	return value ? "true" : "false";
}

static void add_limiter(struct text *text, const struct policy *policy)
{
	const char *comma = "";

	text_add(text, "limiter: {");
	text_params(text, &policy->params[0]);
	text_add(text, ", enforce: [");
	for (unsigned scope = 0; scope < FLOW_SCOPES; scope++) {
		if (!(policy->enforce & 1u << scope))
			continue;
		text_add(text, "%s%s", comma,
			 flow_scope_name((enum flow_scope)scope));
		comma = ", ";
	}
	text_add(text,
		 "], evidence: %s, floor: %u, patience: %u, credit: %u, "
		 "force_one_sided: %s, "
		 "guard_gateway: %s}\n",
		 policy->evidence == POLICY_EVIDENCE_CONSENT ? "consent"
							     : "packets",
		 policy->credit.floor_pkts, policy->credit.patience_pkts,
		 policy->credit.earned_pkts, yes_or_no(policy->force_one_sided),
		 yes_or_no(policy->guard_gateway));
}

static void add_limits(struct text *text, const struct policy_limits *limits)
{
	char held_bytes[UNITS_TEXT_SIZE];

	units_print_bytes(limits->held_bytes, held_bytes);
	text_add(text,
		 "limits:\n"
		 "  pairs: %u\n"
		 "  flows: %u\n"
		 "  hosts: %u\n"
		 "  suspects: %u\n"
		 "  pairs_per_host: %u\n"
		 "  flows_per_host: %u\n"
		 "  fragments: %u\n",
		 limits->pairs, limits->flows, limits->hosts, limits->suspects,
		 limits->pairs_per_host, limits->flows_per_host,
		 limits->fragments);
	text_add(text,
		 "  held_packets: %u\n"
		 "  held_bytes: %s\n"
		 "  held_packets_per_host: %u\n"
		 "  held_packets_per_key: %u\n"
		 "  at_bound: %s\n",
		 limits->held_packets, held_bytes,
		 limits->held_packets_per_host, limits->held_packets_per_key,
		 limits->at_bound == POLICY_BOUND_DROP ? "drop" : "release");
}

/* A number, or `auto` for 0. */
static void add_auto(struct text *text, const char *key, uint32_t value)
{
	if (value == 0)
		text_add(text, "%s: auto", key);
	else
		text_add(text, "%s: %u", key, value);
}

static const char *const HOLDS[] = { "pump", "qdisc", "edt" };

static void add_fast(struct text *text, const struct policy *policy)
{
	if (!policy_wants_fast(policy))
		return;
	text_add(text, "  fast: {interfaces: %s",
		 policy->fast.all ? "auto" : "[");
	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++) {
		text_add(text, i > 0 ? ", " : "");
		text_word(text, policy->fast.interfaces[i]);
	}
	text_add(text, "%s, ", policy->fast.all ? "" : "]");
	add_auto(text, "keys", policy->fast.keys);
	text_add(text, ", mark_bit: %u, hold: %s, direct: %s, pin: ",
		 policy->fast.mark_bit, HOLDS[policy->fast.hold],
		 policy->fast.direct ? "true" : "false");
	text_word_or_none(text, policy->fast.pin);
	text_add(text, "}\n");
}

static void add_nfqueue(struct text *text, const struct policy *policy)
{
	text_add(text, "datapath:\n  nfqueue: {");
	add_auto(text, "queues", policy->nfqueue.queues);
	text_add(text, ", first_queue: %u, fail: %s, bridge: %s, ",
		 policy->nfqueue.first_queue,
		 policy->nfqueue.fail == POLICY_FAIL_OPEN ? "open" : "closed",
		 yes_or_no(policy->nfqueue.bridge));
	add_auto(text, "queue_length", policy->nfqueue.queue_length);
	text_add(text, "}\n");
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
	text_key(text, count, key);
	text_word(text, value);
}

static void add_guest(struct text *text, const struct policy_guest *guest)
{
	const struct guest_wish *wish = &guest->wish;
	char threshold[UNITS_TEXT_SIZE];
	size_t count = 0;

	add_name(text, &count, "name", guest->name);
	add_name(text, &count, "uuid", guest->uuid);
	if (guest->domain != 0) {
		text_key(text, &count, "domain");
		text_add(text, "%u", guest->domain);
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
		text_add(text, count > 0 ? ", " : "");
		text_rate(text, &wish->rate);
	}
}

static void add_xen(struct text *text, const struct policy_xen *xen)
{
	if (!xen->vifs)
		return;
	text_add(text, "xen: {vifs: follow, way: %s, mac: %s",
		 policy_way_name(xen->way), mac_name(xen->mac));
	text_add(text,
		 ", held_slots_per_key: %u, held_slots_per_vif: %u, at_slots: "
		 "%s",
		 xen->held_slots_per_key, xen->held_slots_per_vif,
		 xen->at_slots == POLICY_SLOTS_WAIT ? "wait" : "shed");
	if (xen->announce)
		text_add(text, ", announce: true");
	for (size_t i = 0; i < xen->guests_count; i++) {
		text_add(text, i > 0 ? ",\n  {" : ", guests: [\n  {");
		add_guest(text, &xen->guests[i]);
		text_add(text, "}");
	}
	text_add(text, xen->guests_count > 0 ? "]}\n" : "}\n");
}

static void add_daemon(struct text *text, const struct policy *policy)
{
	add_xen(text, &policy->xen);
	text_add(text, "control: {socket: ");
	text_word(text, policy->control_socket);
	text_add(text, ", group: ");
	text_word_or_none(text, policy->control_group);
	text_add(text,
		 ", mode: %04o}\nmetrics: {listen: ", policy->control_mode);
	text_word_or_none(text, policy->metrics_listen);
	text_add(text, "}\nstate: {file: ");
	text_word_or_none(text, policy->state_file);
	text_add(text, "}\n");
}

char *policy_print(const struct policy *policy)
{
	struct text text = { 0 };

	text_add(&text, "mode: %s\ninside: ",
		 policy->mode == POLICY_ENFORCE ? "enforce" : "shadow");
	text_prefixes(&text, &policy->inside);
	text_add(&text, "\nhost_prefix6: %u\n", policy->host_prefix6);
	add_limiter(&text, policy);
	print_zones(&text, policy);
	if (rate_is_set(&policy->rate)) {
		text_rate(&text, &policy->rate);
		text_add(&text, "\n");
	}
	print_antispoof(&text, policy);
	print_rules(&text, policy);
	text_add(&text,
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
