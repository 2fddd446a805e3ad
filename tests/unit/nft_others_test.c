/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose rules are on the way of a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <string.h>

#include "shaper/io/nft_others.h"

static void test_at_which_interface_they_are(void **state)
{
	static const struct {
		const char *chain, *port;
		bool acts, found;
	} rows[] = {
		{ "vif1.0", "vif1.0", true, true },
		{ "vif1.0", "vif1.0", false, false },
		{ "vif1.0", "vif1.01", true, false },
		{ "vif*", "vif1.0", true, true },
		{ "vif*", "tap1.0", true, false },
		{ "*", "tap1.0", true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nftothers others = { .count = 1 };
		struct nftothers_chain *chain = &others.chains[0];
		char who[NFTOTHERS_TEXT_BYTES];

		*chain = (struct nftothers_chain){ .where = NFTOTHERS_INGRESS,
						   .family = NFPROTO_NETDEV,
						   .table = "limits",
						   .acts = rows[i].acts };
		strcpy(chain->device, rows[i].chain);
		assert_int_equal(nftothers_at(&others, NFTOTHERS_INGRESS,
					      rows[i].port, who),
				 rows[i].found);
		if (rows[i].found)
			assert_string_equal(
				who, "rules of nftables' table netdev limits");
		assert_false(nftothers_at(&others, NFTOTHERS_EGRESS,
					  rows[i].port, who));
		assert_false(nftothers_at(&others, NFTOTHERS_FRAMES, "", who));
	}
}

static void test_whose_cannot_be_told_may_be_anywhere(void **state)
{
	struct nftothers others = { .packets_legacy = true };
	char who[NFTOTHERS_TEXT_BYTES];

	(void)state;
	assert_true(nftothers_at(&others, NFTOTHERS_PACKETS, "", who));
	assert_string_equal(who, "rules of iptables-legacy");
	assert_false(nftothers_at(&others, NFTOTHERS_FRAMES, "", who));
	others = (struct nftothers){ .frames_legacy = true };
	assert_false(nftothers_at(&others, NFTOTHERS_PACKETS, "", who));
	assert_true(nftothers_at(&others, NFTOTHERS_FRAMES, "", who));
	assert_string_equal(who, "rules of ebtables-legacy");
	others = (struct nftothers){ .count = NFTOTHERS_MAX + 1 };
	assert_true(nftothers_at(&others, NFTOTHERS_FRAMES, "", who));
	assert_true(nftothers_at(&others, NFTOTHERS_EGRESS, "lan0", who));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_which_interface_they_are),
		cmocka_unit_test(test_whose_cannot_be_told_may_be_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
