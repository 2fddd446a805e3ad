/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/report_judge.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/judgement.h"
#include "sim/page.h"
#include "sim/report.h"
#include "sim/words.h"

/* Bars in a chart; the rest is in the table. */
enum { ROWS_MAX = 40 };

#define NS_PER_MS 1e6

static void name_group(const struct judge_group *group, struct words *words)
{
	if (group->family == JUDGE_LEGIT)
		words_add(words, "Good traffic, %s",
			  judgement_guarded_name(group->guarded));
	else
		words_add(words, "Attack: %s",
			  judge_family_name(group->family));
}

/* ------ charts */

static const char *base_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

static struct page_chart *add_rows(struct page *page,
				   const struct judge_group *group,
				   const char *title, const char *note,
				   const char *x_title, double max)
{
	const struct page_axis x = { x_title, false, NAN, max };
	const struct page_axis y = { "capture", false, NAN, NAN };
	struct page_chart *chart =
		page_add_chart(page, PAGE_ROWS, title, note, &x, &y);

	for (size_t i = 0; i < group->count && i < ROWS_MAX; i++)
		page_chart_add_label(chart,
				     base_name(group->trials[i].entry->file));
	return chart;
}

static void add_bars(struct page_chart *chart, const struct judge_group *group,
		     const char *name, const char *role,
		     double (*value)(const struct judge_figures *figures))
{
	page_chart_add_line(chart, name, role);
	for (size_t i = 0; i < group->count && i < ROWS_MAX; i++)
		page_chart_add_point(chart, NAN,
				     value(&group->trials[i].figures), NULL);
}

static void add_limit(struct page_chart *chart, const struct judge_group *group,
		      const char *name, double limit)
{
	page_chart_add_line(chart, name, "limit");
	page_chart_draw_as_line(chart);
	for (size_t i = 0; i < group->count && i < ROWS_MAX; i++)
		page_chart_add_point(chart, NAN, limit, NULL);
}

static double late_pct(const struct judge_figures *figures)
{
	return figures->out_pkts ? 100.0 * (double)figures->late_pkts /
					   (double)figures->out_pkts
				 : 0;
}

static double worst_ms(const struct judge_figures *figures)
{
	return (double)figures->worst_ns / NS_PER_MS;
}

static double first_second(const struct judge_figures *figures)
{
	return figures->first_second.pkts;
}

static double later_second(const struct judge_figures *figures)
{
	return figures->later_second.pkts;
}

static double contacts(const struct judge_figures *figures)
{
	return figures->contacts.pkts;
}

static double connections(const struct judge_figures *figures)
{
	return figures->connections.pkts;
}

static double let_out(const struct judge_figures *figures)
{
	return (double)figures->let_out_pkts;
}

static double delayed(const struct judge_figures *figures)
{
	return (double)figures->delayed_pkts;
}

static double dropped(const struct judge_figures *figures)
{
	return (double)figures->dropped_pkts;
}

static double came_in(const struct judge_figures *figures)
{
	return (double)figures->in_pkts;
}

static double forged(const struct judge_figures *figures)
{
	return (double)figures->forged_pkts;
}

static void draw_good(struct page *page, const struct judge_group *group)
{
	struct page_chart *chart =
		add_rows(page, group, "Outgoing packets late",
			 "More than 10 ms, or dropped; the target is for all "
			 "of them together",
			 "late (% of outgoing packets)", 1);

	add_bars(chart, group, "late", "delayed", late_pct);
	add_limit(chart, group, "target 0.1 %", 0.1);
	chart = add_rows(page, group, "The conversation that waited most",
			 "The delays of all its packets, added up",
			 "total delay (ms)", 120);
	add_bars(chart, group, "worst conversation", "delayed", worst_ms);
	add_limit(chart, group, "target 100 ms", 100);
}

/* Held to what the policy says; without a line where it says nothing. */
static void draw_paced(struct page *page, const struct judge_group *group,
		       const char *title, const char *what,
		       double (*value)(const struct judge_figures *),
		       uint32_t pace)
{
	struct page_chart *chart;
	char axis[64];

	snprintf(axis, sizeof(axis), "%s in a second", what);
	chart = add_rows(page, group, title, NULL, axis,
			 pace ? pace * 1.1 : NAN);
	add_bars(chart, group, what, "0", value);
	if (pace)
		add_limit(chart, group, "configured pace", pace);
}

