/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_PEAK_H
#define SIM_PEAK_H

/*
 * The largest S of one key, over an exact sliding window of what was captured.
 * A window starts with two runs (a time, and how many packets went each way
 * then) and grows as needed, up to PEAK_RUNS_MAX or what `budget` has left;
 * beyond, packets join a run begun less than twice the window by its number of
 * runs before, and so are forgotten that much early.
 */

#include <stdbool.h>
#include <stdint.h>

enum { PEAK_RUNS_OWN = 2, PEAK_RUNS_MAX = 4096 };

struct peak_run {
	uint64_t start_ns;
	uint32_t sent_pkts, heard_pkts;
};

/* Runs that all peaks together may still take. */
struct peak_budget {
	uint64_t runs;
	bool unlimited; /* exact, whatever it takes */
};

struct peak {                                     /* all-zero: nothing yet */
	uint32_t sent_pkts, heard_pkts;           /* in the window */
	uint32_t most_sent_pkts, most_heard_pkts; /* ... when S was largest */
	uint32_t head, count, capacity;           /* of `more`; 0: of `own` */
	bool coarse;                              /* it could not grow */
	struct peak_run own[PEAK_RUNS_OWN];
	struct peak_run *more;
};

/* Count packets captured at now_ns, which never runs back. */
void peak_add(struct peak *peak, struct peak_budget *budget, uint64_t window_ns,
	      uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns);

/* Give its memory back; what was largest stays. */
void peak_fini(struct peak *peak, struct peak_budget *budget);

#endif
