/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever policy there is, what is printed of it parses back to the same:
 * policy_property [SEED]
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/guests.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"
#include "policy/protocol.h"
#include "policy/units.h"

enum { ROUNDS = 2000 };

static uint64_t state;

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t word = state += UINT64_C(0x9e3779b97f4a7c15);

	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

/* From min to max, small and large ones alike. */
static uint64_t draw_between(uint64_t min, uint64_t max)
{
	uint64_t span = max - min + 1;

	if (draw() % 4 == 0)
		return draw() % 2 ? min : max;
	return min + (draw() >> draw() % 64) % span;
}

static bool draw_bool(void)
{
	return draw() % 2 == 0;
}

static void *make_list(size_t count, size_t element_bytes)
{
	void *list = count > 0 ? calloc(count, element_bytes) : NULL;

	if (count > 0 && list == NULL)
		abort();
	return list;
}

/* Never two that overlap: the index is part of each. */
static void draw_prefixes(struct policy_prefixes *prefixes, size_t count,
			  bool v4, bool v6)
{
	prefixes->list = make_list(count, sizeof(*prefixes->list));
	prefixes->count = count;
	for (size_t i = 0; i < count; i++) {
		struct policy_prefix *prefix = &prefixes->list[i];

		for (size_t j = 0; j < 16; j++)
			prefix->addr[j] = (uint8_t)draw();
		if (v4 && (!v6 || draw_bool())) {
			memset(prefix->addr, 0, 10);
			memset(prefix->addr + 10, 0xff, 2);
			prefix->addr[12] = (uint8_t)(1 + i);
			prefix->length = (uint8_t)draw_between(104, 128);
		} else {
			prefix->addr[0] = 0x20;
			prefix->addr[1] = (uint8_t)i;
			prefix->length = (uint8_t)draw_between(16, 128);
		}
		address_mask(prefix->addr, prefix->length);
	}
}

static void draw_ports(struct policy_ports *ports)
{
	ports->count = draw() % 4;
	ports->list = make_list(ports->count, sizeof(*ports->list));
	for (size_t i = 0; i < ports->count; i++) {
		uint16_t first =
			(uint16_t)draw_between(1 + 10000 * i, 9999 + 10000 * i);

		ports->list[i].first = first;
		ports->list[i].last =
			(uint16_t)draw_between(first, 9999 + 10000 * i);
	}
}

/* Kernel names may hold nearly anything. */
static void draw_interface(char ret_name[16], size_t number)
{
	static const char LETTERS[] = "abcz019._-@\"'\\#{}[],&*!|>%`?~";
	size_t length = draw() % 8;
	char tail[8] = "";

	for (size_t i = 0; i < length && i < sizeof(tail) - 1; i++)
		tail[i] = LETTERS[draw() % (sizeof(LETTERS) - 1)];
	snprintf(ret_name, 16, "%s%04x", tail, (unsigned)number & 0xffff);
}

static void draw_params(struct gate_params *params)
{
	char text[32];

	snprintf(text, sizeof(text), "%u.%09u", (unsigned)(draw() % 15),
		 (unsigned)(draw() % 1000000000));
	if (units_parse_log2(text, &params->ratio_q16) != UNITS_OK)
		abort();
	params->window_ns = draw_between(10000000, UINT64_C(60000000000));
	params->first_delay_ns = draw_between(1000, 1000000000);
	params->max_delay_ns =
		draw_between(params->first_delay_ns, UINT64_C(10000000000));
}

static void draw_match(struct policy_match *match, enum policy_action action)
{
	static const uint8_t PROTOS[] = { 0, 1, 6, 17, 47, 89, 132, 255 };
	bool v4 = draw_bool(), wide = draw_bool();

	draw_prefixes(&match->src, draw() % 4, v4, !v4);
	if (!wide)
		draw_prefixes(&match->dst, draw() % 4, v4, !v4);
	match->proto = PROTOS[draw() % sizeof(PROTOS)];
	if (match->proto == 0 || protocol_has_ports(match->proto)) {
		draw_ports(&match->src_port);
		draw_ports(&match->dst_port);
	}
	if (match->proto == PROTOCOL_TCP && action != POLICY_EXEMPT &&
	    action != POLICY_LIMIT && draw_bool()) {
		match->tcp_flags_set = (uint8_t)(1 + draw() % 63);
		match->tcp_flags_mask =
			protocol_flags_mask(match->tcp_flags_set);
	}
	if (draw() % 4 == 0)
		draw_interface(match->interface, 0xfffe);
	if (draw() % 4 == 0)
		match->vlan = (uint16_t)draw_between(1, 4093);
}

