/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_ASYM_H
#define SHAPER_ASYM_H

/*
 * Packet asymmetry (Kreibich, Warfield, Crowcroft, Hand, Pratt: "Using Packet
 * Symmetry to Curtail Malicious Traffic", HotNets 2005):
 *
 *	S = log2((sent + 1) / (heard + 1)),  too much when S > T
 *
 * that is (sent + 1) > 2^T (heard + 1): integers, no logarithm.  Also compiled
 * for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

/* ratio_q16 is 2^T x 65536, up to 2^31: nothing here can overflow. */
static inline bool asym_exceeds(uint32_t sent_pkts, uint32_t heard_pkts,
				uint32_t ratio_q16)
{
	return (((uint64_t)sent_pkts + 1) << 16) >
	       (uint64_t)ratio_q16 * ((uint64_t)heard_pkts + 1);
}

/* How many of `pkts` more are too many, if they go at once. */
static inline uint32_t asym_beyond(uint32_t sent_pkts, uint32_t heard_pkts,
				   uint32_t pkts, uint32_t ratio_q16)
{
	uint64_t free_pkts = (uint64_t)ratio_q16 * ((uint64_t)heard_pkts + 1) >>
			     16;

	if (free_pkts >= (uint64_t)sent_pkts + pkts)
		return 0;
	return free_pkts > sent_pkts ? sent_pkts + pkts - (uint32_t)free_pkts
				     : pkts;
}

#endif
