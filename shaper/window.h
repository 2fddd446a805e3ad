/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_WINDOW_H
#define SHAPER_WINDOW_H

/*
 * Packets in the last window, (now - W, now]: what left at time t counts until
 * just before t + W.
 *
 * Both kinds keep runs: a time, and how many packets were sent and heard then.
 *
 * - `struct window` is for keys near or over their threshold.  64 runs: exact
 *   to the nanosecond as long as packets of one window bear at most 64
 *   different times, which an unanswered key never exceeds by itself.  Past
 *   that, packets join a run begun less than W/56 before (forgotten up to
 *   W/56 early), and when there are 64 already, two neighbours become one at
 *   the later time: those whose oldest packet comes nearest to it (forgotten
 *   up to 2 W/63 late).
 * - `runs` of a flow_entry are for all others: 4 runs in 40 bytes, times to
 *   4.096 us (rounded down).  Three runs are exact; the fourth collects for
 *   W/4 (forgotten up to W/4 early); when all four are in use the two oldest
 *   become one at the later time (forgotten up to 3/4 W late).  A run counts at
 *   most 2^20 - 1 each way, then stays there.
 *
 * - A window that `grows` takes more runs instead, and is exact whatever comes:
 *   for the simulator, where memory may be taken while packets are judged.
 *
 * What was heard may count for more or fewer packets than came (evidence.h):
 * heard_pkts is what it counts for, and decides; the first kind also keeps how
 * many came, for display.
 *
 * Time never runs back here: the caller clamps.
 */

#include <stdbool.h>
#include <stdint.h>

struct flow_entry;

enum { WINDOW_RUNS = 64 };

#define WINDOW_SPAN_SHIFT 6 /* spans are kept in 64 ns */

struct window_run {
	uint64_t start_ns;
	uint32_t sent_pkts, heard_pkts;
	uint32_t plain_pkts; /* heard, whatever they counted for */
	uint32_t span;       /* how much older than its start its oldest
			      * packet is */
};

struct window {                         /* all-zero: empty */
	uint32_t sent_pkts, heard_pkts; /* in all runs */
	uint32_t plain_pkts;
	uint32_t head, count; /* oldest run, how many */
	bool grows;
	uint32_t more_count;     /* a power of two */
	struct window_run *more; /* in the place of `runs`, once they were too
				  * few */
	struct window_run runs[WINDOW_RUNS];
};

void window_slide(struct window *window, uint64_t window_ns, uint64_t now_ns);
void window_add(struct window *window, uint64_t window_ns, uint32_t sent_pkts,
		uint32_t heard_pkts, uint64_t now_ns);

/* `plain_pkts` were heard, and count as `heard_pkts`. */
void window_hear(struct window *window, uint64_t window_ns, uint32_t heard_pkts,
		 uint32_t plain_pkts, uint64_t now_ns);

/*
 * When (sent, heard) first stop exceeding `ratio_q16` if nothing is sent and
 * nothing heard from now on.  Slide first.  now_ns: at once.
 */
uint64_t window_falls_ns(const struct window *window, uint64_t window_ns,
			 uint32_t ratio_q16, uint64_t now_ns);

/* Empty it, and give back what it grew. */
void window_clear(struct window *window);

/* The i-th run, oldest first; i < count. */
static inline const struct window_run *window_run(const struct window *window,
						  unsigned int i)
{
	if (window->more)
		return &window->more[(window->head + i) &
				     (window->more_count - 1)];
	return &window->runs[(window->head + i) % WINDOW_RUNS];
}

/* When its newest run began; 0: it has none. */
static inline uint64_t window_newest_ns(const struct window *window)
{
	return window->count ? window_run(window, window->count - 1u)->start_ns
			     : 0;
}

/* The small kind, in `entry`. */
void window_small_slide(struct flow_entry *entry, uint64_t window_ns,
			uint64_t now_ns);
void window_small_add(struct flow_entry *entry, uint64_t window_ns,
		      uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns);
void window_small_sums(const struct flow_entry *entry, uint32_t *ret_sent_pkts,
		       uint32_t *ret_heard_pkts);

uint64_t window_small_newest_ns(const struct flow_entry *entry);

/* Move what is remembered from one kind to the other; the source is emptied.
 * What came is taken for what it counted for. */
void window_grow(struct window *window, struct flow_entry *entry,
		 uint64_t window_ns);
void window_shrink(struct flow_entry *entry, struct window *window,
		   uint64_t window_ns);

#endif
