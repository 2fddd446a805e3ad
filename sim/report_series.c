/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/report_series.h"

#include <math.h>
#include <stdio.h>

#include "policy/policy.h"
#include "sim/judge_targets.h"
#include "sim/page.h"
#include "sim/series.h"
#include "sim/why.h"
#include "sim/words.h"

enum { OVERVIEW_KEYS = 5 };

#define NS_PER_S  1e9
#define NS_PER_MS 1e6

/* What the charts of one replay have in common. */
struct drawing {
	struct page *page;
	size_t bins, carry; /* S stays for so many bins without packets */
	double bin_s;
	struct page_axis time;
};

static struct page_chart *add_chart(struct drawing *drawing, const char *title,
				    const char *note, const char *y_title,
				    bool log, double min, double max)
{
	return page_add_chart(drawing->page, PAGE_LINE, title, note,
			      &drawing->time,
			      &(struct page_axis){ y_title, log, min, max });
}

static double at_s(const struct drawing *drawing, size_t bin)
{
	return (double)bin * drawing->bin_s;
}

/* ------ S */

enum which { OFFERED, LET_OUT };

/* Between two packets S stays what it was, until the window has slid. */
static void add_s(struct drawing *drawing, struct page_chart *chart,
		  const struct series_key *key, enum which which)
{
	float last = 0;
	size_t age = 0;

	for (size_t i = 0; i < drawing->bins; i++) {
		const struct series_bin *bin = &key->bins[i];
		bool busy = bin->offered_pkts || bin->heard_pkts ||
			    bin->let_out_pkts;

		if (busy) {
			last = which == OFFERED ? bin->offered_s
						: bin->let_out_s;
			age = 0;
		} else if (++age > drawing->carry) {
			last = 0;
		}
		page_chart_add_point(chart, at_s(drawing, i),
				     round((double)last * 1000) / 1000, NULL);
	}
}

static void add_threshold(struct drawing *drawing, struct page_chart *chart,
			  double threshold)
{
	char name[32];

	snprintf(name, sizeof(name), "threshold %.3g", threshold);
	page_chart_add_line(chart, name, "limit");
	for (size_t i = 0; i < drawing->bins; i++)
		page_chart_add_point(chart, at_s(drawing, i), threshold, NULL);
}

static void draw_overview(struct drawing *drawing,
			  const struct series_key *worst, size_t count,
			  double threshold)
{
	struct page_chart *chart;
	char name[JUDGE_KEY_SIZE], role[2] = "0";

	if (count == 0)
		return;
	chart = add_chart(drawing, "S of the worst keys over time",
			  "S = log2((sent + 1) / (heard + 1)) in the last "
			  "window, of the packets as they were offered",
			  "S, packets (log2)", false, NAN, 4);
	page_chart_set_wide(chart);
	for (size_t i = 0; i < count && i < OVERVIEW_KEYS; i++) {
		judge_print_key(&worst[i].key, name);
		role[0] = (char)('0' + i);
		page_chart_add_line(chart, name, role);
		add_s(drawing, chart, &worst[i], OFFERED);
	}
	add_threshold(drawing, chart, threshold);
}

/* ------ packets */

enum count { COUNT_OFFERED, COUNT_LET_OUT, COUNT_HEARD };

static void add_rate(struct drawing *drawing, struct page_chart *chart,
		     const struct series_key *key, enum count what)
{
	for (size_t i = 0; i < drawing->bins; i++) {
		const struct series_bin *bin = &key->bins[i];
		uint32_t pkts = what == COUNT_OFFERED   ? bin->offered_pkts
				: what == COUNT_LET_OUT ? bin->let_out_pkts
							: bin->heard_pkts;

		page_chart_add_point(chart, at_s(drawing, i),
				     (double)pkts / drawing->bin_s, NULL);
	}
}

/* What a flood is reduced to cannot be seen beside it on a linear axis. */
static bool needs_log(const struct drawing *drawing,
		      const struct series_key *key)
{
	enum { TIMES = 20 };
	uint32_t offered = 0, let_out = 1;

	for (size_t i = 0; i < drawing->bins; i++) {
		const struct series_bin *bin = &key->bins[i];

		if (bin->offered_pkts > offered)
			offered = bin->offered_pkts;
		if (bin->let_out_pkts > let_out)
			let_out = bin->let_out_pkts;
	}
	return offered / TIMES > let_out;
}

