/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/page.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/page_parts.h"
#include "sim/value.h"

/*
 * A chart or table is the JSON object that the page's script reads: to the
 * caller the handle is a struct of its own type, to us a json_t.
 */
struct page {
	char *title, *subtitle, *verdict;
	enum page_mood mood;
	json_t *data;
	json_t *section, *choice; /* borrowed from data; may be NULL */
	bool failed;              /* for want of memory */
};

static json_t *number_of(double value)
{
	if (!isfinite(value))
		return json_null();
	if (value == floor(value) && fabs(value) < 9e15)
		return json_integer((json_int_t)value);
	return json_real(value);
}

struct page *page_new(const char *title, const char *subtitle)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->title = strdup(title);
	page->subtitle = strdup(subtitle);
	page->verdict = strdup("");
	page->data = json_pack("{s:[],s:[]}", "facts", "sections");
	if (page->title && page->subtitle && page->verdict && page->data)
		return page;
	page_free(page);
	return NULL;
}

void page_free(struct page *page)
{
	if (!page)
		return;
	free(page->title);
	free(page->subtitle);
	free(page->verdict);
	json_decref(page->data);
	free(page);
}

void page_set_verdict(struct page *page, enum page_mood mood, const char *text)
{
	char *copy = strdup(text);

	page->mood = mood;
	page->failed |= !copy;
	if (!copy)
		return;
	free(page->verdict);
	page->verdict = copy;
}

void page_add_fact(struct page *page, const char *name, const char *value)
{
	json_t *fact = json_array();

	json_array_append_new(fact, value_text(name));
	json_array_append_new(fact, value_text(value));
	page->failed |= json_array_append_new(
		json_object_get(page->data, "facts"), fact);
}

void page_set_settings(struct page *page, const char *text)
{
	page->failed |=
		json_object_set_new(page->data, "settings", value_text(text));
}

void page_add_section(struct page *page, const char *title, const char *text)
{
	page->section = json_pack("{s:o,s:o,s:[],s:[],s:[]}", "title",
				  value_text(title), "text",
				  value_text(text ? text : ""), "charts",
				  "tables", "choices");
	page->choice = NULL;
	page->failed |= json_array_append_new(
		json_object_get(page->data, "sections"), page->section);
}

void page_add_choice(struct page *page, const char *question, const char *name,
		     const char *text)
{
	json_t *choices = json_object_get(page->section, "choices");

	if (json_array_size(choices) == 0)
		json_object_set_new(page->section, "choose",
				    value_text(question));
	page->choice = json_pack("{s:o,s:o,s:[]}", "name", value_text(name),
				 "text", value_text(text ? text : ""),
				 "charts");
	page->failed |= json_array_append_new(choices, page->choice);
}

/* ------ charts */

static json_t *axis_of(const struct page_axis *axis)
{
	json_t *json = json_pack("{s:o,s:b}", "title", value_text(axis->title),
				 "log", axis->log);

	if (isfinite(axis->min))
		json_object_set_new(json, "min", number_of(axis->min));
	if (isfinite(axis->max))
		json_object_set_new(json, "max", number_of(axis->max));
	return json;
}

struct page_chart *page_add_chart(struct page *page, enum page_kind kind,
				  const char *title, const char *note,
				  const struct page_axis *x,
				  const struct page_axis *y)
{
	static const char *const kinds[] = {
		[PAGE_LINE] = "line",
		[PAGE_BAR] = "bar",
		[PAGE_ROWS] = "rows",
		[PAGE_SCATTER] = "scatter",
	};
	json_t *parent = page->choice ? page->choice : page->section;
	json_t *chart = json_pack("{s:s,s:o,s:o,s:o,s:o,s:[]}", "kind",
				  kinds[kind], "title", value_text(title),
				  "note", value_text(note ? note : ""), "x",
				  axis_of(x), "y", axis_of(y), "lines");

	page->failed |=
		json_array_append_new(json_object_get(parent, "charts"), chart);
	return (struct page_chart *)chart;
}

static json_t *last_line(struct page_chart *chart)
{
	json_t *lines = json_object_get((json_t *)chart, "lines");

	return json_array_get(lines, json_array_size(lines) - 1);
}

void page_chart_set_wide(struct page_chart *chart)
{
	json_object_set_new((json_t *)chart, "wide", json_true());
}

void page_chart_add_label(struct page_chart *chart, const char *label)
{
	const char *kind =
		json_string_value(json_object_get((json_t *)chart, "kind"));
	json_t *axis = json_object_get(
		(json_t *)chart, kind && strcmp(kind, "rows") == 0 ? "y" : "x");

	if (!json_object_get(axis, "labels"))
		json_object_set_new(axis, "labels", json_array());
	json_array_append_new(json_object_get(axis, "labels"),
			      value_text(label));
}

void page_chart_add_line(struct page_chart *chart, const char *name,
			 const char *role)
{
	json_array_append_new(json_object_get((json_t *)chart, "lines"),
			      json_pack("{s:o,s:s,s:[]}", "name",
					value_text(name), "role", role, "y"));
}

