/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/yaml.h"

static const char *const ACTIONS[] = { "drop",  "accept", "exempt",
				       "limit", "log",    NULL };

const struct keys_entry DRAFT_RULE_KEYS[] = {
	{ .name = "priority",
	  .type = KEYS_COUNT,
	  .max = INT32_MAX,
	  .required = true,
	  KEYS_FIELD(struct draft_rule, rule.priority),
	  .help = "lowest first; no two rules have the same" },
	{ .name = "match",
	  .type = KEYS_MAP,
	  .required = true,
	  .keys = DRAFT_MATCH_KEYS,
	  .help = "what the rule is for; {} is everything" },
	{ .name = "action",
	  .type = KEYS_WORD,
	  .required = true,
	  .words = ACTIONS,
	  KEYS_FIELD(struct draft_rule, rule.action),
	  .help = "drop, accept, exempt, limit or log" },
	{ .name = "threshold",
	  .type = KEYS_LOG2,
	  KEYS_FIELD(struct draft_rule, limiter.ratio_q16),
	  .help = "limit: instead of limiter.threshold" },
	{ .name = "window",
	  .type = KEYS_TIME,
	  .min = 10000000,
	  .max = UINT64_C(60000000000),
	  KEYS_FIELD(struct draft_rule, limiter.window_ns),
	  .help = "limit: instead of limiter.window" },
	{ .name = "first_delay",
	  .type = KEYS_TIME,
	  .min = 1000,
	  .max = 1000000000,
	  KEYS_FIELD(struct draft_rule, limiter.first_delay_ns),
	  .help = "limit: instead of limiter.first_delay" },
	{ .name = "max_delay",
	  .type = KEYS_TIME,
	  .min = 1000,
	  .max = UINT64_C(10000000000),
	  KEYS_FIELD(struct draft_rule, limiter.max_delay_ns),
	  .help = "limit: instead of limiter.max_delay" },
	{ 0 },
};

static bool refuse_limiter(struct keys_reader *reader,
			   const struct yaml_node *node)
{
	static const char *const ONLY_LIMIT[] = {
		"threshold", "window", "first_delay", "max_delay", NULL,
	};
	bool good = true;

	for (size_t i = 0; ONLY_LIMIT[i] != NULL; i++) {
		const struct yaml_node *at =
			yaml_tree_find(node, ONLY_LIMIT[i]);

		if (at == NULL)
			continue;
		keys_key_error(reader, at, "action: limit, or leave it out",
			       "only a limit rule has a %s", ONLY_LIMIT[i]);
		good = false;
	}
	return good;
}

static bool check_priority(struct keys_reader *reader,
			   const struct yaml_node *node,
			   const struct policy *policy,
			   const struct policy_rule *rule)
{
	const struct yaml_node *at = yaml_tree_find(node, "priority");
	size_t before;

	for (size_t i = 0; i < policy->rules_count; i++) {
		if (policy->rules[i].priority != rule->priority)
			continue;
		before = keys_enter(reader, "priority");
		keys_error(reader, at, "give every rule a priority of its own",
			   "priority %d is taken by the rule on line %u",
			   rule->priority, policy->rules[i].line);
		keys_leave(reader, before);
		return false;
	}
	return true;
}

/* The first that is like the one after the last, which is that at worst. */
static uint16_t find_params(const struct policy *policy)
{
	const struct gate_params *wanted =
		&policy->params[policy->params_count];
	uint16_t i = 1;

	while (policy->params[i].ratio_q16 != wanted->ratio_q16 ||
	       policy->params[i].window_ns != wanted->window_ns ||
	       policy->params[i].first_delay_ns != wanted->first_delay_ns ||
	       policy->params[i].max_delay_ns != wanted->max_delay_ns)
		i++;
	return i;
}

static bool add_params(struct keys_reader *reader, const struct yaml_node *node,
		       struct draft *draft, struct draft_rule *rule)
{
	struct policy *policy = &draft->policy;
	struct gate_params *list =
		draft_grow(policy->params, policy->params_count, sizeof(*list));

	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->params = list;
	if (!draft_finish_limiter(reader, node, draft, &rule->limiter, &list[0],
				  &list[policy->params_count]))
		return false;
	rule->rule.params = find_params(policy);
	if (rule->rule.params < policy->params_count)
		return true;
	if (policy->params_count == POLICY_PARAMS_MAX) {
		keys_error(reader, node, "rules that share their limits",
			   "more than %d different limits",
			   POLICY_PARAMS_MAX - 1);
		return false;
	}
	policy->params_count++;
	return true;
}

static bool check_rule(struct keys_reader *reader, const struct yaml_node *node,
		       struct draft *draft, struct draft_rule *rule)
{
	const struct yaml_node *match = yaml_tree_find(node, "match");
	bool good = check_priority(reader, node, &draft->policy, &rule->rule);

	if (rule->rule.action == POLICY_LIMIT)
		good &= add_params(reader, node, draft, rule);
	else
		good &= refuse_limiter(reader, node);
	good &= draft_check_match(reader, match, &draft->policy, &rule->rule);
	return good;
}

static bool one_rule(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct draft *draft = into;
	struct policy *policy = &draft->policy;
	struct draft_rule rule = { .rule.line = node->line };
	struct policy_rule *list =
		draft_grow(policy->rules, policy->rules_count, sizeof(*list));
	bool good;

	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->rules = list;
	good = keys_read(reader, node, DRAFT_RULE_KEYS, &rule) &&
	       check_rule(reader, node, draft, &rule);
	list[policy->rules_count++] = rule.rule;
	return good;
}

static int compare_rules(const void *a, const void *b)
{
	const struct policy_rule *left = a, *right = b;

	return (left->priority > right->priority) -
	       (left->priority < right->priority);
}

bool draft_read_rules(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct draft *draft = into;

	if (node->kind == YAML_LIST && node->count == 0)
		return true;
	draft_finish_default(reader, draft);
	if (!keys_each(reader, node, DRAFT_RULES_MAX, one_rule, draft))
		return false;
	qsort(draft->policy.rules, draft->policy.rules_count,
	      sizeof(*draft->policy.rules), compare_rules);
	return true;
}
