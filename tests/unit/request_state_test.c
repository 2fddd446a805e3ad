/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shaper/daemon/requests.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define PAIR "import scope=pair inside=10.0.0.1 outside=192.0.2.1 "
#define REST "penalty=9 wait_ns=1000 window=5/6/7"

static struct request request;
static struct request_error error;

static bool parse(const char *line)
{
	memset(&request, 0, sizeof(request));
	return request_parse(line, strlen(line), &request, &error);
}

static void test_a_key_is_read_as_it_is_told(void **state)
{
	const struct pump_record *record = &request.state.record;

	(void)state;
	assert_true(parse("import uuid=" UUID " scope=flow inside=10.0.0.1 "
			  "outside=2001:db8::1 proto=17 inside_port=65535 "
			  "outside_port=53 zone=vif7.0 penalty=4294967295 "
			  "wait_ns=60000000000 "
			  "window=60000000000/67108864/0,1/2/3"));
	assert_int_equal(request.verb, REQUEST_IMPORT);
	assert_string_equal(request.state.uuid, UUID);
	assert_string_equal(request.state.zone, "vif7.0");
	assert_int_equal(record->key.scope, FLOW_SCOPE_FLOW);
	assert_int_equal(record->key.inside[15], 1);
	assert_int_equal(record->key.outside[0], 0x20);
	assert_int_equal(record->key.proto, 17);
	assert_int_equal(record->key.inside_port, 65535);
	assert_int_equal(record->key.outside_port, 53);
	assert_int_equal(record->key.zone, 0);
	assert_int_equal(record->releases, UINT32_MAX);
	assert_int_equal(record->armed_in_ns, REQUEST_STATE_NS_MAX);
	assert_int_equal(record->runs_count, 2);
	assert_int_equal(record->runs[0].age_ns, REQUEST_STATE_NS_MAX);
	assert_int_equal(record->runs[0].sent_pkts, REQUEST_STATE_PKTS_MAX);
	assert_int_equal(record->runs[1].heard_pkts, 3);
	assert_true(parse(PAIR REST));
	assert_string_equal(request.state.uuid, "");
	assert_string_equal(request.state.zone, "");
	assert_true(parse("import scope=host inside=10.0.0.1 " REST));
}

static void test_sixteen_runs_fit_into_a_line(void **state)
{
	char line[REQUEST_LINE_BYTES + 1] = PAIR "penalty=1 wait_ns=0 window=";

	(void)state;
	for (int i = 0; i < PUMP_RECORD_RUNS; i++) {
		if (i > 0)
			strcat(line, ",");
		strcat(line, "60000000000/67108864/67108864");
	}
	assert_true(parse(line));
	assert_int_equal(request.state.record.runs_count, PUMP_RECORD_RUNS);
	strcat(line, ",1/2/3");
	assert_false(parse(line));
}

static void test_what_is_exported_is_named(void **state)
{
	(void)state;
	assert_true(parse("export all"));
	assert_int_equal(request.state.by, REQUEST_STATE_ALL);
	assert_true(parse("export uuid=" UUID));
	assert_int_equal(request.state.by, REQUEST_STATE_UUID);
	assert_string_equal(request.state.uuid, UUID);
	assert_true(parse("export address=10.0.0.7"));
	assert_int_equal(request.state.by, REQUEST_STATE_ADDRESS);
	assert_int_equal(request.address[15], 7);
}

static void test_a_mistake_is_named(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ "export", "export takes all, uuid=UUID or address=ADDRESS" },
		{ "export all all",
		  "export takes all, uuid=UUID or address=ADDRESS" },
		{ "export uuid=" UUID "0", "uuid= is a UUID in small letters" },
		{ "export uuid=01234567-89AB-cdef-0123-456789abcdef",
		  "uuid= is a UUID in small letters" },
		{ "export address=10.0.0.0/8",
		  "address= is an IPv4 or IPv6 address" },
		{ "import", "import needs scope=, inside=, penalty=, wait_ns= "
			    "and window=" },
		{ PAIR "penalty=1 wait_ns=1",
		  "import needs scope=, inside=, penalty=, wait_ns= and "
		  "window=" },
		{ PAIR "now " REST,
		  "import takes uuid=, scope=, inside= .. window=, see "
		  "symtapctl(8)" },
		{ PAIR "scope=pair " REST, "a word is there twice" },
		{ "import scope=pair inside=10.0.0.1 " REST,
		  "a pair has an outside=" },
		{ PAIR "proto=6 " REST, "a pair has no proto= and ports" },
		{ "import scope=host inside=10.0.0.1 outside=10.0.0.2 " REST,
		  "a host has no outside=, proto= and ports" },
		{ "import scope=flow inside=10.0.0.1 outside=10.0.0.2 proto=6 "
		  "inside_port=1 " REST,
		  "a flow has outside=, proto= and both ports" },
		{ "import scope=vif inside=10.0.0.1 " REST,
		  "scope= is pair, flow or host" },
		{ PAIR "proto=256 " REST, "proto= is 0..255" },
		{ PAIR "inside_port=65536 " REST, "inside_port= is 0..65535" },
		{ PAIR "zone= " REST, "zone= is 1 to 31 characters" },
		{ PAIR "zone=0123456789abcdef0123456789abcdef " REST,
		  "zone= is 1 to 31 characters" },
		{ PAIR "penalty=-1 wait_ns=0 window=1/1/1",
		  "penalty= is 0..4294967295" },
		{ PAIR "penalty=4294967296 wait_ns=0 window=1/1/1",
		  "penalty= is 0..4294967295" },
		{ PAIR "penalty=99999999999999999999999 wait_ns=0 "
		       "window=1/1/1",
		  "penalty= is 0..4294967295" },
		{ PAIR "penalty=1 wait_ns=60000000001 window=1/1/1",
		  "wait_ns= is 0..60000000000" },
#define WINDOW(value)                               \
	{ PAIR "penalty=1 wait_ns=1 window=" value, \
	  "window= is 1 to 16 of AGE_NS/SENT/HEARD: at most 60 s, 67108864" }
		WINDOW(""),
		WINDOW("1"),
		WINDOW("1/2"),
		WINDOW("1/2/"),
		WINDOW("/2/3"),
		WINDOW("1/2/3,"),
		WINDOW("1/2/3/4"),
		WINDOW("1/2/3;1/2/3"),
		WINDOW("60000000001/2/3"),
		WINDOW("1/67108865/3"),
		WINDOW("1/2/67108865"),
		WINDOW("1/2/3,,1/2/3"),
#undef WINDOW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(parse(rows[i].line));
		assert_string_equal(error.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_read_as_it_is_told),
		cmocka_unit_test(test_sixteen_runs_fit_into_a_line),
		cmocka_unit_test(test_what_is_exported_is_named),
		cmocka_unit_test(test_a_mistake_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
