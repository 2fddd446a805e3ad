/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same for people. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "sim/output.h"
#include "sim/result.h"

enum { SPAN_SIZE = 16 };

static const char *span(uint64_t ns, char ret_text[SPAN_SIZE])
{
	double s = (double)ns / 1e9;

	if (ns < 1000000000)
		snprintf(ret_text, SPAN_SIZE, "%.3g ms", s * 1e3);
	else if (s < 600)
		snprintf(ret_text, SPAN_SIZE, "%.3g s", s);
	else
		snprintf(ret_text, SPAN_SIZE, "%.0f min", s / 60);
	return ret_text;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Whose gate held most of them. */
static const char *gate_name(const struct tally_held *held)
{
	static const char *const names[TALLY_BYS] = { "flow", "pair", "guard" };
	int most = 0;

	for (int by = 1; by < TALLY_BYS; by++)
		if (held->by_pkts[by] > held->by_pkts[most])
			most = by;
	return held->by_pkts[most] ? names[most] : "-";
}

static void print_held(FILE *file, const struct tally_summary *summary)
{
	const struct tally_held *held = &summary->held;
	char longest[SPAN_SIZE], all[SPAN_SIZE];

	if (held->delayed_pkts + held->dropped_pkts == 0) {
		fprintf(file, "  nothing of %" PRIu64 " out would have waited",
			summary->out_pkts);
	} else {
		fprintf(file,
			"  of %" PRIu64 " out %" PRIu64
			" (%.2g %%) would have waited, at most %s, %s in all",
			summary->out_pkts, held->delayed_pkts,
			percent(held->delayed_pkts, summary->out_pkts),
			span(held->delay_max_ns, longest),
			span(held->delay_ns, all));
		if (held->dropped_pkts)
			fprintf(file, "; %" PRIu64 " dropped at a bound",
				held->dropped_pkts);
	}
	if (summary->forged_pkts)
		fprintf(file, "; %" PRIu64 " forged", summary->forged_pkts);
	if (summary->transit_pkts)
		fprintf(file, "; %" PRIu64 " not judged",
			summary->transit_pkts);
	if (summary->limited_pkts)
		fprintf(file, "; %" PRIu64 " past a plain limit",
			summary->limited_pkts);
	putc('\n', file);
}

static void print_keys(FILE *file, const struct result *result,
		       unsigned int scopes, size_t max)
{
	size_t count;
	const struct tally_key **keys =
		output_keys(result, scopes, max, &count);
	char inside[ADDRESS_TEXT_SIZE], outside[ADDRESS_TEXT_SIZE];
	char longest[SPAN_SIZE], all[SPAN_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct tally_key *key = keys[i];
		const struct tally_held *held = &key->held;

		if (held->delayed_pkts + held->dropped_pkts == 0)
			break;
		if (i == 0)
			fprintf(file,
				"  %-24s %-24s %9s %9s %6s %9s %9s %9s %9s "
				"%s\n",
				"guarded", "other", "out", "in", "max S",
				"delayed", "dropped", "longest", "in all",
				"gate");
		address_print(key->key.inside, inside);
		strcpy(outside, "any");
		if (key->key.scope != FLOW_SCOPE_HOST)
			address_print(key->key.outside, outside);
		fprintf(file,
			"  %-24s %-24s %9" PRIu64 " %9" PRIu64
			" %6.2f %9" PRIu64 " %9" PRIu64 " %9s %9s %s\n",
			inside, outside, key->out_pkts, key->in_pkts,
			output_s(key), held->delayed_pkts, held->dropped_pkts,
			span(held->delay_max_ns, longest),
			span(held->delay_ns, all), gate_name(held));
	}
	free(keys);
}

static uint64_t skipped(const struct replay_counts *counts)
{
	return counts->packets - counts->parsed + counts->unjudged;
}

void output_text(FILE *file, const struct result *result,
		 const struct policy *policy, size_t keys)
{
	const struct replay_counts *counts = &result->counts;
	struct tally_summary summary;
	bool pairs = policy->enforce &
		     (1u << FLOW_SCOPE_FLOW | 1u << FLOW_SCOPE_PAIR);

	if (result->passes_count == 0)
		return;
	fprintf(file, "%s: %" PRIu64 " packets in %.3f s", result->file,
		counts->packets,
		(double)(counts->last_ns - counts->first_ns) / 1e9);
	if (skipped(counts))
		fprintf(file, ", %" PRIu64 " not understood", skipped(counts));
	for (size_t i = 0; i < result->passes_count; i++)
		if (result->passes[i].one_sided) {
			fputs(", one direction only", file);
			break;
		}
	putc('\n', file);
	output_summary(result, &summary);
	print_held(file, &summary);
	print_keys(file, result,
		   pairs ? 1u << FLOW_SCOPE_PAIR : 1u << FLOW_SCOPE_HOST, keys);
}

void output_totals(FILE *file, const struct output_totals *totals)
{
	fprintf(file, "%zu captures, %" PRIu64 " packets", totals->captures,
		totals->packets);
	if (totals->damaged)
		fprintf(file, ", %zu damaged", totals->damaged);
	if (totals->unreadable)
		fprintf(file, ", %zu could not be read", totals->unreadable);
	putc('\n', file);
	print_held(file, &totals->summary);
}
