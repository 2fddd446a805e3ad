/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "sim/judge_targets.h"
#include "sim/page.h"
#include "sim/report_series.h"
#include "sim/series.h"
#include "sim/why.h"
#include "sim/words.h"

struct report {
	const struct policy *policy;
	struct page *page;
	struct series_sums sums;
	uint64_t packets;
	size_t captures, damaged, one_sided;
	char first_file[256];
	struct series_key worst; /* of all captures */
	bool has_worst;
};

struct report *report_new(const struct policy *policy)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->policy = policy;
	report->page = page_new("Whom symtap would have held",
				"Captured traffic, replayed through the code "
				"that runs live");
	if (report->page)
		return report;
	free(report);
	return NULL;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	page_free(report->page);
	free(report);
}

/* ------ a capture */

static uint64_t held(const struct series_sums *sums)
{
	return sums->delayed_pkts + sums->dropped_pkts;
}

static void add_sums(struct series_sums *total, const struct series_sums *more)
{
	total->offered_pkts += more->offered_pkts;
	total->let_out_pkts += more->let_out_pkts;
	total->heard_pkts += more->heard_pkts;
	total->delayed_pkts += more->delayed_pkts;
	total->dropped_pkts += more->dropped_pkts;
	total->forged_pkts += more->forged_pkts;
	total->delay_ns += more->delay_ns;
	if (more->delay_max_ns > total->delay_max_ns)
		total->delay_max_ns = more->delay_max_ns;
	for (int by = 0; by <= PUMP_BYS; by++)
		total->by_pkts[by] += more->by_pkts[by];
}

static void describe(const struct report_capture *capture,
		     const struct series_sums *sums, struct words *words)
{
	words_add(words,
		  "%" PRIu64 " packets%s%s; %" PRIu64 " outgoing, %" PRIu64
		  " incoming.",
		  capture->counts->packets, capture->guarded ? ", " : "",
		  capture->guarded ? capture->guarded : "", sums->offered_pkts,
		  sums->heard_pkts);
	if (series_cut_ns(capture->series))
		words_add(words,
			  " Silences of more than a minute are cut out of the "
			  "charts: %.0f s in all.",
			  (double)series_cut_ns(capture->series) / 1e9);
	if (series_forgotten(capture->series))
		words_add(words,
			  " There were more pairs than can be drawn; %" PRIu64
			  " of those that were never over their threshold "
			  "were forgotten.",
			  series_forgotten(capture->series));
	if (capture->one_sided)
		words_add(words, " Only one direction was seen for some time; "
				 "nothing was held meanwhile.");
	if (capture->problem)
		words_add(words, " Read up to the damage: %s.",
			  capture->problem);
}

void report_add(struct report *report, const struct report_capture *capture)
{
	struct series_key worst[REPORT_KEYS_MAX], total;
	size_t count = series_worst(capture->series, worst, REPORT_KEYS_MAX);
	struct words words = { 0 };

	series_total(capture->series, &total);
	add_sums(&report->sums, &total.sums);
	report->packets += capture->counts->packets;
	report->damaged += capture->problem != NULL;
	report->one_sided += capture->one_sided;
	if (report->captures++ == 0)
		snprintf(report->first_file, sizeof(report->first_file), "%s",
			 capture->file);
	if (count && held(&worst[0].sums) > 0 &&
	    (!report->has_worst ||
	     held(&worst[0].sums) > held(&report->worst.sums))) {
		report->worst = worst[0];
		report->has_worst = true;
	}
	if (report->captures > REPORT_CAPTURES_MAX)
		return;
	describe(capture, &total.sums, &words);
	page_add_section(report->page, capture->file, words.text);
	report_draw(report->page, capture->series, worst, count,
		    report->policy);
}

/* ------ the verdict */

/* Milliseconds up to ten seconds. */
static void print_delay(uint64_t delay_ns, char *ret_text, size_t size)
{
	double delay_ms = (double)delay_ns / 1e6;

	if (delay_ms < 10000)
		snprintf(ret_text, size, "%.1f ms", delay_ms);
	else
		snprintf(ret_text, size, "%.1f s", delay_ms / 1000);
}

