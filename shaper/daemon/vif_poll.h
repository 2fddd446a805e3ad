/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_POLL_H
#define SHAPER_DAEMON_VIF_POLL_H

/*
 * How each vif's guest does: once a second every engine adds up its suspects,
 * which are few, by the interface they are behind.  A vif that stands in a
 * named zone is not told apart from the others of it.  Main thread only.
 */

#include <stddef.h>
#include <stdint.h>

struct mailbox;
struct viftable;
struct vifpoll;

/* `on_done`: `table` has the figures of all engines.  NULL: out of memory. */
struct vifpoll *vifpoll_new(struct mailbox *const *mailboxes, size_t count,
			    struct viftable *table, void (*on_done)(void *self),
			    void *self);
void vifpoll_free(struct vifpoll *poll);

/* 0, -EBUSY: the last time is not answered yet, or -EAGAIN. */
int vifpoll_start(struct vifpoll *poll, uint64_t wall_ns, uint64_t now_ns);

#endif
