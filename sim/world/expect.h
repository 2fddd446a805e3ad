/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_EXPECT_H
#define SIM_WORLD_EXPECT_H

/* Did it come out as the scenario says? */

#include <stdbool.h>
#include <stdint.h>

#include "sim/world/scenario.h"
#include "sim/world/world.h"

/* Does it need the run without symtap? */
bool expect_compares(const struct scenario *scenario);

/*
 * One measure of one sender; `index` is of the expectation, for
 * MEASURE_S and MEASURE_GAPS (how far off the worst gap is, in ms).  `without`
 * may be NULL unless expect_compares.
 */
double expect_measure(const struct scenario *scenario, uint32_t index,
		      uint32_t sender, const struct world_result *result,
		      const struct world_result *without);

/* Is what was found as expected? */
bool expect_holds(const struct scenario_expect *expect, double found);

/* The goodput of a sender against the run without symtap. */
double expect_ratio(uint32_t sender, const struct world_result *result,
		    const struct world_result *without);

#endif
