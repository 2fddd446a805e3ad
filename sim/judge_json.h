/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_JSON_H
#define SIM_JUDGE_JSON_H

#include <stdbool.h>

struct judgement;
struct sweep;

/* All figures and targets; symtap-sim(1) names the members.  `path` "-" is
 * standard output.  false: what is wrong was said on standard error. */
bool judge_json(const struct judgement *judgement, const char *path);
bool judge_json_sweep(const struct sweep *sweep, const char *path);

#endif
