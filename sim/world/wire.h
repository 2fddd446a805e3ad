/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_WIRE_H
#define SIM_WORLD_WIRE_H

/* A link in one direction: packets leave it in order, at its rate, after its
 * delay, unless one is lost or finds the queue before it full (drop-tail). */

#include <stdbool.h>
#include <stdint.h>

#include "sim/world/dice.h"

struct wire_params {
	uint64_t rate_bits_per_s;
	uint64_t delay_ns;
	uint64_t queue_bytes;     /* that may wait, what is under way aside */
	uint32_t loss_in_million; /* lost after they were sent */
};

/* Of a frame beside its IP packet: Ethernet's header, FCS, preamble, gap. */
enum { WIRE_FRAME_BYTES = 38 };

struct wire {
	uint64_t free_ns; /* when all that was sent so far is on its way */
	uint64_t sent_pkts, lost_pkts, dropped_pkts;
	struct dice dice; /* its own, so that nobody else's luck matters */
};

/* When a packet of `bytes` (layer 3) reaches the other end.  false: it does
 * not. */
bool wire_send(struct wire *wire, const struct wire_params *params,
	       uint32_t bytes, uint64_t now_ns, uint64_t *ret_arrives_ns);

#endif
