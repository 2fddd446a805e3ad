/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/protocol.h"
#include "policy/zones.h"

static const struct zone LAN0 = { .name = "lan0", .interface = "lan0" };
static const struct zone LAN1 = { .name = "lan1.17",
				  .interface = "lan1",
				  .vlan = 17 };

static struct policy *parse(const char *text)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;

	if (!policy_parse("test.yaml", text, strlen(text), &policy, &errors))
		print_error("%s: %s\n", errors.list[0].key,
			    errors.list[0].wrong);
	assert_non_null(policy);
	return policy;
}

static void read_address(const char *text, uint8_t ret_addr[16])
{
	assert_int_equal(ADDRESS_OK, address_parse(text, ret_addr));
}

static void test_policy_knows_what_is_inside(void **state)
{
	static const struct {
		const char *addr;
		bool inside;
	} rows[] = {
		{ "10.20.0.0", true },        { "10.20.255.255", true },
		{ "10.19.255.255", false },   { "10.21.0.0", false },
		{ "192.0.2.7", true },        { "192.0.2.6", false },
		{ "2001:db8:20::", true },    { "2001:db8:20:ffff::1", true },
		{ "2001:db8:21::", false },   { "2001:db8:30::7f", true },
		{ "2001:db8:30::80", false }, { "::10.20.0.1", false },
	};
	struct policy *policy =
		parse("inside: [10.20.0.0/16, 192.0.2.7, \"2001:db8:20::/48\","
		      " \"2001:db8:30::/121\"]\n");
	struct policy_index *index = policy->index;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t addr[16];

		read_address(rows[i].addr, addr);
		assert_int_equal(rows[i].inside,
				 policy_is_inside(policy, addr));
		policy->index = NULL; /* the same, made by hand */
		assert_int_equal(rows[i].inside,
				 policy_is_inside(policy, addr));
		policy->index = index;
	}
	policy_free(policy);
	policy_free(NULL);
}

static const char RULES[] =
	"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
	"limiter: {enforce: [flow, pair, host]}\n"
	"rules:\n"
	"  - {priority: 1, match: {}, action: log}\n"
	"  - {priority: 2, match: {proto: udp, dst_port: [53, 5000-5010]},"
	" action: exempt}\n"
	"  - {priority: 3, match: {src: 10.20.5.0/24, dst: 192.0.2.0/24},"
	" action: limit, threshold: 3.0}\n"
	"  - {priority: 4, match: {src: 10.20.5.0/24}, action: limit,"
	" threshold: 4.0}\n"
	"  - {priority: 5, match: {proto: icmp}, action: exempt}\n"
	"  - {priority: 6, match: {interface: lan1, vlan: 17},"
	" action: limit, threshold: 5.0}\n"
	"  - {priority: 7, match: {src_port: 123}, action: exempt}\n";

struct classify_row {
	const char *inside, *outside;
	uint8_t proto;
	uint16_t inside_port, outside_port;
	const struct zone *zone;
	/* Per scope: -1 exempt, else the threshold as a power of two. */
	int flow, pair, host;
};

static const struct classify_row classify_rows[] = {
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_TCP, 1024, 80, &LAN0, 2, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_UDP, 1024, 53, &LAN0, -1, 2,
	  2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_UDP, 1, 5000, &LAN0, -1, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_UDP, 1, 5010, &LAN0, -1, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_UDP, 1, 5011, &LAN0, 2, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_TCP, 1, 53, &LAN0, 2, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_UDP, 123, 9, &LAN0, -1, 2, 2 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_SCTP, 123, 9, &LAN0, -1, 2, 2 },
	/* What stands in the place of a port is none. */
	{ "10.20.1.1", "198.51.100.1", 47, 123, 0, &LAN0, 2, 2, 2 },
	{ "10.20.5.1", "192.0.2.9", PROTOCOL_TCP, 9, 80, &LAN0, 3, 3, 4 },
	{ "10.20.5.1", "192.0.3.9", PROTOCOL_TCP, 9, 80, &LAN0, 4, 4, 4 },
	{ "10.20.5.1", "192.0.2.9", PROTOCOL_UDP, 9, 53, &LAN0, -1, 3, 4 },
	{ "10.20.1.1", "198.51.100.1", PROTOCOL_ICMP, 7, 0, &LAN0, -1, 2, 2 },
	{ "2001:db8:20::1", "2001:db8:99::1", PROTOCOL_ICMPV6, 7, 0, &LAN0, -1,
	  2, 2 },
	{ "2001:db8:20::1", "2001:db8:99::1", PROTOCOL_TCP, 7, 80, &LAN1, 5, 5,
	  5 },
	{ "10.20.5.1", "192.0.3.9", PROTOCOL_TCP, 9, 80, &LAN1, 4, 4, 4 },
};

