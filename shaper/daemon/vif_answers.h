/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_ANSWERS_H
#define SHAPER_DAEMON_VIF_ANSWERS_H

/* Vifs as JSON, and how many there are of each kind.  New references, NULL
 * when out of memory. */

#include <stddef.h>

#include "xen-hooks/netback_counters.h"

struct json_t;
struct viftable;

struct vif_sums {
	size_t known, active, held, off, attaching, draining, wrong;
	size_t held_pkts;
};

struct json_t *vif_answers(const struct viftable *table);
struct json_t *vif_answers_sums(const struct viftable *table);

/* What became of the packets that the guards inside of netback saw. */
struct json_t *vif_answers_outcomes(const uint64_t counters[NETBACKCOUNTERS]);

void vif_answers_count(const struct viftable *table, struct vif_sums *ret_sums);

#endif
