/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PUMP_INVARIANTS_H
#define TESTS_PUMP_INVARIANTS_H

#include <stdint.h>

struct pump;

/*
 * Looks at all of a pump between two calls and aborts, saying why, when
 * anything contradicts: tables, quotas, pools, FIFOs, lines, timers, sums.
 * Walks everything: for small pumps.  Returns how many ids it keeps.
 */
uint64_t pump_check(const struct pump *pump);

#endif
