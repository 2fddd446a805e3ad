/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_GATE_PARAMS_H
#define POLICY_GATE_PARAMS_H

#include <stdint.h>

/* Set by the operator; shared by many keys; never written by the core. */
struct gate_params {
	uint32_t ratio_q16;      /* 2^threshold x 65536; held above this
				  * out:in ratio; threshold 0.0..15.0 */
	uint64_t window_ns;      /* how far back packets count; 10 ms..60 s */
	uint64_t first_delay_ns; /* first delay, then doubled; 1 us..1 s */
	uint64_t max_delay_ns;   /* doubling stops here;
				  * first_delay_ns..10 s */
};

#endif
