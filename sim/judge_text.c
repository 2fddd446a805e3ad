/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that `symtap-sim judge` prints. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/address.h"
#include "sim/judge_text.h"

#define NS_PER_MS 1e6

static void print_fact(FILE *file, const struct judge_fact *fact,
		       const char *indent)
{
	fprintf(file, "%s%-48s %10.*f %-8s", indent, fact->name,
		strcmp(fact->unit, "%") == 0 ? 3
		: fact->unit[0] == 'm'       ? 1
					     : 0,
		fact->found, fact->unit);
	if (fact->judged)
		fprintf(file, "at most %-8g %s", fact->limit,
			judge_fact_passes(fact) ? "pass" : "FAIL");
	else
		fprintf(file, "%-16s %s", "", "-");
	if (fact->where[0])
		fprintf(file, "  (%s)", fact->where);
	fputc('\n', file);
}

static void print_facts(FILE *file, const struct judge_facts *facts,
			const char *indent)
{
	for (size_t i = 0; i < facts->count; i++)
		print_fact(file, &facts->list[i], indent);
}

static void print_problem(FILE *file, const struct judge_trial *trial)
{
	if (trial->problem[0])
		fprintf(file, "    %s: %s\n", trial->entry->file,
			trial->problem);
}

/* ------ good captures: a row each, judged together */

static void print_delay(FILE *file, uint64_t delay_ns)
{
	if (delay_ns == UINT64_MAX)
		fprintf(file, " %9s", "dropped");
	else
		fprintf(file, " %9.2f", (double)delay_ns / NS_PER_MS);
}

static void print_row(FILE *file, const char *name,
		      const struct judge_figures *figures)
{
	fprintf(file,
		"  %-56.56s %8" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64
		" %6" PRIu64 " %6" PRIu64,
		name, figures->out_pkts, figures->delayed_pkts,
		figures->late_pkts, figures->dropped_pkts, figures->pairs,
		figures->late_pairs);
	print_delay(file, judge_delay_ns(figures, 0.5));
	print_delay(file, judge_delay_ns(figures, 0.99));
	fprintf(file, " %9.2f %9.2f\n",
		(double)figures->delay_max_ns / NS_PER_MS,
		(double)figures->worst_ns / NS_PER_MS);
}

static void print_reasons(FILE *file, const struct judge_group *group)
{
	char reason[JUDGE_TEXT_SIZE], key[JUDGE_KEY_SIZE];

	for (size_t i = 0; i < group->count; i++) {
		const struct judge_trial *trial = &group->trials[i];

		for (size_t j = 0; j < trial->figures.worst_count; j++) {
			judge_print_key(&trial->figures.worst[j].flow, key);
			judge_explain(&trial->figures.worst[j], reason);
			fprintf(file, "  exception: %s: %s: %s\n",
				trial->entry->file, key, reason);
		}
	}
}

static void print_good(FILE *file, const struct judge_group *group)
{
	fprintf(file, "  %-56s %8s %7s %7s %7s %6s %6s %9s %9s %9s %9s\n",
		"capture (packets, host pairs, ms)", "out", "delayed", "late",
		"dropped", "pairs", "late", "p50", "p99", "longest",
		"conv. sum");
	for (size_t i = 0; i < group->count; i++) {
		print_row(file, group->trials[i].entry->file,
			  &group->trials[i].figures);
		print_problem(file, &group->trials[i]);
	}
	print_row(file, "all", &group->figures);
	print_facts(file, &group->facts, "  ");
	print_reasons(file, group);
}

/* ------ attacks: judged one by one */

static void print_attack(FILE *file, const struct judge_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct judge_trial *trial = &group->trials[i];
		const struct judge_figures *figures = &trial->figures;
		char prefix[ADDRESS_TEXT_SIZE];

		if (trial->guarded == JUDGE_GUARDED_PREFIX)
			address_print_prefix(&trial->entry->prefix, prefix);
		else
			snprintf(prefix, sizeof(prefix), "%s",
				 trial->guarded == JUDGE_GUARDED_INITIATORS
					 ? "initiators"
					 : "responders");
		fprintf(file,
			"  %s, guarded: %s\n    out %" PRIu64
			", let out %" PRIu64 ", delayed %" PRIu64
			", dropped %" PRIu64 ", in %" PRIu64 ", forged %" PRIu64
			", transit %" PRIu64 ", in %.1f s\n",
			trial->entry->file, prefix, figures->out_pkts,
			figures->let_out_pkts, figures->delayed_pkts,
			figures->dropped_pkts, figures->in_pkts,
			figures->forged_pkts, figures->transit_pkts,
			(double)figures->duration_ns / 1e9);
		print_problem(file, trial);
		print_facts(file, &trial->facts, "    ");
	}
}

void judge_print(FILE *file, const struct judgement *judgement)
{
	for (size_t i = 0; i < judgement->groups_count; i++) {
		const struct judge_group *group = &judgement->groups[i];

		fprintf(file, "%s, %s%s%s: %zu capture%s: %s\n",
			judge_class_name(group->family),
			judge_family_name(group->family),
			group->family == JUDGE_LEGIT ? ", " : "",
			group->family == JUDGE_LEGIT
				? judgement_guarded_name(group->guarded)
				: "",
			group->count, group->count == 1 ? "" : "s",
			group->passed ? "pass" : "FAIL");
		if (group->family == JUDGE_LEGIT)
			print_good(file, group);
		else
			print_attack(file, group);
		fputc('\n', file);
	}
}
