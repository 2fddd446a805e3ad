/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"

#define INSIDE "inside: [10.20.0.0/16]\n"
#define MS     UINT64_C(1000000)

static struct policy *parse(const char *text)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;

	if (policy_parse("test.yaml", text, strlen(text), &policy, &errors))
		return policy;
	for (size_t i = 0; i < errors.count; i++) {
		char line[POLICY_ERROR_LINE_SIZE];

		policy_errors_print(&errors, i, line, sizeof(line));
		print_error("%s\n", line);
	}
	return NULL;
}

static void test_policy_parse_reads_the_whole_of_an_example(void **state)
{
	static const char TEXT[] =
		"mode: enforce\n"
		"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
		"limiter: {threshold: 2.0, window: 1s, first_delay: 2ms,\n"
		"          max_delay: 1024ms, enforce: [pair, flow]}\n"
		"antispoof:\n"
		"  interfaces: {lan0: {sources: [10.20.0.0/16,"
		" 2001:db8:20::/48]}}\n"
		"  bindings: [{mac: 52:54:00:12:34:56, addresses: [10.20.0.7,"
		" 2001:db8:20::7], interface: lan0}]\n"
		"rules:\n"
		"  - {priority: 40, match: {src: 10.20.5.0/24},"
		" action: limit, threshold: 3.0, window: 4s}\n"
		"  - {priority: 10, match: {proto: tcp, dst_port: 25,"
		" src: 10.20.0.0/17}, action: drop}\n"
		"  - {priority: 30, match: {proto: tcp, flags: syn},"
		" action: log}\n";
	static const uint8_t MAC[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct policy *policy = parse(TEXT);
	const struct policy_rule *rule;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_non_null(policy);
	assert_int_equal(POLICY_ENFORCE, policy->mode);
	assert_int_equal(2, policy->inside.count);
	address_print_prefix(&policy->inside.list[1], text);
	assert_string_equal("2001:db8:20::/48", text);
	assert_int_equal(1 << FLOW_SCOPE_PAIR | 1 << FLOW_SCOPE_FLOW,
			 policy->enforce);
	assert_int_equal(4 * 65536, policy->params[0].ratio_q16);
	assert_int_equal(1000 * MS, policy->params[0].window_ns);
	assert_int_equal(2 * MS, policy->params[0].first_delay_ns);
	assert_int_equal(1024 * MS, policy->params[0].max_delay_ns);
	assert_int_equal(1, policy->sources_count);
	assert_string_equal("lan0", policy->sources[0].interface);
	assert_int_equal(1, policy->bindings_count);
	assert_memory_equal(MAC, policy->bindings[0].mac, 6);

	assert_int_equal(3, policy->rules_count);
	rule = &policy->rules[0];
	assert_int_equal(10, rule->priority);
	assert_int_equal(10, rule->line);
	assert_int_equal(POLICY_DROP, rule->action);
	assert_int_equal(6, rule->match.proto);
	assert_int_equal(25, rule->match.dst_port.list[0].last);
	rule = &policy->rules[1];
	assert_int_equal(0x02, rule->match.tcp_flags_set);
	assert_int_equal(0x12, rule->match.tcp_flags_mask);
	rule = &policy->rules[2];
	assert_int_equal(POLICY_LIMIT, rule->action);
	assert_int_equal(8 * 65536, policy->params[rule->params].ratio_q16);
	assert_int_equal(4096 * MS, policy->params[rule->params].max_delay_ns);
	policy_free(policy);
}

static void test_policy_parse_fills_in_the_defaults(void **state)
{
	struct policy *policy = parse(INSIDE);

	(void)state;
	assert_non_null(policy);
	assert_int_equal(POLICY_SHADOW, policy->mode);
	assert_int_equal(64, policy->host_prefix6);
	assert_int_equal(1, policy->params_count);
	assert_int_equal(4 * 65536, policy->params[0].ratio_q16);
	assert_int_equal(1000 * MS, policy->params[0].window_ns);
	assert_int_equal(2 * MS, policy->params[0].first_delay_ns);
	assert_int_equal(1024 * MS, policy->params[0].max_delay_ns);
	assert_int_equal(1 << FLOW_SCOPE_PAIR | 1 << FLOW_SCOPE_FLOW,
			 policy->enforce);
	assert_int_equal(2000, policy->multicast_pkts_per_s);
	assert_int_equal(1000000, policy->limits.pairs);
	assert_int_equal(2000000, policy->limits.flows);
	assert_int_equal(65536, policy->limits.suspects);
	assert_int_equal(250000, policy->limits.pairs_per_host);
	assert_int_equal(500000, policy->limits.flows_per_host);
	assert_int_equal(64 << 20, policy->limits.held_bytes);
	assert_int_equal(64, policy->limits.held_packets_per_key);
	assert_int_equal(POLICY_FAIL_OPEN, policy->nfqueue.fail);
	assert_int_equal(65536 + POLICY_QUEUE_BURST_PKTS,
			 policy_queue_length(policy));
	assert_string_equal("127.0.0.1:9477", policy->metrics_listen);
	assert_int_equal(0660, policy->control_mode);
	policy_free(policy);
}

static void test_policy_parse_derives_the_largest_delay(void **state)
{
	static const struct {
		const char *limiter;
		uint64_t max_delay_ns;
	} rows[] = {
		{ "{window: 1s, first_delay: 2ms}", 1024 * MS },
		{ "{window: 4s, first_delay: 2ms}", 4096 * MS },
		{ "{window: 4s, first_delay: 3ms}", 3072 * MS },
		{ "{window: 999ms, first_delay: 2ms}", 512 * MS },
		{ "{window: 1s, first_delay: 1ms}", 1024 * MS },
		{ "{window: 1s, first_delay: 1025us}", 524800000 },
		{ "{window: 60s, first_delay: 2ms}", 8192 * MS },
		{ "{window: 60s, first_delay: 10ms}", 5120 * MS },
		{ "{window: 10ms, first_delay: 1s}", 1000 * MS },
		{ "{window: 1s, max_delay: 10s}", 10000 * MS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256] = INSIDE "limiter: ";
		struct policy *policy;

		strcat(text, rows[i].limiter);
		policy = parse(text);
		assert_non_null(policy);
		assert_int_equal(rows[i].max_delay_ns,
				 policy->params[0].max_delay_ns);
		policy_free(policy);
	}
}

static void test_policy_parse_derives_limits_from_the_tables(void **state)
{
	static const struct {
		const char *limits;
		uint32_t suspects, pairs_per_host, flows_per_host;
	} rows[] = {
		{ "{pairs: 64, flows: 64}", 1024, 64, 64 },
		{ "{pairs: 100000, flows: 200000}", 9375, 25000, 50000 },
		{ "{pairs: 67108864, flows: 67108864}", 65536, 16777216,
		  16777216 },
		{ "{pairs: 1000, flows: 1000, suspects: 64,"
		  " pairs_per_host: 1000, flows_per_host: 65}",
		  64, 1000, 65 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256] = INSIDE "limits: ";
		struct policy *policy;

		strcat(text, rows[i].limits);
		policy = parse(text);
		assert_non_null(policy);
		assert_int_equal(rows[i].suspects, policy->limits.suspects);
		assert_int_equal(rows[i].pairs_per_host,
				 policy->limits.pairs_per_host);
		assert_int_equal(rows[i].flows_per_host,
				 policy->limits.flows_per_host);
		policy_free(policy);
	}
}

static void test_policy_parse_wants_queues_that_hold_what_may_wait(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ INSIDE "limits: {held_packets: 1000}\n"
			 "datapath: {nfqueue: {queue_length: 5096}}\n",
		  true },
		{ INSIDE "limits: {held_packets: 1000}\n"
			 "datapath: {nfqueue: {queue_length: 5095}}\n",
		  false },
		{ INSIDE "limits: {held_packets: 0}\n"
			 "datapath: {nfqueue: {queue_length: 16781312}}\n",
		  true },
		{ INSIDE "limits: {held_packets: 0}\n"
			 "datapath: {nfqueue: {queue_length: 16781311}}\n",
		  false },
		{ INSIDE "limits: {held_packets: 16777216}\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_errors errors;
		struct policy *policy = NULL;

		assert_int_equal(rows[i].good,
				 policy_parse("test.yaml", rows[i].text,
					      strlen(rows[i].text), &policy,
					      &errors));
		if (policy != NULL)
			assert_true(policy_queue_length(policy) >=
				    policy->limits.held_packets +
					    POLICY_QUEUE_BURST_PKTS);
		policy_free(policy);
	}
}

