/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/forged.h"

#include <string.h>

#include "flowtable/packet_meta.h"
#include "policy/address.h"
#include "policy/policy.h"

/* Sources that a host has before it has an address, or on its link only. */
static bool is_always_permitted(const struct packet_meta *meta)
{
	static const uint8_t unspecified4[16] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t unspecified6[16];
	const uint8_t *src = meta->ends.src;

	if (src[0] == 0xfe && (src[1] & 0xc0) == 0x80)
		return true;
	if (memcmp(src, unspecified4, sizeof(unspecified4)) == 0)
		return meta->kind == PACKET_DHCP ||
		       meta->kind == PACKET_NEIGHBOUR;
	return memcmp(src, unspecified6, sizeof(unspecified6)) == 0 &&
	       meta->kind == PACKET_NEIGHBOUR;
}

static bool holds(const struct policy_prefixes *prefixes, const uint8_t *addr)
{
	for (size_t i = 0; i < prefixes->count; i++)
		if (address_is_in(addr, &prefixes->list[i]))
			return true;
	return false;
}

static bool is_source(const struct policy *policy, const uint8_t *addr)
{
	for (size_t i = 0; i < policy->sources_count; i++)
		if (holds(&policy->sources[i].sources, addr))
			return true;
	return policy->sources_count == 0 && policy_is_inside(policy, addr);
}

static bool is_bound_elsewhere(const struct policy *policy, const uint8_t *addr,
			       const uint8_t *mac)
{
	bool mac_bound = false, address_bound = false;

	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];
		bool own = memcmp(binding->mac, mac, 6) == 0;
		bool held = holds(&binding->addresses, addr);

		if (own && held)
			return false;
		mac_bound |= own;
		address_bound |= held;
	}
	return mac_bound || address_bound;
}

bool forged_is(const struct policy *policy, const struct packet_meta *meta,
	       const uint8_t *mac)
{
	const uint8_t *src = meta->ends.src;

	if (is_always_permitted(meta))
		return false;
	if (!is_source(policy, src))
		return true;
	return mac && is_bound_elsewhere(policy, src, mac);
}
