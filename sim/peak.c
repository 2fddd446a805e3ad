/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/peak.h"

#include <stdlib.h>

static uint32_t capacity_of(const struct peak *peak)
{
	return peak->more ? peak->capacity : PEAK_RUNS_OWN;
}

static struct peak_run *run_at(struct peak *peak, uint32_t i)
{
	struct peak_run *runs = peak->more ? peak->more : peak->own;

	return &runs[(peak->head + i) & (capacity_of(peak) - 1)];
}

void peak_fini(struct peak *peak, struct peak_budget *budget)
{
	if (peak->more) {
		free(peak->more);
		budget->runs += peak->capacity;
	}
	peak->more = NULL;
	peak->capacity = peak->head = peak->count = 0;
	peak->coarse = false;
}

static void slide(struct peak *peak, struct peak_budget *budget,
		  uint64_t window_ns, uint64_t now_ns)
{
	while (peak->count > 0) {
		const struct peak_run *oldest = run_at(peak, 0);

		if (oldest->start_ns + window_ns > now_ns)
			return;
		peak->sent_pkts -= oldest->sent_pkts;
		peak->heard_pkts -= oldest->heard_pkts;
		peak->head = (peak->head + 1) & (capacity_of(peak) - 1);
		peak->count--;
	}
	peak_fini(peak, budget);
}

static bool grow(struct peak *peak, struct peak_budget *budget)
{
	uint32_t capacity = capacity_of(peak) * 2;
	struct peak_run *runs;

	if (!budget->unlimited &&
	    (capacity > PEAK_RUNS_MAX || budget->runs < capacity))
		return false;
	runs = malloc(capacity * sizeof(*runs));
	if (!runs)
		return false;
	for (uint32_t i = 0; i < peak->count; i++)
		runs[i] = *run_at(peak, i);
	free(peak->more);
	budget->runs += peak->capacity;
	budget->runs -= capacity;
	peak->more = runs;
	peak->capacity = capacity;
	peak->head = 0;
	return true;
}

static uint64_t join_ns(const struct peak *peak, uint64_t window_ns)
{
	return 2 * window_ns / capacity_of(peak);
}

/* Halve them, at least: each is begun join_ns or more after the one before. */
static void thin_out(struct peak *peak, uint64_t window_ns)
{
	uint32_t kept = 0;

	for (uint32_t i = 1; i < peak->count; i++) {
		const struct peak_run run = *run_at(peak, i);
		struct peak_run *last = run_at(peak, kept);

		if (run.start_ns - last->start_ns < join_ns(peak, window_ns)) {
			last->sent_pkts += run.sent_pkts;
			last->heard_pkts += run.heard_pkts;
		} else {
			*run_at(peak, ++kept) = run;
		}
	}
	peak->count = kept + 1;
	peak->coarse = true;
}

static void push(struct peak *peak, struct peak_budget *budget,
		 uint64_t window_ns, const struct peak_run *run)
{
	struct peak_run *newest = peak->count ? run_at(peak, peak->count - 1)
					      : NULL;

	if (newest && (newest->start_ns == run->start_ns ||
		       (peak->coarse && run->start_ns - newest->start_ns <
						join_ns(peak, window_ns)))) {
		newest->sent_pkts += run->sent_pkts;
		newest->heard_pkts += run->heard_pkts;
		return;
	}
	if (peak->count == capacity_of(peak) && !grow(peak, budget))
		thin_out(peak, window_ns);
	*run_at(peak, peak->count++) = *run;
}

void peak_add(struct peak *peak, struct peak_budget *budget, uint64_t window_ns,
	      uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns)
{
	const struct peak_run run = { now_ns, sent_pkts, heard_pkts };

	slide(peak, budget, window_ns, now_ns);
	push(peak, budget, window_ns, &run);
	peak->sent_pkts += sent_pkts;
	peak->heard_pkts += heard_pkts;
	if ((peak->sent_pkts + UINT64_C(1)) *
		    (peak->most_heard_pkts + UINT64_C(1)) >
	    (peak->most_sent_pkts + UINT64_C(1)) *
		    (peak->heard_pkts + UINT64_C(1))) {
		peak->most_sent_pkts = peak->sent_pkts;
		peak->most_heard_pkts = peak->heard_pkts;
	}
}
