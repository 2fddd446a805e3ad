/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_TWIN_STATE_H
#define TESTS_FAST_TWIN_STATE_H

/* Of fast_twin*.c only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fast_ledger.h"
#include "tests/fast_twin.h"

enum { ALONE, FRONT, SIDES, TWIN_RELEASED = 1 << 20 };

struct twin_side {
	struct zones *zones;
	struct pump *pump;
	struct fragments *fragments;
};

/* What waits: whose it is, and when either side let it go. */
struct twin_waiting {
	struct ledger_key *flow, *pair;
	uint64_t left_ns[SIDES]; /* 0: not yet */
};

struct twin_counts {
	uint32_t sent_pkts, heard_pkts;
	bool known;  /* there is a place for it */
	bool leased; /* it is the program's */
};

struct twin {
	struct twin_config config;
	struct twin_side sides[SIDES];
	struct fastleases *leases;
	struct fast_slot *slots;
	uint32_t slots_count;
	uint64_t k0, k1;
	struct ledger *ledger;
	struct twin_waiting *waiting; /* by id */
	size_t waiting_count, waiting_capacity;
	uint64_t released[TWIN_RELEASED]; /* ids, the last ones */
	size_t released_count;
	uint64_t now_ns, sweep_ns;
	uint64_t window_ns, longest_ns;
	uint32_t said;
	struct twin_results results;
};

/* What is counted of a key, and how that compares with all that came. */
struct twin_counts twin_counts_of(struct twin *twin, int which,
				  const struct flow_key *key);
bool twin_is_known(const struct twin *twin, int which,
		   const struct flow_key *key);
void twin_compare(struct twin *twin, struct ledger_key *key);
void twin_compare_all(struct twin *twin);
void twin_compare_totals(struct twin *twin);

/* One packet more: what it added. */
struct twin_before {
	struct twin_counts counts[SIDES];
	uint64_t late_pkts[SIDES]; /* let go in the meantime, too */
	bool out;
	uint32_t went_pkts; /* out, at once, with the program */
	uint32_t replies;   /* in, by the pump behind it */
};
void twin_count_before(struct twin *twin, const struct ledger_key *key,
		       struct twin_before *ret_before);
void twin_count_added(struct twin *twin, struct ledger_key *key,
		      const struct twin_before *before);

/* What waited: both to the same moment; what one of them let go; what either
 * let go, from its n-th release on. */
void twin_run_until(struct twin *twin, uint64_t now_ns);
void twin_collect(struct twin *twin, int which);
void twin_compare_released(struct twin *twin, size_t from);

/* Its counts are not the same from now on. */
void twin_set_apart(struct twin *twin, struct ledger_key *key);

#endif
