/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdio.h>

#include "policy/units.h"
#include "policy/yaml.h"

static const uint64_t MAX_DELAY_NS = UINT64_C(10000000000);

static bool one_scope(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	static const char *const SCOPES[] = { "flow", "pair", "host", NULL };
	uint8_t *enforce = into;
	size_t scope;

	_Static_assert(FLOW_SCOPE_FLOW == 0 && FLOW_SCOPE_PAIR == 1 &&
			       FLOW_SCOPE_HOST == 2,
		       "SCOPES is in the order of enum flow_scope");
	if (!keys_word(reader, node, SCOPES, &scope))
		return false;
	if (*enforce & 1u << scope) {
		keys_error(reader, node, "give it once", "%s is given twice",
			   SCOPES[scope]);
		return false;
	}
	*enforce |= (uint8_t)(1u << scope);
	return true;
}

bool draft_read_enforce(struct keys_reader *reader,
			const struct yaml_node *node, void *into)
{
	struct draft *draft = into;

	draft->policy.enforce = 0;
	return keys_each(reader, node, FLOW_SCOPES, one_scope,
			 &draft->policy.enforce);
}

static void profile_params(enum draft_profile profile,
			   struct gate_params *ret_params)
{
	const char *threshold = "2.0";

	switch (profile) {
	case DRAFT_LITERAL:
		break;
	case DRAFT_SEVEN_TO_ONE: /* e^2: 2.0 taken as a natural logarithm */
		threshold = "2.885";
		break;
	}
	*ret_params = (struct gate_params){
		.window_ns = UINT64_C(1000000000),
		.first_delay_ns = UINT64_C(2000000),
	};
	units_parse_log2(threshold, &ret_params->ratio_q16);
}

/* The largest first_delay x 2^k that is not above 1.024 windows or 10 s. */
static uint64_t default_max_delay(const struct gate_params *params)
{
	uint64_t bound_ns = params->window_ns / 1000 * 1024 +
			    params->window_ns % 1000 * 1024 / 1000;
	uint64_t delay_ns = params->first_delay_ns;

	if (bound_ns > MAX_DELAY_NS)
		bound_ns = MAX_DELAY_NS;
	while (delay_ns <= bound_ns / 2)
		delay_ns *= 2;
	return delay_ns;
}

static bool refuse_short_max(struct keys_reader *reader,
			     const struct yaml_node *node,
			     const struct gate_params *params)
{
	const struct yaml_node *max = yaml_tree_find(node, "max_delay");
	char first[UNITS_TEXT_SIZE], last[UNITS_TEXT_SIZE], right[96];
	size_t before;

	if (params->max_delay_ns >= params->first_delay_ns)
		return true;
	units_print_time(params->first_delay_ns, first);
	units_print_time(params->max_delay_ns, last);
	snprintf(right, sizeof(right), "from first_delay, %s, to 10s", first);
	before = keys_enter(reader, "max_delay");
	keys_error(reader, max != NULL ? max : node, right,
		   "%s is shorter than the first delay", last);
	keys_leave(reader, before);
	return false;
}

bool draft_finish_limiter(struct keys_reader *reader,
			  const struct yaml_node *node,
			  const struct draft *draft,
			  const struct draft_limiter *limiter,
			  const struct gate_params *outer,
			  struct gate_params *ret_params)
{
	struct gate_params params;
	bool inherits_max = outer != NULL && limiter->window_ns == 0 &&
			    (limiter->first_delay_ns == 0 ||
			     draft->limiter.max_delay_ns != 0);

	if (outer != NULL)
		params = *outer;
	else
		profile_params(draft->profile, &params);
	if (limiter->ratio_q16 != 0)
		params.ratio_q16 = limiter->ratio_q16;
	if (limiter->window_ns != 0)
		params.window_ns = limiter->window_ns;
	if (limiter->first_delay_ns != 0)
		params.first_delay_ns = limiter->first_delay_ns;
	if (limiter->max_delay_ns != 0)
		params.max_delay_ns = limiter->max_delay_ns;
	else if (!inherits_max)
		params.max_delay_ns = default_max_delay(&params);
	*ret_params = params;
	return refuse_short_max(reader, node, &params);
}

bool draft_finish_default(struct keys_reader *reader, struct draft *draft)
{
	const struct yaml_node *node = yaml_tree_find(draft->root, "limiter");
	struct keys_reader limiter_reader = { .errors = reader->errors };

	if (draft->limiter_finished)
		return true;
	draft->limiter_finished = true;
	keys_enter(&limiter_reader, "limiter");
	return draft_finish_limiter(&limiter_reader, node, draft,
				    &draft->limiter, NULL,
				    &draft->policy.params[0]);
}

static void warn_no_effect(const struct keys_reader *reader,
			   const struct draft *draft, const char *key,
			   uint8_t pkts)
{
	struct keys_reader at = { .errors = reader->errors };
	const struct yaml_node *node =
		yaml_tree_find(yaml_tree_find(draft->root, "limiter"), key);

	if (node == NULL || pkts == 0)
		return;
	keys_enter(&at, "limiter");
	keys_enter(&at, key);
	keys_warning(&at, node, "evidence: consent, or leave it out",
		     "has no effect: with evidence: packets, plain S decides "
		     "alone");
}

void draft_finish_credit(struct keys_reader *reader, struct draft *draft)
{
	struct credit_params *credit = &draft->policy.credit;

	if (draft->policy.evidence == POLICY_EVIDENCE_CONSENT)
		return;
	warn_no_effect(reader, draft, "floor", credit->floor_pkts);
	warn_no_effect(reader, draft, "patience", credit->patience_pkts);
	warn_no_effect(reader, draft, "credit", credit->earned_pkts);
	*credit = (struct credit_params){ 0 };
}
