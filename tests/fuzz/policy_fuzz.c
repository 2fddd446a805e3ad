/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

static void check_errors(const struct policy_errors *errors)
{
	if (errors->count > POLICY_ERRORS_MAX ||
	    errors->count > errors->errors + errors->warnings)
		abort();
	for (size_t i = 0; i < errors->count; i++) {
		char line[POLICY_ERROR_LINE_SIZE];
		size_t length =
			policy_errors_print(errors, i, line, sizeof(line));

		if (length != strlen(line) || length + 1 >= sizeof(line) ||
		    strchr(line, '\n') != NULL)
			abort();
	}
}

/* What is good prints; what is printed is good, and the same. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
	struct policy *policy = NULL, *again = NULL;
	struct policy_errors errors;
	bool good = policy_parse("fuzz", (const char *)input, count, &policy,
				 &errors);
	char *text;

	check_errors(&errors);
	if (good != (policy != NULL) || good != (errors.errors == 0))
		abort();
	if (!good)
		return 0;
	text = policy_print(policy);
	if (text == NULL ||
	    !policy_parse("printed", text, strlen(text), &again, &errors) ||
	    !policy_equal(policy, again))
		abort();
	free(text);
	policy_free(again);
	policy_free(policy);
	return 0;
}