static void draw_rules(struct policy *policy)
{
	policy->rules_count = draw() % 8;
	policy->rules = make_list(policy->rules_count, sizeof(*policy->rules));
	policy->params =
		make_list(1 + policy->rules_count, sizeof(*policy->params));
	policy->params_count = 1;
	draw_params(&policy->params[0]);
	for (size_t i = 0; i < policy->rules_count; i++) {
		struct policy_rule *rule = &policy->rules[i];

		rule->priority = (int32_t)(1000 * i + draw() % 1000);
		rule->action = (enum policy_action)(draw() % 5);
		draw_match(&rule->match, rule->action);
		if (rule->action != POLICY_LIMIT)
			continue;
		rule->params = (uint16_t)policy->params_count;
		draw_params(&policy->params[policy->params_count++]);
	}
}

static void draw_antispoof(struct policy *policy)
{
	policy->sources_count = draw() % 4;
	policy->sources =
		make_list(policy->sources_count, sizeof(*policy->sources));
	for (size_t i = 0; i < policy->sources_count; i++) {
		draw_interface(policy->sources[i].interface, i);
		draw_prefixes(&policy->sources[i].sources, draw() % 4, true,
			      true);
	}
	policy->bindings_count = draw() % 6;
	policy->bindings =
		make_list(policy->bindings_count, sizeof(*policy->bindings));
	for (size_t i = 0; i < policy->bindings_count; i++) {
		struct policy_binding *binding = &policy->bindings[i];

		for (size_t j = 0; j < 6; j++)
			binding->mac[j] = (uint8_t)draw();
		binding->mac[0] = 0x52;
		draw_prefixes(&binding->addresses, 1 + draw() % 3, true, true);
		if (draw_bool())
			draw_interface(binding->interface, i);
	}
}

static void draw_zones(struct policy *policy)
{
	policy->zones_count = draw() % 3;
	policy->zones = make_list(policy->zones_count, sizeof(*policy->zones));
	for (size_t i = 0; i < policy->zones_count; i++) {
		struct policy_zone *zone = &policy->zones[i];

		snprintf(zone->name, sizeof(zone->name), "zone_-%u",
			 (unsigned)i);
		zone->count = 1 + draw() % 3;
		zone->members = make_list(zone->count, sizeof(*zone->members));
		for (size_t j = 0; j < zone->count; j++) {
			draw_interface(zone->members[j].interface,
				       16 * (i + 1) + j);
			/* Not the VLAN of a rule, which may split no zone. */
			if (draw_bool())
				zone->members[j].vlan = 4094;
		}
	}
}

static void draw_limits(struct policy_limits *limits)
{
	limits->pairs = (uint32_t)draw_between(64, 1 << 26);
	limits->flows = (uint32_t)draw_between(64, 1 << 26);
	limits->hosts = (uint32_t)draw_between(16, 1 << 24);
	limits->suspects = (uint32_t)draw_between(64, 1 << 24);
	limits->pairs_per_host = (uint32_t)draw_between(64, limits->pairs);
	limits->flows_per_host = (uint32_t)draw_between(64, limits->flows);
	limits->fragments = (uint32_t)draw_between(16, 1 << 20);
	limits->held_packets = (uint32_t)draw_between(0, POLICY_HELD_PKTS_MAX);
	limits->held_bytes = draw_between(0, UINT64_C(1) << 40);
	limits->held_packets_per_host =
		(uint32_t)draw_between(0, POLICY_HELD_PKTS_MAX);
	limits->held_packets_per_key =
		(uint32_t)draw_between(0, POLICY_HELD_PKTS_MAX);
	limits->at_bound = draw_bool() ? POLICY_BOUND_DROP
				       : POLICY_BOUND_RELEASE;
}

