/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guard of a vif is told of the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/guests.h"
#include "policy/parse.h"
#include "shaper/daemon/vif_netback.h"

static void settings_of(const char *yaml, const struct guest_wish *wish,
			struct waynetback_settings *ret_settings)
{
	static struct policy_errors errors;
	struct policy *policy;

	assert_true(policy_parse("test", yaml, strlen(yaml), &policy, &errors));
	vifnetback_settings(policy, wish, NULL, ret_settings);
	policy_free(policy);
}

static void test_vif_netback_is_told_what_is_shipped(void **state)
{
	const struct guest_wish nothing = { 0 };
	struct waynetback_settings settings;

	(void)state;
	settings_of("mode: enforce\n"
		    "inside: [10.0.0.0/8]\n",
		    &nothing, &settings);
	assert_true(settings.wants_consent && settings.holds_pairs &&
		    settings.holds_flows);
	assert_int_equal(10, settings.credit.floor_pkts);
	assert_int_equal(48, settings.credit.patience_pkts);
	assert_int_equal(12, settings.credit.earned_pkts);
	assert_int_equal(20, settings.first_contacts_per_s);
	assert_int_equal(100, settings.connections_per_s);
	assert_false(rate_is_set(&settings.rate));
	assert_int_equal(0xd00000, settings.mark);
}

static void test_vif_netback_has_no_purse_without_consent(void **state)
{
	const struct guest_wish nothing = { 0 };
	struct waynetback_settings settings;

	(void)state;
	settings_of("mode: enforce\n"
		    "inside: [10.0.0.0/8]\n"
		    "limiter: {evidence: packets}\n"
		    "guards: {first_contacts: 7, new_connections: 8}\n",
		    &nothing, &settings);
	assert_false(settings.wants_consent);
	assert_int_equal(0, settings.credit.floor_pkts +
				    settings.credit.patience_pkts +
				    settings.credit.earned_pkts);
	assert_int_equal(7, settings.first_contacts_per_s);
	assert_int_equal(8, settings.connections_per_s);
}

static void test_vif_netback_has_its_own_rate(void **state)
{
	static const char yaml[] = "mode: enforce\n"
				   "inside: [10.0.0.0/8]\n"
				   "rate: {packets: 100/s}\n";
	struct guest_wish wish = { 0 };
	struct waynetback_settings settings;

	(void)state;
	settings_of(yaml, &wish, &settings);
	assert_int_equal(100, settings.rate.pkts_per_s);
	wish.said = GUEST_RATE;
	wish.rate.pkts_per_s = 5;
	settings_of(yaml, &wish, &settings);
	assert_int_equal(5, settings.rate.pkts_per_s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vif_netback_is_told_what_is_shipped),
		cmocka_unit_test(test_vif_netback_has_no_purse_without_consent),
		cmocka_unit_test(test_vif_netback_has_its_own_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
