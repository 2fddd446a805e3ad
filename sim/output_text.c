/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same for people: in sentences, with a table of the worst. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "sim/judge_targets.h"
#include "sim/output.h"
#include "sim/result.h"
#include "sim/why.h"
#include "sim/words.h"

enum { SPAN_SIZE = 16, KEYS_SHOWN = 10 };

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

static const char *percent(uint64_t part, uint64_t whole,
			   char ret_text[SPAN_SIZE])
{
	double pct = 100.0 * (double)part / (double)whole;

	snprintf(ret_text, SPAN_SIZE, pct < 1 ? "%.2g %%" : "%.1f %%", pct);
	return ret_text;
}

/* ------ what would have happened */

void output_whom(FILE *file, const struct options *options)
{
	if (!options->has_inside)
		fputs("guarded: who sent the first packet of each pair; "
		      "--inside says which hosts are yours\n",
		      file);
	else if (options->passes_count > 1)
		fputs("guarded: each end of every pair, in turn\n", file);
	else if (options->passes[0] == REPLAY_INITIATORS)
		fputs("guarded: who sent the first packet of each pair\n",
		      file);
	else if (options->passes[0] == REPLAY_RESPONDERS)
		fputs("guarded: who did not send the first packet of each "
		      "pair\n",
		      file);
	else if (options->prefixes_count == 0)
		fputs("guarded: what the policy calls inside\n", file);
	for (size_t i = 0; i < options->prefixes_count; i++)
		fprintf(file, "%s%s%s",
			i ? ", " : "guarded: ", options->prefixes[i],
			i + 1 == options->prefixes_count ? "\n" : "");
}

/* "by the gates of: pair 1032, new connections 12" */
static void print_gates(FILE *file, const struct tally_held *held)
{
	const char *before = "  Held by: ";

	for (int by = 0; by <= PUMP_BYS; by++) {
		if (held->by_pkts[by] == 0)
			continue;
		fprintf(file, "%s%s %" PRIu64, before,
			judge_gate_name((enum pump_by)by), held->by_pkts[by]);
		before = ", ";
	}
	fputs(".\n", file);
}

static void print_nothing_out(FILE *file, const struct tally_summary *summary)
{
	if (summary->transit_pkts)
		fputs("  Nothing was judged: no guarded host sent anything. "
		      "--inside says which hosts are yours.\n",
		      file);
	else
		fputs("  There is no packet in it that S could hold.\n", file);
}

static void print_held(FILE *file, const struct tally_summary *summary)
{
	const struct tally_held *held = &summary->held;
	uint64_t held_pkts = held->delayed_pkts + held->dropped_pkts;
	char longest[SPAN_SIZE], all[SPAN_SIZE], share[SPAN_SIZE];

	if (summary->out_pkts == 0) {
		print_nothing_out(file, summary);
	} else if (held_pkts == 0) {
		fprintf(file,
			"  symtap would have held nothing: all %" PRIu64
			" outgoing packets would have left at once.\n",
			summary->out_pkts);
	} else {
		fprintf(file,
			"  symtap would have held %" PRIu64 " of %" PRIu64
			" outgoing packets (%s): %" PRIu64
			" delayed, by %s at most and %s in all",
			held_pkts, summary->out_pkts,
			percent(held_pkts, summary->out_pkts, share),
			held->delayed_pkts, span(held->delay_max_ns, longest),
			span(held->delay_ns, all));
		if (held->dropped_pkts)
			fprintf(file,
				"; %" PRIu64
				" dropped, because too many waited already",
				held->dropped_pkts);
		fputs(".\n", file);
		print_gates(file, held);
	}
}

/* What S has no part in. */
static void print_others(FILE *file, const struct tally_summary *summary)
{
	if (summary->forged_pkts)
		fprintf(file,
			"  %" PRIu64 " packets had forged sources and would "
			"not have left.\n",
			summary->forged_pkts);
	if (summary->transit_pkts)
		fprintf(file,
			"  %" PRIu64 " packets were not judged: neither end "
			"is guarded, or a rule decides.\n",
			summary->transit_pkts);
	if (summary->limited_pkts)
		fprintf(file,
			"  %" PRIu64 " packets (multicast, DHCP, ICMP errors) "
			"were beyond a plain limit.\n",
			summary->limited_pkts);
}