void page_chart_add_point(struct page_chart *chart, double x, double y,
			  const char *note)
{
	json_t *line = last_line(chart);

	if (isfinite(x)) {
		if (!json_object_get(line, "x"))
			json_object_set_new(line, "x", json_array());
		json_array_append_new(json_object_get(line, "x"), number_of(x));
	}
	json_array_append_new(json_object_get(line, "y"), number_of(y));
	if (!note)
		return;
	if (!json_object_get(line, "notes"))
		json_object_set_new(line, "notes", json_array());
	json_array_append_new(json_object_get(line, "notes"), value_text(note));
}

void page_chart_draw_as_line(struct page_chart *chart)
{
	json_object_set_new(last_line(chart), "as", json_string("line"));
}

void page_chart_fill(struct page_chart *chart)
{
	json_object_set_new(last_line(chart), "fill", json_true());
}

/* ------ tables */

struct page_table *page_add_table(struct page *page, const char *title,
				  const char *const *columns)
{
	json_t *table = json_pack("{s:o,s:[],s:[]}", "title", value_text(title),
				  "columns", "rows");

	for (; *columns; columns++)
		json_array_append_new(json_object_get(table, "columns"),
				      value_text(*columns));
	page->failed |= json_array_append_new(
		json_object_get(page->section, "tables"), table);
	return (struct page_table *)table;
}

static json_t *last_row(struct page_table *table)
{
	json_t *rows = json_object_get((json_t *)table, "rows");

	return json_array_get(rows, json_array_size(rows) - 1);
}

void page_table_add_row(struct page_table *table)
{
	json_array_append_new(json_object_get((json_t *)table, "rows"),
			      json_array());
}

void page_table_add_text(struct page_table *table, const char *text)
{
	json_array_append_new(last_row(table), value_text(text));
}

void page_table_add_number(struct page_table *table, double value)
{
	json_array_append_new(last_row(table), number_of(value));
}

void page_table_add_pass(struct page_table *table, bool pass)
{
	json_array_append_new(last_row(table), json_boolean(pass));
}

/* ------ writing */

static void write_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			fputc((unsigned char)*text < ' ' || *text == 0x7f
				      ? '?'
				      : *text,
			      file);
		}
	}
}

/* Inside of <script>: neither "</script" nor "<!--" may stand there, and in
 * JSON a '<' is in a string, always. */
static bool write_data(FILE *file, const json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII |
					      JSON_REAL_PRECISION(7));

	if (!text) {
		errno = ENOMEM;
		return false;
	}
	for (const char *at = text; *at; at++) {
		if (*at == '<')
			fputs("\\u003c", file);
		else
			fputc(*at, file);
	}
	free(text);
	return true;
}

static bool write_part(const struct page *page, const char *name, size_t length,
		       FILE *file)
{
	static const char *const moods[] = { "plain", "good", "bad" };
	static const struct {
		const char *name;
		const struct page_part *part;
	} parts[] = {
		{ "STYLE", &page_part_style },
		{ "SCRIPT", &page_part_script },
		{ "CHARTS", &page_part_charts },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == length &&
		    memcmp(parts[i].name, name, length) == 0) {
			fwrite(parts[i].part->bytes, 1, parts[i].part->size,
			       file);
			return true;
		}
	if (length == 4 && memcmp(name, "DATA", length) == 0)
		return write_data(file, page->data);
	if (length == 4 && memcmp(name, "MOOD", length) == 0)
		fputs(moods[page->mood], file);
	else if (length == 5 && memcmp(name, "TITLE", length) == 0)
		write_escaped(file, page->title);
	else if (length == 7 && memcmp(name, "VERDICT", length) == 0)
		write_escaped(file, page->verdict);
	else if (length == 7 && memcmp(name, "VERSION", length) == 0)
		fputs(SYMTAP_VERSION, file);
	else
		write_escaped(file, page->subtitle);
	return true;
}

/* false: errno says why. */
static bool write_page(const struct page *page, FILE *file)
{
	const char *at = page_part_page.bytes;
	const char *end = at + page_part_page.size;

	if (page->failed) {
		errno = ENOMEM;
		return false;
	}
	while (at < end) {
		const char *open = memchr(at, '@', (size_t)(end - at));
		const char *close =
			open ? memchr(open + 1, '@', (size_t)(end - open - 1))
			     : NULL;

		if (!close)
			open = end;
		fwrite(at, 1, (size_t)(open - at), file);
		if (!close)
			break;
		if (!write_part(page, open + 1, (size_t)(close - open - 1),
				file))
			return false;
		at = close + 1;
	}
	return fflush(file) == 0 && !ferror(file);
}

bool page_write_file(const struct page *page, const char *path)
{
	FILE *file = fopen(path, "w");
	bool good = file && write_page(page, file);
	int why = errno;

	if (file && fclose(file) != 0 && good) {
		why = errno;
		good = false;
	}
	if (!good)
		fprintf(stderr, "symtap-sim: %s: %s\n", path, strerror(why));
	return good;
}
