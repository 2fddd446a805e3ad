/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/window.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/flowtable.h"
#include "shaper/asym.h"

enum {
	JOIN_SHARE = 56,      /* a full window's runs collect for W/56 */
	SMALL_JOIN_SHARE = 4, /* the small kind's last run for W/4 */
	SMALL_EXACT_RUNS = 3,
	COUNT_BITS = 20,
	COUNT_MAX = (1 << COUNT_BITS) - 1,
	TICK_SHIFT = 12, /* 4.096 us; 24 bits of them are 68 s, and W at most
			  * 60 s */
};

/* ------ exact */

static uint32_t room_of(const struct window *window)
{
	return window->more ? window->more_count : WINDOW_RUNS;
}

static struct window_run *run_at(struct window *window, unsigned int i)
{
	if (window->more)
		return &window->more[(window->head + i) &
				     (window->more_count - 1)];
	return &window->runs[(window->head + i) % WINDOW_RUNS];
}

void window_slide(struct window *window, uint64_t window_ns, uint64_t now_ns)
{
	while (window->count > 0) {
		const struct window_run *oldest = run_at(window, 0);

		if (oldest->start_ns + window_ns > now_ns)
			break;
		window->sent_pkts -= oldest->sent_pkts;
		window->heard_pkts -= oldest->heard_pkts;
		window->plain_pkts -= oldest->plain_pkts;
		window->head = (window->head + 1) & (room_of(window) - 1);
		window->count--;
	}
}

void window_clear(struct window *window)
{
	bool grows = window->grows;

	free(window->more);
	memset(window, 0, sizeof(*window));
	window->grows = grows;
}

/* Twice the room.  false: out of memory. */
static bool enlarge(struct window *window)
{
	uint32_t count = room_of(window) * 2;
	struct window_run *more = malloc(count * sizeof(*more));

	if (!more)
		return false;
	for (uint32_t i = 0; i < window->count; i++)
		more[i] = *run_at(window, i);
	free(window->more);
	window->more = more;
	window->more_count = count;
	window->head = 0;
	return true;
}

/* What run i counts, run i + 1 counts as well. */
static void give_to_next(struct window *window, unsigned int i)
{
	const struct window_run *run = run_at(window, i);
	struct window_run *next = run_at(window, i + 1);

	next->sent_pkts += run->sent_pkts;
	next->heard_pkts += run->heard_pkts;
	next->plain_pkts += run->plain_pkts;
}

/* How much older than the start of run i+1 is the oldest packet of run i? */
static uint64_t joined_span(struct window *window, unsigned int i)
{
	uint64_t gap_ns =
		run_at(window, i + 1)->start_ns - run_at(window, i)->start_ns;

	return (gap_ns >> WINDOW_SPAN_SHIFT) + run_at(window, i)->span;
}

/*
 * Make room: two neighbours become one.  Gaps and spans of 64 runs each sum up
 * to at most W, so the least sum of both is at most 2 W/63; gaps alone would
 * not do, since the same run could be joined to its neighbour over and over.
 */
static void join_nearest(struct window *window)
{
	uint64_t nearest = UINT64_MAX;
	unsigned int at = 0;

	for (unsigned int i = 0; i + 1 < window->count; i++) {
		uint64_t span = joined_span(window, i);

		if (span < nearest) {
			nearest = span;
			at = i;
		}
	}
	if (nearest > run_at(window, at + 1)->span)
		run_at(window, at + 1)->span = (uint32_t)nearest;
	give_to_next(window, at);
	for (unsigned int i = at; i > 0; i--)
		*run_at(window, i) = *run_at(window, i - 1);
	window->head = (window->head + 1) % WINDOW_RUNS;
	window->count--;
}

/* The oldest is remembered as the one after it. */
static void join_oldest(struct window *window)
{
	give_to_next(window, 0);
	window->head = (window->head + 1) & (room_of(window) - 1);
	window->count--;
}

static void make_room(struct window *window)
{
	if (window->count < room_of(window))
		return;
	if (!window->grows)
		join_nearest(window);
	else if (!enlarge(window))
		join_oldest(window);
}

