/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPORT_JUDGE_H
#define SIM_REPORT_JUDGE_H

#include <stdbool.h>

struct judgement;
struct policy;

/* --report of `symtap-sim judge`.  false: what is wrong was said on standard
 * error. */
bool report_judge(const struct judgement *judgement,
		  const struct policy *policy, const char *path);

#endif
