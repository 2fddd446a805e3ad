/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_HELD_H
#define SIM_HELD_H

/* Packets of a replay that wait: what is to be told of each when it leaves.
 * The pump bounds how many there are. */

#include <stdbool.h>
#include <stdint.h>

#include "sim/replay.h"

struct held_packet {
	struct replay_event event;
	uint16_t dst_zone;
	bool onward;   /* its destination is guarded, too */
	uint32_t next; /* free ones */
};

struct held {
	struct held_packet *all;
	uint32_t capacity, fresh, used;
	uint32_t freed; /* index + 1; 0: none */
};

/* false: out of memory. */
bool held_init(struct held *held, uint32_t capacity);
void held_fini(struct held *held);

/* Make sure that `count` can be taken.  false: out of memory. */
bool held_reserve(struct held *held, uint32_t count);

/* After held_reserve; cannot fail. */
uint32_t held_take(struct held *held);
void held_give_back(struct held *held, uint32_t id);

#endif
