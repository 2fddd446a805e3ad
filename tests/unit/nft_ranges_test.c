/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_ranges.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

enum { PREFIXES_MAX = 8 };

static struct policy_prefix prefix_of(const char *text)
{
	struct policy_prefix prefix = { .length = 0 };
	char address[64];
	int bits = 0;

	assert_int_equal(2, sscanf(text, "%63[^/]/%d", address, &bits));
	if (strchr(address, ':')) {
		inet_pton(AF_INET6, address, prefix.addr);
		prefix.length = (uint8_t)bits;
	} else {
		prefix.addr[10] = prefix.addr[11] = 0xff;
		inet_pton(AF_INET, address, prefix.addr + 12);
		prefix.length = (uint8_t)(96 + bits);
	}
	return prefix;
}

/* "first-last first-last ..", merged */
static void check(const char *const *texts, bool ipv4, const char *wanted)
{
	struct policy_prefix list[PREFIXES_MAX];
	struct policy_prefixes prefixes = { list, 0 };
	struct nftranges ranges = { .ipv4 = ipv4 };
	int family = ipv4 ? AF_INET : AF_INET6;
	char got[512] = "", first[64], last[64];
	size_t i;

	for (; texts[prefixes.count]; prefixes.count++)
		list[prefixes.count] = prefix_of(texts[prefixes.count]);
	nftranges_add(&ranges, &prefixes);
	nftranges_merge(&ranges);
	for (i = 0; i < ranges.count; i++) {
		inet_ntop(family, ranges.list[i].first + nftranges_offset(ipv4),
			  first, sizeof(first));
		inet_ntop(family, ranges.list[i].last + nftranges_offset(ipv4),
			  last, sizeof(last));
		snprintf(got + strlen(got), sizeof(got) - strlen(got),
			 "%s%s-%s", i ? " " : "", first, last);
	}
	nftranges_fini(&ranges);
	assert_string_equal(wanted, got);
}

#define CHECK(ipv4, wanted, ...) \
	check((const char *const[]){ __VA_ARGS__, NULL }, ipv4, wanted)

static void test_prefixes_become_ranges_that_do_not_overlap(void **state)
{
	(void)state;
	CHECK(true, "10.0.0.0-10.255.255.255", "10.0.0.0/8");
	CHECK(true, "10.0.0.0-10.255.255.255", "10.20.0.0/16", "10.0.0.0/8",
	      "10.20.30.40/32", "10.0.0.0/8");
	CHECK(true, "10.0.0.0-10.0.1.255", "10.0.1.0/24", "10.0.0.0/24");
	CHECK(true, "10.0.0.0-10.0.0.255 10.0.2.0-10.0.2.255", "10.0.2.0/24",
	      "10.0.0.0/24");
	CHECK(false, "2001:db8::-2001:db8:0:1:ffff:ffff:ffff:ffff",
	      "2001:db8::/64", "2001:db8:0:1::/64");
}

static void test_the_ends_of_the_address_space_are_no_trap(void **state)
{
	(void)state;
	CHECK(true, "0.0.0.0-255.255.255.255", "0.0.0.0/0");
	CHECK(true, "0.0.0.0-255.255.255.255", "128.0.0.0/1", "0.0.0.0/1");
	CHECK(true, "0.0.0.0-0.0.0.0 255.255.255.255-255.255.255.255",
	      "255.255.255.255/32", "0.0.0.0/32");
	CHECK(false, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0",
	      "ffff::/16");
}

static void test_families_do_not_mix(void **state)
{
	(void)state;
	CHECK(true, "10.0.0.0-10.0.0.0", "10.0.0.0/32", "2001:db8::/32");
	CHECK(false, "2001:db8::-2001:db8::", "10.0.0.0/32", "2001:db8::/128");
	CHECK(true, "", "::/0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_prefixes_become_ranges_that_do_not_overlap),
		cmocka_unit_test(
			test_the_ends_of_the_address_space_are_no_trap),
		cmocka_unit_test(test_families_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
