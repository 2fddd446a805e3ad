/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim sweep`: so that an operator can choose. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/judge_json.h"
#include "sim/judge_options.h"
#include "sim/report_sweep.h"
#include "sim/sweep.h"
#include "sim/verbs.h"

static const char help[] =
	"usage: symtap-sim sweep [OPTION...] FOLDER\n"
	"\n"
	"Judges the captures that FOLDER/JUDGE.tsv names by many settings:\n"
	"thresholds, windows, what counts as a reply, and how much may go out\n"
	"without one; tells how many good packets come late, and how many\n"
	"attack packets get out, by each.\n"
	"\n"
	"  -c, --config FILE    what does not vary; as shipped, when not "
	"given\n"
	"  -j, --jobs N         captures at the same time; 0, all processors\n"
	"      --json FILE      the figures as JSON; - is standard output\n"
	"      --report FILE    a page with the trade-off as a chart (HTML)\n"
	"  -h, --help           this\n"
	"\n"
	"Exit status: 0 done, 1 a file cannot be written, 2 usage or policy,\n"
	"3 JUDGE.tsv or a capture cannot be read.\n";

static void print(const struct sweep *sweep)
{
	printf("%-63s %10s %10s %10s %12s %10s %10s\n", "settings", "good late",
	       "pairs late", "dropped", "worst, ms", "attack out",
	       "1st second");
	for (size_t i = 0; i < sweep->count; i++) {
		const struct sweep_point *point = &sweep->points[i];
		char name[SWEEP_NAME_SIZE];

		sweep_name(point, name);
		printf("%-63s %8.3f %% %8.3f %% %10" PRIu64
		       " %12.1f %8.2f %% %10" PRIu32 "%s\n",
		       name, point->late_pct, point->late_pairs_pct,
		       point->good.dropped_pkts,
		       (double)point->good.worst_ns / 1e6, point->let_out_pct,
		       point->attack.first_second.pkts,
		       point->bettered ? "" : "  none is better in both");
	}
}

static int tell(const struct judge_options *options, const struct sweep *sweep,
		const struct policy *policy)
{
	int status = sweep->unreadable ? EXIT_DAMAGED : EXIT_DONE;

	if (!options->json || strcmp(options->json, "-") != 0)
		print(sweep);
	if (options->json && !judge_json_sweep(sweep, options->json))
		status = EXIT_NO;
	if (options->report && !report_sweep(sweep, policy, options->report))
		status = EXIT_NO;
	return status;
}

static int weigh(const struct judge_options *options,
		 struct judgement *judgement, const struct policy *policy)
{
	struct sweep *sweep = sweep_new(judgement, policy);
	int status = EXIT_NO;

	if (sweep) {
		sweep_run(sweep, policy, options->jobs);
		status = tell(options, sweep, policy);
	} else {
		fputs("symtap-sim: out of memory\n", stderr);
	}
	sweep_free(sweep);
	return status;
}

int sweep_main(int argc, char **argv)
{
	static const struct judge_verb verb = { help, weigh };

	return judge_options_do(&verb, argc, argv);
}
