/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"

static struct policy *parse(const char *text)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;

	assert_true(policy_parse("test.yaml", text, strlen(text), &policy,
				 &errors));
	return policy;
}

static void test_zones_gives_small_ids_in_order_of_first_sight(void **state)
{
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();

	(void)state;
	assert_non_null(zones);
	assert_int_equal(0, zones_id(zones, policy, "lan0", 0));
	assert_int_equal(1, zones_id(zones, policy, "lan0", 17));
	assert_int_equal(2, zones_id(zones, policy, "lan1", 0));
	assert_int_equal(0, zones_id(zones, policy, "lan0", 0));
	assert_int_equal(1, zones_id(zones, policy, "lan0", 17));
	assert_string_equal("lan0", zones_get(zones, 0)->name);
	assert_string_equal("lan0.17", zones_get(zones, 1)->name);
	assert_string_equal("lan0", zones_get(zones, 1)->interface);
	assert_int_equal(17, zones_get(zones, 1)->vlan);
	zones_free(zones);
	policy_free(policy);
}

static void test_zones_puts_the_members_of_a_group_together(void **state)
{
	struct policy *policy = parse(
		"inside: 10.20.0.0/16\n"
		"zones: {campus: [lan0, {interface: trunk0, vlan: 17}]}\n");
	struct policy *other = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();

	(void)state;
	assert_int_equal(0, zones_id(zones, policy, "trunk0", 17));
	assert_int_equal(0, zones_id(zones, policy, "lan0", 0));
	assert_int_equal(1, zones_id(zones, policy, "trunk0", 0));
	assert_int_equal(2, zones_id(zones, policy, "trunk0", 18));
	assert_int_equal(3, zones_id(zones, policy, "lan0", 17));
	assert_string_equal("campus", zones_get(zones, 0)->name);
	assert_string_equal("trunk0", zones_get(zones, 0)->interface);

	/* A new policy without that group is followed at once. */
	assert_int_equal(4, zones_id(zones, other, "lan0", 0));
	assert_int_equal(0, zones_id(zones, policy, "lan0", 0));
	zones_free(zones);
	policy_free(policy);
	policy_free(other);
}

static void test_zones_finds_again_what_it_knew_by_name(void **state)
{
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();
	char longest[] = "a-name-that-is-longer-than-a-zone-name";

	(void)state;
	assert_int_equal(0, zones_id_of_name(zones, "lan0.17"));
	assert_string_equal("", zones_get(zones, 0)->interface);
	assert_int_equal(0, zones_id(zones, policy, "lan0", 17));
	assert_string_equal("lan0", zones_get(zones, 0)->interface);
	assert_int_equal(0, zones_id_of_name(zones, "lan0.17"));
	assert_int_equal(17, zones_get(zones, 0)->vlan);
	assert_int_equal(1, zones_id_of_name(zones, longest));
	assert_int_equal(1, zones_id_of_name(zones, longest));
	assert_int_equal(ZONES_MAX - 1, zones_id_of_name(zones, "other"));
	zones_free(zones);
	policy_free(policy);
}

static void test_zones_when_full_share_the_last(void **state)
{
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();
	char name[16];

	(void)state;
	for (int i = 0; i < ZONES_MAX - 1; i++) {
		snprintf(name, sizeof(name), "vif%d.0", i);
		assert_int_equal(i, zones_id(zones, policy, name, 0));
	}
	assert_int_equal(ZONES_MAX - 1, zones_id(zones, policy, "late0", 0));
	assert_int_equal(ZONES_MAX - 1, zones_id(zones, policy, "late1", 5));
	assert_string_equal("other", zones_get(zones, ZONES_MAX - 1)->name);
	assert_int_equal(7, zones_id(zones, policy, "vif7.0", 0));
	assert_string_equal("other", zones_get(zones, UINT16_MAX)->name);
	zones_free(zones);
	policy_free(policy);
}

/* Tags are what hosts put on their frames: a thousand and one of them leave
 * interfaces their places, and what the policy names. */
