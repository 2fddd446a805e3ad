/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/table.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shaper/ctl/cells.h"
#include "shaper/ctl/reply.h"

/* Six figures of 5 columns and one of 6, each after a blank; one more of 5
 * where there is room or need. */
enum {
	FIGURES_WIDTH = 6 * 6 + 7,
	DECIDES_WIDTH = 6,
	ROOMY_WIDTH = 96,
	END_BYTES = CELL_BYTES,
	END_WIDTH_MIN = 9,
	INSIDE_WIDTH = 15, /* an IPv4 address: so that columns seldom move */
	OUTSIDE_WIDTH_MAX = 48,
};

static void end_text(const struct json_t *row, const char *address,
		     const char *port, char end[END_BYTES])
{
	const char *text = reply_text(row, address);
	const char *proto = reply_text(row, "proto");

	if (proto[0] == '\0')
		snprintf(end, END_BYTES, "%s", text);
	else if (strchr(text, ':') != NULL)
		snprintf(end, END_BYTES, "[%s]:%.0f", text,
			 reply_number(row, port));
	else
		snprintf(end, END_BYTES, "%s:%.0f", text,
			 reply_number(row, port));
}

/* Where a flow goes, and by which protocol. */
static void outside_text(const struct json_t *row, char end[END_BYTES])
{
	const char *proto = reply_text(row, "proto");
	size_t length;

	end_text(row, "outside", "outside_port", end);
	length = strlen(end);
	if (proto[0] != '\0')
		snprintf(end + length, END_BYTES - length, "/%s", proto);
}

static size_t at_least(size_t width, const char *text)
{
	size_t length = strlen(text);

	return length > width ? length : width;
}

/* Too wide: the longer of the two gives way first. */
static void squeeze(struct table *table, size_t room)
{
	size_t half = room / 2;

	if (table->inside_width <= half) {
		table->outside_width = room - table->inside_width;
	} else if (table->outside_width <= room - half) {
		table->inside_width = room - table->outside_width;
	} else {
		table->inside_width = half;
		table->outside_width = room - half;
	}
	if (table->inside_width < END_WIDTH_MIN)
		table->inside_width = END_WIDTH_MIN;
	if (table->outside_width < END_WIDTH_MIN)
		table->outside_width = END_WIDTH_MIN;
}

/* Room to spare goes between the addresses and the figures. */
static void spread(struct table *table, size_t room)
{
	size_t *last = table->has_outside ? &table->outside_width
					  : &table->inside_width;
	size_t used = table->has_outside ? table->inside_width : 0;

	if (table->inside_width < INSIDE_WIDTH &&
	    INSIDE_WIDTH + table->outside_width <= room) {
		table->inside_width = INSIDE_WIDTH;
		used = table->has_outside ? INSIDE_WIDTH : 0;
	}
	*last = room - used < OUTSIDE_WIDTH_MAX ? room - used
						: OUTSIDE_WIDTH_MAX;
}

static void share(struct table *table, size_t width)
{
	size_t figures =
		FIGURES_WIDTH + (table->has_decides ? DECIDES_WIDTH : 0);
	size_t room = width > figures + 1 ? width - figures : 1;
	size_t wanted = table->inside_width;

	if (table->has_outside) {
		room--;
		wanted += table->outside_width;
	}
	if (wanted <= room)
		spread(table, room);
	else if (table->has_outside)
		squeeze(table, room);
	else
		table->inside_width = room < END_WIDTH_MIN ? END_WIDTH_MIN
							   : room;
}

/* Is it another than the plain one? */
static bool decides_otherwise(const struct json_t *row)
{
	return reply_has(row, "S_decides") &&
	       fabs(reply_number(row, "S_decides") -
		    reply_number(row, "S_let_out")) >= 0.005;
}

