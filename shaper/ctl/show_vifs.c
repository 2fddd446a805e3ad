/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/show_vifs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shaper/ctl/cells.h"
#include "shaper/ctl/reply.h"

enum { NAME_WIDTH = 20 };

/* Names are of others: what is not printable is not printed. */
static const char *clean(const char *text, size_t width, char cell[CELL_BYTES])
{
	char *at;

	cell_shortened(text[0] != '\0' ? text : "-", width, cell);
	for (at = cell; *at != '\0'; at++)
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
	return cell;
}

static const char *since(const struct json_t *row, time_t now_s,
			 char cell[CELL_BYTES])
{
	double since_s = reply_number(row, "held_since");

	if (!reply_has(row, "held_since"))
		return "-";
	return cell_span(since_s < (double)now_s ? (double)now_s - since_s : 0,
			 cell);
}

static const char *slots(const struct json_t *row, char cell[CELL_BYTES])
{
	if (!reply_has(row, "slots"))
		return "-";
	return cell_count(reply_number(row, "slots"), cell);
}

static void show_row(const struct json_t *row, time_t now_s)
{
	char domain[CELL_BYTES], name[CELL_BYTES], vif[CELL_BYTES];
	char way[CELL_BYTES], held[CELL_BYTES], slot[CELL_BYTES];
	char span[CELL_BYTES];

	snprintf(domain, sizeof(domain), "%.0f", reply_number(row, "domain"));
	printf("%6s %-*s %-15s %-9s %-7s %6.2f %5s %5s %5s%s\n", domain,
	       NAME_WIDTH, clean(reply_text(row, "name"), NAME_WIDTH, name),
	       clean(reply_text(row, "vif"), 15, vif), reply_text(row, "state"),
	       clean(reply_text(row, "way"), 7, way), reply_number(row, "S"),
	       cell_count(reply_number(row, "held_packets"), held),
	       since(row, now_s, span), slots(row, slot),
	       reply_has(row, "wrong") ? " !" : "");
}

static void put(const char *text)
{
	for (; *text != '\0'; text++)
		putchar(*text >= ' ' && *text != 0x7f ? *text : '?');
}

static void show_texts(const struct json_t *body, const char *key,
		       const char *head)
{
	size_t count = reply_count(body, "vifs");
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		const struct json_t *row = reply_item(body, "vifs", i);

		if (!reply_has(row, key))
			continue;
		if (first)
			printf("\n%s\n", head);
		first = false;
		printf("  ");
		put(reply_text(row, "vif"));
		printf(": ");
		put(reply_text(row, key));
		putchar('\n');
	}
}

void show_vifs(const struct json_t *body, time_t now_s)
{
	size_t count = reply_count(body, "vifs");

	printf("%6s %-*s %-15s %-9s %-7s %6s %5s %5s %5s\n", "DOMAIN",
	       NAME_WIDTH, "NAME", "VIF", "STATE", "WAY", "S", "HELD", "SINCE",
	       "SLOTS");
	for (size_t i = 0; i < count; i++)
		show_row(reply_item(body, "vifs", i), now_s);
	show_texts(body, "why", "why this way");
	show_texts(body, "wrong", "wrong (!)");
}

/* A packet is in one of the three. */
static void show_netback(const struct json_t *body)
{
	char offered[CELL_BYTES], passed[CELL_BYTES], waiting[CELL_BYTES];
	char dropped[CELL_BYTES], withheld[CELL_BYTES], observed[CELL_BYTES];

	if (!reply_has(body, "netback"))
		return;
	printf("in netback: of %s packets %s went on, %s wait, %s were dropped",
	       cell_count(reply_number(body, "netback.offered_packets"),
			  offered),
	       cell_count(reply_number(body, "netback.passed_packets"), passed),
	       cell_count(reply_number(body, "netback.waiting_packets"),
			  waiting),
	       cell_count(reply_number(body, "netback.dropped_packets"),
			  dropped));
	printf(";\n  %s had to wait, %s would have had to\n",
	       cell_count(reply_number(body, "netback.withheld_packets"),
			  withheld),
	       cell_count(reply_number(body, "netback.observed_packets"),
			  observed));
}

void show_vif_sums(const struct json_t *body)
{
	char known[CELL_BYTES], held[CELL_BYTES], wrong[CELL_BYTES];

	show_netback(body);
	if (!reply_has(body, "vifs"))
		return;
	printf("%s vifs, of which %s wait; with %s something is wrong\n",
	       cell_count(reply_number(body, "vifs.known"), known),
	       cell_count(reply_number(body, "vifs.held"), held),
	       cell_count(reply_number(body, "vifs.wrong"), wrong));
}