static void test_zones_of_tags_have_half_of_the_places(void **state)
{
	struct policy *policy =
		parse("inside: 10.20.0.0/16\n"
		      "zones: {dmz: [{interface: vif1.0, vlan: 4000}]}\n");
	struct zones *zones = zones_new();
	uint16_t own, last;

	(void)state;
	own = zones_id(zones, policy, "vif1.0", 0);
	for (uint16_t vlan = 1; vlan <= ZONES_TAGS_MAX; vlan++)
		assert_int_equal(own + vlan,
				 zones_id(zones, policy, "vif1.0", vlan));
	assert_int_equal(own, zones_id(zones, policy, "vif1.0", 3000));
	assert_int_equal(own + 17, zones_id(zones, policy, "vif1.0", 17));
	last = zones_id(zones, policy, "vif2.0", 3000);
	assert_string_equal("vif2.0", zones_get(zones, last)->name);
	last = zones_id(zones, policy, "vif1.0", 4000);
	assert_string_equal("dmz", zones_get(zones, last)->name);
	zones_free(zones);
	policy_free(policy);
}

/* A host whose guests come and go gives each a name that was not there. */
static void test_zones_that_nobody_is_of_make_room(void **state)
{
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();
	bool kept[ZONES_MAX] = { false };
	char name[16];

	(void)state;
	kept[zones_id(zones, policy, "wan0", 0)] = true;
	kept[zones_id(zones, policy, "lan0", 17)] = true;
	for (int i = 0; i < 4 * ZONES_MAX; i++) {
		snprintf(name, sizeof(name), "vif%d.0", i);
		if (zones_are_many(zones))
			zones_keep(zones, kept);
		assert_string_equal(
			name, zones_get(zones, zones_id(zones, policy, name, 0))
				      ->name);
	}
	assert_int_equal(0, zones_id(zones, policy, "wan0", 0));
	assert_int_equal(1, zones_id(zones, policy, "lan0", 17));
	assert_string_equal("lan0.17", zones_get(zones, 1)->name);
	zones_free(zones);
	policy_free(policy);
}

static void test_zones_that_were_forgotten_are_counted_no_more(void **state)
{
	static const bool none[ZONES_MAX];
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();
	uint16_t id;

	(void)state;
	for (int times = 0; times < 3; times++) {
		assert_false(zones_are_many(zones));
		for (uint16_t vlan = 1; vlan <= ZONES_TAGS_MAX; vlan++) {
			id = zones_id(zones, policy, "lan0", vlan);
			assert_int_equal(vlan, zones_get(zones, id)->vlan);
		}
		assert_true(zones_are_many(zones));
		zones_keep(zones, none);
		assert_string_equal("", zones_get(zones, id)->name);
	}
	assert_string_equal("other", zones_get(zones, ZONES_MAX - 1)->name);
	zones_free(zones);
	policy_free(policy);
}

static void test_zones_takes_interface_names_of_any_length(void **state)
{
	struct policy *policy = parse("inside: 10.20.0.0/16\n");
	struct zones *zones = zones_new();

	(void)state;
	assert_int_equal(0, zones_id(zones, policy, "abcdefghijklmno", 4094));
	assert_string_equal("abcdefghijklmno.4094", zones_get(zones, 0)->name);
	zones_free(zones);
	zones_free(NULL);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_zones_gives_small_ids_in_order_of_first_sight),
		cmocka_unit_test(
			test_zones_puts_the_members_of_a_group_together),
		cmocka_unit_test(test_zones_finds_again_what_it_knew_by_name),
		cmocka_unit_test(test_zones_when_full_share_the_last),
		cmocka_unit_test(test_zones_of_tags_have_half_of_the_places),
		cmocka_unit_test(test_zones_that_nobody_is_of_make_room),
		cmocka_unit_test(
			test_zones_that_were_forgotten_are_counted_no_more),
		cmocka_unit_test(
			test_zones_takes_interface_names_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
