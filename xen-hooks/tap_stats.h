/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_STATS_H
#define XEN_HOOKS_TAP_STATS_H

/*
 * Every counter of the tap's two ends, declared once, like shaper/stats.h.
 * The carrier tells its own to the judge, who shows them beside his.
 *
 *	X(name, unit, help)
 */

#include <stdint.h>

#include "flowtable/packet_meta.h"
#include "xen-hooks/tap.h"

#define TAPCARRIER_COUNTERS(X)                                            \
	X(offered_pkts, "packets", "came to the tap")                     \
	X(observed_pkts, "packets", "were shown, and went on at once")    \
	X(asked_pkts, "packets", "waited for a verdict")                  \
	X(intercepted_pkts, "packets", "ended at the judge")              \
	X(passed_pkts, "packets", "passed by verdict")                    \
	X(dropped_pkts, "packets", "dropped by verdict")                  \
	X(replaced_pkts, "packets", "another was passed in their place")  \
	X(frames, "frames", "of the judge's that left")                   \
	X(unjudged_pkts, "packets", "there was no judge: as `fail` says") \
	X(abandoned_pkts, "packets",                                      \
	  "waited when the judge was lost: as `fail` says")               \
	X(late_pkts, "packets",                                           \
	  "waited for longer than they may: as `fail` says")              \
	X(full_pkts, "packets", "as many waited as may: as `fail` says")  \
	X(untold_pkts, "packets", "no room on the wire: as `fail` says")  \
	X(cut_pkts, "packets", "too long to be intercepted: dropped")     \
	X(stale_verdicts, "verdicts", "of packets that wait no more")     \
	X(refused_frames, "frames", "of the judge's, in another mode")    \
	X(judges, "times", "a judge was there")                           \
	X(lost_judges, "times", "it was gone, silent or made no sense")   \
	X(refused_pkts, "packets",                                        \
	  "their flow is as long as the judge lets it be: dropped")       \
	X(crowded_pkts, "packets",                                        \
	  "most of all that he was to be asked about: dropped")

enum tapcarrier_counter {
#define X(name, unit, help) TAPCARRIER_##name,
	TAPCARRIER_COUNTERS(X)
#undef X
		TAPCARRIER_COUNTERS_COUNT
};

struct tapcarrier_stats {
	uint64_t counter[TAPCARRIER_COUNTERS_COUNT];
};

#define TAPJUDGE_COUNTERS(X)                                               \
	X(received_pkts, "packets", "shown by the carrier")                \
	X(observed_pkts, "packets", "of those, had no need of a verdict")  \
	X(passed_pkts, "packets", "let go")                                \
	X(dropped_pkts, "packets", "dropped by verdict")                   \
	X(unjudged_pkts, "packets", "not ours to judge: let go")           \
	X(put_together, "packets",                                         \
	  "larger than their interface's MTU: counted as their fragments") \
	X(lost_verdicts, "verdicts", "no room on the wire, for too long")

enum tapjudge_counter {
#define X(name, unit, help) TAPJUDGE_##name,
	TAPJUDGE_COUNTERS(X)
#undef X
		TAPJUDGE_COUNTERS_COUNT
};

struct tapjudge_stats {
	uint64_t counter[TAPJUDGE_COUNTERS_COUNT];
	uint64_t unreadable_pkts[PACKET_ERRORS]; /* as nfqueue_stats has them */
	/* As the carrier said last. */
	struct tapcarrier_stats carrier;
	enum tap_mode mode;
};

#endif
