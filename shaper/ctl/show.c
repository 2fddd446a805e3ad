/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/show.h"

#include <stdio.h>
#include <string.h>

#include "shaper/ctl/cells.h"
#include "shaper/ctl/reply.h"
#include "shaper/ctl/show_tap.h"
#include "shaper/ctl/show_vifs.h"
#include "shaper/ctl/table.h"
#include "shaper/daemon/findings.h"

enum { TEXT_WIDTH = 78 };

/* The daemon's texts may hold names that somebody else chose. */
static void put(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		putchar(c >= 0x20 && c != 0x7f ? c : '?');
	}
}

/* Words in lines of TEXT_WIDTH, each beginning with `margin` blanks. */
static void put_wrapped(const char *text, int margin)
{
	int column = 0;

	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (column == 0) {
			column = printf("%*s", margin, "");
		} else if (column + 1 + length > TEXT_WIDTH) {
			column = printf("\n%*s", margin, "") - 1;
		} else {
			putchar(' ');
			column++;
		}
		column += length;
		while (length-- > 0) {
			unsigned char c = (unsigned char)*text++;

			putchar(c >= 0x20 && c != 0x7f ? c : '?');
		}
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void show_table_use(const struct json_t *body, const char *name)
{
	char path[32], used[CELL_BYTES], max[CELL_BYTES];

	snprintf(path, sizeof(path), "tables.%s.used", name);
	cell_count(reply_number(body, path), used);
	snprintf(path, sizeof(path), "tables.%s.max", name);
	cell_count(reply_number(body, path), max);
	printf("  %-12s %6s of %s\n", name, used, max);
}

static void show_interfaces(const struct json_t *body)
{
	size_t count = reply_count(body, "interfaces");
	size_t i;

	if (count > 0)
		puts("interfaces");
	for (i = 0; i < count; i++) {
		const struct json_t *interface =
			reply_item(body, "interfaces", i);
		bool waits = strcmp(reply_text(interface, "hold"),
				    "back-pressure") == 0;

		printf("  ");
		put(reply_text(interface, "name"));
		printf(": %s; a hold is %s\n",
		       reply_is_true(interface, "guarded") ? "guarded"
							   : "outside",
		       waits ? "back-pressure (the sender waits)"
			     : "delay (the kernel holds the packet)");
	}
}

static void show_offenders(const struct json_t *body)
{
	size_t count = reply_count(body, "offenders");
	char packets[CELL_BYTES], ago[CELL_BYTES];
	size_t i;

	if (count > 0)
		puts("forged sources, dropped");
	for (i = 0; i < count; i++) {
		const struct json_t *offender =
			reply_item(body, "offenders", i);

		printf("  ");
		put(reply_text(offender, "interface"));
		printf(" %s ", reply_text(offender, "mac"));
		put(reply_text(offender, "address"));
		printf(": %s packets, last %s ago\n",
		       cell_count(reply_number(offender, "packets"), packets),
		       cell_span(reply_number(offender, "seen_s_ago"), ago));
	}
}

static void show_kernel_counters(const struct json_t *body)
{
	size_t count = reply_count(body, "kernel_counters");
	char packets[CELL_BYTES];
	size_t i;

	if (count > 0)
		puts("counted by the kernel");
	for (i = 0; i < count; i++) {
		const struct json_t *counter =
			reply_item(body, "kernel_counters", i);

		printf("  %8s packets  ",
		       cell_count(reply_number(counter, "packets"), packets));
		put(reply_text(counter, "name"));
		putchar('\n');
	}
}

static void show_exemptions(const struct json_t *body)
{
	size_t count = reply_count(body, "exemptions");
	char span[CELL_BYTES];
	size_t i;

	if (count > 0)
		puts("exempt");
	for (i = 0; i < count; i++) {
		const struct json_t *exemption =
			reply_item(body, "exemptions", i);

		printf("  %s for %s more\n", reply_text(exemption, "address"),
		       cell_long_span(reply_number(exemption, "for_s"), span));
	}
}

static void show_engines(const struct json_t *body)
{
	size_t count = reply_count(body, "engines");
	char offered[CELL_BYTES], let_out[CELL_BYTES], held[CELL_BYTES];
	size_t i;

	puts("engines");
	for (i = 0; i < count; i++) {
		const struct json_t *engine = reply_item(body, "engines", i);

		if (reply_has(body, "tap"))
			printf("  tap: ");
		else
			printf("  queues %.0f and %.0f: ",
			       reply_number(engine, "queue"),
			       reply_number(engine, "hold_queue"));
		printf("%s packets offered, %s let out, %s wait\n",
		       cell_count(reply_number(engine, "offered_packets"),
				  offered),
		       cell_count(reply_number(engine, "let_out_packets"),
				  let_out),
		       cell_count(reply_number(engine, "held_packets"), held));
	}
}

static void show_policy(const struct json_t *body)
{
	char span[CELL_BYTES];

	printf("policy ");
	put(reply_text(body, "policy.path"));
	printf(", %s, fail %s, in force for %s\n", reply_text(body, "mode"),
	       reply_text(body, "fail"),
	       cell_long_span(reply_number(body, "policy.loaded_s_ago"), span));
	if (reply_has(body, "policy.error")) {
		printf("  the last reload was refused: ");
		put(reply_text(body, "policy.error"));
		putchar('\n');
	}
	if (reply_is_true(body, "one_sided"))
		puts("  nothing is held: only one direction passes here");
}

static const char *judged(const struct json_t *body, const char *name,
			  char cell[CELL_BYTES])
{
	char path[48];

	snprintf(path, sizeof(path), "judgement.%s_packets", name);
	return cell_count(reply_number(body, path), cell);
}

static void show_judgement(const struct json_t *body)
{
	char first[CELL_BYTES], second[CELL_BYTES];

	puts("judgement, beside the gates");
	printf("  %s packets passed on patience or credit\n",
	       judged(body, "paid", first));
	printf("  %s resets, %s SYN-ACKs came in that were no consent\n",
	       judged(body, "refused_rst", first),
	       judged(body, "refused_syn_ack", second));
	printf("  %s first contacts, %s new connections waited\n",
	       judged(body, "waited_contact", first),
	       judged(body, "waited_connection", second));
	printf("  %s waited for the rate of their host\n",
	       judged(body, "waited_rate", first));
	printf("  %s places in guests' rings are held; beyond its share %s "
	       "waited,\n  ",
	       cell_count(reply_number(body, "held_slots"), first),
	       judged(body, "slots_over", second));
	printf("%s of a key, ", judged(body, "shed_key", first));
	printf("%s of a vif were shed\n", judged(body, "shed_vif", second));
}

static const char *of_fast(const struct json_t *body, const char *name,
			   char cell[CELL_BYTES])
{
	char path[48];

	snprintf(path, sizeof(path), "fast.%s", name);
	return cell_count(reply_number(body, path), cell);
}

static void show_attached(const struct json_t *body)
{
	size_t count = reply_count(body, "fast.interfaces");

	printf("fast path at");
	for (size_t i = 0; i < count; i++) {
		const struct json_t *interface =
			reply_item(body, "fast.interfaces", i);

		printf("%s ", i > 0 ? "," : "");
		put(reply_text(interface, "name"));
		printf(" (%s%s)", reply_text(interface, "attached"),
		       reply_is_true(interface, "direct") ? ", direct" : "");
	}
	putchar('\n');
}

static void show_fast(const struct json_t *body)
{
	char first[CELL_BYTES], second[CELL_BYTES], third[CELL_BYTES];

	if (!reply_has(body, "fast"))
		return;
	if (!reply_is_true(body, "fast.runs")) {
		printf("fast path: off; ");
		put(reply_text(body, "fast.error"));
		putchar('\n');
		return;
	}
	show_attached(body);
	if (reply_has(body, "fast.share_pct"))
		printf("  %.1f %% of the packets of the last minutes stayed in "
		       "the kernel\n",
		       reply_number(body, "fast.share_pct"));
	printf("  %s out and %s in passed there, %s sent to the daemon\n",
	       of_fast(body, "out_packets", first),
	       of_fast(body, "in_packets", second),
	       of_fast(body, "steered_packets", third));
	if (reply_number(body, "fast.direct_packets") > 0)
		printf("  %s of those out went past the bridge\n",
		       of_fast(body, "direct_packets", first));
	if (reply_has(body, "fast.direct_error")) {
		printf("  by the bridge, not direct: ");
		put(reply_text(body, "fast.direct_error"));
		putchar('\n');
	}
	printf("  %s in told to the daemon, %s more than it could hear\n",
	       of_fast(body, "told_packets", first),
	       of_fast(body, "untold_packets", second));
	printf("  %s pairs leased now, %s leases made, %s ended by a packet\n",
	       of_fast(body, "leases.now", first),
	       of_fast(body, "leases.made", second),
	       of_fast(body, "leases.given_back", third));
	printf("  %s of %s keys, %s found no place\n",
	       of_fast(body, "leases.keys", first),
	       of_fast(body, "leases.keys_max", second),
	       of_fast(body, "leases.no_place", third));
}

void show_status(const struct json_t *body)
{
	char span[CELL_BYTES], held[CELL_BYTES], bytes[CELL_BYTES];
	char over[CELL_BYTES], memory[CELL_BYTES];

	printf("symtapd %s, up %s, %s reserved\n", reply_text(body, "version"),
	       cell_long_span(reply_number(body, "uptime_s"), span),
	       cell_bytes(reply_number(body, "memory_bytes"), memory));
	show_policy(body);
	printf("%s keys over their threshold, %s packets (%s) wait\n",
	       cell_count(reply_number(body, "over_threshold"), over),
	       cell_count(reply_number(body, "held_packets"), held),
	       cell_bytes(reply_number(body, "held_bytes"), bytes));
	puts("tables");
	show_table_use(body, "hosts");
	show_table_use(body, "pairs");
	show_table_use(body, "flows");
	show_table_use(body, "suspects");
	show_judgement(body);
	show_fast(body);
	show_tap(body);
	show_vif_sums(body);
	show_engines(body);
	show_interfaces(body);
	show_kernel_counters(body);
	show_offenders(body);
	show_exemptions(body);
}

void show_stats(const struct json_t *body)
{
	size_t count = reply_count(body, "counters");
	size_t i;

	for (i = 0; i < count; i++) {
		const struct json_t *row = reply_item(body, "counters", i);

		printf("%-10s %-24s %16.0f %s  ", reply_text(row, "of"),
		       reply_text(row, "name"), reply_number(row, "value"),
		       reply_text(row, "unit"));
		put(reply_text(row, "help"));
		putchar('\n');
	}
}

void show_top(const struct json_t *body)
{
	char line[TABLE_LINE_BYTES];
	size_t count = reply_count(body, "rows");
	struct table table;
	size_t i;

	table_lay_out(&table, body, 0);
	table_head(&table, line);
	puts(line);
	for (i = 0; i < count; i++) {
		table_row(&table, reply_item(body, "rows", i), line);
		put(line);
		putchar('\n');
	}
}

void show_explain(const struct json_t *body)
{
	size_t count = reply_count(body, "rows");
	size_t i;

	put_wrapped(reply_text(body, "says"), 0);
	for (i = 0; i < count; i++) {
		putchar('\n');
		put_wrapped(reply_text(reply_item(body, "rows", i), "says"), 2);
	}
	if (reply_number(body, "seen") > (double)count)
		printf("\n%.0f more keys are not shown.\n",
		       reply_number(body, "seen") - (double)count);
}

void show_released(const struct json_t *body)
{
	printf("%s: %.0f packets let out, penalties forgotten\n",
	       reply_text(body, "address"),
	       reply_number(body, "released_packets"));
}

void show_exempted(const struct json_t *body)
{
	double seconds = reply_number(body, "exempt_for_s");
	char span[CELL_BYTES];

	if (seconds > 0)
		printf("%s: exempt for %s\n", reply_text(body, "address"),
		       cell_long_span(seconds, span));
	else
		printf("%s: no longer exempt\n", reply_text(body, "address"));
}

void show_reloaded(const struct json_t *body)
{
	printf("reloaded: ");
	put(reply_text(body, "reloaded"));
	putchar('\n');
}

void show_findings(const struct findings *findings)
{
	size_t i;

	if (findings->count == 0)
		puts("Nothing found: this gateway is well.");
	for (i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		printf("%s%s: %s\n", i > 0 ? "\n" : "",
		       finding_weight_name(finding->weight), finding->id);
		put_wrapped(finding->what, 2);
		put_wrapped(finding->remedy, 4);
	}
}
