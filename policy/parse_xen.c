/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `xen`: the vifs of guests, and where their packets wait. */
#include <string.h>

#include "policy/draft.h"
#include "policy/yaml.h"

static const char *const VIFS[] = { "ignore", "follow", NULL };
const char *const DRAFT_WAYS[] = { "auto", "queue",   "ring",
				   "rate", "netback", NULL };
const char *const DRAFT_XEN_MACS[] = { "drop", "overwrite", NULL };
static const char *const AT_SLOTS[] = { "wait", "shed", NULL };

const struct keys_entry DRAFT_XEN_KEYS[] = {
	{ .name = "vifs",
	  .type = KEYS_WORD,
	  .words = VIFS,
	  KEYS_FIELD(struct draft, policy.xen.vifs),
	  .help = "follow: guard each vif by its keys in XenStore" },
	{ .name = "way",
	  .type = KEYS_WORD,
	  .words = DRAFT_WAYS,
	  KEYS_FIELD(struct draft, policy.xen.way),
	  .help = "where a guest's packets wait; auto" },
	{ .name = "mac",
	  .type = KEYS_WORD,
	  .words = DRAFT_XEN_MACS,
	  KEYS_FIELD(struct draft, policy.xen.mac),
	  .help = "frames with another MAC than their vif's; drop" },
	{ .name = "guests",
	  .type = KEYS_OTHER,
	  .read = draft_read_guests,
	  .keys = DRAFT_GUEST_KEYS,
	  .help = "what is otherwise for some; the first that fits" },
	{ .name = "held_slots_per_key",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 4096,
	  KEYS_FIELD(struct draft, policy.xen.held_slots_per_key),
	  .help = "of the ring, for packets of one key that wait; 40" },
	{ .name = "held_slots_per_vif",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 16384,
	  KEYS_FIELD(struct draft, policy.xen.held_slots_per_vif),
	  .help = "the same of all its keys; 200" },
	{ .name = "at_slots",
	  .type = KEYS_WORD,
	  .words = AT_SLOTS,
	  KEYS_FIELD(struct draft, policy.xen.at_slots),
	  .help = "at that bound the guest waits, or packets are shed; wait" },
	{ .name = "announce",
	  .type = KEYS_BOOL,
	  KEYS_FIELD(struct draft, policy.xen.announce),
	  .help = "tell a bridge of a guest's addresses when it comes; "
		  "false" },
	{ 0 },
};

const char *policy_way_name(enum policy_way way)
{
	return way < POLICY_WAYS ? DRAFT_WAYS[way] : "?";
}

/* A way that would not make the guest wait is none. */
const char *draft_wrong_with_way(const struct policy *policy,
				 enum policy_way way)
{
	switch (way) {
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
	const struct yaml_node *first = way ? way : mac;
	const char *wrong;

	if (first == NULL && xen != NULL)
		first = yaml_tree_find(xen, "guests");
	if (first == NULL && xen != NULL)
		first = yaml_tree_find(xen, "at_slots");
	if (!policy->xen.vifs && first != NULL) {
		keys_key_error(reader, first, "xen.vifs: follow",
			       "says how vifs are guarded, and none is");
		return false;
	}
	wrong = draft_wrong_with_way(policy, policy->xen.way);
	if (way == NULL || wrong == NULL)
		return true;
	keys_key_error(reader, way, wrong, "no guest would wait");
	return false;
}
