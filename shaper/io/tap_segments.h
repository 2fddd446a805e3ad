/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_TAP_SEGMENTS_H
#define SHAPER_IO_TAP_SEGMENTS_H

/*
 * Of how many wire packets a super-packet of TCP is.  The kernel does not tell,
 * but shows it when it takes one apart: the first of each flow, and by chance
 * one more in 512 or so, since a segment's size seldom changes.  Who makes his
 * smaller in between has them counted as fewer until then.
 *
 *	tapsegments_count()	0: have it taken apart, then
 *	tapsegments_learn()	for each of its segments, before the next count
 *
 * A fixed number of places: who loses his is asked again.  Pure.
 */

#include <stdint.h>

struct packet_meta;

enum { TAPSEGMENTS_PLACES = 1024 };

struct tapsegments;

/* The seed is random.  NULL: out of memory. */
struct tapsegments *tapsegments_new(const uint8_t seed[16]);
void tapsegments_free(struct tapsegments *segments); /* NULL is fine */

uint32_t tapsegments_count(struct tapsegments *segments,
			   const struct packet_meta *meta);
void tapsegments_learn(struct tapsegments *segments,
		       const struct packet_meta *meta);

#endif
