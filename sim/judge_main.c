/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim judge`: does it spare the good, and hold the bad? */
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "sim/judge_json.h"
#include "sim/judge_options.h"
#include "sim/judge_text.h"
#include "sim/judgement.h"
#include "sim/policy_file.h"
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

static int judge(const struct judge_options *options)
{
	struct policy *policy = policy_file_load(options->config);
	struct judgement *judgement = NULL;
	bool to_stdout = options->json && strcmp(options->json, "-") == 0;
	int status = EXIT_USAGE;

	if (policy) {
		judgement = judgement_new(options->folder);
		status = EXIT_DAMAGED;
	}
	if (judgement) {
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
	}
	judgement_free(judgement);
	policy_free(policy);
	return status;
}

int judge_main(int argc, char **argv)
{
	struct judge_options options;

	switch (judge_options_parse(&options, help, argc, argv)) {
	case JUDGE_OPTIONS_HELP:
		return EXIT_DONE;
	case JUDGE_OPTIONS_WRONG:
		return EXIT_USAGE;
	case JUDGE_OPTIONS_RUN:
		break;
	}
	return judge(&options);
}
