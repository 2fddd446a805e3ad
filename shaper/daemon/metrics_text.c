/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/metrics_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/counters.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/vif_answers.h"

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t end_length = strlen(end);

	return length >= end_length &&
	       memcmp(text + length - end_length, end, end_length) == 0;
}

/* The unit as a part of the name; "" where the name says what is counted. */
static const char *unit_suffix(const char *unit)
{
	if (strcmp(unit, "packets") == 0)
		return "_packets";
	if (strcmp(unit, "super-packets") == 0)
		return "_super_packets";
	if (strcmp(unit, "nanoseconds") == 0)
		return "_seconds";
	return "";
}

void metrics_text_name(const char *prefix, const struct counter_row *row,
		       char ret_name[METRICS_NAME_BYTES])
{
	size_t length = strlen(row->name);

	if (ends_with(row->name, length, "_pkts"))
		length -= strlen("_pkts");
	else if (ends_with(row->name, length, "_ns"))
		length -= strlen("_ns");
	snprintf(ret_name, METRICS_NAME_BYTES, "%s_%.*s%s_total", prefix,
		 (int)length, row->name, unit_suffix(row->unit));
}

static void head(FILE *page, const char *name, const char *type,
		 const char *help)
{
	fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values may hold anything but these three as they are. */
static void label(FILE *page, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", page);
		else if (*text == '\\' || *text == '"')
			fprintf(page, "\\%c", *text);
		else
			fputc(*text, page);
	}
}

static void gauge(FILE *page, const char *name, const char *help, double value)
{
	head(page, name, "gauge", help);
	fprintf(page, "%s %.15g\n", name, value);
}

static void counter(FILE *page, const char *name, const char *help,
		    uint64_t value)
{
	head(page, name, "counter", help);
	fprintf(page, "%s %" PRIu64 "\n", name, value);
}

static void counter_value(FILE *page, const struct counter_row *row,
			  uint64_t value)
{
	if (strcmp(row->unit, "nanoseconds") == 0)
		fprintf(page, " %.9f\n", (double)value / 1e9);
	else
		fprintf(page, " %" PRIu64 "\n", value);
}

/* What was counted before a restart goes with the first engine, so that a
 * restart is no reset. */
static void core_counters(FILE *page, const struct status *status)
{
	char name[METRICS_NAME_BYTES];
	size_t i, engine;

	for (i = 0; i < STATS_COUNT; i++) {
		const struct counter_row *row = &counters_core[i];
		uint64_t before = status->restored.totals.stats.counter[i];

		metrics_text_name("symtap", row, name);
		head(page, name, "counter", row->help);
		for (engine = 0; engine < status->engines_count; engine++) {
			fprintf(page, "%s{engine=\"%zu\"}", name, engine);
			counter_value(page, row,
				      status->engines[engine]
						      .totals.stats.counter[i] +
					      (engine == 0 ? before : 0));
		}
	}
}

static void io_counters(FILE *page, const struct status *status)
{
	char name[METRICS_NAME_BYTES];
	size_t i, engine;

	for (i = 0; i < NFQUEUE_COUNT; i++) {
		const struct counter_row *row = &counters_io[i];
		uint64_t before = status->restored.io.counter[i];

		metrics_text_name("symtap_nfqueue", row, name);
		head(page, name, "counter", row->help);
		for (engine = 0; engine < status->engines_count; engine++) {
			fprintf(page, "%s{engine=\"%zu\"}", name, engine);
			counter_value(page, row,
				      status->engines[engine].io.counter[i] +
					      (engine == 0 ? before : 0));
		}
	}
}