/* ------ whom, and why */

static void print_row(FILE *file, const struct tally_key *key)
{
	const struct tally_held *held = &key->held;
	char inside[ADDRESS_TEXT_SIZE], outside[ADDRESS_TEXT_SIZE] = "any";
	char longest[SPAN_SIZE], all[SPAN_SIZE];

	address_print(key->key.inside, inside);
	if (key->key.scope != FLOW_SCOPE_HOST)
		address_print(key->key.outside, outside);
	fprintf(file,
		"  %-24s %-24s %9" PRIu64 " %9" PRIu64 " %6.2f %9" PRIu64
		" %9" PRIu64 " %9s %9s\n",
		inside, outside, key->out_pkts, key->in_pkts, output_s(key),
		held->delayed_pkts, held->dropped_pkts,
		span(held->delay_max_ns, longest), span(held->delay_ns, all));
}

/* Not again what stands in *last already. */
static void print_why(FILE *file, const struct tally_key *key,
		      const struct policy *policy, struct words *last)
{
	const struct gate_params *params = &policy->params[key->params];
	const struct why why = {
		.by = why_most(key->held.by_pkts),
		.s_max = output_s(key),
		.threshold = log2(params->ratio_q16 / 65536.0),
		.window_ns = params->window_ns,
		.sent_pkts = key->peak_sent_pkts,
		.heard_pkts = key->peak_heard_pkts,
		.out_pkts = key->out_pkts,
		.in_pkts = key->in_pkts,
	};
	struct words words = { 0 };

	why_add(&words, &why, policy);
	if (strcmp(words.text, last->text) != 0)
		fprintf(file, "      %s\n", words.text);
	*last = words;
}

static void print_keys(FILE *file, const struct result *result,
		       const struct policy *policy,
		       const struct options *options)
{
	bool pairs = policy->enforce &
		     (1u << FLOW_SCOPE_FLOW | 1u << FLOW_SCOPE_PAIR);
	size_t count;
	const struct tally_key **keys = output_keys(
		result, 1u << (pairs ? FLOW_SCOPE_PAIR : FLOW_SCOPE_HOST),
		options->has_keys ? options->keys : KEYS_SHOWN, &count);
	struct words last = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct tally_held *held = &keys[i]->held;

		if (held->delayed_pkts + held->dropped_pkts == 0)
			break;
		if (i == 0)
			fprintf(file,
				"  %-24s %-24s %9s %9s %6s %9s %9s %9s %9s\n",
				"guarded", "other", "out", "in", "max S",
				"delayed", "dropped", "longest", "in all");
		print_row(file, keys[i]);
		print_why(file, keys[i], policy, &last);
	}
	free(keys);
}

/* ------ a capture */

static void print_skipped(FILE *file, const struct replay_counts *counts)
{
	struct output_reason reasons[OUTPUT_REASONS_MAX];
	size_t count = output_reasons(counts, reasons);
	const char *before = "";

	if (count == 0)
		return;
	fprintf(file, ", %" PRIu64 " not understood (",
		counts->packets - counts->parsed + counts->unjudged);
	for (size_t i = 0; i < count; i++) {
		fprintf(file, "%s%" PRIu64 " %s", before, reasons[i].packets,
			reasons[i].name);
		before = ", ";
	}
	putc(')', file);
}

void output_text(FILE *file, const struct result *result,
		 const struct policy *policy, const struct options *options)
{
	const struct replay_counts *counts = &result->counts;
	struct tally_summary summary;
	bool one_sided = false;

	if (result->passes_count == 0)
		return;
	fprintf(file, "%s: %" PRIu64 " packets in %.3f s", result->file,
		counts->packets,
		(double)(counts->last_ns - counts->first_ns) / 1e9);
	print_skipped(file, counts);
	putc('\n', file);
	for (size_t i = 0; i < result->passes_count; i++)
		one_sided |= result->passes[i].one_sided;
	if (one_sided)
		fputs("  Only one direction was seen for some time; nothing is "
		      "held meanwhile, unless force_one_sided is set.\n",
		      file);
	output_summary(result, &summary);
	print_held(file, &summary);
	print_others(file, &summary);
	print_keys(file, result, policy, options);
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
	print_others(file, &totals->summary);
}
