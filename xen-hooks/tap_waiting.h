/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_WAITING_H
#define XEN_HOOKS_TAP_WAITING_H

/*
 * Packets that wait for a verdict: a fixed number of places, found by the id
 * that the judge gives back, in order of arrival.  Internal to the carrier.
 */

#include <stdbool.h>
#include <stdint.h>

struct tapwaiting;

/* NULL: out of memory. */
struct tapwaiting *tapwaiting_new(uint32_t places);
void tapwaiting_free(struct tapwaiting *waiting); /* NULL is fine */

/* An id that no other has, and is not 0; 0: all places are taken. */
uint64_t tapwaiting_add(struct tapwaiting *waiting, uint64_t token,
			uint64_t now_ns);

/* It waits no more; false: it did not. */
bool tapwaiting_take(struct tapwaiting *waiting, uint64_t id,
		     uint64_t *ret_token);
/* The same of whoever waits longest, if that is since `until_ns` or before. */
bool tapwaiting_take_oldest(struct tapwaiting *waiting, uint64_t until_ns,
			    uint64_t *ret_token);

/* Since when the oldest waits; UINT64_MAX: nobody does. */
uint64_t tapwaiting_oldest_ns(const struct tapwaiting *waiting);
uint32_t tapwaiting_count(const struct tapwaiting *waiting);

#endif