static bool joins(const struct window *window, const struct window_run *newest,
		  uint64_t window_ns, uint64_t now_ns)
{
	uint64_t age_ns = now_ns - newest->start_ns;

	return age_ns == 0 || (window->count == WINDOW_RUNS && !window->grows &&
			       age_ns < window_ns / JOIN_SHARE);
}

static void add(struct window *window, uint64_t window_ns,
		const struct window_run *more)
{
	struct window_run *newest;

	window_slide(window, window_ns, more->start_ns);
	window->sent_pkts += more->sent_pkts;
	window->heard_pkts += more->heard_pkts;
	window->plain_pkts += more->plain_pkts;

	newest = window->count ? run_at(window, window->count - 1u) : NULL;
	if (newest && joins(window, newest, window_ns, more->start_ns)) {
		newest->sent_pkts += more->sent_pkts;
		newest->heard_pkts += more->heard_pkts;
		newest->plain_pkts += more->plain_pkts;
		return;
	}
	make_room(window);
	*run_at(window, window->count) = *more;
	window->count++;
}

void window_add(struct window *window, uint64_t window_ns, uint32_t sent_pkts,
		uint32_t heard_pkts, uint64_t now_ns)
{
	const struct window_run more = {
		.start_ns = now_ns,
		.sent_pkts = sent_pkts,
		.heard_pkts = heard_pkts,
		.plain_pkts = heard_pkts,
	};

	add(window, window_ns, &more);
}

void window_hear(struct window *window, uint64_t window_ns, uint32_t heard_pkts,
		 uint32_t plain_pkts, uint64_t now_ns)
{
	const struct window_run more = {
		.start_ns = now_ns,
		.heard_pkts = heard_pkts,
		.plain_pkts = plain_pkts,
	};

	add(window, window_ns, &more);
}

uint64_t window_falls_ns(const struct window *window, uint64_t window_ns,
			 uint32_t ratio_q16, uint64_t now_ns)
{
	uint32_t sent = window->sent_pkts;
	uint32_t heard = window->heard_pkts;
	uint64_t when_ns = now_ns;

	for (unsigned int i = 0; i < window->count; i++) {
		const struct window_run *run = window_run(window, i);

		if (!asym_exceeds(sent, heard, ratio_q16))
			break;
		sent -= run->sent_pkts;
		heard -= run->heard_pkts;
		when_ns = run->start_ns + window_ns;
	}
	return when_ns;
}

/* ------ small: a run is ticks since base_ns, sent, heard, in 24 + 20 + 20
 * bits; runs that are not in use are 0, and come last */

static uint64_t pack(uint64_t ticks, uint64_t sent, uint64_t heard)
{
	if (sent > COUNT_MAX)
		sent = COUNT_MAX;
	if (heard > COUNT_MAX)
		heard = COUNT_MAX;
	return ticks << (2 * COUNT_BITS) | sent << COUNT_BITS | heard;
}

static uint64_t run_ticks(uint64_t run)
{
	return run >> (2 * COUNT_BITS);
}

static uint32_t run_sent(uint64_t run)
{
	return (uint32_t)(run >> COUNT_BITS) & COUNT_MAX;
}

static uint32_t run_heard(uint64_t run)
{
	return (uint32_t)run & COUNT_MAX;
}

static bool run_is_used(uint64_t run)
{
	return run != 0;
}

/* Let base_ns be the time of the oldest run, after some were taken away. */
static void rebase(struct flow_entry *entry)
{
	uint64_t ticks = run_ticks(entry->runs[0]);

	if (ticks == 0)
		return;
	entry->base_ns += ticks << TICK_SHIFT;
	for (int i = 0; i < FLOWTABLE_RUNS; i++)
		if (run_is_used(entry->runs[i]))
			entry->runs[i] -= ticks << (2 * COUNT_BITS);
}

void window_small_slide(struct flow_entry *entry, uint64_t window_ns,
			uint64_t now_ns)
{
	while (run_is_used(entry->runs[0]) &&
	       entry->base_ns + window_ns <= now_ns) {
		for (int i = 0; i + 1 < FLOWTABLE_RUNS; i++)
			entry->runs[i] = entry->runs[i + 1];
		entry->runs[FLOWTABLE_RUNS - 1] = 0;
		rebase(entry);
	}
}

