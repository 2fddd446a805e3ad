/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "shaper/daemon/refused.h"

#define NS_PER_S 1000000000ull

static struct refused refused;

static struct nftrules_refused element(uint8_t inside, uint8_t outside,
				       uint16_t port, uint64_t pkts)
{
	struct nftrules_refused one = { .pkts = pkts,
					.age_ns = NS_PER_S,
					.interface = "lan0" };

	one.inside[15] = inside;
	one.outside[15] = outside;
	one.inside_port = port;
	one.outside_port = port != 0 ? 53 : 0;
	one.proto = port != 0 ? 17 : 0;
	return one;
}

static struct flow_key key(enum flow_scope scope, uint8_t inside,
			   uint8_t outside, uint16_t port)
{
	struct flow_key one = { .scope = (uint8_t)scope };

	one.inside[15] = inside;
	one.outside[15] = outside;
	one.inside_port = port;
	one.outside_port = port != 0 ? 53 : 0;
	one.proto = port != 0 ? 17 : 0;
	return one;
}

static uint32_t of(enum flow_scope scope, uint8_t inside, uint8_t outside,
		   uint16_t port)
{
	struct flow_key one = key(scope, inside, outside, port);

	return refused_pkts(&refused, &one, NS_PER_S);
}

static int forget(void **state)
{
	(void)state;
	memset(&refused, 0, sizeof(refused));
	return 0;
}

static void test_the_age_of_an_element_tells_its_rate(void **state)
{
	struct nftrules_refused seen[] = { element(1, 9, 1000, 5000) };

	(void)state;
	seen[0].age_ns = NS_PER_S / 4;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 20000);
	/* It came back meanwhile, and began at 0: 8000 in half a second. */
	seen[0].pkts = 3000;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 16000);
	seen[0].age_ns = NS_PER_S;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 3000);
}

/* As after a stall: 900 packets within the kernel's 4 ms. */
static void test_a_burst_of_a_young_element_is_no_flood(void **state)
{
	struct nftrules_refused seen[] = { element(1, 9, 1000, 5000) };

	(void)state;
	refused_take(&refused, seen, 1);
	seen[0].pkts = 900;
	seen[0].age_ns = NS_PER_S / 1000;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 6760);
}

static void test_an_absent_element_keeps_its_rate_for_a_look(void **state)
{
	struct nftrules_refused seen[] = { element(1, 9, 1000, 7) };

	(void)state;
	seen[0].age_ns = NS_PER_S / 1000;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 1750);
	refused_take(&refused, seen, 0);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 1750);
	refused_take(&refused, seen, 0);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 0);
	assert_int_equal(refused.count, 0);
}

static void test_wider_keys_take_in_narrower_elements(void **state)
{
	struct nftrules_refused seen[] = {
		element(1, 9, 1001, 10),  element(1, 9, 1000, 20),
		element(1, 8, 0, 40),     element(1, 0, 0, 80),
		element(2, 9, 1000, 160),
	};

	(void)state;
	refused_take(&refused, seen, 5);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1001), 10);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 9, 1000), 20);
	assert_int_equal(of(FLOW_SCOPE_FLOW, 1, 8, 1000), 0);
	assert_int_equal(of(FLOW_SCOPE_PAIR, 1, 9, 0), 30);
	assert_int_equal(of(FLOW_SCOPE_PAIR, 1, 8, 0), 40);
	assert_int_equal(of(FLOW_SCOPE_HOST, 1, 0, 0), 150);
	assert_int_equal(of(FLOW_SCOPE_HOST, 2, 0, 0), 160);
	assert_int_equal(of(FLOW_SCOPE_HOST, 3, 0, 0), 0);
}

static void test_spared_pairs_are_not_refused(void **state)
{
	struct nftrules_refused seen[] = { element(1, 9, 0, 500) };

	(void)state;
	seen[0].spared = true;
	refused_take(&refused, seen, 1);
	assert_int_equal(of(FLOW_SCOPE_PAIR, 1, 9, 0), 0);
	assert_int_equal(of(FLOW_SCOPE_HOST, 1, 0, 0), 0);
}

static void test_the_list_and_its_numbers_are_bounded(void **state)
{
	enum { MANY = 2 * REFUSED_MAX };
	struct nftrules_refused *seen = calloc(MANY, sizeof(*seen));
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		seen[i] = element(1, 9, (uint16_t)(i + 1), UINT32_MAX);
	refused_take(&refused, seen, MANY);
	assert_int_equal(refused.count, REFUSED_MAX);
	assert_int_equal(of(FLOW_SCOPE_HOST, 1, 0, 0), UINT32_MAX);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, forget)
		T(test_the_age_of_an_element_tells_its_rate),
		T(test_a_burst_of_a_young_element_is_no_flood),
		T(test_an_absent_element_keeps_its_rate_for_a_look),
		T(test_wider_keys_take_in_narrower_elements),
		T(test_spared_pairs_are_not_refused),
		T(test_the_list_and_its_numbers_are_bounded),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
