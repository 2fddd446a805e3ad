/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_grants.h"

#include <stddef.h>

#include "flowtable/siphash.h"
#include "policy/policy.h"
#include "shaper/pump.h"
#include "shaper/pump_lease.h"
#include "xen-hooks/tap.h"

enum {
	SHARE = 2,
	LEAST_PKTS = 4,    /* it is not worth while below */
	WINDOW_LEASES = 10 /* so little of a window is a lease */
};

/* How many more may leave, answered or not, before a key comes back from who
 * holds a lease of it; 0: it conforms not so clearly. */
static uint32_t spare_pkts(struct pump *pump, const struct flow_key *key,
			   uint64_t now_ns)
{
	struct pump_lease lease;
	uint64_t most_pkts;

	if (!pump_may_lease(pump, key, &lease, now_ns) ||
	    lease.window_ns < WINDOW_LEASES * TAP_LEASE_NS)
		return 0;
	most_pkts = lease.ratio_q16 * ((uint64_t)lease.heard_pkts + 1) >> 16;
	if (most_pkts <= (uint64_t)lease.sent_pkts + 1)
		return 0;
	most_pkts -= (uint64_t)lease.sent_pkts + 1;
	return most_pkts < TAP_LEASE_PKTS ? (uint32_t)most_pkts
					  : TAP_LEASE_PKTS;
}

/* It may be another pair's. */
static struct tapgrants_pair *place_of(struct tapgrants *grants,
				       const uint8_t seed[16],
				       const struct flow_key *key)
{
	return &grants->pairs[siphash13(seed, key, sizeof(*key)) %
			      TAPGRANTS_PAIRS];
}

/* NULL: another pair's. */
static struct tapgrants_pair *find(struct tapgrants *grants,
				   const uint8_t seed[16],
				   const struct flow_key *key, uint64_t now_ns)
{
	struct tapgrants_pair *pair = place_of(grants, seed, key);

	if (now_ns >= pair->until_ns)
		*pair = (struct tapgrants_pair){ .key = *key };
	return flow_key_equal(&pair->key, key) ? pair : NULL;
}

/* false: no end of it, or both, are guarded. */
static bool key_of(const struct policy *policy,
		   const struct pump_packet *packet, struct flow_key *ret_key,
		   enum flow_direction *ret_direction)
{
	const struct packet_ends *ends = &packet->meta.ends;
	bool out = policy_is_inside(policy, ends->src);

	if (out == policy_is_inside(policy, ends->dst))
		return false;
	*ret_direction = out ? FLOW_OUT : FLOW_IN;
	flow_key_of(&packet->meta, *ret_direction,
		    out ? packet->src_zone : packet->dst_zone, ret_key);
	return true;
}

uint32_t tapgrants_take(struct tapgrants *grants, const uint8_t seed[16],
			struct pump *pump, const struct policy *policy,
			const struct pump_packet *packet, uint64_t now_ns)
{
	enum flow_direction direction;
	struct tapgrants_pair *pair;
	struct flow_key flow, key;
	uint32_t pkts, of_pair;

	if (!key_of(policy, packet, &flow, &direction))
		return 0;
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &key);
	pkts = spare_pkts(pump, &flow, now_ns);
	of_pair = pkts > 0 ? spare_pkts(pump, &key, now_ns) : 0;
	if (of_pair < pkts)
		pkts = of_pair;
	/* What comes in is no burden. */
	if (pkts < SHARE * LEAST_PKTS || direction == FLOW_IN)
		return pkts;
	pair = find(grants, seed, &key, now_ns);
	if (pair == NULL || pair->pkts >= pkts)
		return 0;
	pkts = (pkts - pair->pkts) / SHARE;
	if (pkts < LEAST_PKTS)
		return 0;
	pair->pkts += pkts;
	/* They may be on their way for as long again. */
	pair->until_ns = now_ns + 2 * TAP_LEASE_NS;
	return pkts;
}

void tapgrants_spend(struct tapgrants *grants, const uint8_t seed[16],
		     const struct policy *policy,
		     const struct pump_packet *packet)
{
	enum flow_direction direction;
	struct tapgrants_pair *pair;
	struct flow_key flow, key;

	if (!key_of(policy, packet, &flow, &direction) || direction == FLOW_IN)
		return;
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &key);
	pair = place_of(grants, seed, &key);
	if (flow_key_equal(&pair->key, &key))
		pair->pkts -= packet->wire_pkts < pair->pkts ? packet->wire_pkts
							     : pair->pkts;
}
