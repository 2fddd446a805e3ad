/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/congestion.h"

#include <math.h>

static const double CUBIC_C = 0.4, CUBIC_BETA = 0.7, RENO_BETA = 0.5;
static const double NS_PER_S = 1e9;

enum { MIN_PKTS = 2 };

void congestion_init(struct congestion *congestion, enum congestion_kind kind)
{
	*congestion = (struct congestion){
		.kind = kind,
		.window_pkts = CONGESTION_FIRST_PKTS,
		.threshold_pkts = 1e9,
	};
}

/* RFC 9438 4.2 to 4.4: W(t) = C (t - K)^3 + W_max, and never below what Reno
 * would have by now. */
static void grow_cubic(struct congestion *congestion, double pkts,
		       uint64_t rtt_ns, uint64_t now_ns)
{
	double alpha = 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA);
	double t, target;

	if (congestion->since_ns == 0) {
		congestion->since_ns = now_ns;
		congestion->reno_pkts = congestion->window_pkts;
		if (congestion->max_pkts < congestion->window_pkts)
			congestion->max_pkts = congestion->window_pkts;
		congestion->back_s =
			cbrt((congestion->max_pkts - congestion->window_pkts) /
			     CUBIC_C);
	}
	t = (double)(now_ns - congestion->since_ns + rtt_ns) / NS_PER_S -
	    congestion->back_s;
	target = CUBIC_C * t * t * t + congestion->max_pkts;
	congestion->reno_pkts += alpha * pkts / congestion->window_pkts;
	if (target > 1.5 * congestion->window_pkts)
		target = 1.5 * congestion->window_pkts;
	if (target > congestion->window_pkts)
		congestion->window_pkts += (target - congestion->window_pkts) *
					   pkts / congestion->window_pkts;
	else
		congestion->window_pkts +=
			0.01 * pkts / congestion->window_pkts;
	if (congestion->window_pkts < congestion->reno_pkts)
		congestion->window_pkts = congestion->reno_pkts;
}

void congestion_acked(struct congestion *congestion, uint32_t pkts,
		      uint64_t rtt_ns, uint64_t now_ns)
{
	if (congestion->window_pkts < congestion->threshold_pkts) {
		congestion->window_pkts += pkts;
		return;
	}
	switch (congestion->kind) {
	case CONGESTION_RENO:
		congestion->window_pkts += pkts / congestion->window_pkts;
		break;
	case CONGESTION_CUBIC:
		grow_cubic(congestion, pkts, rtt_ns, now_ns);
		break;
	}
}

void congestion_lost(struct congestion *congestion)
{
	double beta = congestion->kind == CONGESTION_CUBIC ? CUBIC_BETA
							   : RENO_BETA;

	/* Fast convergence, RFC 9438 4.7. */
	congestion->max_pkts =
		congestion->window_pkts < congestion->max_pkts
			? congestion->window_pkts * (1 + CUBIC_BETA) / 2
			: congestion->window_pkts;
	congestion->window_pkts *= beta;
	if (congestion->window_pkts < MIN_PKTS)
		congestion->window_pkts = MIN_PKTS;
	congestion->threshold_pkts = congestion->window_pkts;
	congestion->since_ns = 0;
}

void congestion_timed_out(struct congestion *congestion)
{
	congestion_lost(congestion);
	congestion->window_pkts = 1;
}
