/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_KEEPER_H
#define SHAPER_DAEMON_KEEPER_H

/*
 * Who is killed writes no state: so the keys that are held back are written
 * every other second while there are any, and the counters every half minute.
 * The same keys are told to travel.h, also where nothing is written.
 * Main thread only.
 */

#include <stddef.h>
#include <stdint.h>

struct keeper;
struct mailbox;
struct status;
struct travel;

/* NULL: out of memory. */
struct keeper *keeper_new(const struct status *status, struct travel *travel,
			  struct mailbox *const *mailboxes, size_t count);
/* When no engine's thread runs any more.  NULL is fine. */
void keeper_free(struct keeper *keeper);

/* Once a second, when the status is new.  `path`: the state file; "": none. */
void keeper_advance(struct keeper *keeper, const char *path, uint64_t now_ns);

#endif
