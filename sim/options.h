/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

/* The command line of `symtap-sim replay`. */

#include <stdbool.h>
#include <stddef.h>

#include "sim/replay.h"

enum { OPTIONS_PASSES_MAX = 2, OPTIONS_JOBS_MAX = 256 };
#define OPTIONS_KEYS_ALL SIZE_MAX

struct options {
	const char *config;    /* NULL: the shipped default */
	const char **prefixes; /* --inside, in the place of the policy's */
	size_t prefixes_count;
	enum replay_guarded passes[OPTIONS_PASSES_MAX]; /* each end in turn */
	size_t passes_count;
	bool has_inside; /* --inside was given */
	bool arrives_inside, exact, progress, has_keys;
	const char *json;   /* NULL: none; "-": standard output */
	const char *report; /* NULL: none */
	const char *plot;   /* NULL: none; of one file only */
	size_t keys;        /* at most so many of each capture */
	size_t jobs;        /* 0: as many as there are cores */
	const char **files;
	size_t files_count;
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Says what is wrong on standard error.  options_fini in any case. */
enum options_result options_parse(struct options *options, int argc,
				  char **argv);
void options_fini(struct options *options);

/* What `symtap-sim replay --help` prints. */
extern const char options_help[];

#endif