/* Only with what it goes with. */
static void draw_fast(struct policy *policy)
{
	policy->fast.keys = 0;
	policy->fast.mark_bit = 20;
	strcpy(policy->fast.pin, "/run/symtap-bpf/fast");
	if (draw_bool())
		return;
	memset(policy->fast.pin, 0, sizeof(policy->fast.pin));
	if (draw_bool())
		snprintf(policy->fast.pin, sizeof(policy->fast.pin),
			 "/sys/fs/bpf/%x", (unsigned)draw());
	policy->fast.all = draw_bool();
	if (!policy->fast.all)
		policy->fast.interfaces_count =
			(uint32_t)draw_between(1, POLICY_FAST_INTERFACES);
	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++)
		snprintf(policy->fast.interfaces[i],
			 sizeof(policy->fast.interfaces[i]), "%u.%x", i,
			 (unsigned)draw() & 0xffff);
	policy->fast.keys = draw_bool() ? 0 : 1u << draw_between(10, 24);
	policy->fast.mark_bit = (uint8_t)draw_between(0, 28);
	policy->fast.direct = policy->nfqueue.bridge && draw_bool();
}

static struct rate_params draw_rate(void)
{
	struct rate_params rate = {
		.burst_ns = draw_between(1000000, 1000000000),
	};

	if (draw_bool())
		rate.pkts_per_s = (uint32_t)draw_between(1, 100000000);
	if (draw_bool())
		rate.bytes_per_s = draw_between(1000, 12500000000);
	return rate;
}

static void draw_guest(struct policy_guest *guest, bool bridge)
{
	if (draw_bool())
		snprintf(guest->name, sizeof(guest->name), "*%x \"",
			 (unsigned)draw());
	if (draw_bool())
		snprintf(guest->uuid, sizeof(guest->uuid), "%x*",
			 (unsigned)draw());
	if (draw_bool())
		snprintf(guest->vif, sizeof(guest->vif), "vif%u.?",
			 (unsigned)draw() % 32752);
	if (draw_bool())
		snprintf(guest->bridge, sizeof(guest->bridge), "br:*");
	guest->domain = (uint16_t)draw_between(0, 32751);
	guest->wish.said = (uint8_t)draw_between(0, 31);
	if (!bridge)
		guest->wish.said &= (uint8_t)~GUEST_WAY;
	if (guest->wish.said & GUEST_WAY)
		guest->wish.way =
			(enum policy_way)draw_between(0, POLICY_WAYS - 1);
	if (guest->wish.said & GUEST_MAC)
		guest->wish.mac = (enum policy_xen_mac)draw_bool();
	if (guest->wish.said & GUEST_RATE)
		guest->wish.rate = draw_rate();
	if (guest->wish.said & GUEST_GUARD)
		guest->wish.guarded = draw_bool();
	if (guest->wish.said & GUEST_THRESHOLD)
		guest->wish.ratio_q16 = (uint32_t)draw_between(1, 16) << 16;
}

static void draw_rates(struct policy *policy)
{
	policy->rate = draw_rate();
	for (size_t i = 0; i < policy->bindings_count; i++) {
		policy->bindings[i].has_rate = draw_bool();
		policy->bindings[i].rate = draw_rate();
	}
}

static void draw_xen(struct policy *policy)
{
	policy->xen.vifs = draw_bool();
	if (!policy->xen.vifs)
		return;
	policy->xen.way = (enum policy_way)draw_between(0, POLICY_WAYS - 1);
	if (policy->xen.way == POLICY_WAY_QUEUE && !policy->nfqueue.bridge)
		policy->xen.way = POLICY_WAY_RING;
	policy->xen.held_slots_per_key = (uint16_t)draw_between(1, 4096);
	policy->xen.held_slots_per_vif = (uint16_t)draw_between(1, 16384);
	policy->xen.at_slots = draw_bool() ? POLICY_SLOTS_SHED
					   : POLICY_SLOTS_WAIT;
	policy->xen.mac = draw_bool() ? POLICY_XEN_MAC_OVERWRITE
				      : POLICY_XEN_MAC_DROP;
	policy->xen.announce = draw_bool();
	policy->xen.guests_count = draw_between(0, 5);
	policy->xen.guests = make_list(policy->xen.guests_count,
				       sizeof(*policy->xen.guests));
	for (size_t i = 0; i < policy->xen.guests_count; i++)
		draw_guest(&policy->xen.guests[i], policy->nfqueue.bridge);
}

