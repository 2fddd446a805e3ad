/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/flow.h"

#include <string.h>

#include "flowtable/flow_fill.h"

enum { PROTO_ICMP = 1, PROTO_ICMPV6 = 58 };

void flow_key_of(const struct packet_meta *meta, enum flow_direction direction,
		 uint16_t zone, struct flow_key *ret_key)
{
	flow_fill(meta, direction, zone, ret_key);
}

void flow_key_widen(const struct flow_key *flow, enum flow_scope scope,
		    struct flow_key *ret_key)
{
	struct flow_key key = *flow;

	key.scope = (uint8_t)scope;
	if (scope != FLOW_SCOPE_FLOW) {
		key.inside_port = 0;
		key.outside_port = 0;
		key.proto = 0;
	}
	if (scope == FLOW_SCOPE_HOST)
		memset(key.outside, 0, sizeof(key.outside));
	*ret_key = key;
}

void flow_key_reverse(const struct flow_key *flow, uint16_t zone,
		      struct flow_key *ret_key)
{
	struct flow_key key = *flow;

	memcpy(key.inside, flow->outside, 16);
	memcpy(key.outside, flow->inside, 16);
	key.inside_port = flow->outside_port;
	key.outside_port = flow->inside_port;
	if (flow->proto == PROTO_ICMP || flow->proto == PROTO_ICMPV6) {
		key.inside_port = flow->inside_port;
		key.outside_port = 0;
	}
	key.zone = zone;
	*ret_key = key;
}

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

const char *flow_scope_name(enum flow_scope scope)
{
	switch (scope) {
	case FLOW_SCOPE_FLOW:
		return "flow";
	case FLOW_SCOPE_PAIR:
		return "pair";
	case FLOW_SCOPE_HOST:
		return "host";
	case FLOW_SCOPES:
		break;
	}
	return "?";
}
