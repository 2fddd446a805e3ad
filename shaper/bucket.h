/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BUCKET_H
#define SHAPER_BUCKET_H

/*
 * A leaky bucket in packets and in bytes.  What leaves fills it, time empties
 * it, and what does not fit in has to wait.  In any time t no more leaves than
 * burst + rate * t, of either; who stays within that never waits.  The burst is
 * what the rate gives in `burst_ns`, or one packet, if that is more.
 *
 * It is exact: what is in it is counted in billionths, so that a nanosecond
 * empties it by the rate.
 */

#include <stdbool.h>
#include <stdint.h>

#include "policy/rate_params.h"

struct bucket { /* all-zero: empty */
	uint64_t at_ns;
	uint64_t used_npkts, used_nbytes; /* 10^-9 of each */
};

/* Does this much fit in?  `params` is set.  Cannot fail. */
bool bucket_allows(struct bucket *bucket, const struct rate_params *params,
		   uint32_t pkts, uint32_t bytes, uint64_t now_ns);

/* It left, whether it fitted in or not. */
void bucket_take(struct bucket *bucket, const struct rate_params *params,
		 uint32_t pkts, uint32_t bytes, uint64_t now_ns);

/* When it will fit in, if nothing leaves until then; now_ns: at once. */
uint64_t bucket_next_ns(struct bucket *bucket, const struct rate_params *params,
			uint32_t pkts, uint32_t bytes, uint64_t now_ns);

#endif
