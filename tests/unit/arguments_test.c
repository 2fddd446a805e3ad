/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shaper/ctl/arguments.h"

static struct arguments arguments;
static char wrong[ARGUMENTS_WRONG_BYTES];

/* The words of `line`, separated by single blanks. */
static bool read_line(const char *line)
{
	static char text[1024];
	char *words[32] = { "symtapctl" };
	char *rest = NULL;
	int count = 1;
	char *word;

	snprintf(text, sizeof(text), "%s", line);
	for (word = strtok_r(text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	wrong[0] = '\0';
	return arguments_read(count, words, &arguments, wrong);
}

static void test_commands_become_requests(void **state)
{
	static const struct {
		const char *line;
		enum arguments_command command;
		const char *request;
	} rows[] = {
		{ "status", COMMAND_STATUS, "status" },
		{ "--json stats", COMMAND_STATS, "stats" },
		{ "explain 10.20.0.7", COMMAND_EXPLAIN, "explain 10.20.0.7" },
		{ "explain --json ::1", COMMAND_EXPLAIN, "explain ::1" },
		{ "exempt 10.0.0.1 for 10m", COMMAND_EXEMPT,
		  "exempt 10.0.0.1 for 10m" },
		{ "exempt 10.0.0.1 end", COMMAND_EXEMPT,
		  "exempt 10.0.0.1 end" },
		{ "release 10.0.0.1 -j", COMMAND_RELEASE, "release 10.0.0.1" },
		{ "reload", COMMAND_RELOAD, "reload" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(read_line(rows[i].line));
		assert_int_equal(arguments.command, rows[i].command);
		assert_string_equal(arguments.request, rows[i].request);
		assert_string_equal(arguments.socket_path,
				    "/run/symtap/control.sock");
	}
}

static void test_options_of_top(void **state)
{
	char request[REQUEST_LINE_BYTES];

	(void)state;
	assert_true(read_line("top"));
	assert_false(arguments.has_interval || arguments.once ||
		     arguments.json);
	assert_int_equal(arguments.view.interval_ms, 2000);
	top_request(&arguments.view, arguments.view.limit, request);
	assert_string_equal(request, "top by=S scope=pair limit=20");
	assert_true(read_line("top --by held --scope host --limit 5 --once "
			      "--interval 500ms --json -s /tmp/x"));
	assert_true(arguments.has_interval && arguments.once && arguments.json);
	assert_int_equal(arguments.view.interval_ms, 500);
	assert_string_equal(arguments.socket_path, "/tmp/x");
	top_request(&arguments.view, arguments.view.limit, request);
	assert_string_equal(request, "top by=held scope=host limit=5");
	top_request(&arguments.view, 100000, request);
	assert_string_equal(request, "top by=held scope=host limit=1000");
	top_request(&arguments.view, 0, request);
	assert_string_equal(request, "top by=held scope=host limit=1");
}

static void test_help_and_version_need_nothing_else(void **state)
{
	(void)state;
	assert_true(read_line("--help"));
	assert_int_equal(arguments.command, COMMAND_HELP);
	assert_int_equal(arguments.of, COMMANDS);
	assert_true(read_line("explain --help"));
	assert_int_equal(arguments.command, COMMAND_HELP);
	assert_int_equal(arguments.of, COMMAND_EXPLAIN);
	assert_true(read_line("-V"));
	assert_int_equal(arguments.command, COMMAND_VERSION);
}

static void test_a_mistake_is_named(void **state)
{
	static const struct {
		const char *line, *wrong;
	} rows[] = {
		{ "", "a command is missing; see symtapctl --help" },
		{ "frob", "unknown command frob; see symtapctl --help" },
		{ "status now", "status takes nothing more" },
		{ "top now", "top takes options only" },
		{ "explain", "explain takes an address" },
		{ "explain x", "not an IPv4 or IPv6 address: x" },
		{ "exempt 10.0.0.1 for ever",
		  "a duration is 1s to 30d, such as 90s, 10m, 2h" },
		{ "top --by s", "--by s: by= is S, rate or held" },
		{ "top --limit 0", "--limit 0: limit= is 1..1000" },
		{ "top --interval 1",
		  "--interval 1: 100ms to 60s, such as 500ms or 2s" },
		{ "top --interval nans",
		  "--interval nans: 100ms to 60s, such as 500ms or 2s" },
		{ "top --interval 99ms",
		  "--interval 99ms: 100ms to 60s, such as 500ms or 2s" },
		{ "status --once", "--by, --scope, --limit, --interval and "
				   "--once are for top" },
		{ "status --config x", "--config is for doctor" },
		{ "doctor x", "doctor takes options only" },
		{ "uninstall x", "uninstall takes options only" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(read_line(rows[i].line));
		assert_string_equal(wrong, rows[i].wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_become_requests),
		cmocka_unit_test(test_options_of_top),
		cmocka_unit_test(test_help_and_version_need_nothing_else),
		cmocka_unit_test(test_a_mistake_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
