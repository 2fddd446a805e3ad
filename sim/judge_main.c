/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim judge`: does it spare the good, and hold the bad? */
#include <stdio.h>
#include <string.h>

#include "sim/judge_json.h"
#include "sim/judge_options.h"
#include "sim/judge_text.h"
#include "sim/judgement.h"
#include "sim/report_judge.h"
#include "sim/verbs.h"

static const char help[] =
	"usage: symtap-sim judge [OPTION...] FOLDER\n"
	"\n"
	"Replays the captures that FOLDER/JUDGE.tsv names and compares what\n"
	"symtap would have done with what is asked of it.\n"
	"\n"
	"  -c, --config FILE    the policy; as shipped, when it is not given\n"
	"  -j, --jobs N         captures at the same time; 0, all processors\n"
	"      --json FILE      the figures as JSON; - is standard output\n"
	"      --report FILE    the same as a page with charts (HTML)\n"
	"  -h, --help           this\n"
	"\n"
	"Exit status: 0 every target is reached, 1 not, 2 usage or policy,\n"
	"3 JUDGE.tsv or a capture cannot be read.\n";

static int verdict(const struct judgement *judgement)
{
	if (judgement->unreadable)
		return EXIT_DAMAGED;
	return judgement->passed ? EXIT_DONE : EXIT_NO;
}

static int judge(const struct judge_options *options,
		 struct judgement *judgement, const struct policy *policy)
{
	bool to_stdout = options->json && strcmp(options->json, "-") == 0;
	int status;

	judgement_run(judgement, policy, options->jobs);
	status = verdict(judgement);
	if (!to_stdout)
		judge_print(stdout, judgement);
	if (options->json && !judge_json(judgement, options->json))
		status = EXIT_NO;
	if (options->report &&
	    !report_judge(judgement, policy, options->report))
		status = EXIT_NO;
	fputs(judgement->passed ? "every target is reached\n"
				: "NOT every target is reached\n",
	      to_stdout ? stderr : stdout);
	return status;
}

int judge_main(int argc, char **argv)
{
	static const struct judge_verb verb = { help, judge };

	return judge_options_do(&verb, argc, argv);
}