static void test_policy_parse_writes_its_result_only_on_success(void **state)
{
	struct policy *policy = (struct policy *)1;
	struct policy_errors errors;

	(void)state;
	assert_false(policy_parse("no.yaml", "mode: x\n", 8, &policy, &errors));
	assert_ptr_equal(1, policy);
	assert_string_equal("no.yaml", errors.file_name);
	assert_true(errors.errors >= 2);
}

static void test_policy_parse_takes_many_bindings(void **state)
{
	enum { BINDINGS = 20000, LINE_SIZE = 80 };
	struct policy_errors errors;
	struct policy *policy = NULL;
	char *text = malloc(BINDINGS * LINE_SIZE), *printed;
	size_t length;

	(void)state;
	assert_non_null(text);
	length = (size_t)sprintf(text, "%s",
				 INSIDE "antispoof:\n"
					"  bindings:\n");
	for (unsigned i = 0; i < BINDINGS; i++)
		length += (size_t)sprintf(
			text + length,
			"  - {mac: 52:54:00:00:%02x:%02x, addresses: "
			"[10.20.%u.%u]}\n",
			i >> 8, i & 255, i >> 8, i & 255);
	assert_true(policy_parse("test.yaml", text, length, &policy, &errors));
	free(text);
	assert_int_equal(0, errors.warnings);
	assert_int_equal(BINDINGS, policy->bindings_count);
	printed = policy_print(policy);
	policy_free(policy);
	policy = parse(printed);
	free(printed);
	assert_non_null(policy);
	assert_int_equal(BINDINGS, policy->bindings_count);
	policy_free(policy);
}