static void check_class(const struct policy *policy, const struct flow_key *key,
			const struct zone *zone, int want)
{
	struct policy_class class;

	policy_classify(policy, key, zone, &class);
	assert_int_equal(want < 0, class.exempt);
	if (want >= 0)
		assert_int_equal(65536 << want,
				 policy->params[class.params].ratio_q16);
}

static void
test_policy_classifies_by_the_first_rule_that_the_key_contains(void **state)
{
	struct policy *policy = parse(RULES);

	(void)state;
	for (size_t i = 0; i < sizeof(classify_rows) / sizeof(classify_rows[0]);
	     i++) {
		const struct classify_row *row = &classify_rows[i];
		struct flow_key key = {
			.inside_port = row->inside_port,
			.outside_port = row->outside_port,
			.proto = row->proto,
			.scope = FLOW_SCOPE_FLOW,
		};
		struct flow_key wide;

		read_address(row->inside, key.inside);
		read_address(row->outside, key.outside);
		check_class(policy, &key, row->zone, row->flow);
		flow_key_widen(&key, FLOW_SCOPE_PAIR, &wide);
		check_class(policy, &wide, row->zone, row->pair);
		flow_key_widen(&key, FLOW_SCOPE_HOST, &wide);
		check_class(policy, &wide, row->zone, row->host);
	}
	policy_free(policy);
}

static void test_policy_says_what_a_scope_does_not_contain(void **state)
{
	struct policy_port_range port = { 1, 1 };
	struct policy_prefix prefix = { .length = 0 };
	const struct {
		struct policy_match match;
		const char *flow, *pair, *host;
	} rows[] = {
		{ { .vlan = 1 }, NULL, NULL, NULL },
		{ { .interface = "lan0" }, NULL, NULL, NULL },
		{ { .src = { &prefix, 1 } }, NULL, NULL, NULL },
		{ { .dst = { &prefix, 1 } }, NULL, NULL, "dst" },
		{ { .proto = 6 }, NULL, "proto", "proto" },
		{ { .src_port = { &port, 1 } }, NULL, "src_port", "src_port" },
		{ { .dst_port = { &port, 1 } }, NULL, "dst_port", "dst_port" },
		{ { .tcp_flags_mask = 2 }, "flags", "flags", "flags" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want[FLOW_SCOPES] = { rows[i].flow, rows[i].pair,
						  rows[i].host };

		for (unsigned scope = 0; scope < FLOW_SCOPES; scope++) {
			const char *got = policy_match_beyond(
				&rows[i].match, (enum flow_scope)scope);

			if (want[scope] == NULL)
				assert_null(got);
			else
				assert_string_equal(want[scope], got);
		}
	}
}

static void test_policy_finds_the_host_behind_an_address(void **state)
{
	static const char TEXT[] =
		"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
		"host_prefix6: 56\n"
		"antispoof:\n"
		"  bindings:\n"
		"    - {mac: 52:54:00:00:00:01, addresses: [10.20.0.7,"
		" \"2001:db8:20::7\", \"2001:db8:20:700::/64\"],"
		" interface: lan0}\n"
		"    - {mac: 52:54:00:00:00:02, addresses: [10.20.0.8,"
		" 10.20.0.7], interface: lan1}\n"
		"    - {mac: 52:54:00:00:00:03, addresses:"
		" [\"2001:db8:20:701::9\", 10.20.9.0/24]}\n";
	static const struct {
		const char *addr;
		const struct zone *zone;
		const char *host;
	} rows[] = {
		{ "10.20.0.7", &LAN0, "10.20.0.7" },
		{ "10.20.0.7", &LAN1, "10.20.0.8" },
		{ "2001:db8:20::7", &LAN0, "10.20.0.7" },
		{ "2001:db8:20::7", &LAN1, "2001:db8:20::" },
		{ "2001:db8:20:700:1:2:3:4", &LAN0, "10.20.0.7" },
		{ "2001:db8:20:701:1:2:3:4", &LAN0, "2001:db8:20:700::" },
		{ "2001:db8:20:701::9", &LAN0, "2001:db8:20:701::9" },
		{ "10.20.9.200", &LAN0, "2001:db8:20:701::9" },
		{ "10.20.0.9", &LAN0, "10.20.0.9" },
		{ "2001:db8:20:5ff::1", &LAN0, "2001:db8:20:500::" },
	};
	struct policy *policy = parse(TEXT);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t addr[16], host[16];
		char text[ADDRESS_TEXT_SIZE];

		read_address(rows[i].addr, addr);
		policy_host_of(policy, addr, rows[i].zone, host);
		address_print(host, text);
		assert_string_equal(rows[i].host, text);
		policy_host_of(policy, addr, rows[i].zone, addr);
		assert_memory_equal(host, addr, 16);
	}
	policy_free(policy);
}

