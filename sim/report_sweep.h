/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPORT_SWEEP_H
#define SIM_REPORT_SWEEP_H

#include <stdbool.h>

struct policy;
struct sweep;

/* --report of `symtap-sim sweep`.  false: what is wrong was said on standard
 * error. */
bool report_sweep(const struct sweep *sweep, const struct policy *policy,
		  const char *path);

#endif
