/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shaper/ctl/document.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define PAIR                                                        \
	"\"scope\":\"pair\",\"inside\":\"10.0.0.1\","               \
	"\"outside\":\"192.0.2.1\",\"penalty\":9,\"wait_ns\":1000," \
	"\"window\":[[5,6,7],[1,2,3]]"
#define ONE(key) "{\"symtap_state\":1,\"guests\":[],\"keys\":[{" key "}]}"

static char wrong[DOCUMENT_WRONG_BYTES];

static struct document *read(const char *text)
{
	return document_read(text, strlen(text), wrong);
}

static void test_each_key_is_one_request(void **state)
{
	struct document *document =
		read("{\"symtap_state\":1,\"guests\":[{\"uuid\":\"" UUID
		     "\",\"keys\":[{" PAIR "},{" PAIR
		     ",\"zone\":\"vif1.0\"}]}],\"keys\":[{" PAIR
		     "}],\"cut\":false}");

	(void)state;
	assert_non_null(document);
	assert_int_equal(document_count(document), 3);
	assert_string_equal(document_request(document, 0),
			    "import uuid=" UUID
			    " scope=pair inside=10.0.0.1 outside=192.0.2.1 "
			    "penalty=9 wait_ns=1000 window=5/6/7,1/2/3");
	assert_string_equal(document_request(document, 1),
			    "import uuid=" UUID
			    " scope=pair inside=10.0.0.1 outside=192.0.2.1 "
			    "zone=vif1.0 penalty=9 wait_ns=1000 "
			    "window=5/6/7,1/2/3");
	assert_string_equal(document_request(document, 2),
			    "import scope=pair inside=10.0.0.1 "
			    "outside=192.0.2.1 penalty=9 wait_ns=1000 "
			    "window=5/6/7,1/2/3");
	document_free(document);
}

static void test_a_mistake_is_named_with_its_place(void **state)
{
	static const struct {
		const char *text, *wrong;
	} rows[] = {
		{ "", "line 1 column 0: '[' or '{' expected near end of file" },
		{ "[]", "it is not what `symtapctl state export` prints" },
		{ "{\"symtap_state\":2}",
		  "symtap_state is 2; this symtapctl reads 1" },
		{ "{\"symtap_state\":1}", "there is no list of guests" },
		{ "{\"symtap_state\":1,\"guests\":[]}",
		  "keys[0]: there is no list of keys" },
		{ "{\"symtap_state\":1,\"guests\":[{}],\"keys\":[]}",
		  "guests[0].uuid: is no UUID in small letters" },
		{ "{\"symtap_state\":1,\"guests\":[{\"uuid\":\"" UUID
		  "\"}],\"keys\":[]}",
		  "guests[0].keys[0]: there is no list of keys" },
		{ "{\"symtap_state\":1,\"guests\":[{\"uuid\":\"" UUID
		  "\",\"keys\":[{" PAIR "},7]}],\"keys\":[]}",
		  "guests[0].keys[1]: is no object" },
		{ ONE(PAIR ",\"more\":1"),
		  "keys[0]: it has a member that is not known" },
		{ ONE(PAIR ",\"proto\":6"),
		  "keys[0]: a pair has no proto= and ports" },
		{ ONE(PAIR ",\"proto\":\"6\""),
		  "keys[0]: proto is no whole number" },
		{ ONE(PAIR ",\"proto\":6.5"),
		  "keys[0]: proto is no whole number" },
		{ ONE(PAIR ",\"proto\":-6"),
		  "keys[0]: proto is no whole number" },
		{ ONE(PAIR ",\"zone\":7"), "keys[0]: zone is no text" },
		{ ONE(PAIR ",\"zone\":\"a penalty=0\""),
		  "keys[0]: zone has a blank, or what is not ASCII" },
		{ ONE(PAIR ",\"zone\":\"a\\u0001\""),
		  "keys[0]: zone has a blank, or what is not ASCII" },
		{ ONE("\"window\":[]"), "keys[0]: window is no list" },
		{ ONE("\"window\":[[1,2]]"),
		  "keys[0]: window[0] is not [age_ns, sent, heard]" },
		{ ONE("\"window\":[[1,2,-3]]"),
		  "keys[0]: window[0] is not [age_ns, sent, heard]" },
		{ ONE("\"scope\":\"pair\""),
		  "keys[0]: import needs scope=, inside=, penalty=, wait_ns= "
		  "and window=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(read(rows[i].text));
		assert_string_equal(wrong, rows[i].wrong);
	}
}

static void test_what_is_too_long_for_a_line_is_refused(void **state)
{
	static char text[8192];
	size_t used = (size_t)snprintf(text, sizeof(text),
				       "{\"symtap_state\":1,\"guests\":[],"
				       "\"keys\":[{\"window\":[[1,2,3]");

	(void)state;
	while (used < 6000)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ",[1,2,3]");
	snprintf(text + used, sizeof(text) - used, "]}]}");
	assert_null(read(text));
	assert_string_equal(wrong, "keys[0]: too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_is_one_request),
		cmocka_unit_test(test_a_mistake_is_named_with_its_place),
		cmocka_unit_test(test_what_is_too_long_for_a_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
