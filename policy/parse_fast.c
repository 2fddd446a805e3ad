/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "policy/draft.h"
#include "policy/yaml.h"

static bool one_interface(struct keys_reader *reader,
			  const struct yaml_node *node, void *into)
{
	struct policy *policy = into;
	char name[16];

	if (!draft_read_interface(reader, node, name))
		return false;
	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++) {
		if (strcmp(policy->fast.interfaces[i], name) != 0)
			continue;
		keys_error(reader, node, "name each once",
			   "%s stands before it", name);
		return false;
	}
	memcpy(policy->fast.interfaces[policy->fast.interfaces_count++], name,
	       sizeof(name));
	return true;
}

bool draft_read_fast_interfaces(struct keys_reader *reader,
				const struct yaml_node *node, void *into)
{
	struct draft *draft = into;

	if (node->kind == YAML_SCALAR && strcmp(node->text, "auto") == 0) {
		draft->policy.fast.all = true;
		return true;
	}
	return keys_each(reader, node, POLICY_FAST_INTERFACES, one_interface,
			 &draft->policy);
}

/* What the kernel program cannot do, it is not asked for. */
bool draft_check_fast(struct keys_reader *reader, const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *datapath =
		yaml_tree_find(draft->root, "datapath");
	const struct yaml_node *node =
		datapath ? yaml_tree_find(datapath, "fast") : NULL;
	const char *wrong = NULL;

	if (!policy_wants_fast(policy) || node == NULL)
		return true;
	if (policy->nfqueue.queues > 1 &&
	    policy->fast.hold == POLICY_HOLD_QDISC)
		wrong = "hold: qdisc has one engine: datapath.nfqueue.queues "
			"is 1";
	else if (policy->nfqueue.bridge &&
		 policy->fast.hold != POLICY_HOLD_PUMP)
		wrong = "datapath.nfqueue.bridge goes with hold: pump";
	else if (policy->fast.direct && !policy->nfqueue.bridge)
		wrong = "direct is past a bridge: datapath.nfqueue.bridge is "
			"true";
	else if (policy->fast.keys & (policy->fast.keys - 1))
		wrong = "datapath.fast.keys is a power of two, as 262144";
	else if (policy->fast.pin[0] != '/' && policy->fast.pin[0] != '\0')
		wrong = "datapath.fast.pin is a path that begins with /";
	if (wrong == NULL)
		return true;
	keys_key_error(reader, node, wrong,
		       "the fast path cannot do what is asked here");
	return false;
}