/* Each rule the limits of one of `different`. */
static bool parse_limits(unsigned rules, unsigned different,
			 struct policy **ret_policy)
{
	static struct policy_errors errors;
	char *text = malloc(128u * (rules + 2));
	size_t length;
	bool good;

	assert_non_null(text);
	length = (size_t)sprintf(text, "%s", INSIDE "rules:\n");
	for (unsigned i = 0; i < rules; i++)
		length += (size_t)sprintf(
			text + length,
			"  - {priority: %u, match: {src: 10.20.%u.%u}, "
			"action: limit, window: %ums}\n",
			i, i >> 8, i & 255, 100 + i % different);
	good = policy_parse("test.yaml", text, length, ret_policy, &errors);
	free(text);
	return good;
}

static void test_policy_parse_bounds_how_many_limits_differ(void **state)
{
	struct policy *policy = NULL;

	(void)state;
	assert_true(parse_limits(POLICY_PARAMS_MAX - 1, POLICY_PARAMS_MAX - 1,
				 &policy));
	assert_int_equal(POLICY_PARAMS_MAX, policy->params_count);
	policy_free(policy);
	assert_false(
		parse_limits(POLICY_PARAMS_MAX, POLICY_PARAMS_MAX, &policy));
	/* equal ones are shared */
	assert_true(parse_limits(1000, 3, &policy));
	assert_int_equal(4, policy->params_count);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(
			100 + i % 3,
			policy->params[policy->rules[i].params].window_ns /
				1000000);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_policy_parse_reads_the_whole_of_an_example),
		cmocka_unit_test(test_policy_parse_fills_in_the_defaults),
		cmocka_unit_test(test_policy_parse_derives_the_largest_delay),
		cmocka_unit_test(
			test_policy_parse_derives_limits_from_the_tables),
		cmocka_unit_test(
			test_policy_parse_wants_queues_that_hold_what_may_wait),
		cmocka_unit_test(
			test_policy_parse_writes_its_result_only_on_success),
		cmocka_unit_test(test_policy_parse_takes_many_bindings),
		cmocka_unit_test(
			test_policy_parse_bounds_how_many_limits_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
