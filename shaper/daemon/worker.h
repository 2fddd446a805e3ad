/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_WORKER_H
#define SHAPER_DAEMON_WORKER_H

/*
 * One engine's thread: its data path, its timer, its mailbox, and nothing
 * else.  It waits in ppoll(2), whose timeout is exact to the microsecond and
 * costs no system call to set; there are four descriptors to look at.
 */

#include <stdint.h>

#include "shaper/daemon/mailbox.h"
#include "shaper/io/datapath.h"

struct refusals;
struct worker;

struct worker_config {
	struct datapath datapath;
	struct mailbox_engine engine; /* for the tasks in the mailbox; .pump is
				       * the data path's */
	struct mailbox *mailbox;      /* borrowed */
	struct refusals *refusals;    /* borrowed; NULL: none is passed on */
	uint64_t *refusals_lost;      /* a counter of the data path */
};

/* 0 or -errno.  From now on the data path and its pump are the thread's. */
int worker_start(const struct worker_config *config,
		 struct worker **ret_worker);

/* Ask it to end after the batch at hand.  -EAGAIN: its mailbox is full. */
int worker_end(struct worker *worker);

/* Wait until it has, and free it.  NULL is fine.  The data path, still open,
 * and its pump are the caller's again. */
void worker_join(struct worker *worker);

/* Has it ended by itself, and why?  0: it runs; -errno. */
int worker_failure(const struct worker *worker);

#endif