static void add_facts(struct report *report)
{
	const struct series_sums *sums = &report->sums;
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64, sums->offered_pkts);
	page_add_fact(report->page, "Outgoing packets", text);
	snprintf(text, sizeof(text), "%" PRIu64 " (%.2f %%)",
		 sums->delayed_pkts,
		 sums->offered_pkts ? 100.0 * (double)sums->delayed_pkts /
					      (double)sums->offered_pkts
				    : 0.0);
	page_add_fact(report->page, "Delayed", text);
	snprintf(text, sizeof(text), "%" PRIu64, sums->dropped_pkts);
	page_add_fact(report->page, "Dropped", text);
	print_delay(sums->delay_max_ns, text, sizeof(text));
	page_add_fact(report->page, "Longest delay", text);
}

/* What S had no part in. */
static void add_guards(struct words *words, const struct series_sums *sums)
{
	uint64_t contacts = sums->by_pkts[PUMP_BY_CONTACTS];
	uint64_t connections = sums->by_pkts[PUMP_BY_CONNECTIONS];

	if (contacts)
		words_add(words,
			  " %" PRIu64 " of these tried new hosts faster than "
			  "the pace of first contacts allows.",
			  contacts);
	if (connections)
		words_add(words,
			  " %" PRIu64 " of these opened new connections faster "
			  "than their pace allows.",
			  connections);
}

static void add_worst(struct words *words, const struct report *report)
{
	const struct series_key *worst = &report->worst;
	const struct why why = {
		.by = why_most(worst->sums.by_pkts),
		.s_max = (double)worst->s_max,
		.threshold = (double)worst->threshold,
		.window_ns = report->policy->params[0].window_ns,
		.out_pkts = worst->sums.offered_pkts,
		.in_pkts = worst->sums.heard_pkts,
	};
	char key[JUDGE_KEY_SIZE];

	judge_print_key(&worst->key, key);
	words_add(words,
		  " Most were held of %s, %" PRIu64 " of its %" PRIu64
		  " packets: ",
		  key, held(&worst->sums), worst->sums.offered_pkts);
	why_add(words, &why, report->policy);
	words_add(words, "; %" PRIu64 " packets came back.",
		  worst->sums.heard_pkts);
}

static void set_verdict(struct report *report)
{
	const struct series_sums *sums = &report->sums;
	struct words words = { 0 };
	char delay[32];

	print_delay(sums->delay_max_ns, delay, sizeof(delay));

	if (report->captures == 1)
		words_add(&words, "In this capture, ");
	else
		words_add(&words, "In these %zu captures, ", report->captures);
	if (sums->offered_pkts + sums->forged_pkts == 0)
		words_add(&words,
			  "no packet of a guarded host was seen. --inside says "
			  "which hosts those are.");
	else if (held(sums) + sums->forged_pkts == 0)
		words_add(&words,
			  "nothing would have been held: all %" PRIu64
			  " outgoing packets would have left at once.",
			  sums->offered_pkts);
	else
		words_add(&words,
			  "symtap would have let out %.2f %% of %" PRIu64
			  " outgoing packets at once, delayed %" PRIu64
			  " (none by more than %s) and dropped %" PRIu64 ".",
			  sums->offered_pkts
				  ? 100.0 *
					    (double)(sums->offered_pkts -
						     held(sums)) /
					    (double)sums->offered_pkts
				  : 0.0,
			  sums->offered_pkts, sums->delayed_pkts, delay,
			  sums->dropped_pkts);
	if (sums->forged_pkts)
		words_add(&words,
			  " %" PRIu64
			  " packets came from forged sources and went "
			  "nowhere.",
			  sums->forged_pkts);
	add_guards(&words, sums);
	if (report->has_worst)
		add_worst(&words, report);
	if (report->damaged)
		words_add(&words,
			  " %zu of the captures %s damaged and judged up to "
			  "there.",
			  report->damaged, report->damaged == 1 ? "is" : "are");
	if (report->captures > REPORT_CAPTURES_MAX)
		words_add(&words, " Charts are drawn of the first %d.",
			  (int)REPORT_CAPTURES_MAX);
	page_set_verdict(report->page,
			 held(sums) + sums->forged_pkts || !sums->offered_pkts
				 ? PAGE_PLAIN
				 : PAGE_GOOD,
			 words.text);
}

bool report_write(struct report *report, const char *path)
{
	set_verdict(report);
	add_facts(report);
	report_add_policy(report->page, report->policy);
	return page_write_file(report->page, path);
}
