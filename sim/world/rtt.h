/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_RTT_H
#define SIM_WORLD_RTT_H

/* How long to wait for an acknowledgement (RFC 6298), with the lower bound of
 * 200 ms that systems in use have in the place of its second. */

#include <stdint.h>

struct rtt { /* all-zero: nothing measured yet */
	uint64_t smooth_ns, variance_ns;
	uint32_t doublings; /* time-outs in a row */
};

void rtt_measured(struct rtt *rtt, uint64_t sample_ns);
void rtt_timed_out(struct rtt *rtt);
uint64_t rtt_timeout_ns(const struct rtt *rtt);

#endif
