/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEMO_BEAT_H
#define DEMO_BEAT_H

/* A steady beat and an end: every program of the demo is bounded by it. */

#include <stdbool.h>
#include <stdint.h>

struct beat {
	uint64_t next_ns, every_ns, end_ns;
};

uint64_t beat_now_ns(void);

void beat_init(struct beat *beat, uint64_t every_ns, unsigned seconds);

/* Sleep until the next beat.  false: the time is over.  Beats that were
 * missed are not made up for. */
bool beat_wait(struct beat *beat);

#endif
