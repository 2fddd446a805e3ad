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

enum judge_options_result {
	JUDGE_OPTIONS_RUN,
	JUDGE_OPTIONS_HELP,
	JUDGE_OPTIONS_WRONG,
};

/* argv[0] is the verb.  Prints `help` when asked to; what is wrong goes to
 * standard error. */
enum judge_options_result judge_options_parse(struct judge_options *ret_options,
					      const char *help, int argc,
					      char **argv);

#endif
