/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_DELAYS_H
#define SIM_WORLD_DELAYS_H

/* How long packets waited: any number of them in 16 kB, to 3 %. */

#include <stdint.h>

enum { DELAYS_STEPS = 32, DELAYS_BUCKETS = 60 * DELAYS_STEPS };

struct delays { /* all-zero is empty */
	uint64_t count, sum_ns, max_ns;
	uint64_t over_10ms;
	uint64_t buckets[DELAYS_BUCKETS];
};

void delays_add(struct delays *delays, uint64_t delay_ns);

/* So many in a hundred waited at most this long (the upper end of what is
 * known of it); 0 when there are none. */
uint64_t delays_percentile(const struct delays *delays, unsigned int percent);

#endif
