/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_HOLD_COUNT_H
#define SHAPER_IO_HOLD_COUNT_H

/* How many packets are in a device of hold_qdisc.h. */

#include <stdint.h>

struct holdcount {
	uint32_t waiting_pkts; /* in the class */
	uint32_t leaving_pkts; /* on their way out of the device, of any */
	uint32_t left_pkts;    /* since the class was made */
	uint32_t dropped_pkts; /* the same: it was full */
};

/* 0 or -errno. */
int holdcount_read(uint32_t ifindex, uint32_t class,
		   struct holdcount *ret_count);

#endif
