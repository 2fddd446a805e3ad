/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_GRANTS_H
#define XEN_HOOKS_TAP_GRANTS_H

/*
 * How many packets of a flow the judge lets go without being asked: half
 * of those that may leave before the flow, or its pair with all its flows, is
 * near its threshold.  All-zero is a valid fresh state.  Internal to the judge.
 */

#include <stdint.h>

#include "flowtable/flow.h"

struct policy;
struct pump;
struct pump_packet;

enum { TAPGRANTS_PAIRS = 1024 };

struct tapgrants {
	struct tapgrants_pair {
		struct flow_key key;
		uint64_t until_ns;
		uint32_t pkts; /* of all its flows, which did not leave yet */
	} pairs[TAPGRANTS_PAIRS];
};

/* Behind `packet`, which the pump let go at once.  0: none. */
uint32_t tapgrants_take(struct tapgrants *grants, const uint8_t seed[16],
			struct pump *pump, const struct policy *policy,
			const struct pump_packet *packet, uint64_t now_ns);

/* `packet` went unasked: it is one of those. */
void tapgrants_spend(struct tapgrants *grants, const uint8_t seed[16],
		     const struct policy *policy,
		     const struct pump_packet *packet);

#endif
