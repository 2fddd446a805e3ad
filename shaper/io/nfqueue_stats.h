/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_STATS_H
#define SHAPER_IO_NFQUEUE_STATS_H

/*
 * Every counter of the NFQUEUE data path, declared once, like shaper/stats.h.
 * Written by one engine's thread, which alone may read them directly.
 *
 *	X(name, unit, help)
 */

#include <stdint.h>

#include "flowtable/packet_meta.h"

#define NFQUEUE_COUNTERS(X)                                                    \
	X(received_pkts, "packets", "received from the kernel")                \
	X(batches, "batches", "received from the kernel")                      \
	X(passed_pkts, "packets", "let go at once")                            \
	X(dropped_pkts, "packets", "dropped by verdict")                       \
	X(set_aside_pkts, "packets", "moved to the hold queue")                \
	X(hold_received_pkts, "packets", "arrived in the hold queue")          \
	X(hold_passed_pkts, "packets", "let go from the hold queue")           \
	X(hold_dropped_pkts, "packets", "dropped from the hold queue")         \
	X(room_received_pkts, "packets",                                       \
	  "came behind the first of their flow")                               \
	X(room_waited_pkts, "packets",                                         \
	  "waited before connection tracking for that first to leave")         \
	X(room_dropped_pkts, "packets", "dropped: too many waited there")      \
	X(forwarded_shard_pkts, "packets", "handed on to another engine")      \
	X(unjudged_pkts, "packets", "not ours to judge: let go")               \
	X(missed_pkts, "packets",                                              \
	  "never seen: the socket was full (let go by fail: open, else lost)") \
	X(hold_missed_pkts, "packets", "lost on their way to the hold queue")  \
	X(kernel_queue_dropped, "packets",                                     \
	  "lost: the kernel's queue was full")                                 \
	X(kernel_user_dropped, "packets", "lost: the socket was full")         \
	X(overruns, "times", "the kernel reported a full socket")              \
	X(receive_errors, "times", "receiving failed otherwise")               \
	X(verdict_errors, "times", "the kernel refused verdicts")              \
	X(verdicts_late, "times",                                              \
	  "the kernel had dropped what a verdict was for: its interface went " \
	  "down, or a program took its chain out of nftables")                 \
	X(verdict_send_errors, "times",                                        \
	  "verdicts could not be sent to it, and were tried once more")        \
	X(malformed_messages, "messages", "from the kernel, not understood")   \
	X(fragments, "packets", "first and later fragments")                   \
	X(fragments_orphaned, "packets",                                       \
	  "later fragments whose first was not seen: counted by pair only")    \
	X(fragments_evicted, "packets",                                        \
	  "first fragments forgotten early: too many others came")             \
	X(put_together, "packets",                                             \
	  "larger than their interface's MTU: counted as their fragments")     \
	X(unknown_interfaces, "packets", "their interface has no name (yet)")  \
	X(refusals_lost, "refusals", "not passed on: the ring was full")       \
	X(fast_out_pkts, "packets", "passed out by the kernel itself")         \
	X(fast_direct_pkts, "packets", "of these, past the bridge")            \
	X(fast_in_pkts, "packets", "came in and were counted by it")           \
	X(fast_told_pkts, "packets", "came in and were told of by it")         \
	X(fast_untold_pkts, "packets",                                         \
	  "came in and were not counted: too many were told of")               \
	X(fast_steered_pkts, "packets",                                        \
	  "out, sent to the daemon: their pair is not leased")                 \
	X(fast_leases, "leases", "of pairs to the kernel")                     \
	X(fast_given_back, "leases", "ended by it: a packet must be judged")   \
	X(fast_taken_back, "leases", "that ended, by it or by the daemon")     \
	X(fast_epochs, "times",                                                \
	  "packets were lost between the kernel's program and the daemon")     \
	X(fast_full, "leases", "not made: no place among its keys")            \
	X(fast_beyond_share, "leases", "not made: a host's share is used up")  \
	X(qdisc_waited_pkts, "packets",                                        \
	  "waited before a bridge, with their sender's memory")                \
	X(qdisc_ahead_pkts, "packets",                                         \
	  "should have waited there, and had gone on")                         \
	X(qdisc_full_pkts, "packets",                                          \
	  "dropped before a bridge: as many as may already waited")            \
	X(qdisc_untold_pkts, "packets",                                        \
	  "dropped before a bridge: too many were told of")                    \
	X(edt_waited_pkts, "packets",                                          \
	  "got a time to leave at, which fq keeps to")                         \
	X(edt_full_pkts, "packets",                                            \
	  "dropped: they would have left too late for that")                   \
	X(paced_owed_pkts, "packets",                                          \
	  "should have waited, and their vif was paused for them")             \
	X(paced_beyond_pkts, "packets",                                        \
	  "the same, when so many were owed already")                          \
	X(ring_waited_pkts, "packets",                                         \
	  "should have waited at their vif; the next of their key do")         \
	X(ring_full_pkts, "packets",                                           \
	  "dropped at their vif: as many as may already waited")               \
	X(ring_failed, "times", "the kernel took or let go none there")        \
	X(qdisc_failed, "times", "the kernel did not let one leave there")

enum nfqueue_counter {
#define X(name, unit, help) NFQUEUE_##name,
	NFQUEUE_COUNTERS(X)
#undef X
		NFQUEUE_COUNT
};

struct nfqueue_stats {
	uint64_t counter[NFQUEUE_COUNT];
	/* Could not be read in full: indexed by enum packet_error, [0] unused.
	 * Where the addresses could be read they were judged all the same. */
	uint64_t unreadable_pkts[PACKET_ERRORS];
};

#endif