static void draw_daemon(struct policy *policy)
{
	static const char *const LISTENS[] = { "", "127.0.0.1:9477", "[::1]:1",
					       "0.0.0.0:65535" };

	policy->nfqueue.queues =
		(uint16_t)draw_between(0, draw_bool() ? 1 : 64);
	policy->nfqueue.first_queue = (uint16_t)draw_between(0, 65000);
	policy->nfqueue.fail = draw_bool() ? POLICY_FAIL_OPEN
					   : POLICY_FAIL_CLOSED;
	policy->nfqueue.bridge = draw_bool();
	if (draw_bool())
		policy->nfqueue.queue_length = (uint32_t)draw_between(
			POLICY_HELD_PKTS_MAX + POLICY_QUEUE_BURST_PKTS,
			1 << 26);
	draw_fast(policy);
	draw_xen(policy);
	draw_rates(policy);
	snprintf(policy->control_socket, sizeof(policy->control_socket),
		 "/run/sym tap/%x: \"\\#", (unsigned)draw());
	if (draw_bool())
		snprintf(policy->control_group, sizeof(policy->control_group),
			 "%x", (unsigned)draw());
	policy->control_mode = (uint16_t)draw_between(0, 0777);
	snprintf(policy->metrics_listen, sizeof(policy->metrics_listen), "%s",
		 LISTENS[draw() % 4]);
	if (draw_bool())
		snprintf(policy->state_file, sizeof(policy->state_file),
			 "/-%x:", (unsigned)draw());
}

static struct policy *draw_policy(void)
{
	struct policy *policy = make_list(1, sizeof(*policy));

	policy->mode = draw_bool() ? POLICY_SHADOW : POLICY_ENFORCE;
	draw_prefixes(&policy->inside, 1 + draw() % 8, true, true);
	policy->host_prefix6 = (uint8_t)draw_between(32, 128);
	/* With flows, so that every limit rule has a key to be judged by. */
	policy->enforce = (uint8_t)(1 + 2 * (draw() % 4));
	policy->force_one_sided = draw_bool();
	policy->guard_gateway = draw_bool();
	draw_rules(policy);
	draw_antispoof(policy);
	draw_zones(policy);
	policy->multicast_pkts_per_s = (uint32_t)draw_between(1, 100000000);
	policy->dhcp_pkts_per_s = (uint32_t)draw_between(1, 100000000);
	policy->icmp_error_pkts_per_s = (uint32_t)draw_between(1, 100000000);
	policy->fragment_pkts_per_s = (uint32_t)draw_between(1, 100000000);
	draw_limits(&policy->limits);
	draw_daemon(policy);
	return policy;
}

/* Parse what is printed of `policy` and print that again: the same twice. */
static bool survives(const struct policy *policy)
{
	struct policy_errors errors;
	struct policy *again = NULL;
	char *text = policy_print(policy), *text_again;
	bool good;

	if (text == NULL)
		abort();
	if (!policy_parse("printed", text, strlen(text), &again, &errors)) {
		char line[POLICY_ERROR_LINE_SIZE];

		policy_errors_print(&errors, 0, line, sizeof(line));
		printf("%s\n%s\n", line, text);
		free(text);
		return false;
	}
	text_again = policy_print(again);
	good = policy_equal(policy, again) && policy_equal(again, policy) &&
	       text_again != NULL && strcmp(text, text_again) == 0;
	if (!good)
		printf("not the same:\n%s\n%s\n", text, text_again);
	free(text);
	free(text_again);
	policy_free(again);
	return good;
}

int main(int argc, char **argv)
{
	state = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261121;
	printf("seed %llu\n", (unsigned long long)state);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct policy *policy = draw_policy();
		bool good = survives(policy);

		policy_free(policy);
		if (good)
			continue;
		printf("round %u\n", round);
		return 1;
	}
	return 0;
}
