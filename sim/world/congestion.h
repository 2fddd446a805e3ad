/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_CONGESTION_H
#define SIM_WORLD_CONGESTION_H

/* How many packets may be under way: Reno (RFC 5681) or CUBIC (RFC 9438), as
 * far as it matters to what a gateway sees. */

#include <stdint.h>

enum congestion_kind { CONGESTION_CUBIC, CONGESTION_RENO };

enum { CONGESTION_FIRST_PKTS = 10 }; /* RFC 6928 */

struct congestion {
	enum congestion_kind kind;
	double window_pkts, threshold_pkts;
	double max_pkts;   /* CUBIC: the window at the last loss */
	double reno_pkts;  /* CUBIC: what Reno would have */
	double back_s;     /* CUBIC: until max_pkts is reached again */
	uint64_t since_ns; /* CUBIC: of this epoch; 0: it has not begun */
};

void congestion_init(struct congestion *congestion, enum congestion_kind kind);

/* So many packets were acknowledged, and all of the window was in use. */
void congestion_acked(struct congestion *congestion, uint32_t pkts,
		      uint64_t rtt_ns, uint64_t now_ns);

/* Once in a round trip: something was lost. */
void congestion_lost(struct congestion *congestion);

/* Nothing was heard for a time-out. */
void congestion_timed_out(struct congestion *congestion);

#endif