static void test_policy_finds_a_bound_host_in_its_whole_zone(void **state)
{
	struct policy *policy = parse(
		"inside: 10.20.0.0/16\n"
		"zones: {campus: [lan0, lan1]}\n"
		"antispoof: {bindings: [{mac: 52:54:00:00:00:01, addresses:"
		" [10.20.0.7, 10.20.0.8], interface: lan1}]}\n");
	const struct zone campus = { .name = "campus", .interface = "lan0" };
	uint8_t addr[16], host[16], want[16];

	(void)state;
	read_address("10.20.0.8", addr);
	read_address("10.20.0.7", want);
	policy_host_of(policy, addr, &campus, host);
	assert_memory_equal(want, host, 16);
	policy_host_of(policy, addr, &LAN0, host);
	assert_memory_equal(addr, host, 16);
	policy_free(policy);
}

static void test_policy_equal_sees_every_difference(void **state)
{
	static const char *const TEXTS[] = {
		"{}",
		"mode: enforce",
		"profile: seven-to-one",
		"host_prefix6: 65",
		"limiter: {threshold: 2.1}",
		"limiter: {window: 2s, max_delay: 1024ms}",
		"limiter: {first_delay: 1ms, max_delay: 1024ms}",
		"limiter: {max_delay: 1s}",
		"limiter: {enforce: [pair]}",
		"limiter: {evidence: packets}",
		"limiter: {force_one_sided: true}",
		"limiter: {guard_gateway: true}",
		"zones: {a: [lan0]}",
		"zones: {b: [lan0]}",
		"zones: {a: [lan0, lan1]}",
		"zones: {a: [{interface: lan0, vlan: 5}]}",
		"antispoof: {interfaces: {lan0: {sources: 10.20.0.0/16}}}",
		"antispoof: {interfaces: {lan1: {sources: 10.20.0.0/16}}}",
		"antispoof: {interfaces: {lan0: {sources: 10.20.0.0/17}}}",
		"antispoof: {bindings: [{mac: 52:54:00:00:00:01,"
		" addresses: 10.20.0.1}]}",
		"antispoof: {bindings: [{mac: 52:54:00:00:00:02,"
		" addresses: 10.20.0.1}]}",
		"antispoof: {bindings: [{mac: 52:54:00:00:00:01,"
		" addresses: 10.20.0.2}]}",
		"antispoof: {bindings: [{mac: 52:54:00:00:00:01,"
		" addresses: 10.20.0.1, interface: lan0}]}",
		"rules: [{priority: 1, match: {}, action: drop}]",
		"rules: [{priority: 2, match: {}, action: drop}]",
		"rules: [{priority: 1, match: {}, action: log}]",
		"rules: [{priority: 1, match: {proto: tcp}, action: drop}]",
		"rules: [{priority: 1, match: {proto: tcp, flags: syn},"
		" action: drop}]",
		"rules: [{priority: 1, match: {src_port: 5}, action: drop}]",
		"rules: [{priority: 1, match: {dst_port: 5}, action: drop}]",
		"rules: [{priority: 1, match: {dst_port: 5-6}, action: drop}]",
		"rules: [{priority: 1, match: {src: 10.0.0.0/8},"
		" action: drop}]",
		"rules: [{priority: 1, match: {dst: 10.0.0.0/8},"
		" action: drop}]",
		"rules: [{priority: 1, match: {vlan: 5}, action: drop}]",
		"rules: [{priority: 1, match: {interface: lan0},"
		" action: drop}]",
		"rules: [{priority: 1, match: {}, action: limit}]",
		"rules: [{priority: 1, match: {}, action: limit,"
		" threshold: 3.0}]",
		"multicast: {packets_per_s: 1}",
		"dhcp: {packets_per_s: 1}",
		"icmp_errors: {packets_per_s: 1}",
		"fragments: {packets_per_s: 1}",
		"limits: {pairs: 1000001, suspects: 65536,"
		" pairs_per_host: 250000}",
		"limits: {flows: 2000001, suspects: 65536,"
		" flows_per_host: 500000}",
		"limits: {hosts: 16}",
		"limits: {suspects: 64}",
		"limits: {pairs_per_host: 64}",
		"limits: {flows_per_host: 64}",
		"limits: {fragments: 16}",
		"limits: {held_packets: 65535}",
		"limits: {held_bytes: 1B}",
		"limits: {held_packets_per_host: 1023}",
		"limits: {held_packets_per_key: 63}",
		"limits: {at_bound: release}",
		"datapath: {nfqueue: {queues: 1}}",
		"datapath: {nfqueue: {first_queue: 1}}",
		"datapath: {nfqueue: {fail: closed}}",
		"datapath: {nfqueue: {bridge: true}}",
		"datapath: {nfqueue: {queue_length: 100000}}",
		"control: {socket: /x}",
		"control: {group: adm}",
		"control: {mode: 0600}",
		"metrics: {listen: none}",
		"state: {file: none}",
	};
	enum { TEXTS_COUNT = sizeof(TEXTS) / sizeof(TEXTS[0]) };
	struct policy *policies[TEXTS_COUNT];

	(void)state;
	for (size_t i = 0; i < TEXTS_COUNT; i++) {
		char text[256] = "inside: 10.20.0.0/16\n";

		if (i > 0)
			strcat(text, TEXTS[i]);
		policies[i] = parse(text);
	}
	for (size_t i = 0; i < TEXTS_COUNT; i++) {
		for (size_t j = 0; j < TEXTS_COUNT; j++) {
			if ((i == j) != policy_equal(policies[i], policies[j]))
				print_error("%s\n%s\n", TEXTS[i], TEXTS[j]);
			assert_int_equal(i == j, policy_equal(policies[i],
							      policies[j]));
		}
	}
	for (size_t i = 0; i < TEXTS_COUNT; i++)
		policy_free(policies[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy_knows_what_is_inside),
		cmocka_unit_test(
			test_policy_classifies_by_the_first_rule_that_the_key_contains),
		cmocka_unit_test(
			test_policy_says_what_a_scope_does_not_contain),
		cmocka_unit_test(test_policy_finds_the_host_behind_an_address),
		cmocka_unit_test(
			test_policy_finds_a_bound_host_in_its_whole_zone),
		cmocka_unit_test(test_policy_equal_sees_every_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
