/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_RUN_H
#define SIM_RUN_H

/* What came of one scenario, and the ways to show it. */

#include <stdbool.h>
#include <stdio.h>

#include "sim/world/expect.h"
#include "sim/world/scenario.h"
#include "sim/world/world.h"

struct policy;

struct run {
	const char *file;
	struct scenario *scenario;
	const struct policy *policy; /* NULL: without symtap */
	struct world_result result;
	bool compares;
	struct world_result without; /* when it compares */
};

/* --- run_text.c.  Both return how many expectations do not hold. */
unsigned int run_text(FILE *file, const struct run *run);
unsigned int run_count_failed(const struct run *run);

/* --- run_json.c: one line.  false: it cannot be written. */
bool run_json(FILE *file, const struct run *run);

/* --- run_plot.c: to a file by its name's end, .svg or .png.  0 or -errno. */
int run_plot(const char *path, const struct run *run);

#endif