static void draw_rates(struct drawing *drawing, const struct series_key *key)
{
	bool log = needs_log(drawing, key);
	struct page_chart *chart =
		add_chart(drawing, "Offered against let out", NULL,
			  log ? "packets/s (log)" : "packets/s", log,
			  log ? 0.5 / drawing->bin_s : NAN, NAN);

	page_chart_add_line(chart, "offered", "offered");
	page_chart_fill(chart);
	add_rate(drawing, chart, key, COUNT_OFFERED);
	page_chart_add_line(chart, "let out", "out");
	add_rate(drawing, chart, key, COUNT_LET_OUT);
	page_chart_add_line(chart, "heard", "heard");
	add_rate(drawing, chart, key, COUNT_HEARD);
}

static void draw_delays_over_time(struct drawing *drawing,
				  const struct series_key *key)
{
	struct page_chart *chart =
		add_chart(drawing, "Longest delay of the packets that left",
			  "Of the packets that left at that time", "delay (ms)",
			  false, NAN, 10);

	page_chart_add_line(chart, "longest delay", "delayed");
	page_chart_fill(chart);
	for (size_t i = 0; i < drawing->bins; i++)
		page_chart_add_point(
			chart, at_s(drawing, i),
			(double)key->bins[i].delay_max_ns / NS_PER_MS, NULL);
}

/* ------ what held them */

static void draw_gates(struct drawing *drawing, const struct series_key *total)
{
	struct page_chart *chart;
	int shown = 0;

	chart = add_chart(drawing, "Held, by whose gate",
			  "Delayed or dropped; the narrowest gate that was "
			  "closed",
			  "packets/s", false, NAN, 1);
	for (int by = 0; by <= PUMP_BYS; by++) {
		char role[2] = { (char)('0' + shown), 0 };

		if (total->sums.by_pkts[by] == 0 && by != PUMP_BY_PAIR)
			continue;
		page_chart_add_line(chart, judge_gate_name((enum pump_by)by),
				    role);
		page_chart_fill(chart);
		shown++;
		for (size_t i = 0; i < drawing->bins; i++)
			page_chart_add_point(
				chart, at_s(drawing, i),
				(double)total->bins[i].by_pkts[by] /
					drawing->bin_s,
				NULL);
	}
}

static void draw_delays(struct drawing *drawing, const struct series *series,
			const struct series_key *total)
{
	const uint64_t *delays = series_delays(series);
	const struct page_axis x = { "delay", false, NAN, NAN };
	const struct page_axis y = { "outgoing packets (log)", true, 0.5, NAN };
	struct page_chart *chart = page_add_chart(
		drawing->page, PAGE_BAR, "How long outgoing packets waited",
		NULL, &x, &y);
	char label[32];

	page_chart_add_line(chart, "packets", "delayed");
	for (size_t i = 0; i < SERIES_DELAYS; i++) {
		if (i == 0)
			snprintf(label, sizeof(label), "none");
		else if (i == SERIES_DELAYS - 1)
			snprintf(label, sizeof(label), "> %g ms",
				 series_delay_edges_ms[i - 2]);
		else
			snprintf(label, sizeof(label), "≤ %g ms",
				 series_delay_edges_ms[i - 1]);
		page_chart_add_label(chart, label);
		page_chart_add_point(chart, NAN, (double)delays[i], NULL);
	}
	page_chart_add_label(chart, "dropped");
	page_chart_add_point(chart, NAN, (double)total->sums.dropped_pkts,
			     NULL);
}

/* ------ keys */