void table_lay_out(struct table *table, const struct json_t *body, size_t width)
{
	size_t count = reply_count(body, "rows");
	char end[END_BYTES];
	size_t i;

	table->has_outside = strcmp(reply_text(body, "scope"), "host") != 0;
	table->has_decides = width == 0 || width >= ROOMY_WIDTH;
	table->inside_width = table->outside_width = END_WIDTH_MIN;
	for (i = 0; i < count; i++) {
		const struct json_t *row = reply_item(body, "rows", i);

		end_text(row, "inside", "inside_port", end);
		table->inside_width = at_least(table->inside_width, end);
		outside_text(row, end);
		table->outside_width = at_least(table->outside_width, end);
		table->has_decides |= decides_otherwise(row);
	}
	if (width > 0)
		share(table, width);
}

static size_t put_ends(const struct table *table, const char *inside,
		       const char *outside, char *line)
{
	char cell[CELL_BYTES];
	int n = snprintf(line, TABLE_LINE_BYTES, "%-*s",
			 (int)table->inside_width,
			 cell_shortened(inside, table->inside_width, cell));

	if (table->has_outside)
		n += snprintf(line + n, TABLE_LINE_BYTES - (size_t)n, " %-*s",
			      (int)table->outside_width,
			      cell_shortened(outside, table->outside_width,
					     cell));
	return (size_t)n;
}

void table_head(const struct table *table, char ret_line[TABLE_LINE_BYTES])
{
	size_t used = put_ends(table, "INSIDE", "OUTSIDE", ret_line);

	snprintf(ret_line + used, TABLE_LINE_BYTES - used,
		 " %5s %5s%s %5s %5s %5s %5s %6s", "S off", "S out",
		 table->has_decides ? " S dec" : "", "OFF/s", "OUT/s", "IN/s",
		 "HELD", "NEXT");
}

static bool is_word(const struct json_t *row, const char *path,
		    const char *word)
{
	return strcmp(reply_text(row, path), word) == 0;
}

/* When the next packet leaves, or why none waits for anything. */
static const char *next_cell(const struct json_t *row, char cell[CELL_BYTES])
{
	if (is_word(row, "state", "exempt"))
		return "exempt";
	if (is_word(row, "state", "passes"))
		return "passes";
	if (is_word(row, "state", "kernel"))
		return "kernel";
	if (is_word(row, "reason", "first-contacts") ||
	    is_word(row, "reason", "new-connections") ||
	    is_word(row, "reason", "rate"))
		return "paced";
	if (!reply_has(row, "next_in_s"))
		return reply_is_true(row, "over") ? "over" : "-";
	return cell_span(reply_number(row, "next_in_s"), cell);
}

static const char *decides_cell(const struct table *table,
				const struct json_t *row, char cell[CELL_BYTES])
{
	if (!table->has_decides)
		return "";
	if (!decides_otherwise(row))
		return "     -";
	snprintf(cell, CELL_BYTES, " %5.2f", reply_number(row, "S_decides"));
	return cell;
}

void table_row(const struct table *table, const struct json_t *row,
	       char ret_line[TABLE_LINE_BYTES])
{
	char inside[END_BYTES], outside[END_BYTES];
	char offered[CELL_BYTES], let_out[CELL_BYTES], heard[CELL_BYTES];
	char held[CELL_BYTES], next[CELL_BYTES], decides[CELL_BYTES];
	size_t used;

	end_text(row, "inside", "inside_port", inside);
	outside_text(row, outside);
	used = put_ends(table, inside, outside, ret_line);
	snprintf(ret_line + used, TABLE_LINE_BYTES - used,
		 " %5.2f %5.2f%s %5s %5s %5s %5s %6s",
		 reply_number(row, "S_offered"), reply_number(row, "S_let_out"),
		 decides_cell(table, row, decides),
		 cell_count(reply_number(row, "offered_per_s"), offered),
		 cell_count(reply_number(row, "let_out_per_s"), let_out),
		 cell_count(reply_number(row, "heard_per_s"), heard),
		 cell_count(reply_number(row, "held_packets"), held),
		 next_cell(row, next));
}
