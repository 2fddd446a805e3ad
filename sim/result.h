/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_RESULT_H
#define SIM_RESULT_H

/* One capture, replayed: what `symtap-sim replay` found in it. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/options.h"
#include "sim/replay.h"

struct policy;
struct series;
struct tally;

enum { RESULT_WHY_SIZE = 256 };

struct result {
	const char *file;
	int status;                  /* EXIT_DONE, EXIT_NO, EXIT_DAMAGED */
	char why[RESULT_WHY_SIZE];   /* what is wrong with the file */
	uint64_t offset;             /* EXIT_DAMAGED: where */
	struct replay_counts counts; /* of the first pass */
	struct result_pass {         /* by options.passes */
		struct tally *tally;
		struct series *series; /* for --report, --plot; else NULL */
		struct stats stats;
		bool one_sided; /* for some time; then nothing is held */
		struct replay_counts counts;
	} passes[OPTIONS_PASSES_MAX];
	size_t passes_count;
};

/* For who draws how far it is. */
struct result_progress {
	_Atomic uint64_t read_bytes, size_bytes, packets;
};

/* Cannot fail but in ret_result->status.  `packet` goes through every pass at
 * once, so that a pipe can be read; `ahead`: a thread of its own reads it. */
void result_make(const struct options *options, const struct policy *policy,
		 const char *file, bool ahead, struct result_progress *progress,
		 struct result *ret_result);
/* Every key had its place, and the window that it should have. */
bool result_is_complete(const struct result *result);

void result_fini(struct result *result);

#endif