static void draw_attack(struct page *page, const struct judge_group *group,
			const struct judge_paces *paces)
{
	struct page_chart *chart = NULL;

	switch (group->family) {
	case JUDGE_SILENT_TARGET:
		chart = add_rows(page, group,
				 "Let out to one silent target, worst second",
				 NULL, "packets in a second", 70);
		add_bars(chart, group, "first second", "0", first_second);
		add_bars(chart, group, "any later second", "1", later_second);
		add_limit(chart, group, "target, first: 64", 64);
		add_limit(chart, group, "target, later: 12", 12);
		break;
	case JUDGE_SWEEP:
		draw_paced(page, group, "First contacts let out, worst second",
			   "first contacts", contacts, paces->contacts_per_s);
		break;
	case JUDGE_ANSWERED_FLOOD:
		draw_paced(page, group, "New connections let out, worst second",
			   "new connections", connections,
			   paces->connections_per_s);
		break;
	case JUDGE_FORGED:
		chart = add_rows(page, group, "Forged, and let out", NULL,
				 "packets", NAN);
		add_bars(chart, group, "stopped as forged", "heard", forged);
		add_bars(chart, group, "let out", "dropped", let_out);
		break;
	case JUDGE_LEGIT:
	case JUDGE_REFLECTED:
	case JUDGE_BROADCAST:
	case JUDGE_ANSWERED:
	case JUDGE_FAMILIES:
		chart = add_rows(page, group, "What became of its packets",
				 "Printed; there is no target", "packets", NAN);
		add_bars(chart, group, "let out", "out", let_out);
		add_bars(chart, group, "delayed", "delayed", delayed);
		add_bars(chart, group, "dropped", "dropped", dropped);
		add_bars(chart, group, "came in", "heard", came_in);
		break;
	}
	page_chart_set_wide(chart);
}

/* ------ tables */

static void add_fact(struct page_table *table, const char *of,
		     const struct judge_fact *fact)
{
	char limit[64];

	page_table_add_row(table);
	page_table_add_text(table, of);
	page_table_add_text(table, fact->name);
	page_table_add_number(table, fact->found);
	if (fact->judged)
		snprintf(limit, sizeof(limit), "at most %g %s", fact->limit,
			 fact->unit);
	else
		snprintf(limit, sizeof(limit), "none");
	page_table_add_text(table, limit);
	if (fact->judged)
		page_table_add_pass(table, judge_fact_passes(fact));
	else
		page_table_add_text(table, "–");
	page_table_add_text(table, fact->where);
}

static void add_facts(struct page *page, const struct judge_group *group)
{
	static const char *const columns[] = { "of",     "figure", "found",
					       "target", "",       "where",
					       NULL };
	struct page_table *table =
		page_add_table(page, "Found against target", columns);

	if (group->family == JUDGE_LEGIT) {
		for (size_t i = 0; i < group->facts.count; i++)
			add_fact(table, "all together", &group->facts.list[i]);
		return;
	}
	for (size_t i = 0; i < group->count; i++)
		for (size_t j = 0; j < group->trials[i].facts.count; j++)
			add_fact(table, base_name(group->trials[i].entry->file),
				 &group->trials[i].facts.list[j]);
}

static void add_captures(struct page *page, const struct judge_group *group)
{
	static const char *const columns[] = {
		"capture",
		"out",
		"let out",
		"delayed",
		"late > 10 ms",
		"dropped",
		"host pairs",
		"pairs late",
		"in",
		"forged",
		"longest delay (ms)",
		"note",
		NULL,
	};
	struct page_table *table =
		page_add_table(page, "Capture by capture", columns);

	for (size_t i = 0; i < group->count; i++) {
		const struct judge_trial *trial = &group->trials[i];
		const struct judge_figures *figures = &trial->figures;
		const uint64_t numbers[] = {
			figures->out_pkts,     figures->let_out_pkts,
			figures->delayed_pkts, figures->late_pkts,
			figures->dropped_pkts, figures->pairs,
			figures->late_pairs,   figures->in_pkts,
			figures->forged_pkts,
		};

		page_table_add_row(table);
		page_table_add_text(table, base_name(trial->entry->file));
		for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]);
		     j++)
			page_table_add_number(table, (double)numbers[j]);
		page_table_add_number(table, (double)figures->delay_max_ns /
						     NS_PER_MS);
		page_table_add_text(table, trial->problem);
	}
}

