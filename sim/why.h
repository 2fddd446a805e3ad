/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WHY_H
#define SIM_WHY_H

/* Why somebody's packets were held, for who has never heard of S. */

#include <stdint.h>

#include "shaper/pump.h"

struct policy;
struct words;

struct why {
	enum pump_by by;  /* whose gate held most of them; PUMP_BYS: a plain
			   * limit */
	double s_max;     /* of the packets as they were captured */
	double threshold; /* T */
	uint64_t window_ns;
	uint32_t sent_pkts, heard_pkts; /* in the window when S was largest;
					 * 0 and 0: not known */
	uint64_t out_pkts, in_pkts;     /* in all */
};

/* Whose gate held most; `by_pkts` has PUMP_BYS + 1 of them. */
enum pump_by why_most(const uint64_t *by_pkts);

/* "its S rose to 3.6, above the threshold of 2.0: in 1s it had sent 119
 * packets and heard 9" */
void why_add(struct words *words, const struct why *why,
	     const struct policy *policy);

/* What a gate holds its packets to: "S at most 2.0 over 1 s" */
void why_add_measure(struct words *words, enum pump_by by,
		     const struct policy *policy);

#endif
