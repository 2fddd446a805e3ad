/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/ctl/cells.h"
#include "shaper/ctl/client.h"
#include "shaper/ctl/reply.h"
#include "shaper/ctl/table.h"
#include "shaper/ctl/terminal.h"

/* Title, figures, an empty line and the head above; keys below. */
enum { LINES_AROUND = 5 };

void top_request(const struct top_view *view, uint32_t rows,
		 char ret_line[REQUEST_LINE_BYTES])
{
	if (rows > REQUEST_ROWS_MAX)
		rows = REQUEST_ROWS_MAX;
	if (rows < 1)
		rows = 1;
	snprintf(ret_line, REQUEST_LINE_BYTES, "top by=%s scope=%s limit=%u",
		 request_order_name(view->by), flow_scope_name(view->scope),
		 rows);
}

static void draw_title(const struct top_view *view, const struct json_t *status)
{
	char line[TABLE_LINE_BYTES], up[CELL_BYTES];

	snprintf(line, sizeof(line),
		 "symtap %s  mode %s  up %s  %ss by %s  every %.3g s",
		 reply_text(status, "version"), reply_text(status, "mode"),
		 cell_long_span(reply_number(status, "uptime_s"), up),
		 flow_scope_name(view->scope), request_order_name(view->by),
		 view->interval_ms / 1e3);
	terminal_line(TERMINAL_BOLD, line);
}

static void draw_figures(const struct json_t *status)
{
	char line[TABLE_LINE_BYTES];
	char pairs[CELL_BYTES], flows[CELL_BYTES], hosts[CELL_BYTES];
	char held[CELL_BYTES], over[CELL_BYTES];

	snprintf(line, sizeof(line),
		 "hosts %s  pairs %s  flows %s  over the threshold %s  "
		 "held %s packets%s",
		 cell_count(reply_number(status, "tables.hosts.used"), hosts),
		 cell_count(reply_number(status, "tables.pairs.used"), pairs),
		 cell_count(reply_number(status, "tables.flows.used"), flows),
		 cell_count(reply_number(status, "over_threshold"), over),
		 cell_count(reply_number(status, "held_packets"), held),
		 reply_is_true(status, "one_sided") ? "  ONE-SIDED" : "");
	terminal_line(TERMINAL_PLAIN, line);
}

static void draw_rows(const struct json_t *body, size_t width, size_t rows)
{
	char line[TABLE_LINE_BYTES];
	size_t count = reply_count(body, "rows");
	struct table table;
	size_t i;

	table_lay_out(&table, body, width);
	table_head(&table, line);
	terminal_line(TERMINAL_REVERSE, line);
	for (i = 0; i < count && i < rows; i++) {
		const struct json_t *row = reply_item(body, "rows", i);
		bool over = reply_is_true(row, "over");

		table_row(&table, row, line);
		terminal_line(over ? TERMINAL_BOLD : TERMINAL_PLAIN, line);
	}
	for (; i < rows; i++)
		terminal_line(TERMINAL_PLAIN, "");
}

static void draw(const struct top_view *view, const struct json_t *status,
		 const struct json_t *body)
{
	size_t width, height;

	terminal_size(&width, &height);
	terminal_begin();
	draw_title(view, status);
	draw_figures(status);
	terminal_line(TERMINAL_PLAIN, "");
	draw_rows(body, width,
		  height > LINES_AROUND ? height - LINES_AROUND : 1);
	terminal_line(TERMINAL_PLAIN,
		      "q quit | s S  r rate  h held | p pair  f flow  g host  "
		      "Tab next | +/- pace");
	terminal_end();
}

static void draw_trouble(const char *socket_path, const char *why)
{
	char line[TABLE_LINE_BYTES];

	terminal_begin();
	snprintf(line, sizeof(line), "symtapd does not answer at %s: %s",
		 socket_path, why);
	terminal_line(TERMINAL_BOLD, line);
	terminal_line(TERMINAL_PLAIN, "It is asked again; q quits.");
	terminal_end();
}

static void refresh(struct client *client, const char *socket_path,
		    const struct top_view *view)
{
	char request[REQUEST_LINE_BYTES];
	struct reply *status = NULL;
	struct reply *top = NULL;
	const char *why = "";
	size_t width, height;
	int error = 0;

	terminal_size(&width, &height);
	top_request(view, (uint32_t)height, request);
	if (client->fd < 0)
		error = client_open(client, socket_path);
	if (error < 0)
		why = strerror(-error);
	else
		status = reply_ask(client, "status", &why);
	if (status != NULL)
		top = reply_ask(client, request, &why);
	if (top != NULL) {
		draw(view, reply_body(status), reply_body(top));
	} else {
		draw_trouble(socket_path, why);
		client_close(client);
	}
	reply_free(status);
	reply_free(top);
}

static void change_pace(struct top_view *view, bool slower)
{
	int interval_ms = slower ? view->interval_ms * 2
				 : view->interval_ms / 2;

	if (interval_ms < TOP_INTERVAL_MS_MIN)
		interval_ms = TOP_INTERVAL_MS_MIN;
	if (interval_ms > TOP_INTERVAL_MS_MAX)
		interval_ms = TOP_INTERVAL_MS_MAX;
	view->interval_ms = interval_ms;
}

/* false: quit. */
static bool follow_key(struct top_view *view, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case TERMINAL_ENDED:
		return false;
	case 's':
	case 'S':
		view->by = REQUEST_BY_S;
		break;
	case 'r':
		view->by = REQUEST_BY_RATE;
		break;
	case 'h':
		view->by = REQUEST_BY_HELD;
		break;
	case 'p':
		view->scope = FLOW_SCOPE_PAIR;
		break;
	case 'f':
		view->scope = FLOW_SCOPE_FLOW;
		break;
	case 'g':
		view->scope = FLOW_SCOPE_HOST;
		break;
	case '\t':
		view->scope =
			(enum flow_scope)((view->scope + 1) % FLOW_SCOPES);
		break;
	case '+':
	case '-':
		change_pace(view, key == '-');
		break;
	default: /* any other key: only look again */
		break;
	}
	return true;
}

int top_live(const char *socket_path, struct top_view *view)
{
	struct client client = { .fd = -1 };
	int error = terminal_open();

	if (error < 0)
		return error;
	do {
		refresh(&client, socket_path, view);
	} while (follow_key(view, terminal_key(view->interval_ms)));
	terminal_close();
	client_close(&client);
	return 0;
}
