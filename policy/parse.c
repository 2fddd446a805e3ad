/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/parse.h"

#include <stdlib.h>

#include "policy/draft.h"
#include "policy/yaml.h"

static bool set_defaults(struct policy *policy)
{
	*policy = (struct policy){
		.mode = POLICY_SHADOW,
		.host_prefix6 = 64,
		.enforce = 1u << FLOW_SCOPE_PAIR | 1u << FLOW_SCOPE_FLOW,
		.credit = { .floor_pkts = 10,
			    .patience_pkts = 48,
			    .earned_pkts = 12 },
		.first_contacts_per_s = 20,
		.connections_per_s = 100,
		.multicast_pkts_per_s = 2000,
		.dhcp_pkts_per_s = 100,
		.icmp_error_pkts_per_s = 1000,
		.fragment_pkts_per_s = 1000,
		.rate = { .burst_ns = RATE_BURST_NS },
		.xen = { .held_slots_per_key = 40,
			 .held_slots_per_vif = 200 },
		.limits = {
			.pairs = 1000000,
			.flows = 2000000,
			.hosts = 65536,
			.fragments = 4096,
			.held_packets = 65536,
			.held_bytes = 64 << 20,
			.held_packets_per_host = 1024,
			.held_packets_per_key = 64,
		},
		.nfqueue = { .first_queue = 1000 },
		.fast = { .mark_bit = 20,
			  .pin = "/run/symtap-bpf/fast" },
		.control_socket = "/run/symtap/control.sock",
		.control_mode = 0660,
		.metrics_listen = "127.0.0.1:9477",
		.state_file = "/var/lib/symtap/state",
	};
	policy->params = calloc(1, sizeof(*policy->params));
	policy->params_count = policy->params != NULL;
	return policy->params != NULL;
}

static uint32_t clamp(uint64_t value, uint32_t min, uint32_t max)
{
	if (value < min)
		return min;
	return value > max ? max : (uint32_t)value;
}

static void derive_limits(struct policy_limits *limits)
{
	uint64_t keys = (uint64_t)limits->pairs + limits->flows;

	if (limits->suspects == 0)
		limits->suspects = clamp(keys / 32, 1024, 65536);
	if (limits->pairs_per_host == 0)
		limits->pairs_per_host =
			clamp(limits->pairs / 4, 64, UINT32_MAX);
	if (limits->flows_per_host == 0)
		limits->flows_per_host =
			clamp(limits->flows / 4, 64, UINT32_MAX);
}

static bool read_draft(struct keys_reader *reader, struct draft *draft)
{
	bool good = keys_read(reader, draft->root, policy_keys(), draft);

	if (draft->root->kind != YAML_MAP)
		return false;
	good &= draft_finish_default(reader, draft);
	draft_finish_credit(reader, draft);
	draft_finish_hold(draft);
	derive_limits(&draft->policy.limits);
	return good & draft_check(reader, draft);
}

/* `policy` is what the draft will be kept in.  false: it was not worth it. */
static bool parse_tree(const struct yaml_tree *tree, struct policy *policy,
		       struct policy_errors *errors)
{
	struct keys_reader reader = { .errors = errors };
	struct draft draft = { .root = yaml_tree_root(tree) };
	bool good = set_defaults(&draft.policy) && read_draft(&reader, &draft);

	*policy = draft.policy;
	return good && errors->errors == 0 && policy_prepare(policy);
}

bool policy_parse(const char *file_name, const char *text, size_t bytes,
		  struct policy **ret_policy, struct policy_errors *errors)
{
	struct keys_reader file = { .errors = errors };
	struct policy *policy = calloc(1, sizeof(*policy));
	struct yaml_tree *tree = NULL;
	bool good = false;

	policy_errors_init(errors, file_name);
	if (policy != NULL)
		tree = yaml_tree_parse(text, bytes, errors);
	if (tree != NULL)
		good = parse_tree(tree, policy, errors);
	if (!good && errors->errors == 0)
		keys_error(&file, NULL, "", "out of memory");
	yaml_tree_free(tree);
	policy_errors_sort(errors);
	if (good)
		*ret_policy = policy;
	else
		policy_free(policy);
	return good;
}
