/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_RATE_PACE_H
#define XEN_HOOKS_RATE_PACE_H

/*
 * When a vif is paused, and how it begins again.  Pure.
 *
 * While an engine says that the vif's guest owes packets, which have left
 * already and should have waited, it is paused.  When it owes none any more a
 * burst may go: what others of the guest want to send is behind a flood's
 * packets in the ring, and those have to go first.  Then it may send a
 * full-sized packet in a window, twice of that in each further one, and what
 * its operator allows after the last: a flood that goes on owes again before
 * that.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	RATEPACE_ENGINES = 64,
	RATEPACE_BURST_PKTS = 64, /* of the size of what was owed */
	RATEPACE_FIRST_BYTES = 1514,
	RATEPACE_LAST_BYTES = 100000, /* above, it is as good as free */
	RATEPACE_WINDOW_US = 50000,
};

/* All zero: nothing was said of it, it is free. */
struct ratepace {
	uint64_t owing; /* a bit for each engine */
	uint64_t next_ns;
	uint32_t packet_bytes; /* of what was owed last */
	uint32_t window_bytes; /* limited: 0 is a pause */
	bool limited;
	bool bursts;
};

enum ratepace_action {
	RATEPACE_NOTHING,
	RATEPACE_LIMIT, /* to window_bytes */
	RATEPACE_FREE,
};

/* `engine` is below RATEPACE_ENGINES; packet_bytes: of what is owed, 0 when
 * nothing is.  Cannot fail, as all of these. */
enum ratepace_action ratepace_owes(struct ratepace *pace, uint32_t engine,
				   uint32_t packet_bytes, uint64_t now_ns);

/* When to call ratepace_advance; UINT64_MAX: never. */
uint64_t ratepace_next_ns(const struct ratepace *pace);
enum ratepace_action ratepace_advance(struct ratepace *pace, uint64_t now_ns);

#endif
