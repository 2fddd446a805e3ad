/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_PAGE_H
#define SIM_PAGE_H

/*
 * A page with charts and tables in one file: HTML, style, script and chart
 * library are in it, so that it can be read offline and passed on.
 *
 * Any text may come from outside (names of files, a capture): it is escaped
 * here, and the page's script sets it as text.  Out of memory: what follows is
 * ignored; page_write_file fails when a section, chart or table is missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page;
struct page_chart; /* borrowed from its page, as is ... */
struct page_table;

enum page_mood { PAGE_PLAIN, PAGE_GOOD, PAGE_BAD };

/* NULL: out of memory. */
struct page *page_new(const char *title, const char *subtitle);
void page_free(struct page *page);

/* What to know when one reads no further; in whole sentences. */
void page_set_verdict(struct page *page, enum page_mood mood, const char *text);

/* A tile: "longest delay", "3.03 s". */
void page_add_fact(struct page *page, const char *name, const char *value);

/* Folded away at the end. */
void page_set_settings(struct page *page, const char *text);

/* Charts and tables go to the last section, or its last choice.  `text` may be
 * NULL. */
void page_add_section(struct page *page, const char *title, const char *text);

/* One of several, of which the reader sees the one that was chosen; the first
 * call in a section names the question. */
void page_add_choice(struct page *page, const char *question, const char *name,
		     const char *text);

enum page_kind {
	PAGE_LINE,    /* over numbers */
	PAGE_BAR,     /* a column for each label of x */
	PAGE_ROWS,    /* a bar for each label of y, across */
	PAGE_SCATTER, /* points */
};

struct page_axis {
	const char *title; /* with its unit */
	bool log;
	double min, max; /* NAN: as the data */
};

struct page_chart *page_add_chart(struct page *page, enum page_kind kind,
				  const char *title, const char *note,
				  const struct page_axis *x,
				  const struct page_axis *y);
void page_chart_set_wide(struct page_chart *chart);
/* In their order, of x (PAGE_BAR) or y (PAGE_ROWS). */
void page_chart_add_label(struct page_chart *chart, const char *label);

/* What a line shows, hence its colour: "offered", "out", "heard", "delayed",
 * "dropped", "limit" (dashed), or "0" to "5" for one of several alike. */
void page_chart_add_line(struct page_chart *chart, const char *name,
			 const char *role);
/* To the last line.  `x` is ignored where labels tell it; NAN as `y`: no
 * point.  `note` may be NULL. */
void page_chart_add_point(struct page_chart *chart, double x, double y,
			  const char *note);
/* A line among the bars. */
void page_chart_draw_as_line(struct page_chart *chart);
void page_chart_fill(struct page_chart *chart);

/* `columns` ends with NULL. */
struct page_table *page_add_table(struct page *page, const char *title,
				  const char *const *columns);
void page_table_add_row(struct page_table *table);
/* To the last row, one for each column. */
void page_table_add_text(struct page_table *table, const char *text);
void page_table_add_number(struct page_table *table, double value);
void page_table_add_pass(struct page_table *table, bool pass);

/* As a new file.  false: what is wrong is said on standard error. */
bool page_write_file(const struct page *page, const char *path);

#endif
