/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

/*
 * What one replay did to those who must not suffer, and what it let out of
 * those who must not get far: an observer that keeps the figures that
 * judge_targets.h compares.
 *
 * Late is a packet that left more than 10 ms after it came, or was dropped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/pump.h"
#include "sim/replay.h"

struct judge;
struct policy;

#define JUDGE_LATE_NS  UINT64_C(10000000)
#define JUDGE_LONG_NS  UINT64_C(100000000)  /* a conversation, in all */
#define JUDGE_NEVER_NS UINT64_C(1000000000) /* ... without exception */

enum { JUDGE_WORST_MAX = 16, JUDGE_DELAY_BUCKETS = 40 };

/* A conversation that was held for more than JUDGE_LONG_NS in all, or of which
 * a packet was dropped. */
struct judge_worst {
	struct flow_key flow;
	uint64_t delay_ns, longest_ns;
	uint64_t begin_ns; /* when the first packet that was held came */
	uint64_t out_pkts, in_pkts, delayed_pkts, dropped_pkts;
	uint64_t out_before_pkts, in_before_pkts; /* when that one came */
	uint8_t by; /* enum pump_by: whose gate held most of them */
};

/* The most in one second, and of whom. */
struct judge_second {
	uint32_t pkts, heard_pkts;
	struct flow_key key;
};

struct judge_figures {
	uint64_t duration_ns;
	/* Out: of any kind. */
	uint64_t out_pkts, late_pkts, delayed_pkts, dropped_pkts;
	uint64_t let_out_pkts, in_pkts, forged_pkts, transit_pkts;
	uint64_t limited_pkts;      /* among dropped: past a plain limit */
	uint64_t by_pkts[PUMP_BYS]; /* delayed or dropped, by whose gate */
	uint64_t delay_max_ns;
	/* Out packets by delay: [0] none, [i] below 2^i us, the last: more or
	 * dropped. */
	uint64_t delays[JUDGE_DELAY_BUCKETS];
	uint64_t pairs, late_pairs; /* that sent something S may hold */
	uint64_t conversations;
	uint64_t long_conversations, never_conversations;
	uint64_t worst_ns; /* of any conversation, in all */
	struct judge_worst worst[JUDGE_WORST_MAX];
	size_t worst_count;

	/* Of one source to one destination. */
	struct judge_second first_second, later_second, sliding_second;
	/* New connections of one source to one destination. */
	struct judge_second connections, connections_sliding;
	uint64_t new_connections, connections_delayed, connections_dropped;
	/* First contacts of one source. */
	struct judge_second contacts, contacts_sliding;
	uint64_t first_contacts;
	uint64_t answered_delayed_pkts; /* of conversations answered before */
	uint64_t group_held_pkts;       /* multicast and the like, held by S */
	uint64_t group_pkts;
	uint64_t unjudged; /* keys without a place, times without memory */
};

/* NULL: out of memory.  `policy` is borrowed. */
struct judge *judge_new(const struct policy *policy);
void judge_free(struct judge *judge);

/* For replay_config.observers; valid as long as the judge. */
struct replay_observer judge_observer(struct judge *judge);

/* After the replay; once. */
void judge_conclude(struct judge *judge, struct judge_figures *ret_figures);

/* The delay that `share` (0..1) of the out packets do not exceed, rounded up
 * to the next power of two of microseconds; UINT64_MAX: dropped. */
uint64_t judge_delay_ns(const struct judge_figures *figures, double share);

/* *worst becomes *other where that is worse: more than was heard excuses. */
void judge_take_worse(struct judge_second *worst,
		      const struct judge_second *other);

/* Sums and maxima of two: *total also of what is in *more. */
void judge_merge(struct judge_figures *total, const struct judge_figures *more);

#endif
