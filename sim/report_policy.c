/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings, on a page. */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/print.h"
#include "policy/units.h"
#include "sim/page.h"
#include "sim/report.h"

static void add_scopes(struct page *page, const struct policy *policy)
{
	char text[64] = "";
	size_t length = 0;

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (policy->enforce & (1 << scope))
			length += (size_t)snprintf(
				text + length, sizeof(text) - length, "%s%s",
				length ? ", " : "",
				flow_scope_name((enum flow_scope)scope));
	page_add_fact(page, "Enforced scopes", length ? text : "none");
}

void report_add_policy(struct page *page, const struct policy *policy)
{
	const struct gate_params *params = &policy->params[0];
	char first[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE];
	char text[2 * UNITS_TEXT_SIZE + 8];
	char *full = policy_print(policy);

	units_print_log2(params->ratio_q16, text);
	page_add_fact(page, "Threshold T", text);
	units_print_time(params->window_ns, text);
	page_add_fact(page, "Window", text);
	units_print_time(params->first_delay_ns, first);
	units_print_time(params->max_delay_ns, most);
	snprintf(text, sizeof(text), "%s to %s", first, most);
	page_add_fact(page, "Delays", text);
	page_add_fact(page, "Evidence",
		      policy->evidence == POLICY_EVIDENCE_CONSENT ? "consent"
								  : "packets");
	add_scopes(page, policy);
	if (full)
		page_set_settings(page, full);
	free(full);
}
