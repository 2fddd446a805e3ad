/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/rtt.h"

#define FIRST_NS UINT64_C(1000000000)
#define MIN_NS   UINT64_C(200000000)
#define MAX_NS   UINT64_C(60000000000)

/* RFC 6298 section 2: alpha 1/8, beta 1/4. */
void rtt_measured(struct rtt *rtt, uint64_t sample_ns)
{
	uint64_t off_ns;

	rtt->doublings = 0;
	if (rtt->smooth_ns == 0) {
		rtt->smooth_ns = sample_ns;
		rtt->variance_ns = sample_ns / 2;
		return;
	}
	off_ns = sample_ns > rtt->smooth_ns ? sample_ns - rtt->smooth_ns
					    : rtt->smooth_ns - sample_ns;
	rtt->variance_ns = (3 * rtt->variance_ns + off_ns) / 4;
	rtt->smooth_ns = (7 * rtt->smooth_ns + sample_ns) / 8;
}

void rtt_timed_out(struct rtt *rtt)
{
	rtt->doublings++;
}

/* Sections 2 and 5.5; the variance alone is kept above the lower bound, so
 * that a steady long path does not time out at its first late packet. */
uint64_t rtt_timeout_ns(const struct rtt *rtt)
{
	uint64_t margin_ns = 4 * rtt->variance_ns;
	uint64_t timeout_ns = FIRST_NS;

	if (rtt->smooth_ns != 0)
		timeout_ns = rtt->smooth_ns +
			     (margin_ns > MIN_NS ? margin_ns : MIN_NS);
	for (uint32_t i = 0; i < rtt->doublings && timeout_ns < MAX_NS; i++)
		timeout_ns *= 2;
	return timeout_ns < MAX_NS ? timeout_ns : MAX_NS;
}
