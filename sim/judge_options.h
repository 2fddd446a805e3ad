/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_OPTIONS_H
#define SIM_JUDGE_OPTIONS_H

/* The command line of `symtap-sim judge` and `symtap-sim sweep`. */

#include <stddef.h>

struct judge_options {
	const char *config; /* NULL: the shipped default */
	const char *json;   /* NULL: none; "-": standard output */
	const char *report; /* NULL: none */
	const char *folder;
	size_t jobs; /* 0: as many as there are processors */
};

struct judgement;
struct policy;

struct judge_verb {
	const char *help;
	/* Returns the exit status. */
	int (*run)(const struct judge_options *options,
		   struct judgement *judgement, const struct policy *policy);
};

/*
 * Parses the command line (argv[0] is the verb), reads policy and JUDGE.tsv,
 * and runs the verb.  Returns the exit status; what is wrong was said on
 * standard error.
 */
int judge_options_do(const struct judge_verb *verb, int argc, char **argv);

#endif
