/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_RELOAD_H
#define SHAPER_DAEMON_RELOAD_H

/*
 * A new policy in place of the old one, whole or not at all: read, given to
 * the kernel's rules, then to every engine between two batches.  Main thread
 * only.
 */

#include <stdint.h>

struct daemon;
struct reload;

/* NULL: out of memory.  `daemon` outlives it. */
struct reload *reload_new(struct daemon *daemon);
void reload_free(struct reload *reload);

/* SIGHUP, or a client of the control socket, who is answered when it is done;
 * behind another that is under way. */
void reload_by_signal(struct reload *reload);
void reload_by_client(struct reload *reload, uint64_t token);

/* The vifs that are guarded have changed.  What could not be done is tried
 * again by reload_retry, once in a while and when the engines have been told
 * of something else. */
void reload_vifs(struct reload *reload);
void reload_retry(struct reload *reload);

#endif
