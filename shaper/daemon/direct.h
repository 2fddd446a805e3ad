/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_DIRECT_H
#define SHAPER_DAEMON_DIRECT_H

/*
 * `fast: direct`: at which interfaces of the fast path what is leased may leave
 * past the bridge, and by which of its ports (shaper/bpf/fast_direct.h).  It is
 * refused wherever the bridge would have more to say about a frame than where
 * it goes, with the reason in the log and in the status.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>

struct daemon;
struct direct;

/* NULL: out of memory. */
struct direct *direct_new(struct daemon *daemon);
void direct_free(struct direct *direct); /* NULL is fine */

/* Once a second.  `anew`: interfaces, the policy, or where the program is
 * attached have changed.  false: all is as it was. */
bool direct_advance(struct direct *direct, bool anew);

/* At this place of the fast path's. */
bool direct_is_at(const struct direct *direct, size_t at);
/* Why it is not where it could be, of one interface; "": nothing is wrong. */
void direct_wrong(const struct direct *direct, char *ret_text, size_t bytes);

#endif
