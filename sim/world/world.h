/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_WORLD_H
#define SIM_WORLD_WORLD_H

/*
 * A closed loop on a virtual clock: senders that react, links, and between
 * the guarded hosts and the rest of the world the same pump that runs live, or
 * a plain forwarder.  The same scenario comes out the same, always.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/stats.h"
#include "sim/world/ledger.h"

struct policy;
struct scenario;

struct world_look {
	uint64_t at_ns; /* since the beginning, as asked for */
	double s;
};

struct world_sender {
	struct ledger ledger; /* its clock begins at WORLD_START_NS */
	struct ledger_totals totals;
	uint64_t good_bytes; /* that reached whom they were for, in time */
	uint64_t busy_ns;    /* while there was something to deliver */
	double goodput_bits_per_s;
};

/* The pump takes 0 for "never" in some places. */
#define WORLD_START_NS UINT64_C(1000000000)

struct world_result {
	struct world_sender *senders; /* as in the scenario */
	uint32_t senders_count;
	double *looks;      /* S, by expectation; 0 where none was asked for */
	struct stats stats; /* of the pump; zeroed without it */
	uint64_t events;
};

/*
 * `policy` NULL: without symtap.  false: out of memory.  The caller ends the
 * use of *ret_result with world_result_fini.
 */
bool world_run(const struct scenario *scenario, const struct policy *policy,
	       struct world_result *ret_result);
void world_result_fini(struct world_result *result);

#endif
