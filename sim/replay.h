/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

/*
 * A capture through the same pump that runs live, on the capture's own clock:
 * packets are offered when they were captured, whatever was held before (open
 * loop).  What became of each is told to an observer; the tally of keys
 * (tally.h), the judge and the report are such observers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/packet_meta.h"
#include "shaper/stats.h"

struct policy;
struct replay;

/* Which end of a pair is guarded. */
enum replay_guarded {
	REPLAY_BY_PREFIX,  /* as the policy's `inside` says */
	REPLAY_INITIATORS, /* who sent the first packet of the pair */
	REPLAY_RESPONDERS, /* the other one */
};

enum replay_fate {
	REPLAY_PASSED,  /* at once; or it came in */
	REPLAY_DELAYED, /* left later */
	REPLAY_DROPPED, /* at a bound, or past a plain limit */
	REPLAY_FORGED,  /* by anti-spoof */
	REPLAY_TRANSIT, /* not judged: neither end is guarded, or a rule
			 * accepts or drops it */
};

/* Told when the fate is known: a delayed packet when it leaves.  Times are
 * nanoseconds since the first packet, clamped so that they never run back. */
struct replay_event {
	struct flow_key flow; /* as its guarded end sees it; zeroed for
			       * REPLAY_FORGED and REPLAY_TRANSIT */
	struct packet_ends ends;
	uint64_t arrived_ns, left_ns; /* equal unless it was delayed */
	uint32_t wire_pkts;
	uint32_t replies;  /* in: what it counted for (evidence) */
	uint8_t direction; /* enum flow_direction */
	uint8_t kind;      /* enum packet_kind */
	uint8_t fate;      /* enum replay_fate */
	uint8_t by;        /* delayed, dropped: enum pump_by; PUMP_BYS: a
			    * plain limit of its kind */
	bool again;        /* both ends are guarded: the packet once more, as
			    * it comes in for its receiver */
};

/* The two are called in the order in which things happen, each for itself:
 * `packet` may lag behind `captured` by some packets beyond the delay. */
struct replay_observer {
	void *self;
	void (*packet)(void *self, const struct replay_event *event);
	/* As it was captured, when nobody knows yet what becomes of it: fate,
	 * by, left_ns and replies are 0.  Not for what is forged or in transit.
	 * May be NULL. */
	void (*captured)(void *self, const struct replay_event *event);
	/* Counts only: `packet` may leave out what passed at once, and `flow`
	 * be anything in `captured`.  Where all observers say so, a packet
	 * costs a tenth less. */
	bool counts_only;
};

struct replay_config {
	const struct policy *policy; /* its mode decides: enforce, as a rule */
	enum replay_guarded guarded;
	bool arrives_inside; /* every packet came in on the guarded interface:
			      * anti-spoof applies */
	bool exact;          /* no bounds, exact windows: for comparison with
			      * a model */
	const struct replay_observer *observers;
	size_t observers_count;
};

/* Why packets were not judged; the parser's own reasons are beside these. */
enum { REPLAY_LINK_TYPES_MAX = 16 };
struct replay_counts {
	uint64_t packets;   /* in the file */
	uint64_t parsed;    /* judged */
	uint64_t imperfect; /* among these: with errors, by their pair */
	uint64_t errors[PACKET_ERRORS]; /* the parser's reasons */
	uint64_t not_ip, bad_link;
	struct {
		uint32_t link_type;
		uint64_t packets;
	} unknown_links[REPLAY_LINK_TYPES_MAX];
	size_t unknown_links_count;
	uint64_t unknown_link_pkts; /* of all unknown types */
	uint64_t time_ran_back;
	uint64_t first_ns; /* of the first packet, since 1970 */
	uint64_t last_ns;  /* of the latest */
	uint64_t rule_accepted, rule_dropped; /* by the policy's rules */
	uint64_t unjudged;                    /* for want of memory */
	uint64_t forgotten; /* pairs of which it was forgotten who began */
};

/* NULL: out of memory. */
struct replay *replay_new(const struct replay_config *config);
void replay_free(struct replay *replay);

/* One frame, as capture_next gave it. */
struct capture_packet;
void replay_packet(struct replay *replay, const struct capture_packet *packet);

/* The same, already parsed. */
struct frame;
void replay_frame(struct replay *replay, const struct frame *frame);

/* The file has ended: the clock runs on until all that waits has left. */
void replay_finish(struct replay *replay);

/* Borrowed; complete after replay_finish. */
const struct replay_counts *replay_counts(const struct replay *replay);
const struct stats *replay_stats(const struct replay *replay);

/* Only one direction was seen for some time: nothing was held meanwhile,
 * unless the policy's force_one_sided. */
bool replay_was_one_sided(const struct replay *replay);

#endif
