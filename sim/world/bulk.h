/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_BULK_H
#define SIM_WORLD_BULK_H

/*
 * The inside of a transfer that is acknowledged, for the bulk*.c files only:
 * TCP, or the same over UDP as QUIC does it.  Segments are numbered from 0.
 *
 *	bulk.c           opening, pieces and pauses
 *	bulk_send.c      the guarded end: window, losses, time-outs
 *	bulk_receive.c   the far end: what came, when to acknowledge it
 */

#include "sim/world/congestion.h"
#include "sim/world/rtt.h"
#include "sim/world/world_state.h"

enum { BULK_SEGMENTS = SCENARIO_WINDOW_PKTS_MAX }; /* a power of two */

enum bulk_timer {
	BULK_TIMER_OPEN,    /* the first packet again */
	BULK_TIMER_TIMEOUT, /* nothing was acknowledged for long */
	BULK_TIMER_PIECE,   /* the pause is over */
	BULK_TIMER_ACK,     /* the far end has waited long enough */
	BULK_TIMER_THIN,    /* the path, too */
	BULK_TIMERS
};

struct bulk_segment {
	uint64_t order; /* of its last transmission */
	bool acked, lost;
};

struct bulk {
	/* the guarded end */
	bool opened;
	uint64_t first_unacked, next, end; /* end: there is no more */
	struct bulk_segment segments[BULK_SEGMENTS];
	uint64_t orders;         /* transmissions so far */
	uint64_t latest_acked;   /* order + 1 of the latest that came */
	uint64_t recovers_until; /* order: one loss event until then */
	uint32_t under_way, lost, acked_ahead;
	struct congestion congestion;
	struct rtt rtt;
	uint32_t open_tries;
	uint64_t busy_since_ns;

	/* the far end */
	uint64_t expected; /* all before it came */
	uint64_t highest;  /* past the last that came */
	bool came[BULK_SEGMENTS];
	uint64_t received;
	uint32_t unanswered;
	uint64_t echo_ns, latest;
	struct parcel thinned; /* the newest ACK that the path keeps back */
	uint32_t thinned_count;
};

uint8_t bulk_proto(const struct scenario_sender *sender);
uint32_t bulk_payload_bytes(const struct agent *agent);

/* --- bulk_send.c */
void bulk_fill(struct agent *agent);
void bulk_acked(struct agent *agent, const struct parcel *ack);
void bulk_timed_out(struct agent *agent);

/* --- bulk_receive.c */
void bulk_received(struct agent *agent, const struct parcel *data);
void bulk_answer(struct agent *agent);
void bulk_unthin(struct agent *agent);

/* --- bulk.c: all of a piece was acknowledged */
void bulk_piece_ends(struct agent *agent);

#endif
