/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim judge`: does it spare the good, and hold the bad? */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/units.h"
#include "sim/crew.h"
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

struct judge_options {
	const char *config, *json, *report, *folder;
	size_t jobs;
};

enum { OPTION_JSON = 256, OPTION_REPORT };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "report", required_argument, NULL, OPTION_REPORT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool parse_jobs(const char *text, size_t *ret_jobs)
{
	uint64_t jobs;

	if (units_parse_count(text, 0, CREW_THREADS_MAX, &jobs) != UNITS_OK) {
		fprintf(stderr,
			"symtap-sim: --jobs: a number from 0 to %d is meant\n",
			CREW_THREADS_MAX);
		return false;
	}
	*ret_jobs = (size_t)jobs;
	return true;
}

/* EXIT_DONE: go on; -1: help was printed. */
static int parse(struct judge_options *options, int argc, char **argv)
{
	int option;

	*options = (struct judge_options){ 0 };
	optind = 0;
	while ((option = getopt_long(argc, argv, "c:j:h", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'j':
			if (!parse_jobs(optarg, &options->jobs))
				return EXIT_USAGE;
			break;
		case OPTION_JSON:
			options->json = optarg;
			break;
		case OPTION_REPORT:
			options->report = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1) {
		fputs("symtap-sim: judge: one folder is meant\n", stderr);
		return EXIT_USAGE;
	}
	options->folder = argv[optind];
	return EXIT_DONE;
}

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
	int status = EXIT_USAGE;

	if (policy) {
		judgement = judgement_new(options->folder);
		status = EXIT_DAMAGED;
	}
	if (judgement) {
		judgement_run(judgement, policy, options->jobs);
		status = verdict(judgement);
		judge_print(stdout, judgement);
		puts(judgement->passed ? "every target is reached"
				       : "NOT every target is reached");
		if (options->report &&
		    !report_judge(judgement, policy, options->report))
			status = EXIT_NO;
	}
	judgement_free(judgement);
	policy_free(policy);
	return status;
}

int judge_main(int argc, char **argv)
{
	struct judge_options options;
	int status = parse(&options, argc, argv);

	if (status == -1)
		return EXIT_DONE;
	if (status != EXIT_DONE) {
		fputs("`symtap-sim judge --help` tells more.\n", stderr);
		return status;
	}
	return judge(&options);
}
