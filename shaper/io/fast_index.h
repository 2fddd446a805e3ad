/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_INDEX_H
#define SHAPER_IO_FAST_INDEX_H

/*
 * Which place an interface has: open addressing by its number, so that the
 * program looks at one or two of hundreds (fast_place_of in fast_maps.h).
 */

struct fast_config;

/* After a change of interfaces[].ifindex, 0 being none.  The index is made
 * anew in place: who looks meanwhile may miss one, and then its packet goes to
 * the queue. */
void fastindex_make(struct fast_config *config);

#endif
