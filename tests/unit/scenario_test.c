/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/parse.h"

#define HEAD    "about: a\nduration: 1s\n"
#define SENDERS "senders:\n"
#define TCP     "- {name: a, kind: tcp, from: 10.0.0.1, to: 192.0.2.1}\n"
#define ONE     HEAD SENDERS TCP

static struct policy_errors errors;

static struct scenario *parse(const char *text)
{
	struct scenario *scenario = NULL;

	if (!scenario_parse("s.yaml", text, strlen(text), &scenario, &errors))
		return NULL;
	assert_int_equal(0, errors.count);
	return scenario;
}

/* The first of its mistakes, as it is printed. */
static void test_scenario_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
#include "tests/unit/scenario_mistakes.inc"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[POLICY_ERROR_LINE_SIZE];

		assert_null(parse(rows[i].text));
		policy_errors_print(&errors, 0, line, sizeof(line));
		assert_string_equal(rows[i].said, line);
	}
}

static void test_scenario_reads_what_it_is_told(void **state)
{
	struct scenario *scenario = parse(
		"about: all of it\nseed: 7\nduration: 2m\ngateway: off\n"
		"policy: |\n  inside: [10.0.0.0/8]\n"
		"links: {out: {rate: 10Mbit/s, delay: 3ms, queue: 64KiB, "
		"loss: 0.25%}}\n"
		"senders:\n"
		"- {name: a, kind: quic, from: \"10.0.0.1:1000\", to: "
		"\"192.0.2.1:4433\", bytes: 1MiB, after_pause: keep}\n"
		"- {name: b, kind: flood, from: 10.0.0.2, to: 198.51.100.0/24, "
		"pick: random, proto: syn}\n"
		"expect:\n- {sender: b, measure: contacts_per_s, at_most: "
		"19.5}\n"
		"- {measure: gaps, are: [2ms, 4ms]}\n");

	(void)state;
	assert_non_null(scenario);
	assert_int_equal(7, scenario->seed);
	assert_true(scenario->without);
	assert_string_equal("inside: [10.0.0.0/8]\n", scenario->policy);
	assert_int_equal(10000000, scenario->out.rate_bits_per_s);
	assert_int_equal(2500, scenario->out.loss_in_million);
	assert_int_equal(2, scenario->senders_count);
	assert_int_equal(10, scenario->senders[0].ack_every);
	assert_int_equal(1000, scenario->senders[0].from_port);
	assert_true(scenario->senders[0].keeps_window);
	assert_int_equal(96 + 24, scenario->senders[1].to.length);
	assert_int_equal(1, scenario->expect[0].sender);
	assert_true(scenario->expect[0].most == 19.5);
	assert_int_equal(2, scenario->expect[1].gaps_count);
	scenario_free(scenario);
}

static void test_scenario_wants_its_senders_guarded(void **state)
{
	static const char text[] = "inside: [172.16.0.0/12]\n";
	struct scenario *scenario = parse(ONE);
	struct policy *policy;
	char line[POLICY_ERROR_LINE_SIZE];

	(void)state;
	assert_non_null(scenario);
	assert_true(policy_parse("p", text, strlen(text), &policy, &errors));
	policy_errors_init(&errors, "s.yaml");
	assert_false(scenario_suits(scenario, policy, &errors));
	policy_errors_print(&errors, 0, line, sizeof(line));
	assert_string_equal("s.yaml:4:1: error: senders: 10.0.0.1 of \"a\" is "
			    "not guarded; an address that the policy's "
			    "`inside` has",
			    line);
	policy_free(policy);
	scenario_free(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenario_says_what_is_wrong),
		cmocka_unit_test(test_scenario_reads_what_it_is_told),
		cmocka_unit_test(test_scenario_wants_its_senders_guarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
