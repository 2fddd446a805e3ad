/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_SNAPSHOT_H
#define SHAPER_SNAPSHOT_H

/*
 * Copies for readers: what one key looks like now, and bounded steps over all
 * of them.  A reader on another thread asks the pump's own thread to take
 * these steps between two batches.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/stats.h"

struct pump;

struct snapshot_row {
	struct flow_key key;
	uint32_t offered_pkts;  /* out, in the window, also what waits or was
				 * refused */
	uint32_t sent_pkts;     /* out and let go, in the window */
	uint32_t heard_pkts;    /* in, in the window */
	uint32_t replies;       /* what those count for: with sent_pkts, what
				 * decides */
	uint32_t held_pkts;     /* waiting now */
	uint32_t releases;      /* n: releases over the threshold in a row */
	uint64_t armed_ns;      /* when the next one leaves; 0: not armed */
	uint64_t delay_ns;      /* length of that delay */
	uint64_t held_since_ns; /* oldest that waits came then; 0: none */
	uint64_t over_since_ns; /* over the threshold since; 0: it is not */
	uint64_t window_ns;
	uint32_t ratio_q16; /* its threshold, as in gate_params */

	/* since it came near its threshold */
	uint32_t icmp_errors;     /* that complained of it */
	uint32_t refused_rst;     /* in, no consent: resets, ... */
	uint32_t refused_syn_ack; /* ... handshakes not completed */

	/* flow, pair: what the pair may send over its threshold */
	uint32_t patience_pkts, patience_max_pkts; /* of its first second */
	uint32_t earned_pkts;
	bool stream;         /* as one that has begun: CREDIT_STREAM_* */
	uint32_t floor_pkts; /* so few in a window are not held ... */
	bool below_floor;    /* ... and there are fewer now */

	uint8_t by;          /* what its head waits for: enum pump_by; PUMP_BYS:
			      * nothing waits */
	uint32_t pace_per_s; /* of that guard, or of its own; 0: none */
	uint32_t before;     /* by a guard: at most so many in line before it */
	uint32_t line;       /* in line at its own guard, at most */
	uint32_t paced;      /* by its own guard, counted in the last second */

	uint32_t held_slots;       /* of a guest's ring, by what waits */
	uint64_t rate_bytes_per_s; /* by its host's rate, or of its own: 0: */
	uint32_t rate_pkts_per_s;  /* ... any */
	bool rate_line;            /* host: somebody waits for its rate */

	uint32_t host; /* a number that a host and its pairs and flows share */
	bool leased;   /* its pair is counted elsewhere (pump_lease.h), and what
			* is counted there is not in here */
	bool over;     /* by what decides */
	bool exempt;
	bool enforced; /* may hold packets */
};

struct snapshot_query {
	uint8_t scopes;  /* bit (1 << enum flow_scope) */
	bool by_address; /* only keys with `address` at either end */
	uint8_t address[16];
	bool only_over; /* only keys over their threshold, held, or at whose
			 * guard others wait */
	bool leased;    /* also keys of which nothing was counted here, when
			 * they, or pairs of that host, may be leased */
};

/* Where the next step goes on; all-zero is the beginning. */
struct snapshot_cursor {
	uint32_t position;
	uint8_t scope;
	bool ended;
};

/*
 * Look at up to `steps` table places from `cursor` and copy those that match,
 * at most `max`.  Returns how many; cursor->ended when all was seen.  A key
 * that moves meanwhile may be seen twice or not at all.
 */
size_t snapshot_rows(struct pump *pump, const struct snapshot_query *query,
		     struct snapshot_cursor *cursor, size_t steps,
		     struct snapshot_row *ret_rows, size_t max,
		     uint64_t now_ns);

/*
 * The same over what is near its threshold, hosts included: they are few, and
 * all that waits is among them.
 */
size_t snapshot_suspects(struct pump *pump, struct snapshot_cursor *cursor,
			 size_t steps, struct snapshot_row *ret_rows,
			 size_t max, uint64_t now_ns);

struct snapshot_totals {
	struct stats stats;
	uint32_t pairs, flows, hosts, suspects; /* in use */
	uint32_t pairs_max, flows_max, hosts_max, suspects_max;
	uint32_t held_pkts;
	uint64_t held_bytes;
	uint32_t held_slots;    /* of guests' rings */
	uint32_t penalties;     /* keys over their threshold, now */
	uint32_t one_sided_pct; /* of what went out lately, what nothing
				 * came in for */
	bool one_sided;         /* we see one direction only: nothing is
				 * held, unless forced */
	uint32_t hosts_places;  /* above every snapshot_row.host */
	uint64_t memory_bytes;  /* reserved by pump_new */
};

void snapshot_totals(const struct pump *pump, struct snapshot_totals *ret);

#endif