/* The carrier's are since it began, as it told them. */
static void tap_counters(FILE *page, const struct status *status)
{
	const struct tapjudge_stats *tap = &status->sums.tap;
	const struct {
		const char *prefix;
		const struct counter_row *rows;
		const uint64_t *values;
		size_t count;
	} lists[] = {
		{ "symtap_tap", counters_tap, tap->counter,
		  TAPJUDGE_COUNTERS_COUNT },
		{ "symtap_tap_carrier", counters_carrier, tap->carrier.counter,
		  TAPCARRIER_COUNTERS_COUNT },
	};
	char name[METRICS_NAME_BYTES];

	for (size_t i = 0; status->has_tap && i < 2; i++) {
		for (size_t n = 0; n < lists[i].count; n++) {
			metrics_text_name(lists[i].prefix, &lists[i].rows[n],
					  name);
			counter(page, name, lists[i].rows[n].help,
				lists[i].values[n]);
		}
	}
}

static void unreadable(FILE *page, const struct status *status)
{
	static const char name[] = "symtap_unreadable_packets_total";
	size_t i;

	head(page, name, "counter", "passed unjudged: could not be read");
	for (i = 1; i < PACKET_ERRORS; i++)
		fprintf(page, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
			counters_unreadable[i].name,
			status->sums.io.unreadable_pkts[i]);
}

static void tables(FILE *page, const struct snapshot_totals *totals)
{
	const struct {
		const char *table;
		uint32_t used, max;
	} rows[] = {
		{ "pairs", totals->pairs, totals->pairs_max },
		{ "flows", totals->flows, totals->flows_max },
		{ "hosts", totals->hosts, totals->hosts_max },
		{ "suspects", totals->suspects, totals->suspects_max },
	};
	size_t i;

	head(page, "symtap_table_used_keys", "gauge", "in the table now");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(page, "symtap_table_used_keys{table=\"%s\"} %u\n",
			rows[i].table, rows[i].used);
	head(page, "symtap_table_max_keys", "gauge", "places in the table");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(page, "symtap_table_max_keys{table=\"%s\"} %u\n",
			rows[i].table, rows[i].max);
}

static void gauges(FILE *page, const struct status *status, uint64_t now_ns)
{
	const struct snapshot_totals *totals = &status->sums.totals;
	uint64_t up_ns =
		now_ns > status->started_ns ? now_ns - status->started_ns : 0;

	head(page, "symtap_build_info", "gauge", "version of the daemon");
	fprintf(page, "symtap_build_info{version=\"%s\"} 1\n", SYMTAP_VERSION);
	gauge(page, "symtap_enforcing", "1: packets are held; 0: shadow mode",
	      status->policy->mode == POLICY_ENFORCE);
	gauge(page, "symtap_uptime_seconds", "since the daemon started",
	      (double)up_ns / 1e9);
	gauge(page, "symtap_held_packets", "waiting now", totals->held_pkts);
	gauge(page, "symtap_held_slots", "of guests' rings, by what waits",
	      totals->held_slots);
	gauge(page, "symtap_held_bytes", "waiting now",
	      (double)totals->held_bytes);
	gauge(page, "symtap_over_threshold_keys", "over their threshold now",
	      totals->penalties);
	gauge(page, "symtap_one_sided_ratio",
	      "pairs seen in one direction only, of those seen lately",
	      (double)totals->one_sided_pct / 100);
	gauge(page, "symtap_one_sided",
	      "1: only one direction passes here, so nothing is held",
	      totals->one_sided);
	gauge(page, "symtap_memory_bytes", "reserved for the tables",
	      (double)totals->memory_bytes);
	gauge(page, "symtap_exemptions", "given by the operator, in force",
	      (double)status->exemptions_count);
}

static void fast_gauges(FILE *page, const struct status *status)
{
	const struct nfqueue_leases *leases = &status->sums.leases;
	double share = status_fast_share(status);

	if (!status->fast.wanted)
		return;
	gauge(page, "symtap_fast_running",
	      "1: the kernel's fast path is attached; 0: it could not be",
	      status->fast.runs);
	gauge(page, "symtap_fast_ratio",
	      "packets that stayed in the kernel, of those of the last minutes",
	      share < 0 ? 0 : share);
	gauge(page, "symtap_fast_leased_pairs",
	      "that the kernel counts and passes now", leases->leased);
	gauge(page, "symtap_fast_used_keys",
	      "pairs and flows that the kernel's program knows now",
	      leases->keys);
	gauge(page, "symtap_fast_max_keys", "places for them",
	      leases->keys_max);
}

