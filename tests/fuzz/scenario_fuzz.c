/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world/scenario.h"
#include "sim/world/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

/* Longer worlds hold nothing new, and take their time. */
#define DURATION_NS UINT64_C(20000000)

enum { SENDERS_MAX = 8 };

static void check_errors(const struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		char line[POLICY_ERROR_LINE_SIZE];
		size_t length =
			policy_errors_print(errors, i, line, sizeof(line));

		if (length != strlen(line) || strchr(line, '\n') != NULL)
			abort();
	}
}

/* What is good also runs, for a while. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
	struct scenario *scenario = NULL;
	struct policy_errors errors;
	struct world_result result;
	bool good = scenario_parse("fuzz", (const char *)input, count,
				   &scenario, &errors);

	check_errors(&errors);
	if (good != (scenario != NULL) || good != (errors.errors == 0))
		abort();
	if (!good)
		return 0;
	if (scenario->duration_ns > DURATION_NS)
		scenario->duration_ns = DURATION_NS;
	if (scenario->senders_count <= SENDERS_MAX &&
	    world_run(scenario, NULL, &result))
		world_result_fini(&result);
	scenario_free(scenario);
	return 0;
}
