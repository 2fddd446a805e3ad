/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge_options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/units.h"
#include "sim/crew.h"

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

enum judge_options_result judge_options_parse(struct judge_options *ret_options,
					      const char *help, int argc,
					      char **argv)
{
	bool helped;

	if (!read_all(ret_options, help, argc, argv, &helped)) {
		fprintf(stderr, "`symtap-sim %s --help` tells more.\n",
			argv[0]);
		return JUDGE_OPTIONS_WRONG;
	}
	return helped ? JUDGE_OPTIONS_HELP : JUDGE_OPTIONS_RUN;
}
