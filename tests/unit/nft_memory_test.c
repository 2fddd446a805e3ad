/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_plan.h"

/*
 * The linker sends what our own files allocate, and what libnftnl does for
 * them, through here; the n-th finds no memory.
 */
static unsigned asked, fails_at;

static bool take(void)
{
	return ++asked != fails_at;
}

#define WRAP(type, name, parameters, arguments, nothing)           \
	type __real_##name parameters;                             \
	type __wrap_##name parameters;                             \
	type __wrap_##name parameters                              \
	{                                                          \
		return take() ? __real_##name arguments : nothing; \
	}

struct nftnl_set;
WRAP(void *, malloc, (size_t bytes), (bytes), NULL)
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), NULL)
WRAP(void *, realloc, (void *memory, size_t bytes), (memory, bytes), NULL)
WRAP(void *, nftnl_rule_alloc, (void), (), NULL)
WRAP(void *, nftnl_chain_alloc, (void), (), NULL)
WRAP(void *, nftnl_set_alloc, (void), (), NULL)
WRAP(void *, nftnl_set_elem_alloc, (void), (), NULL)
WRAP(void *, nftnl_expr_alloc, (const char *name), (name), NULL)
WRAP(int, nftnl_set_set_str,
     (struct nftnl_set * set, uint16_t attribute, const char *text),
     (set, attribute, text), -1)

static const char TEXT[] =
	"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
	"antispoof:\n"
	"  interfaces: {lan0: {sources: [10.20.0.0/16]}}\n"
	"  bindings:\n"
	"    - {mac: 52:54:00:00:00:01, addresses: [10.20.0.7],"
	" interface: lan0}\n"
	"rules:\n"
	"  - {priority: 1, match: {src: 10.20.5.0/24, dst: [192.0.2.0/24,"
	" 198.51.100.0/24]}, action: log}\n"
	"  - {priority: 2, match: {proto: tcp, src_port: [1, 3-4],"
	" dst_port: 5}, action: drop}\n"
	"datapath: {nfqueue: {fail: closed}}\n";

/* How many times memory was asked for. */
static unsigned check_all(const struct nftcompile *compile)
{
	struct nftplan *plan = NULL;

	for (fails_at = 1; plan == NULL; fails_at++) {
		asked = 0;
		plan = nftcompile_plan(compile);
		/* None, if and only if something was refused. */
		assert_int_equal(plan == NULL, asked >= fails_at);
	}
	nftplan_free(plan);
	return asked;
}

static void test_nft_plan_is_none_where_memory_lacks(void **state)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;

	(void)state;
	fails_at = UINT32_MAX;
	assert_true(policy_parse("test.yaml", TEXT, strlen(TEXT), &policy,
				 &errors));
	for (int way = NFTCOMPILE_ROUTED; way <= NFTCOMPILE_BR_NETFILTER;
	     way++) {
		const struct nftcompile compile = {
			.policy = policy,
			.shards = 2,
			.conntrack = NFTRULES_CONNTRACK_TRANSLATES,
			.way = (enum nftcompile_way)way,
		};

		assert_true(check_all(&compile) > 100);
	}
	fails_at = UINT32_MAX;
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nft_plan_is_none_where_memory_lacks),
	};

	return cmocka_run_group_tests_name("nft_memory", tests, NULL, NULL);
}
