/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_EVENTS_H
#define SIM_WORLD_EVENTS_H

/* What happens next on the virtual clock: by time, and what was planned first
 * comes first. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind {
	EVENT_GATEWAY_OUT, /* a parcel reaches the gateway from inside */
	EVENT_GATEWAY_IN,  /* from outside */
	EVENT_REMOTE,      /* it reaches the far end */
	EVENT_HOST,        /* it reaches the guarded host */
	EVENT_TIMER,       /* of a sender */
	EVENT_PUMP,        /* the gateway's timer */
	EVENT_LOOK,        /* somebody wants to know S */
	EVENT_RELOAD,      /* the gateway is given its policy anew */
	EVENT_RESTART,     /* the gateway ends and begins */
};

struct event {
	uint64_t at_ns;
	uint64_t order; /* set by events_push */
	uint32_t who;   /* a parcel, a sender, ... */
	uint16_t which; /* of its timers, of its looks */
	uint8_t kind;   /* enum event_kind */
};

struct events { /* a binary heap; all-zero is empty */
	struct event *heap;
	size_t count, capacity;
	uint64_t planned; /* so far */
};

void events_fini(struct events *events);

/* false: out of memory, and nothing was planned. */
bool events_push(struct events *events, const struct event *event);

/* false: nothing is left. */
bool events_pop(struct events *events, struct event *ret_event);

#endif
