/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "shaper/daemon/vif_ways.h"

/* "": it can be had. */
static void test_vif_ways_say_what_a_policy_lacks(void **state)
{
	static const struct {
		enum policy_way way;
		const char *yaml; /* besides mode and inside */
		const char *lacks;
	} rows[] = {
		{ POLICY_WAY_QUEUE, "datapath: {nfqueue: {bridge: true}}\n",
		  "" },
		{ POLICY_WAY_QUEUE, "",
		  "queue: packets are not bridged (datapath.nfqueue.bridge)" },
		{ POLICY_WAY_RING, "", "" },
		{ POLICY_WAY_RATE, "zones: {a: [vif1.0], b: [vif2.0]}\n", "" },
		{ POLICY_WAY_RATE, "zones: {a: [vif1.0, vif2.0]}\n",
		  "rate: its zone has other interfaces, which would not be "
		  "told apart" },
		{ POLICY_WAY_NETBACK, "", "" },
		{ POLICY_WAY_NETBACK, "limiter: {enforce: [flow]}\n", "" },
		{ POLICY_WAY_NETBACK, "limiter: {enforce: [pair, host]}\n",
		  "netback: it does not judge hosts (limiter.enforce)" },
		{ POLICY_WAY_AUTO,
		  "limiter: {enforce: [host]}\n"
		  "datapath: {nfqueue: {bridge: true}}\n",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct policy_errors errors;
		enum policy_way way = POLICY_WAY_AUTO;
		char yaml[256], why[WAY_TEXT_BYTES];
		struct policy *policy;
		bool can;

		snprintf(yaml, sizeof(yaml),
			 "mode: enforce\ninside: [10.0.0.0/8]\n%s",
			 rows[i].yaml);
		assert_true(policy_parse("test", yaml, strlen(yaml), &policy,
					 &errors));
		can = vifways_choose(policy, "vif1.0", NULL, NULL, rows[i].way,
				     &way, why);
		assert_int_equal(rows[i].lacks[0] == '\0', can);
		if (!can)
			assert_string_equal(rows[i].lacks, why);
		else if (rows[i].way != POLICY_WAY_AUTO)
			assert_int_equal(rows[i].way, way);
		else
			assert_int_equal(POLICY_WAY_QUEUE, way);
		policy_free(policy);
	}
}

static void test_vif_ways_tell_what_the_host_lacks(void **state)
{
	const struct policy policy = { .enforce = 1u << FLOW_SCOPE_PAIR };
	enum policy_way way = POLICY_WAY_AUTO;
	char why[WAY_TEXT_BYTES];

	(void)state;
	assert_false(vifways_choose(&policy, "vif1.0", "no ifb", "no module",
				    POLICY_WAY_NETBACK, &way, why));
	assert_string_equal("netback: no module", why);
	assert_true(vifways_choose(&policy, "vif1.0", "no ifb", "no module",
				   POLICY_WAY_AUTO, &way, why));
	assert_int_equal(POLICY_WAY_RATE, way);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vif_ways_say_what_a_policy_lacks),
		cmocka_unit_test(test_vif_ways_tell_what_the_host_lacks),
	};

	return cmocka_run_group_tests_name("vif_ways", tests, NULL, NULL);
}
