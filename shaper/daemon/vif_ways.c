/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_ways.h"

#include <string.h>

static const char *lacks_queue(const struct policy *policy)
{
	if (policy->nfqueue.bridge)
		return NULL;
	return "packets are not bridged (datapath.nfqueue.bridge)";
}

/* An engine knows its packets by their zone. */
static const char *lacks_rate(const struct policy *policy,
			      const char *interface)
{
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];

		for (size_t j = 0; zone->count > 1 && j < zone->count; j++)
			if (strcmp(zone->members[j].interface, interface) == 0)
				return "its zone has other interfaces, which "
				       "would not be told apart";
	}
	return NULL;
}

/* A vif's guard there has pairs and flows. */
static const char *lacks_netback(const struct policy *policy,
				 const char *module_lacks)
{
	if (module_lacks != NULL)
		return module_lacks;
	if (policy->enforce & 1u << FLOW_SCOPE_HOST)
		return "it does not judge hosts (limiter.enforce)";
	return NULL;
}

bool vifways_choose(const struct policy *policy, const char *interface,
		    const char *ring_lacks, const char *netback_lacks,
		    enum policy_way wanted, enum policy_way *ret_way,
		    char ret_why[WAY_TEXT_BYTES])
{
	const struct way_lacks lacks = {
		.of = {
			[POLICY_WAY_QUEUE] = lacks_queue(policy),
			[POLICY_WAY_RING] = ring_lacks,
			[POLICY_WAY_RATE] = lacks_rate(policy, interface),
			[POLICY_WAY_NETBACK] =
				lacks_netback(policy, netback_lacks),
		},
	};

	return way_choose(wanted, &lacks, ret_way, ret_why);
}
