/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/guests.h"
#include "policy/parse.h"
#include "policy/policy.h"

#define UUID "0a000000-0000-4000-8000-000000000007"

static struct policy_errors errors;

static struct policy *parse(const char *guests)
{
	struct policy *policy = NULL;
	char text[1024];

	snprintf(text, sizeof(text),
		 "inside: [10.0.0.0/8]\n"
		 "xen: {vifs: follow, way: ring, guests: [%s]}\n",
		 guests);
	assert_true(policy_parse("test", text, strlen(text), &policy, &errors));
	return policy;
}

static const struct guest_identity web = { "web-7", UUID, "vif7.0", "xenbr0",
					   7 };

static void test_guests_the_first_that_fits_decides(void **state)
{
	static const struct {
		const char *guests;
		enum policy_way way;
	} rows[] = {
		{ "", POLICY_WAY_RING },
		{ "{name: web-7, way: rate}", POLICY_WAY_RATE },
		{ "{name: web, way: rate}", POLICY_WAY_RING },
		{ "{name: \"web*\", way: rate}", POLICY_WAY_RATE },
		{ "{name: \"*7\", way: rate}", POLICY_WAY_RATE },
		{ "{name: \"*e*-*\", way: rate}", POLICY_WAY_RATE },
		{ "{name: \"*\", way: rate}", POLICY_WAY_RATE },
		{ "{name: \"web-??\", way: rate}", POLICY_WAY_RING },
		{ "{name: \"web-?\", way: rate}", POLICY_WAY_RATE },
		{ "{way: rate}", POLICY_WAY_RATE },
		{ "{domain: 7, way: rate}", POLICY_WAY_RATE },
		{ "{domain: 8, way: rate}", POLICY_WAY_RING },
		{ "{uuid: \"0a*\", way: rate}", POLICY_WAY_RATE },
		{ "{uuid: " UUID ", way: rate}", POLICY_WAY_RATE },
		{ "{vif: \"vif7.*\", way: rate}", POLICY_WAY_RATE },
		{ "{vif: \"vif7.*\", bridge: br9, way: rate}",
		  POLICY_WAY_RING },
		{ "{bridge: xenbr0, way: rate}", POLICY_WAY_RATE },
		{ "{name: \"web*\"}, {way: rate}", POLICY_WAY_RING },
		{ "{name: mail, way: netback}, {way: rate}", POLICY_WAY_RATE },
		{ "{way: rate}, {name: \"web*\", way: netback}",
		  POLICY_WAY_RATE },
	};
	const struct guest_wish own = { 0 };
	struct guest_wish wish;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy *policy = parse(rows[i].guests);

		guests_wish_of(policy, &web, &own, &wish);
		if (wish.way != rows[i].way)
			print_error("%s\n", rows[i].guests);
		assert_int_equal(rows[i].way, wish.way);
		policy_free(policy);
	}
}

static void test_guests_the_operator_stands_above_the_guests_own(void **state)
{
	const struct guest_wish own = { .said = GUEST_WAY | GUEST_GUARD |
						GUEST_THRESHOLD,
					.way = POLICY_WAY_NETBACK,
					.ratio_q16 = 1 << 20 };
	struct policy *policy = parse("{name: \"web*\", way: rate, guard: on}");
	struct guest_wish wish;
	struct guest_identity mail = web;

	(void)state;
	guests_wish_of(policy, &web, &own, &wish);
	assert_int_equal(POLICY_WAY_RATE, wish.way);
	assert_true(wish.guarded);
	assert_int_equal(POLICY_XEN_MAC_DROP, wish.mac);
	assert_int_equal(1 << 20, wish.ratio_q16);
	mail.name = "mail";
	guests_wish_of(policy, &mail, &own, &wish);
	assert_int_equal(POLICY_WAY_NETBACK, wish.way);
	assert_false(wish.guarded);
	policy_free(policy);
}

static void test_guests_own_text(void **state)
{
	static const struct {
		const char *text;
		uint8_t said;
		const char *wrong;
	} rows[] = {
		{ "way: rate", GUEST_WAY, NULL },
		{ "{way: rate, mac: drop, guard: off, threshold: 3.5}",
		  GUEST_WAY | GUEST_MAC | GUEST_GUARD | GUEST_THRESHOLD, NULL },
		{ "{}", 0, NULL },
		{ "", 0, "the file is empty" },
		{ "off", 0, "a map of keys and values is wanted here" },
		{ "{name: web}", 0, "there is no such key" },
		{ "{way: \"*\"}", 0, "\"*\" is not known" },
		{ "{guard: on, guard: off}", 0, NULL },
		{ "{way: &a rate}", 0, NULL },
		{ "{threshold: 1e9}", 0, NULL },
		{ "{\x01: 1}", 0, NULL },
	};
	struct guest_wish wish;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = guests_parse(rows[i].text, strlen(rows[i].text),
					 &wish, &errors);

		if (good != (i < 3))
			print_error("%s\n", rows[i].text);
		assert_int_equal(i < 3, good);
		if (good)
			assert_int_equal(rows[i].said, wish.said);
		else
			assert_true(errors.count > 0);
		if (rows[i].wrong != NULL)
			assert_string_equal(rows[i].wrong,
					    errors.list[0].wrong);
	}
}

static void test_guests_a_text_is_bounded(void **state)
{
	char text[GUESTS_TEXT_BYTES + 2];
	struct guest_wish wish;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{way: rate}", 11);
	assert_true(guests_parse(text, GUESTS_TEXT_BYTES, &wish, &errors));
	assert_false(guests_parse(text, GUESTS_TEXT_BYTES + 1, &wish, &errors));
	assert_string_equal("is too long", errors.list[0].wrong);
}

static void test_guests_rules_stand_behind_the_operators(void **state)
{
	struct policy *policy = parse("");
	const struct guest_wish off = { 0 };
	struct guest_wish on = { .said = GUEST_THRESHOLD, .guarded = true };
	size_t count;

	(void)state;
	assert_true(guests_add_rules(policy, "vif7.0", &off));
	assert_int_equal(1, policy->rules_count);
	assert_int_equal(POLICY_ACCEPT, policy->rules[0].action);
	assert_string_equal("vif7.0", policy->rules[0].match.interface);
	on.ratio_q16 = policy->params[0].ratio_q16;
	assert_true(guests_add_rules(policy, "vif8.0", &on));
	assert_int_equal(1, policy->rules_count);
	on.ratio_q16 *= 2;
	assert_true(guests_add_rules(policy, "vif8.0", &on));
	assert_true(guests_add_rules(policy, "vif9.0", &on));
	assert_int_equal(3, policy->rules_count);
	assert_int_equal(2, policy->params_count);
	assert_int_equal(policy->rules[1].params, policy->rules[2].params);
	for (uint32_t i = 3; i <= POLICY_PARAMS_MAX; i++) {
		on.ratio_q16 = 1000000 + i;
		assert_true(guests_add_rules(policy, "vif8.0", &on));
	}
	on.ratio_q16 = 1;
	count = policy->rules_count;
	assert_true(guests_add_rules(policy, "vif8.0", &on));
	assert_int_equal(count, policy->rules_count);
	assert_int_equal(POLICY_PARAMS_MAX, policy->params_count);
	assert_true(policy_prepare(policy));
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guests_the_first_that_fits_decides),
		cmocka_unit_test(
			test_guests_the_operator_stands_above_the_guests_own),
		cmocka_unit_test(test_guests_own_text),
		cmocka_unit_test(test_guests_a_text_is_bounded),
		cmocka_unit_test(test_guests_rules_stand_behind_the_operators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
