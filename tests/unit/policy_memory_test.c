/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"
#include "policy/zones.h"

/*
 * The linker sends what our own files allocate through here; from the n-th on
 * there is no more.
 */
static volatile unsigned allowed = UINT32_MAX;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

static bool take(void)
{
	if (allowed == 0)
		return false;
	allowed--;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return take() ? __real_malloc(bytes) : NULL;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return take() ? __real_calloc(count, bytes) : NULL;
}

void *__wrap_realloc(void *memory, size_t bytes)
{
	return take() ? __real_realloc(memory, bytes) : NULL;
}

static const char TEXT[] =
	"inside: [10.20.0.0/16, 2001:db8:20::/48]\n"
	"zones: {campus: [lan0, lan1], guests: [lan2]}\n"
	"antispoof:\n"
	"  interfaces: {lan0: {sources: [10.20.0.0/16]},"
	" lan1: {sources: [2001:db8:20::/48]}}\n"
	"  bindings:\n"
	"    - {mac: 52:54:00:00:00:01, addresses: [10.20.0.7, 10.20.0.8]}\n"
	"    - {mac: 52:54:00:00:00:02, addresses: [10.20.0.9]}\n"
	"rules:\n"
	"  - {priority: 1, match: {src: 10.20.5.0/24, dst: [192.0.2.0/24,"
	" 198.51.100.0/24]}, action: limit, window: 2s}\n"
	"  - {priority: 2, match: {proto: tcp, src_port: [1, 3-4],"
	" dst_port: 5}, action: drop}\n";

static void test_policy_parse_survives_every_lack_of_memory(void **state)
{
	unsigned failures = 0;
	bool good = false;

	(void)state;
	while (!good) {
		struct policy *policy = NULL;
		struct policy_errors errors;

		allowed = failures;
		good = policy_parse("test.yaml", TEXT, strlen(TEXT), &policy,
				    &errors);
		allowed = UINT32_MAX;
		assert_int_equal(good, policy != NULL);
		assert_int_equal(good, errors.errors == 0);
		if (!good)
			assert_string_equal("out of memory",
					    errors.list[0].wrong);
		policy_free(policy);
		failures += !good;
	}
	assert_true(failures > 20);
}

static void test_policy_print_survives_every_lack_of_memory(void **state)
{
	struct policy *policy = NULL;
	struct policy_errors errors;
	char *text = NULL;
	unsigned failures = 0;

	(void)state;
	assert_true(policy_parse("test.yaml", TEXT, strlen(TEXT), &policy,
				 &errors));
	while (text == NULL) {
		allowed = failures++;
		text = policy_print(policy);
		allowed = UINT32_MAX;
	}
	assert_true(failures > 1);
	free(text);
	policy_free(policy);
}

/* Whoever copies shares nothing: the first may be gone when it is used. */
static void test_policy_copy_says_the_same_or_is_none(void **state)
{
	static const char more[] = "xen: {vifs: follow, guests: [{name: web, "
				   "way: rate, threshold: 3.0}]}\n";
	struct policy *policy = NULL, *copy = NULL;
	struct policy_errors errors;
	char text[sizeof(TEXT) + sizeof(more)];
	char *before, *after;
	unsigned failures = 0;

	(void)state;
	snprintf(text, sizeof(text), "%s%s", TEXT, more);
	assert_true(policy_parse("test.yaml", text, strlen(text), &policy,
				 &errors));
	while (copy == NULL) {
		allowed = failures++;
		copy = policy_copy(policy);
		allowed = UINT32_MAX;
	}
	assert_true(failures > 10);
	assert_true(policy_equal(policy, copy));
	assert_non_null(copy->index);
	before = policy_print(policy);
	policy_free(policy);
	after = policy_print(copy);
	assert_string_equal(before, after);
	free(before);
	free(after);
	policy_free(copy);
}

static void test_zones_without_memory_are_the_last_one(void **state)
{
	struct policy *policy = NULL;
	struct policy_errors errors;
	struct zones *zones;

	(void)state;
	allowed = 0;
	zones = zones_new();
	allowed = UINT32_MAX;
	assert_null(zones);

	assert_true(policy_parse("test.yaml", TEXT, strlen(TEXT), &policy,
				 &errors));
	zones = zones_new();
	assert_non_null(zones);
	allowed = 0;
	assert_int_equal(ZONES_MAX - 1, zones_id(zones, policy, "x", 0));
	allowed = UINT32_MAX;
	assert_int_equal(0, zones_id(zones, policy, "x", 0));
	assert_int_equal(0, zones_id(zones, policy, "x", 0));
	zones_free(zones);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_policy_parse_survives_every_lack_of_memory),
		cmocka_unit_test(
			test_policy_print_survives_every_lack_of_memory),
		cmocka_unit_test(test_policy_copy_says_the_same_or_is_none),
		cmocka_unit_test(test_zones_without_memory_are_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
