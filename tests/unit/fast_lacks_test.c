/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "shaper/io/fast_lacks.h"

static const struct row {
	const char *log, *want;
} rows[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "back-edge from insn 7 to 3\n", "back-edge from insn 7 to 3" },
	{ "no newline", "no newline" },
	{ "0: (b7) r0 = 1\nR1 invalid mem access 'scalar'\n"
	  "processed 9 insns (limit 1000000) max_states_per_insn 0\n",
	  "R1 invalid mem access 'scalar'" },
	{ "unknown func 9\nverification time 9 usec\nstack depth 0\n"
	  "processed 1 insns\n\n",
	  "unknown func 9" },
};

static void test_last_line_says_why(void **state)
{
	char line[FASTLACKS_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fastlacks_last_line(rows[i].log, line);
		assert_string_equal(line, rows[i].want);
	}
}

static void test_long_line_is_cut(void **state)
{
	char log[2 * FASTLACKS_TEXT_BYTES], line[FASTLACKS_TEXT_BYTES];

	(void)state;
	memset(log, 'x', sizeof(log));
	log[sizeof(log) - 1] = '\0';
	fastlacks_last_line(log, line);
	assert_int_equal(strlen(line), FASTLACKS_TEXT_BYTES - 1);
}

/* Where everything is allowed and there, or nothing is: one sentence. */
static void test_refusal_ends_with_the_verifiers_words(void **state)
{
	char text[FASTLACKS_TEXT_BYTES];

	(void)state;
	fastlacks_tell(-ENOSYS, "", text);
	assert_string_equal(text,
			    "this kernel has no bpf(2) (CONFIG_BPF_SYSCALL)");
	fastlacks_tell(-EINVAL, "R2 is odd\n", text);
	assert_true(strstr(text, "R2 is odd") || strstr(text, "lacks") ||
		    strstr(text, "needs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_line_says_why),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_refusal_ends_with_the_verifiers_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
