/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_netback.h"

#include "flowtable/flow.h"
#include "policy/guests.h"
#include "policy/policy.h"

/* Its hosts are counted by nobody there: who asks for that alone gets pairs. */
void vifnetback_settings(const struct policy *policy,
			 const struct guest_wish *wish,
			 const struct vifkeys *keys,
			 struct waynetback_settings *ret_settings)
{
	bool holds = policy->mode == POLICY_ENFORCE;
	bool flows = policy->enforce & 1u << FLOW_SCOPE_FLOW;
	bool pairs = policy->enforce & 1u << FLOW_SCOPE_PAIR;

	*ret_settings = (struct waynetback_settings){
		.keys = keys,
		.overwrites = wish->mac == POLICY_XEN_MAC_OVERWRITE,
		.gate = policy->params[0],
		.holds_pairs = holds && (pairs || !flows),
		.holds_flows = holds && flows,
		.slots = policy->xen.held_slots_per_vif,
	};
	if (wish->ratio_q16 != 0)
		ret_settings->gate.ratio_q16 = wish->ratio_q16;
	if (policy->xen.at_slots == POLICY_SLOTS_SHED)
		ret_settings->slots_per_key = policy->xen.held_slots_per_key;
}