static void add_exceptions(struct page *page, const struct judge_group *group)
{
	static const char *const columns[] = { "capture", "conversation", "why",
					       NULL };
	struct page_table *table;

	if (group->figures.long_conversations == 0)
		return;
	table = page_add_table(page, "Conversations that waited too long",
			       columns);
	for (size_t i = 0; i < group->count; i++) {
		const struct judge_trial *trial = &group->trials[i];

		for (size_t j = 0; j < trial->figures.worst_count; j++) {
			char text[JUDGE_TEXT_SIZE], key[JUDGE_KEY_SIZE];

			judge_print_key(&trial->figures.worst[j].flow, key);
			judge_explain(&trial->figures.worst[j], text);
			page_table_add_row(table);
			page_table_add_text(table,
					    base_name(trial->entry->file));
			page_table_add_text(table, key);
			page_table_add_text(table, text);
		}
	}
}

/* ------ all */

static void add_group(struct page *page, const struct judge_group *group,
		      const struct judge_paces *paces)
{
	struct words title = { 0 }, text = { 0 };

	name_group(group, &title);
	words_add(&text, "%zu capture%s: %s", group->count,
		  group->count == 1 ? "" : "s",
		  group->passed ? "every target is reached."
				: "a target is missed.");
	if (group->count > ROWS_MAX)
		words_add(&text, " The charts show the first %d.", ROWS_MAX);
	page_add_section(page, title.text, text.text);
	if (group->family == JUDGE_LEGIT)
		draw_good(page, group);
	else
		draw_attack(page, group, paces);
	add_facts(page, group);
	if (group->family == JUDGE_LEGIT)
		add_exceptions(page, group);
	add_captures(page, group);
}

static void say_good(const struct judge_group *group, struct words *words)
{
	words_add(words,
		  " Of good traffic with %s, %.3f %% of %llu outgoing packets "
		  "came more than 10 ms late, and %.2f %% of %llu host pairs "
		  "lost more than 10 ms in all.",
		  judgement_guarded_name(group->guarded),
		  late_pct(&group->figures),
		  (unsigned long long)group->figures.out_pkts,
		  group->figures.pairs
			  ? 100.0 * (double)group->figures.late_pairs /
				    (double)group->figures.pairs
			  : 0.0,
		  (unsigned long long)group->figures.pairs);
}

static void set_verdict(struct page *page, const struct judgement *judgement)
{
	struct words words = { 0 };
	size_t missed = 0;

	for (size_t i = 0; i < judgement->groups_count; i++)
		missed += !judgement->groups[i].passed;
	if (missed == 0)
		words_add(&words, "Every target is reached.");
	else
		words_add(&words, "%zu of %zu groups miss a target: ", missed,
			  judgement->groups_count);
	for (size_t i = 0, said = 0; i < judgement->groups_count; i++) {
		struct words name = { 0 };

		if (judgement->groups[i].passed)
			continue;
		name_group(&judgement->groups[i], &name);
		words_add(&words, "%s%s", said++ ? "; " : "", name.text);
		if (said == missed)
			words_add(&words, ".");
	}
	for (size_t i = 0; i < judgement->groups_count; i++)
		if (judgement->groups[i].family == JUDGE_LEGIT)
			say_good(&judgement->groups[i], &words);
	if (judgement->unreadable)
		words_add(&words, " Some captures could not be read to their "
				  "end.");
	page_set_verdict(page, missed ? PAGE_BAD : PAGE_GOOD, words.text);
}

bool report_judge(const struct judgement *judgement,
		  const struct policy *policy, const char *path)
{
	struct words subtitle = { 0 };
	char text[32];
	struct page *page;
	bool good;

	words_add(&subtitle, "%zu captures in %s", judgement->list.count,
		  judgement->folder);
	page = page_new("Judged: whom it hurts, and whom it holds",
			subtitle.text);
	if (!page) {
		fprintf(stderr, "symtap-sim: %s: %s\n", path, strerror(ENOMEM));
		return false;
	}
	set_verdict(page, judgement);
	snprintf(text, sizeof(text), "%zu", judgement->list.count);
	page_add_fact(page, "Captures", text);
	report_add_policy(page, policy);
	for (size_t i = 0; i < judgement->groups_count; i++)
		add_group(page, &judgement->groups[i], &judgement->paces);
	good = page_write_file(page, path);
	page_free(page);
	return good;
}