static void draw_key(struct drawing *drawing, const struct series_key *key)
{
	struct page_chart *chart;
	char name[JUDGE_KEY_SIZE], text[256];

	judge_print_key(&key->key, name);
	snprintf(text, sizeof(text),
		 "%s: %llu packets offered, %llu let out, %llu of them "
		 "delayed; %llu dropped; %llu heard. S up to %.2f.",
		 flow_scope_name((enum flow_scope)key->key.scope),
		 (unsigned long long)key->sums.offered_pkts,
		 (unsigned long long)key->sums.let_out_pkts,
		 (unsigned long long)key->sums.delayed_pkts,
		 (unsigned long long)key->sums.dropped_pkts,
		 (unsigned long long)key->sums.heard_pkts, (double)key->s_max);
	page_add_choice(drawing->page, "One key, from the worst on", name,
			text);
	chart = add_chart(drawing, "S over time",
			  "Of the packets as they were offered, and as they "
			  "left",
			  "S, packets (log2)", false, NAN, 4);
	page_chart_set_wide(chart);
	page_chart_add_line(chart, "offered", "offered");
	add_s(drawing, chart, key, OFFERED);
	page_chart_add_line(chart, "let out", "out");
	add_s(drawing, chart, key, LET_OUT);
	add_threshold(drawing, chart, (double)key->threshold);
	draw_rates(drawing, key);
	draw_delays_over_time(drawing, key);
}

static void add_keys_table(struct page *page, const struct series_key *worst,
			   size_t count)
{
	static const char *const columns[] = {
		"key",     "scope",   "out",     "in",
		"S max",   "delayed", "dropped", "longest delay (ms)",
		"held by", NULL,
	};
	struct page_table *table =
		page_add_table(page, "The worst keys", columns);

	for (size_t i = 0; i < count; i++) {
		const struct series_sums *sums = &worst[i].sums;
		char name[JUDGE_KEY_SIZE];
		int most = 0;

		for (int by = 0; by <= PUMP_BYS; by++)
			if (sums->by_pkts[by] > sums->by_pkts[most])
				most = by;
		judge_print_key(&worst[i].key, name);
		page_table_add_row(table);
		page_table_add_text(table, name);
		page_table_add_text(
			table,
			flow_scope_name((enum flow_scope)worst[i].key.scope));
		page_table_add_number(table, (double)sums->offered_pkts);
		page_table_add_number(table, (double)sums->heard_pkts);
		page_table_add_number(
			table, round((double)worst[i].s_max * 100) / 100);
		page_table_add_number(table, (double)sums->delayed_pkts);
		page_table_add_number(table, (double)sums->dropped_pkts);
		page_table_add_number(table,
				      (double)sums->delay_max_ns / NS_PER_MS);
		page_table_add_text(
			table, sums->by_pkts[most]
				       ? judge_gate_name((enum pump_by)most)
				       : "–");
	}
}

static void add_gates_table(struct page *page, const struct series_sums *sums,
			    const struct policy *policy)
{
	static const char *const columns[] = { "what", "packets held",
					       "held to", NULL };
	struct page_table *table =
		page_add_table(page, "What the gates and guards did", columns);

	for (int by = 0; by <= PUMP_BYS; by++) {
		struct words measure = { 0 };

		why_add_measure(&measure, (enum pump_by)by, policy);
		page_table_add_row(table);
		page_table_add_text(table, judge_gate_name((enum pump_by)by));
		page_table_add_number(table, (double)sums->by_pkts[by]);
		page_table_add_text(table, measure.text);
	}
	page_table_add_row(table);
	page_table_add_text(table, "anti-spoof");
	page_table_add_number(table, (double)sums->forged_pkts);
	page_table_add_text(table, "no forged source leaves");
}

void report_draw(struct page *page, const struct series *series,
		 const struct series_key *worst, size_t count,
		 const struct policy *policy)
{
	const struct gate_params *params = &policy->params[0];
	double bin_s = (double)series_bin_ns(series) / NS_PER_S;
	struct drawing drawing = {
		.page = page,
		.bins = series_bins(series),
		.carry = (size_t)(params->window_ns / series_bin_ns(series)),
		.bin_s = bin_s,
		.time = { "time (s)", false, NAN, NAN },
	};
	struct series_key total;

	drawing.time.max = (double)drawing.bins * bin_s;
	series_total(series, &total);
	draw_overview(&drawing, worst, count,
		      log2((double)params->ratio_q16 / 65536.0));
	draw_rates(&drawing, &total);
	draw_gates(&drawing, &total);
	draw_delays(&drawing, series, &total);
	draw_delays_over_time(&drawing, &total);
	for (size_t i = 0; i < count; i++)
		draw_key(&drawing, &worst[i]);
	if (count)
		add_keys_table(page, worst, count);
	add_gates_table(page, &total.sums, policy);
}
