/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `xen`: the vifs of guests, and where their packets wait. */
#include <string.h>

#include "policy/draft.h"
#include "policy/yaml.h"

static const char *const VIFS[] = { "ignore", "follow", NULL };
static const char *const WAYS[] = { "auto", "queue",   "ring",
				    "rate", "netback", NULL };
static const char *const MACS[] = { "drop", "overwrite", NULL };

const struct keys_entry DRAFT_XEN_KEYS[] = {
	{ .name = "vifs",
	  .type = KEYS_WORD,
	  .words = VIFS,
	  KEYS_FIELD(struct draft, policy.xen.vifs),
	  .help = "follow: guard each vif by its keys in XenStore" },
	{ .name = "way",
	  .type = KEYS_WORD,
	  .words = WAYS,
	  KEYS_FIELD(struct draft, policy.xen.way),
	  .help = "where a guest's packets wait; auto" },
	{ .name = "mac",
	  .type = KEYS_WORD,
	  .words = MACS,
	  KEYS_FIELD(struct draft, policy.xen.mac),
	  .help = "frames with another MAC than their vif's; drop" },
	{ 0 },
};

const char *policy_way_name(enum policy_way way)
{
	return way < POLICY_WAYS ? WAYS[way] : "?";
}

/* A way that would not make the guest wait is none. */
static const char *wrong_with_way(const struct policy *policy)
{
	switch (policy->xen.way) {
	case POLICY_WAY_QUEUE:
		if (!policy->nfqueue.bridge)
			return "it needs a bridge: "
			       "datapath.nfqueue.bridge: true, or another way";
		break;
	case POLICY_WAY_AUTO:
	case POLICY_WAY_RING:
	case POLICY_WAY_RATE:
	case POLICY_WAY_NETBACK:
	case POLICY_WAYS:
		break;
	}
	return NULL;
}

bool draft_check_xen(struct keys_reader *reader, const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *xen = yaml_tree_find(draft->root, "xen");
	const struct yaml_node *way = xen ? yaml_tree_find(xen, "way") : NULL;
	const struct yaml_node *mac = xen ? yaml_tree_find(xen, "mac") : NULL;
	const char *wrong;

	if (!policy->xen.vifs && (way != NULL || mac != NULL)) {
		keys_key_error(reader, way ? way : mac, "xen.vifs: follow",
			       "says how vifs are guarded, and none is");
		return false;
	}
	wrong = wrong_with_way(policy);
	if (way == NULL || wrong == NULL)
		return true;
	keys_key_error(reader, way, wrong, "no guest would wait");
	return false;
}
