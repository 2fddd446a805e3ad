/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_RATE_H
#define SIM_RATE_H

/*
 * How many of something in a second: in seconds counted from the first one,
 * and in any second at all.  After a silence the counting begins anew.
 *
 * All-zero but for `silence_ns` is a valid fresh state.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
	uint64_t silence_ns;   /* after so much the seconds begin anew; 0:
				* never */
	uint64_t base_ns;      /* where the seconds are counted from */
	uint64_t last_ns;      /* of the latest packet, either way */
	uint64_t second;       /* since base_ns */
	uint32_t count, heard; /* in it */
	bool has_begun;

	uint32_t first_max;   /* in a first second */
	uint32_t later_max;   /* in any other one ... */
	uint32_t later_heard; /* ... by the most beyond `per_heard` for each
			       * heard; and how many were heard in it */
	uint32_t sliding_max; /* in any (now - 1 s, now] after the first
			       * second */
	uint32_t any_max;     /* the same, the first second included */

	uint64_t *times_ns; /* a ring: those of the last second */
	size_t head, used, capacity;
	bool lost; /* there was no memory for a time */
};

/* What a packet heard allows in the same second, when the worst second is
 * looked for. */
enum { RATE_PER_HEARD = 4 };

/* One of them left at now_ns; it had arrived at arrived_ns. */
void rate_add(struct rate *rate, uint64_t arrived_ns, uint64_t now_ns);

/* One was heard.  It ends a silence, and begins nothing. */
void rate_hear(struct rate *rate, uint32_t count, uint64_t now_ns);

/* The last second counts as well: call once, at the end; frees what it has. */
void rate_finish(struct rate *rate);

#endif
