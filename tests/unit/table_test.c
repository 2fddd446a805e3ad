/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shaper/ctl/reply.h"
#include "shaper/ctl/table.h"

#define FIGURES                                                     \
	"\"S_offered\":13.485,\"S_let_out\":3.7,\"offered_per_s\":" \
	"11468,\"let_out_per_s\":12,\"heard_per_s\":0,"             \
	"\"held_packets\":64,\"over\":true,\"state\":\"held\","     \
	"\"next_in_s\":0.51"

static const char pairs[] =
	"{\"ok\":{\"scope\":\"pair\",\"rows\":[{\"inside\":\"10.20.0.7\","
	"\"outside\":\"192.0.2.7\"," FIGURES "}]}}";
static const char flows[] =
	"{\"ok\":{\"scope\":\"flow\",\"rows\":[{\"inside\":"
	"\"2001:db8:1111:2222:3333:4444:5555:6666\",\"outside\":"
	"\"2001:db8:1111:2222:3333:4444:5555:7777\",\"proto\":\"tcp\","
	"\"inside_port\":65535,\"outside_port\":65534," FIGURES "}]}}";
static const char hosts[] =
	"{\"ok\":{\"scope\":\"host\",\"rows\":[{\"inside\":\"10.20.0.7\","
	"\"S_offered\":-2,\"over\":false,\"state\":\"exempt\"}]}}";

static const char upload[] =
	"{\"ok\":{\"scope\":\"pair\",\"rows\":[{\"inside\":\"10.20.0.7\","
	"\"outside\":\"192.0.2.7\",\"S_offered\":4.45,\"S_let_out\":4.45,"
	"\"S_decides\":1.25}]}}";

static char head[TABLE_LINE_BYTES], line[TABLE_LINE_BYTES];

static void lay_out(const char *answer, size_t width)
{
	struct reply *reply = reply_parse(answer);
	const struct json_t *body;
	struct table table;

	assert_int_equal(reply_verdict(reply), REPLY_OK);
	body = reply_body(reply);
	table_lay_out(&table, body, width);
	table_head(&table, head);
	table_row(&table, reply_item(body, "rows", 0), line);
	reply_free(reply);
}

static void test_in_a_pipe_columns_are_as_wide_as_needed(void **state)
{
	(void)state;
	lay_out(pairs, 0);
	assert_string_equal(head, "INSIDE    OUTSIDE   S off S out S dec OFF/s "
				  "OUT/s  IN/s  HELD   NEXT");
	assert_string_equal(line, "10.20.0.7 192.0.2.7 13.48  3.70     - 11.5k "
				  "   12     0    64  510ms");
}

static void test_any_terminal_is_filled_and_not_passed(void **state)
{
	static const struct {
		const char *answer;
		size_t narrowest;
	} rows[] = {
		{ pairs, 63 }, { flows, 63 }, { hosts, 63 }, { upload, 69 }
	};
	size_t i, width;

	(void)state;
	for (i = 0; i < 4; i++) {
		for (width = rows[i].narrowest; width < 140; width++) {
			lay_out(rows[i].answer, width);
			assert_int_equal(strlen(head), strlen(line));
			assert_true(strlen(line) <= width);
			if (width <= 90)
				assert_int_equal(strlen(line), width);
		}
		for (width = 1; width < rows[i].narrowest; width++)
			lay_out(rows[i].answer, width);
	}
}

static void test_long_addresses_give_way_in_their_middle(void **state)
{
	(void)state;
	lay_out(flows, 80);
	assert_int_equal(strlen(line), 80);
	assert_memory_equal(line, "[2001:db~", 9);
	assert_non_null(strstr(line, "]:65535 [2001"));
	assert_non_null(strstr(line, "~65534/tcp 13.48"));
}

static void test_what_is_missing_is_shown_as_nothing(void **state)
{
	(void)state;
	lay_out(hosts, 0);
	assert_string_equal(line,
			    "10.20.0.7 -2.00  0.00     -     0     0     0     "
			    "0 "
			    "exempt");
	lay_out("{\"ok\":{\"rows\":[{}]}}", 80);
	assert_non_null(strstr(line, " 0.00  0.00     0     0     0     0"));
}

static void test_the_s_that_decides_is_shown_where_it_differs(void **state)
{
	static const struct {
		const char *row, *figures, *next;
	} rows[] = {
		{ "\"S_let_out\":4.45,\"S_decides\":1.25", " 4.45  1.25 ",
		  "     -" },
		{ "\"S_let_out\":4.45,\"S_decides\":4.45", " 4.45     - ",
		  "     -" },
		{ "\"state\":\"passes\",\"over\":true", " 0.00     - ",
		  "passes" },
		{ "\"state\":\"held\",\"reason\":\"first-contacts\"",
		  " 0.00     - ", " paced" },
		{ "\"state\":\"held\",\"reason\":\"new-connections\"",
		  " 0.00     - ", " paced" },
	};
	char answer[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(answer, sizeof(answer), "{\"ok\":{\"rows\":[{%s}]}}",
			 rows[i].row);
		lay_out(answer, 96);
		assert_non_null(strstr(line, rows[i].figures));
		assert_string_equal(line + strlen(line) - 6, rows[i].next);
	}
	lay_out(upload, 80);
	assert_non_null(strstr(head, " S out S dec OFF/s"));
	assert_non_null(strstr(line, "  4.45  4.45  1.25     0"));
	lay_out(pairs, 80);
	assert_null(strstr(head, "S dec"));
}

static void test_answers_that_are_none_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum reply_verdict verdict;
		const char *why;
	} rows[] = {
		{ "{\"ok\":{}}", REPLY_OK, "" },
		{ "{\"no\":\"busy\"}", REPLY_NO, "busy" },
		{ "{\"bad\":\"an empty line\"}", REPLY_BAD, "an empty line" },
		{ "{\"no\":7}", REPLY_NO, "" },
		{ "{}", REPLY_NONSENSE, "" },
		{ "[]", REPLY_NONSENSE, "" },
		{ "", REPLY_NONSENSE, "" },
		{ "HTTP/1.1 200 OK", REPLY_NONSENSE, "" },
		{ "{\"ok\":1,\"ok\":2}", REPLY_NONSENSE, "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply *reply = reply_parse(rows[i].text);

		assert_int_equal(reply_verdict(reply), rows[i].verdict);
		assert_string_equal(reply_why(reply), rows[i].why);
		reply_free(reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_a_pipe_columns_are_as_wide_as_needed),
		cmocka_unit_test(test_any_terminal_is_filled_and_not_passed),
		cmocka_unit_test(test_long_addresses_give_way_in_their_middle),
		cmocka_unit_test(test_what_is_missing_is_shown_as_nothing),
		cmocka_unit_test(
			test_the_s_that_decides_is_shown_where_it_differs),
		cmocka_unit_test(test_answers_that_are_none_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
