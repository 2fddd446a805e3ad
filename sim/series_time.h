/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_SERIES_TIME_H
#define SIM_SERIES_TIME_H

/* From the time of a packet to the time that is drawn: silences are cut. */

#include <stddef.h>
#include <stdint.h>

enum { SERIES_CUTS_MAX = 64 };

struct series_time {
	uint64_t bin_ns;
	uint64_t shown_max_ns;
	uint64_t last_ns; /* of the latest arrival */
	size_t cuts_count;
	struct series_cut {
		uint64_t begin_ns, end_ns; /* what is left out */
		uint64_t before_ns;        /* cut out before it */
	} cuts[SERIES_CUTS_MAX];
};

/* A packet was captured; arrivals never run back. */
void series_time_arrive(struct series_time *time, uint64_t now_ns);

/* Cannot fail; a time inside of a cut is drawn where the cut begins. */
uint64_t series_time_shown(const struct series_time *time, uint64_t now_ns);

uint64_t series_time_cut(const struct series_time *time);

#endif
