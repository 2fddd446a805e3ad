/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge_options.h"

#include <getopt.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "policy/policy.h"
#include "policy/units.h"
#include "sim/crew.h"
#include "sim/judgement.h"
#include "sim/policy_file.h"
#include "sim/verbs.h"

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

static bool read_all(struct judge_options *options, const char *help, int argc,
		     char **argv, bool *ret_helped)
{
	int option;

	*options = (struct judge_options){ 0 };
	*ret_helped = false;
	optind = 0;
	while ((option = getopt_long(argc, argv, "c:j:h", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 'j':
			if (!parse_jobs(optarg, &options->jobs))
				return false;
			break;
		case OPTION_JSON:
			options->json = optarg;
			break;
		case OPTION_REPORT:
			options->report = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			*ret_helped = true;
			return true;
		default:
			return false;
		}
	}
	if (argc - optind != 1) {
		fprintf(stderr, "symtap-sim: %s: one folder is meant\n",
			argv[0]);
		return false;
	}
	options->folder = argv[optind];
	return true;
}

/*
 * Tables are made and thrown away for each capture, and a small capture uses a
 * few pages of them.  So fresh memory always comes from the kernel, zeroed when
 * it is touched, and by small pages: several times faster than to clear it all.
 */
static void prefer_small_pages(void)
{
	enum { FROM_KERNEL_BYTES = 1 << 20 };

	mallopt(M_MMAP_THRESHOLD, FROM_KERNEL_BYTES);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static int run(const struct judge_verb *verb,
	       const struct judge_options *options)
{
	struct policy *policy = policy_file_load(options->config);
	struct judgement *judgement;
	int status = EXIT_USAGE;

	if (!policy)
		return status;
	prefer_small_pages();
	judgement = judgement_new(options->folder);
	status = judgement ? verb->run(options, judgement, policy)
			   : EXIT_DAMAGED;
	judgement_free(judgement);
	policy_free(policy);
	return status;
}

int judge_options_do(const struct judge_verb *verb, int argc, char **argv)
{
	struct judge_options options;
	bool helped;

	if (!read_all(&options, verb->help, argc, argv, &helped)) {
		fprintf(stderr, "`symtap-sim %s --help` tells more.\n",
			argv[0]);
		return EXIT_USAGE;
	}
	return helped ? EXIT_DONE : run(verb, &options);
}
