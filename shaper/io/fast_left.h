/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_LEFT_H
#define SHAPER_IO_FAST_LEFT_H

/*
 * What the program of a daemon that was killed had been leased: read from the
 * maps that were pinned (fast_pin.h).  Nobody writes them any more; what stands
 * there is still not believed, and what makes no sense is left out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/fast_table.h"

struct fast_config;
struct fast_slot;
struct pump_lease;

struct fastleft {
	struct fasttable table; /* never written */
	const struct fast_config *config;
	uint32_t at;
	bool flows;   /* pairs come first */
	void *memory; /* of fastleft_open */
};

/* Of a table and of what it goes with, in memory.  NULL when it can be read,
 * else what is wrong with it. */
const char *fastleft_init(struct fastleft *left, const struct fast_slot *slots,
			  const struct fast_config *config, uint32_t count);

/* The same of two maps, which may be closed then. */
const char *fastleft_open(struct fastleft *left, int slots_fd, int memory_fd,
			  uint32_t slots_count);
void fastleft_close(struct fastleft *left);

/*
 * One lease after the other, as pump_take_back wants it: all pairs, then their
 * flows.  key.zone is 0; the interface is which zone it was, by its index.
 * false: that was the last.
 */
bool fastleft_next(struct fastleft *left, struct pump_lease *ret_lease,
		   uint32_t *ret_ifindex, uint64_t now_ns);

#endif
