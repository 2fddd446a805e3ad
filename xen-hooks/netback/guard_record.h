/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_RECORD_H
#define XEN_HOOKS_NETBACK_GUARD_RECORD_H

/*
 * One key of a guard as it is told, and given back: window and penalty, with
 * times as ages.  As it stands on the wire between module and daemon, which
 * run on one machine.  Also compiled for the kernel.
 */

#include <stdint.h>

#include "flowtable/flow.h"

enum {
	GUARD_RECORD_RUNS = 16,
	GUARD_EXPECTED_MOST = 128, /* keys of a guest that is to come */
};

/* What was sent and heard at about the same time. */
struct guard_run {
	uint64_t age_ns;
	uint32_t sent_pkts, heard_pkts;
};

struct guard_record {
	struct flow_key key;    /* zone: the VLAN */
	uint64_t armed_in_ns;   /* from now; 0: not armed */
	uint64_t waits_ns;      /* something has waited so long; 0: nothing */
	uint32_t releases;      /* n of its gate */
	uint32_t waiting_pkts;  /* with this key */
	uint32_t waiting_slots; /* of its own line */
	uint32_t runs_count;    /* oldest first */
	struct guard_run runs[GUARD_RECORD_RUNS];
};
_Static_assert(sizeof(struct guard_record) == 40 + 32 + 16 * 16,
	       "guard_record has holes");

/* How a guard does, in few words. */
struct guard_summary {
	uint64_t waits_ns;     /* that which has waited longest; 0: nothing */
	uint32_t offered_pkts; /* of the key with the largest S: sent, or */
	uint32_t heard_pkts;   /* waiting; and heard */
	uint32_t over_keys;    /* above their threshold */
	uint32_t expected_keys;
};
_Static_assert(sizeof(struct guard_summary) == 24, "guard_summary has holes");

#endif