/* By state, not by guest: their names are others' and without end. */
static void vif_gauges(FILE *page, const struct viftable *table)
{
	struct vif_sums sums;

	if (table == NULL)
		return;
	vif_answers_count(table, &sums);
	const struct {
		const char *state;
		size_t count;
	} rows[] = {
		{ "active", sums.active },     { "held", sums.held },
		{ "off", sums.off },           { "attaching", sums.attaching },
		{ "draining", sums.draining },
	};

	head(page, "symtap_vifs", "gauge", "vifs of guests of this Xen host");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(page, "symtap_vifs{state=\"%s\"} %zu\n", rows[i].state,
			rows[i].count);
	gauge(page, "symtap_vifs_wrong",
	      "with a key that is wrong, or that cannot be guarded",
	      (double)sums.wrong);
	gauge(page, "symtap_vifs_held_packets", "that wait behind vifs",
	      (double)sums.held_pkts);
}

static void daemon_counters(FILE *page, const struct status *status)
{
	counter(page, "symtap_policy_reloads_total", "policies taken up",
		status->reloads);
	counter(page, "symtap_policy_reloads_refused_total",
		"policies refused, the one before stayed",
		status->reloads_refused);
	counter(page, "symtap_rules_restored_total",
		"times our nftables table was gone and put back",
		status->rules_restored);
	counter(page, "symtap_log_lost_lines_total",
		"log lines for which the reader had no room", log_lost_lines());
}

static void kernel_counter(FILE *page, const struct status *status,
			   const char *name, bool bytes)
{
	struct nftrules_counter counter;
	size_t i;

	head(page, name, "counter", "counted by our rules in the kernel");
	for (i = 0; i < status->kernel_counters_count; i++) {
		if (!status_kernel_counter(status, i, &counter))
			continue;
		fprintf(page, "%s{rule=\"", name);
		label(page, counter.name);
		fprintf(page, "\"} %" PRIu64 "\n",
			bytes ? counter.bytes : counter.pkts);
	}
}

/* What our rules decided without us: transit, drops, forged sources. */
static void kernel_counters(FILE *page, const struct status *status)
{
	kernel_counter(page, status, "symtap_kernel_packets_total", false);
	kernel_counter(page, status, "symtap_kernel_bytes_total", true);
}

/* Of all vifs together, and of those that are gone. */
static void netback_counters(FILE *page, const struct status_netback *netback)
{
	char name[METRICS_NAME_BYTES];

	for (size_t i = 0; i < NETBACKCOUNTERS && netback->is_there; i++) {
		const struct netback_counter *counter = &netbackcounters[i];
		const struct counter_row row = { counter->name, "packets",
						 counter->help };

		if (counter->is_level)
			continue;
		metrics_text_name("symtap_netback", &row, name);
		head(page, name, "counter", counter->help);
		fprintf(page, "%s %" PRIu64 "\n", name, netback->counters[i]);
	}
}

char *metrics_text(const struct status *status, uint64_t now_ns)
{
	char *text = NULL;
	size_t length_bytes;
	FILE *page = open_memstream(&text, &length_bytes);

	if (page == NULL)
		return NULL;
	gauges(page, status, now_ns);
	tables(page, &status->sums.totals);
	fast_gauges(page, status);
	vif_gauges(page, status->vifs);
	netback_counters(page, &status->netback);
	daemon_counters(page, status);
	kernel_counters(page, status);
	core_counters(page, status);
	io_counters(page, status);
	tap_counters(page, status);
	unreadable(page, status);
	if (fclose(page) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
