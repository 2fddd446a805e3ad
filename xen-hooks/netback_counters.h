/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_COUNTERS_H
#define XEN_HOOKS_NETBACK_COUNTERS_H

/* What the guards inside of netback count, by their names. */

#include <stdbool.h>
#include <stdint.h>

/* As many as the module has: xen-hooks/netback/guard.h. */
enum { NETBACKCOUNTERS = 26 };

struct netback_counter {
	const char *name; /* of packets on the wire: ".._pkts" */
	const char *help;
	bool is_level; /* may fall again */
};

extern const struct netback_counter netbackcounters[NETBACKCOUNTERS];

/* What became of all that guests sent; each packet is in one of these. */
struct netback_outcomes {
	uint64_t offered_pkts; /* the sum of the next three */
	uint64_t passed_pkts, waiting_pkts, dropped_pkts;
	uint64_t withheld_pkts; /* had to wait, whatever became of them */
	uint64_t observed_pkts; /* would have had to */
};

void netbackcounters_sum(const uint64_t counters[NETBACKCOUNTERS],
			 struct netback_outcomes *ret_outcomes);

#endif
