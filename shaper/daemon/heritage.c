/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/heritage.h"

#include <net/if.h>
#include <stdbool.h>
#include <unistd.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/loader.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/memory.h"
#include "shaper/io/fast_left.h"
#include "shaper/pump.h"
#include "shaper/pump_lease.h"

struct taking {
	const struct memory_engine *engines;
	size_t count;
	uint32_t shard_seed;
	const struct policy *policy;
	uint64_t now_ns;
};

/* The interface is the one that it was, or there is none of that index. */
static bool give(const struct taking *taking, struct pump_lease *lease,
		 uint32_t ifindex)
{
	const struct policy *policy = taking->policy;
	const struct memory_engine *engine = &taking->engines[0];
	char name[IF_NAMESIZE];
	uint8_t host[16];
	uint16_t zone;

	if (if_indextoname(ifindex, name) == NULL ||
	    !policy_is_inside(policy, lease->key.inside) ||
	    policy_is_inside(policy, lease->key.outside))
		return false;
	zone = zones_id(engine->zones, policy, name, 0);
	policy_host_of(policy, lease->key.inside,
		       zones_get(engine->zones, zone), host);
	engine += shard_of(host, taking->shard_seed, (uint8_t)taking->count);
	lease->key.zone = zones_id(engine->zones, policy, name, 0);
	return pump_take_back(engine->pump, lease, taking->now_ns);
}

size_t heritage_take(struct loader_heritage *heritage,
		     const struct memory_engine *engines, size_t count,
		     uint32_t shard_seed, const struct policy *policy,
		     uint64_t now_ns)
{
	const struct taking taking = { engines, count, shard_seed, policy,
				       now_ns };
	struct pump_lease lease;
	struct fastleft left;
	uint32_t ifindex;
	const char *wrong;
	size_t keys = 0;

	if (heritage->slots_count == 0)
		return 0;
	wrong = fastleft_open(&left, heritage->slots, heritage->memory,
			      heritage->slots_count);
	close(heritage->slots);
	close(heritage->memory);
	heritage->slots_count = 0;
	if (wrong != NULL) {
		log_warn(0, "fast path: what is pinned is not read: %s", wrong);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		pump_resume(engines[i].pump, now_ns);
	while (fastleft_next(&left, &lease, &ifindex, now_ns))
		keys += give(&taking, &lease, ifindex);
	fastleft_close(&left);
	return keys;
}
