/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_INQUIRY_H
#define SHAPER_DAEMON_INQUIRY_H

/*
 * One request put to every engine, and their answers brought together: top,
 * explain, release, exempt.  Main thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/requests.h"
#include "shaper/daemon/toplist.h"

struct mailbox;
struct refused;

enum { INQUIRY_EXPLAIN_ROWS = 64 };

struct inquiry_answer {
	struct request request;
	struct toplist rows;    /* top, explain: in order */
	uint64_t released_pkts; /* release */
	/* engines; fewer answer than were asked when one is ending, or has
	 * more tasks than it can take */
	size_t asked, answered, refused;
};

/*
 * Ask all `count` engines.  `until_ns` is for exempt; what the kernel
 * `refused`, copied, is added to what was offered.  `leased_hosts`: places of
 * hosts of the largest engine, to add up what the kernel counts itself; 0: it
 * counts nothing.  0; -ENOMEM; -EAGAIN: too much is under way.  After 0
 * on_answer is called once, from mailbox_reap; the answer is borrowed for the
 * call.
 */
int inquiry_start(struct mailbox *const *mailboxes, size_t count,
		  const struct request *request, uint64_t until_ns,
		  const struct refused *refused, size_t leased_hosts,
		  void (*on_answer)(void *self, uint64_t token,
				    const struct inquiry_answer *answer),
		  void *self, uint64_t token);

#endif