static uint64_t run_add(uint64_t run, uint32_t sent, uint32_t heard)
{
	uint64_t all_sent = (uint64_t)run_sent(run) + sent;
	uint64_t all_heard = (uint64_t)run_heard(run) + heard;

	if (all_sent <= COUNT_MAX && all_heard <= COUNT_MAX)
		return run + ((uint64_t)sent << COUNT_BITS | heard);
	return pack(run_ticks(run), all_sent, all_heard);
}

static void push_run(struct flow_entry *entry, int count, uint64_t run)
{
	uint64_t *runs = entry->runs;
	uint64_t before = run_ticks(runs[0]);

	if (count < FLOWTABLE_RUNS) {
		runs[count] = run;
		return;
	}
	runs[0] = run_add(runs[1], run_sent(runs[0]), run_heard(runs[0]));
	for (int i = 1; i + 1 < FLOWTABLE_RUNS; i++)
		runs[i] = runs[i + 1];
	runs[FLOWTABLE_RUNS - 1] = run;
	if (run_ticks(runs[0]) != before)
		rebase(entry);
}

void window_small_add(struct flow_entry *entry, uint64_t window_ns,
		      uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns)
{
	uint64_t *runs = entry->runs;
	uint64_t ticks, age;
	int count = 0;

	if (entry->base_ns + window_ns <= now_ns)
		window_small_slide(entry, window_ns, now_ns);
	/* An answer that does not count: a run of nothing would be 0 as soon
	 * as it is the oldest, as if no more came after it. */
	if (sent_pkts == 0 && heard_pkts == 0)
		return;
	for (int i = 0; i < FLOWTABLE_RUNS; i++)
		count += run_is_used(runs[i]);
	if (count == 0) {
		entry->base_ns = now_ns;
		runs[0] = pack(0, sent_pkts, heard_pkts);
		return;
	}
	ticks = (now_ns - entry->base_ns) >> TICK_SHIFT;
	age = ticks - run_ticks(runs[count - 1]);
	if (age == 0 || (count >= SMALL_EXACT_RUNS &&
			 age << TICK_SHIFT < window_ns / SMALL_JOIN_SHARE)) {
		runs[count - 1] =
			run_add(runs[count - 1], sent_pkts, heard_pkts);
		return;
	}
	push_run(entry, count, pack(ticks, sent_pkts, heard_pkts));
}

void window_small_sums(const struct flow_entry *entry, uint32_t *ret_sent_pkts,
		       uint32_t *ret_heard_pkts)
{
	uint32_t sent = 0, heard = 0;

	for (int i = 0; i < FLOWTABLE_RUNS; i++) {
		sent += run_sent(entry->runs[i]);
		heard += run_heard(entry->runs[i]);
	}
	*ret_sent_pkts = sent;
	*ret_heard_pkts = heard;
}

uint64_t window_small_newest_ns(const struct flow_entry *entry)
{
	for (int i = FLOWTABLE_RUNS - 1; i >= 0; i--)
		if (run_is_used(entry->runs[i]))
			return entry->base_ns +
			       (run_ticks(entry->runs[i]) << TICK_SHIFT);
	return 0;
}

void window_grow(struct window *window, struct flow_entry *entry,
		 uint64_t window_ns)
{
	memset(window, 0, sizeof(*window));
	for (int i = 0; i < FLOWTABLE_RUNS; i++) {
		uint64_t run = entry->runs[i];

		if (run_is_used(run))
			window_add(window, window_ns, run_sent(run),
				   run_heard(run),
				   entry->base_ns +
					   (run_ticks(run) << TICK_SHIFT));
		entry->runs[i] = 0;
	}
}

void window_shrink(struct flow_entry *entry, struct window *window,
		   uint64_t window_ns)
{
	memset(entry->runs, 0, sizeof(entry->runs));
	for (unsigned int i = 0; i < window->count; i++) {
		const struct window_run *run = window_run(window, i);

		window_small_add(entry, window_ns, run->sent_pkts,
				 run->heard_pkts, run->start_ns);
	}
	window_clear(window);
}
