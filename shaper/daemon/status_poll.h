/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_STATUS_POLL_H
#define SHAPER_DAEMON_STATUS_POLL_H

/* Every engine's totals, brought to the main thread.  Main thread only. */

#include <stddef.h>
#include <stdint.h>

struct mailbox;
struct status;
struct status_poll;

/* `status` and the mailboxes outlive the poll.  NULL: out of memory. */
struct status_poll *status_poll_new(struct status *status,
				    struct mailbox *const *mailboxes,
				    size_t count);

/*
 * Ask, and renew status->engines and sums once all have answered: from
 * mailbox_reap.  -EBUSY: the last question is still under way.
 */
int status_poll_start(struct status_poll *poll, uint64_t now_ns);

/* Somebody reads: ask, if that was not done a moment ago; the same with its
 * interfaces, if that was not done for ten seconds. */
void status_poll_freshen(struct status_poll *poll, uint64_t now_ns);

/* After the mailboxes are freed, since they end what is under way. */
void status_poll_free(struct status_poll *poll);

#endif
