/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_PACER_H
#define SHAPER_PACER_H

/*
 * At most so many events in any one second, whenever it begins.  They are
 * counted in slots of 1/16 s; the running one and the 16 before it count, so
 * that an event is remembered for 1 to 1.0625 s: never more than the pace, and
 * at most 6 % less in the long run.
 */

#include <stdbool.h>
#include <stdint.h>

enum { PACER_SLOTS = 17, PACER_SLOT_NS = 62500000 };

struct pacer { /* all-zero: nothing yet */
	uint64_t slot;
	uint32_t events; /* in all slots */
	uint16_t slots[PACER_SLOTS];
};

/* Is there a place for one more?  `pace` 1..65535.  Cannot fail. */
bool pacer_allows(struct pacer *pacer, uint32_t pace, uint64_t now_ns);

/* Events happened. */
void pacer_count(struct pacer *pacer, uint32_t events, uint64_t now_ns);

/* One that was counted at `counted_ns`, to a slot's precision, does not count
 * any more. */
void pacer_give_back(struct pacer *pacer, uint64_t counted_ns, uint64_t now_ns);

/* When it will next allow one, if nothing happens until then; now_ns: at
 * once. */
uint64_t pacer_next_ns(struct pacer *pacer, uint32_t pace, uint64_t now_ns);

/* Is anything remembered? */
bool pacer_is_idle(struct pacer *pacer, uint64_t now_ns);

#endif
