/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_GATE_H
#define SHAPER_GATE_H

/*
 * May the packet at the head of a key leave?  One gate per key: while S is at
 * or below the threshold it is open; above it, it owes one packet each time
 * its timer fires, and the timer doubles.
 *
 *	ask   S <= T: open, everything forgotten
 *	      S >  T: it owes one, or is closed; closed and not armed: armed
 *	              for first_delay x 2^(n-1), at most max_delay, n counting
 *	              how often in a row
 *	fire  the timer is due: it owes one, if something waits
 *	left  a packet left while it was not open: nothing is owed any more
 */

#include <stdbool.h>
#include <stdint.h>

#include "policy/gate_params.h"
#include "shaper/asym.h"

struct gate {              /* all-zero: fresh */
	uint64_t armed_ns; /* when the timer fires; 0: not armed */
	uint32_t releases; /* n */
	bool owes;
};

enum gate_answer { GATE_OPEN, GATE_OWES, GATE_CLOSED };

/* What it answers to most packets.  false: ask.  As gate_ask; no timer needs to
 * have fired. */
static inline bool gate_is_open(struct gate *gate,
				const struct gate_params *params,
				uint32_t sent_pkts, uint32_t heard_pkts)
{
	if (asym_exceeds(sent_pkts, heard_pkts, params->ratio_q16))
		return false;
	*gate = (struct gate){ 0 };
	return true;
}

/*
 * `sent_pkts` and `heard_pkts` are those of the window that ends now, without
 * the packet that asks.  Timers that are due must have fired.  Cannot fail.
 */
enum gate_answer gate_ask(struct gate *gate, const struct gate_params *params,
			  uint32_t sent_pkts, uint32_t heard_pkts,
			  uint64_t now_ns);

/* Fire the timer when it is due.  `waits`: something of this key waits. */
void gate_fire(struct gate *gate, bool waits, uint64_t now_ns);

/* A packet left.  Call after an answer other than GATE_OPEN, too. */
static inline void gate_left(struct gate *gate)
{
	gate->owes = false;
}

/* The packet that asked now, and armed it, does not wait after all. */
void gate_unask(struct gate *gate, const struct gate_params *params,
		uint64_t now_ns);

/* The packet that asked now leaves at once, although it was not open: as if the
 * timer had fired `releases` times, if that is more often than it has. */
void gate_waive(struct gate *gate, uint32_t releases);

/* Nothing of this key waits any more: what it owed lapses. */
static inline void gate_lapse(struct gate *gate)
{
	gate->owes = false;
}

/* How long the n-th delay is; n from 1. */
uint64_t gate_delay_ns(const struct gate_params *params, uint32_t n);

#endif
