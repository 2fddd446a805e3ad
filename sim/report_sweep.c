/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/report_sweep.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policy/units.h"
#include "sim/page.h"
#include "sim/report.h"
#include "sim/sweep.h"
#include "sim/words.h"

/* As given: NULL. */
static void add_points(struct page_chart *chart, const struct sweep *sweep,
		       const struct sweep_consent *consent)
{
	for (size_t i = 0; i < sweep->count; i++) {
		const struct sweep_point *point = &sweep->points[i];
		char name[SWEEP_NAME_SIZE];

		if (consent ? point->as_given ||
				      !sweep_consent_equal(&point->consent,
							   consent)
			    : !point->as_given)
			continue;
		sweep_name(point, name);
		page_chart_add_point(chart, point->let_out_pct, point->late_pct,
				     name);
	}
}

static void draw(struct page *page, const struct sweep *sweep)
{
	const struct page_axis x = { "attack packets let out (%)", false, NAN,
				     NAN };
	const struct page_axis y = { "good packets late or dropped (%)", false,
				     NAN, NAN };
	struct page_chart *chart;
	char name[SWEEP_CONSENT_SIZE], role[2] = "0";

	page_add_section(page,
			 "Good packets late against attack packets let "
			 "out",
			 "Each point is one combination of settings over all "
			 "captures; left and low is better.");
	chart = page_add_chart(
		page, PAGE_SCATTER, "The trade-off",
		"Attacks: floods and scans of targets that do not "
		"answer",
		&x, &y);
	page_chart_set_wide(chart);
	page_chart_add_line(chart, "as given", "dropped");
	add_points(chart, sweep, NULL);
	for (int i = 0; i < SWEEP_CONSENTS; i++) {
		sweep_consent_name(&sweep_consents[i], name);
		role[0] = (char)('0' + i);
		page_chart_add_line(chart, name, role);
		add_points(chart, sweep, &sweep_consents[i]);
	}
}

static void add_table(struct page *page, const struct sweep *sweep)
{
	static const char *const columns[] = {
		"settings",
		"good late (%)",
		"good pairs late (%)",
		"good dropped",
		"worst conversation (ms)",
		"attack let out (%)",
		"worst first second (packets)",
		"worst later second (packets)",
		"",
		NULL,
	};
	struct page_table *table =
		page_add_table(page, "Every combination", columns);

	for (size_t i = 0; i < sweep->count; i++) {
		const struct sweep_point *point = &sweep->points[i];
		char name[SWEEP_NAME_SIZE];

		sweep_name(point, name);
		page_table_add_row(table);
		page_table_add_text(table, name);
		page_table_add_number(table, point->late_pct);
		page_table_add_number(table, point->late_pairs_pct);
		page_table_add_number(table, (double)point->good.dropped_pkts);
		page_table_add_number(table,
				      (double)point->good.worst_ns / 1e6);
		page_table_add_number(table, point->let_out_pct);
		page_table_add_number(table, point->attack.first_second.pkts);
		page_table_add_number(table, point->attack.later_second.pkts);
		page_table_add_text(table,
				    point->bettered ? "" : "none is better");
	}
}

static void set_verdict(struct page *page, const struct sweep *sweep)
{
	const struct sweep_point *given = &sweep->points[0];
	struct words words = { 0 };
	size_t best = 0;

	for (size_t i = 0; i < sweep->count; i++)
		best += !sweep->points[i].bettered;
	words_add(&words,
		  "As given, %.2f %% of the good packets come late and %.2f %% "
		  "of the attack packets get out. ",
		  given->late_pct, given->let_out_pct);
	if (given->bettered)
		words_add(&words,
			  "Some of the %zu combinations are better in both; "
			  "%zu are not bettered by any other.",
			  sweep->count, best);
	else
		words_add(&words,
			  "None of the %zu combinations is better in both; %zu "
			  "of them trade one for the other.",
			  sweep->count, best);
	if (sweep->unreadable)
		words_add(&words, " Some captures could not be read to their "
				  "end.");
	page_set_verdict(page, PAGE_PLAIN, words.text);
}

bool report_sweep(const struct sweep *sweep, const struct policy *policy,
		  const char *path)
{
	struct words subtitle = { 0 };
	struct page *page;
	bool good;

	words_add(&subtitle, "%zu captures in %s, judged by %zu settings",
		  sweep->judgement->list.count, sweep->judgement->folder,
		  sweep->count);
	page = page_new("What each setting costs, and what it buys",
			subtitle.text);
	if (!page) {
		fprintf(stderr, "symtap-sim: %s: %s\n", path, strerror(ENOMEM));
		return false;
	}
	set_verdict(page, sweep);
	report_add_policy(page, policy);
	draw(page, sweep);
	add_table(page, sweep);
	good = page_write_file(page, path);
	page_free(page);
	return good;
}
