/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "sim/run.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/* A flood is good for nobody. */
static void print_goodput(FILE *file, const struct run *run, uint32_t place)
{
	const struct world_sender *sender = &run->result.senders[place];

	if (run->scenario->senders[place].kind == SCENARIO_FLOOD) {
		fprintf(file, " %10s %7s", "-", "-");
		return;
	}
	fprintf(file, " %10.4f", sender->goodput_bits_per_s / 1e6);
	if (run->compares)
		fprintf(file, " %7.4f",
			expect_ratio(place, &run->result, &run->without));
	else
		fprintf(file, " %7s", "-");
}

static void print_sender(FILE *file, const struct run *run, uint32_t place)
{
	const struct world_sender *sender = &run->result.senders[place];
	const struct ledger *ledger = &sender->ledger;
	const struct ledger_totals *totals = &sender->totals;

	fprintf(file, "  %-20s %9" PRIu64 " %9" PRIu64 " %9" PRIu64,
		run->scenario->senders[place].name, ledger->offered_pkts,
		ledger->let_out_pkts, ledger->heard_pkts);
	print_goodput(file, run, place);
	fprintf(file, " %8.3f %8.3f %8.3f %6.2f",
		ms(delays_percentile(&ledger->delays, 50)),
		ms(delays_percentile(&ledger->delays, 99)),
		ms(ledger->delays.max_ns), ledger->s_max);
	fprintf(file, " %8.2f %6" PRIu64 " %6" PRIu64 " %8.2f\n",
		totals->let_out_per_s, totals->first_second_pkts,
		totals->any_second_pkts, totals->contacts_per_s);
}

/* What the best of the attackers got, if there are any. */
static void print_best(FILE *file, const struct run *run)
{
	const struct scenario *scenario = run->scenario;
	const struct world_result *result = &run->result;
	uint32_t best = scenario->senders_count;
	uint64_t any_second_pkts = 0;

	for (uint32_t i = 0; i < scenario->senders_count; i++) {
		if (scenario->senders[i].kind != SCENARIO_FLOOD)
			continue;
		if (result->senders[i].totals.any_second_pkts > any_second_pkts)
			any_second_pkts =
				result->senders[i].totals.any_second_pkts;
		if (best == scenario->senders_count ||
		    result->senders[i].totals.let_out_per_s >
			    result->senders[best].totals.let_out_per_s)
			best = i;
	}
	if (best == scenario->senders_count)
		return;
	fprintf(file,
		"  best rate of a flood: %.2f/s to one destination, %.2f/s to "
		"all (%s); most in a second to one: %" PRIu64 "\n",
		result->senders[best].totals.let_out_per_s,
		(double)result->senders[best].ledger.let_out_pkts /
			((double)scenario->duration_ns / 1e9),
		scenario->senders[best].name, any_second_pkts);
}

static void print_expect(FILE *file, const struct run *run, uint32_t index,
			 uint32_t sender, unsigned int *failed)
{
	const struct scenario_expect *expect = &run->scenario->expect[index];
	double found = expect_measure(run->scenario, index, sender,
				      &run->result, &run->without);
	bool holds = expect_holds(expect, found);

	*failed += !holds;
	if (!file)
		return;
	fprintf(file, "  %s  %s %s", holds ? "holds" : "FAILS",
		run->scenario->senders[sender].name,
		scenario_measure_name(expect->measure));
	if (expect->measure == MEASURE_S)
		fprintf(file, " at %.3f s", (double)expect->at_ns / 1e9);
	if (expect->has_least)
		fprintf(file, " at least %g", expect->least);
	if (expect->has_most)
		fprintf(file, " at most %g", expect->most);
	if (expect->measure == MEASURE_GAPS)
		fprintf(file, " off by at most %g ms",
			ms(expect->tolerance_ns));
	fprintf(file, ": %.4f\n", found);
}

static unsigned int print_all_expect(FILE *file, const struct run *run)
{
	const struct scenario *scenario = run->scenario;
	unsigned int failed = 0;

	for (uint32_t i = 0; i < scenario->expect_count; i++) {
		uint32_t sender = scenario->expect[i].sender;

		if (sender < scenario->senders_count) {
			print_expect(file, run, i, sender, &failed);
			continue;
		}
		for (uint32_t j = 0; j < scenario->senders_count; j++)
			print_expect(file, run, i, j, &failed);
	}
	return failed;
}

unsigned int run_count_failed(const struct run *run)
{
	return print_all_expect(NULL, run);
}

unsigned int run_text(FILE *file, const struct run *run)
{
	const struct scenario *scenario = run->scenario;
	unsigned int failed;

	fprintf(file, "%s: %s\n", run->file, scenario->about);
	fprintf(file, "  %g s%s\n", (double)scenario->duration_ns / 1e9,
		run->policy ? "" : ", without symtap");
	fprintf(file, "  %-20s %9s %9s %9s %10s %7s %8s %8s %8s %6s", "sender",
		"offered", "let out", "heard", "Mbit/s", "ratio", "p50 ms",
		"p99 ms", "max ms", "S max");
	fprintf(file, " %8s %6s %6s %8s\n", "later/s", "1st s", "any s",
		"new/s");
	for (uint32_t i = 0; i < scenario->senders_count; i++)
		print_sender(file, run, i);
	print_best(file, run);
	failed = print_all_expect(file, run);
	if (scenario->unmet[0] != '\0')
		fprintf(file, "  known: %s\n", scenario->unmet);
	return failed;
}
