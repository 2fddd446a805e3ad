/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

/*
 * --report of `symtap-sim replay`: whom it would have held, and why, as a
 * page.  Give each replay a series_observer, then add it here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "sim/replay.h"

struct page;
struct policy;
struct report;
struct series;

/* Captures with charts of their own; of all others the sums are told. */
enum { REPORT_CAPTURES_MAX = 12, REPORT_KEYS_MAX = 20 };

struct report_capture {
	const char *file;
	const char *guarded; /* "initiators guarded", or NULL */
	const char *problem; /* where it is damaged, or NULL */
	struct series *series;
	const struct replay_counts *counts;
	bool one_sided; /* for some time; then nothing is held */
};

/* NULL: out of memory. */
struct report *report_new(const struct policy *policy);
void report_free(struct report *report);

/* One replay, after replay_finish; nothing of it is kept. */
void report_add(struct report *report, const struct report_capture *capture);

/* After the last one.  false: what is wrong was said on standard error. */
bool report_write(struct report *report, const char *path);

/* The tiles and the full text of what was judged by; for any page. */
void report_add_policy(struct page *page, const struct policy *policy);

#endif
