/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback_counters.h"

#include "xen-hooks/netback/guard.h"

_Static_assert((int)NETBACKCOUNTERS == (int)GUARD_COUNTERS_COUNT,
	       "the module has as many");

const struct netback_counter netbackcounters[NETBACKCOUNTERS] = {
#define ROW(id, text)                                     \
	{ .name = #id,                                    \
	  .help = text,                                   \
	  .is_level = GUARD_##id == GUARD_waiting_pkts || \
		      GUARD_##id == GUARD_keys },
	GUARD_COUNTERS(ROW)
#undef ROW
};

void netbackcounters_sum(const uint64_t counters[NETBACKCOUNTERS],
			 struct netback_outcomes *ret_outcomes)
{
	const uint64_t other =
		counters[GUARD_other_pkts] - counters[GUARD_other_dropped_pkts];
	const uint64_t forged = counters[GUARD_forged_mac_pkts] +
				counters[GUARD_forged_address_pkts] +
				counters[GUARD_forged_neighbour_pkts];

	*ret_outcomes = (struct netback_outcomes){
		.passed_pkts = counters[GUARD_passed_pkts] +
			       counters[GUARD_released_pkts] + other,
		.waiting_pkts = counters[GUARD_waiting_pkts],
		.dropped_pkts = counters[GUARD_shed_pkts] +
				counters[GUARD_lost_pkts] +
				counters[GUARD_intercepted_pkts] +
				counters[GUARD_other_dropped_pkts] +
				counters[GUARD_unread_pkts] + forged,
		.withheld_pkts = counters[GUARD_withheld_pkts],
		.observed_pkts = counters[GUARD_observed_pkts],
		.offered_pkts = counters[GUARD_asked_pkts] +
				counters[GUARD_other_pkts] +
				counters[GUARD_unread_pkts] + forged,
	};
}
