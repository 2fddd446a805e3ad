/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_RATE_PARAMS_H
#define POLICY_RATE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_NS UINT64_C(100000000) /* unless it is said */

/* How much a guarded host may send in all: shaper/bucket.h. */
struct rate_params {
	uint64_t bytes_per_s; /* 1 kB/s..12.5 GB/s; 0: any */
	uint64_t burst_ns;    /* as much as in this time at once; 1 ms..1 s */
	uint32_t pkts_per_s;  /* 1..100,000,000; 0: any */
};

static inline bool rate_is_set(const struct rate_params *params)
{
	return params->pkts_per_s != 0 || params->bytes_per_s != 0;
}

#endif
