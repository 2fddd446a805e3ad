/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where packets of the fast path's interfaces wait, and what follows of it. */
#include "policy/draft.h"
#include "policy/yaml.h"

enum {
	/* More than a socket's memory is by default on Linux, 212992 bytes,
	 * counted as the kernel does: so the sender waits, before packets of it
	 * would have to be dropped. */
	QDISC_HELD_PER_KEY = 1024,
	QDISC_HELD_PER_HOST = 4096,
};

static bool is_given(const struct draft *draft, const char *key)
{
	const struct yaml_node *limits = yaml_tree_find(draft->root, "limits");

	return limits != NULL && yaml_tree_find(limits, key) != NULL;
}

void draft_finish_hold(struct draft *draft)
{
	struct policy *policy = &draft->policy;

	if (policy->fast.hold != POLICY_HOLD_QDISC)
		return;
	if (!is_given(draft, "held_packets_per_key"))
		policy->limits.held_packets_per_key = QDISC_HELD_PER_KEY;
	if (!is_given(draft, "held_packets_per_host"))
		policy->limits.held_packets_per_host = QDISC_HELD_PER_HOST;
}

static bool drops(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action == POLICY_DROP ||
		    policy->rules[i].action == POLICY_LOG)
			return true;
	return false;
}

/* There nothing passes a rule of the kernel's, nor is anything dropped by the
 * daemon's word. */
static const char *wrong_with_qdisc(const struct policy *policy)
{
	if (policy->fast.all)
		return "these are some ports: name them, not interfaces: auto";
	if (drops(policy))
		return "bridged frames pass no rules: no rule that drops or "
		       "logs";
	if (policy->sources_count + policy->bindings_count > 0)
		return "bridged frames pass no rules: not antispoof";
	if (policy->limits.held_packets_per_key == 0 ||
	    policy->limits.held_packets_per_host == 0)
		return "what waits has a bound: not 0 in "
		       "limits.held_packets_per_key and _per_host";
	return NULL;
}

/* The program has the gates, and nothing else of the judgement. */
static const char *wrong_with_edt(const struct policy *policy)
{
	const struct credit_params *credit = &policy->credit;

	if (policy->evidence == POLICY_EVIDENCE_CONSENT &&
	    credit->floor_pkts + credit->patience_pkts + credit->earned_pkts >
		    0)
		return "the kernel has no purse: limiter: {floor: 0, patience: "
		       "0, credit: 0}";
	if (policy->enforce != (1u << FLOW_SCOPE_FLOW | 1u << FLOW_SCOPE_PAIR))
		return "it has gates for both: limiter.enforce: [flow, pair]";
	if (policy->params_count > 1)
		return "it has one delay for all: no rule that limits";
	if (policy->mode == POLICY_SHADOW)
		return "what it delays is delayed: mode: enforce";
	return NULL;
}

bool draft_check_hold(struct keys_reader *reader, const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *node = yaml_tree_find(draft->root, "datapath");
	const char *wrong = NULL, *what = NULL;

	if (!policy_wants_fast(policy) || node == NULL)
		return true;
	switch (policy->fast.hold) {
	case POLICY_HOLD_PUMP:
		return true;
	case POLICY_HOLD_QDISC:
		what = "with hold: qdisc packets wait before a bridge";
		wrong = wrong_with_qdisc(policy);
		break;
	case POLICY_HOLD_EDT:
		what = "with hold: edt the kernel judges by itself";
		wrong = wrong_with_edt(policy);
		break;
	}
	node = yaml_tree_find(node, "fast");
	if (wrong == NULL || node == NULL)
		return true;
	keys_key_error(reader, node, wrong, "%s", what);
	return false;
}
