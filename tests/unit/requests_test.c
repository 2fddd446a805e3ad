/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shaper/daemon/requests.h"

#define NS_PER_S 1000000000ull

static struct request_error error;

static bool parse(const char *line, struct request *ret_request)
{
	error.text[0] = '\0';
	return request_parse(line, strlen(line), ret_request, &error);
}

static void test_plain_requests_are_one_word(void **state)
{
	static const struct {
		const char *line;
		enum request_verb verb;
	} rows[] = {
		{ "status", REQUEST_STATUS }, { "stats", REQUEST_STATS },
		{ "reload", REQUEST_RELOAD }, { "doctor", REQUEST_DOCTOR },
		{ "top", REQUEST_TOP },       { "  status  ", REQUEST_STATUS },
	};
	struct request request;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(parse(rows[i].line, &request));
		assert_int_equal(request.verb, rows[i].verb);
	}
}

static void test_top_has_defaults_and_options(void **state)
{
	struct request request;

	(void)state;
	assert_true(parse("top", &request));
	assert_int_equal(request.by, REQUEST_BY_S);
	assert_int_equal(request.scope, FLOW_SCOPE_PAIR);
	assert_int_equal(request.limit, REQUEST_ROWS_DEFAULT);
	assert_true(parse("top limit=1000 scope=host by=held", &request));
	assert_int_equal(request.by, REQUEST_BY_HELD);
	assert_int_equal(request.scope, FLOW_SCOPE_HOST);
	assert_int_equal(request.limit, 1000);
	assert_true(parse("top by=rate scope=flow limit=1", &request));
	assert_int_equal(request.by, REQUEST_BY_RATE);
	assert_int_equal(request.scope, FLOW_SCOPE_FLOW);
	assert_int_equal(request.limit, 1);
}

static void test_addresses_of_both_families(void **state)
{
	static const uint8_t v4[16] = { [10] = 0xff, 0xff, 10, 20, 0, 7 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct request request;

	(void)state;
	assert_true(parse("explain 10.20.0.7", &request));
	assert_int_equal(request.verb, REQUEST_EXPLAIN);
	assert_memory_equal(request.address, v4, 16);
	assert_true(parse("release 2001:db8::7", &request));
	assert_int_equal(request.verb, REQUEST_RELEASE);
	assert_memory_equal(request.address, v6, 16);
	assert_true(parse("explain ::ffff:10.20.0.7", &request));
	assert_memory_equal(request.address, v4, 16);
}

static void test_exemptions_have_a_length_or_an_end(void **state)
{
	static const struct {
		const char *line;
		uint64_t exempt_s;
	} rows[] = {
		{ "exempt 10.0.0.1 end", 0 },
		{ "exempt 10.0.0.1 for 1s", 1 },
		{ "exempt 10.0.0.1 for 90s", 90 },
		{ "exempt 10.0.0.1 for 10m", 600 },
		{ "exempt 10.0.0.1 for 2h", 7200 },
		{ "exempt 10.0.0.1 for 30d", 2592000 },
		{ "exempt 10.0.0.1 for 2592000s", 2592000 },
	};
	struct request request;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(parse(rows[i].line, &request));
		assert_int_equal(request.verb, REQUEST_EXEMPT);
		assert_int_equal(request.exempt_ns,
				 rows[i].exempt_s * NS_PER_S);
	}
}

static void test_a_mistake_is_named(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ "", "an empty line" },
		{ "   ", "an empty line" },
		{ "frobnicate", "unknown request: frobnicate" },
		{ "STATUS", "unknown request: STATUS" },
		{ "status now", "status takes nothing more" },
		{ "top by=s", "by= is S, rate or held" },
		{ "top by=", "by= is S, rate or held" },
		{ "top scope=vif", "scope= is pair, flow or host" },
		{ "top limit=0", "limit= is 1..1000" },
		{ "top limit=1001", "limit= is 1..1000" },
		{ "top limit=-1", "limit= is 1..1000" },
		{ "top limit=", "limit= is 1..1000" },
		{ "top limit=4294967297", "limit= is 1..1000" },
		{ "top 5", "top takes by=, scope= and limit=" },
		{ "explain", "explain takes an address" },
		{ "explain 10.0.0", "not an IPv4 or IPv6 address: 10.0.0" },
		{ "explain 10.0.0.1/8",
		  "not an IPv4 or IPv6 address: 10.0.0.1/8" },
		{ "explain 10.0.0.1 x", "explain takes an address only" },
		{ "release", "release takes an address" },
		{ "release 1.2.3.4 5.6.7.8", "release takes an address only" },
		{ "exempt 10.0.0.1",
		  "exempt takes ADDRESS for DURATION, or ADDRESS end" },
		{ "exempt 10.0.0.1 for",
		  "exempt takes ADDRESS for DURATION, or ADDRESS end" },
		{ "exempt 10.0.0.1 end now",
		  "exempt takes ADDRESS for DURATION, or ADDRESS end" },
		{ "exempt 10.0.0.1 for 10",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "exempt 10.0.0.1 for 0s",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "exempt 10.0.0.1 for 31d",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "exempt 10.0.0.1 for 999999999d",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "exempt 10.0.0.1 for 9999999999s",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "exempt 10.0.0.1 for m",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "status\r", "byte 7 is not printable ASCII" },
		{ "top\tby=S", "byte 4 is not printable ASCII" },
		{ "a b c d e f g h i j k l m", "more than 12 words" },
	};
	struct request request;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(parse(rows[i].line, &request));
		assert_string_equal(error.text, rows[i].text);
	}
}

static void test_a_line_is_bounded_and_has_no_nul(void **state)
{
	char line[REQUEST_LINE_BYTES + 1];
	struct request request;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "status", 6);
	assert_true(request_parse(line, REQUEST_LINE_BYTES, &request, &error));
	assert_false(
		request_parse(line, REQUEST_LINE_BYTES + 1, &request, &error));
	assert_string_equal(error.text, "longer than 1024 bytes");
	assert_false(request_parse("status\0", 7, &request, &error));
	assert_string_equal(error.text, "byte 7 is not printable ASCII");
	assert_false(request_parse("\xff", 1, &request, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_requests_are_one_word),
		cmocka_unit_test(test_top_has_defaults_and_options),
		cmocka_unit_test(test_addresses_of_both_families),
		cmocka_unit_test(test_exemptions_have_a_length_or_an_end),
		cmocka_unit_test(test_a_mistake_is_named),
		cmocka_unit_test(test_a_line_is_bounded_and_has_no_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
