/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TOPLIST_H
#define SHAPER_DAEMON_TOPLIST_H

/*
 * The N worst of many rows, kept while they pass by: what an engine hands to
 * a reader instead of its whole table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/zones.h"
#include "shaper/daemon/requests.h"
#include "shaper/snapshot.h"

struct toplist_row {
	struct snapshot_row row;
	char zone[ZONE_NAME_SIZE]; /* the name of row.key.zone */
};

/* While rows are added it is a heap with the least of them on top. */
struct toplist {
	enum request_order by;
	struct toplist_row *rows;
	size_t count, max;
	uint64_t seen; /* rows offered */
};

/* `max` is at least 1.  false: out of memory. */
bool toplist_init(struct toplist *list, enum request_order by, size_t max);
void toplist_fini(struct toplist *list);

/* Keep it if it is among the first `max`.  `zone` is copied.  Cannot fail. */
void toplist_add(struct toplist *list, const struct snapshot_row *row,
		 const char *zone);

/* Add all of `from`, whose rows and count of rows seen stay. */
void toplist_merge(struct toplist *list, const struct toplist *from);

/* Put the rows in order, first the worst.  Add nothing afterwards. */
void toplist_sort(struct toplist *list);

/*
 * > 0: `a` stands before `b`.  By S: what was offered against what was heard;
 * by rate: what was offered in a second; by held: what waits, then over the
 * threshold or not.  Equals are told apart by S, rate, then key.
 */
int toplist_compare(enum request_order by, const struct snapshot_row *a,
		    const struct snapshot_row *b);

#endif
