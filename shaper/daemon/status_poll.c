/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/status_poll.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shaper/daemon/interfaces.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/status.h"
#include "shaper/io/nfqueue.h"

#define INTERFACES_NS 10000000000ull
#define FRESH_NS      100000000ull

struct part {
	struct status_poll *poll;
	struct status_engine engine; /* the engine's thread writes it */
};

struct status_poll {
	struct status *status;
	struct mailbox *const *mailboxes;
	size_t count;
	size_t underway; /* parts that have not come back */
	uint64_t asked_ns;
	uint64_t renew_ns; /* interfaces, then */
	struct part parts[];
};

struct status_poll *status_poll_new(struct status *status,
				    struct mailbox *const *mailboxes,
				    size_t count)
{
	struct status_poll *poll;
	size_t i;

	assert(count <= STATUS_ENGINES_MAX);
	poll = calloc(1, sizeof(*poll) + count * sizeof(poll->parts[0]));
	if (poll == NULL)
		return NULL;
	poll->status = status;
	poll->mailboxes = mailboxes;
	poll->count = count;
	for (i = 0; i < count; i++)
		poll->parts[i].poll = poll;
	return poll;
}

void status_poll_free(struct status_poll *poll)
{
	free(poll);
}

static bool take_totals(void *self, struct mailbox_engine *engine,
			uint64_t now_ns)
{
	struct part *part = self;

	(void)now_ns;
	snapshot_totals(engine->pump, &part->engine.totals);
	if (engine->nfqueue != NULL)
		nfqueue_renew_stats(engine->nfqueue);
	part->engine.has_io = engine->io != NULL;
	if (engine->io != NULL)
		part->engine.io = *engine->io;
	if (engine->tap != NULL)
		part->engine.tap = *engine->tap;
	if (engine->nfqueue != NULL)
		nfqueue_count_leases(engine->nfqueue, &part->engine.leases);
	return true;
}

static void part_done(void *self, bool ended)
{
	struct part *part = self;
	struct status_poll *poll = part->poll;
	struct status *status = poll->status;
	size_t i = (size_t)(part - poll->parts);

	if (!ended) {
		status->engines[i].totals = part->engine.totals;
		status->engines[i].io = part->engine.io;
		status->engines[i].leases = part->engine.leases;
		status->engines[i].has_io = part->engine.has_io;
		status->engines[i].tap = part->engine.tap;
	}
	if (--poll->underway == 0)
		status_sum(status, poll->asked_ns);
}

int status_poll_start(struct status_poll *poll, uint64_t now_ns)
{
	size_t i;

	if (poll->underway > 0)
		return -EBUSY;
	poll->asked_ns = now_ns;
	for (i = 0; i < poll->count; i++) {
		struct mailbox_task task = { .step = take_totals,
					     .done = part_done,
					     .self = &poll->parts[i] };

		if (mailbox_post(poll->mailboxes[i], &task) == 0)
			poll->underway++;
	}
	return poll->underway > 0 ? 0 : -EAGAIN;
}

void status_poll_freshen(struct status_poll *poll, uint64_t now_ns)
{
	if (now_ns - poll->asked_ns > FRESH_NS)
		status_poll_start(poll, now_ns);
	if (now_ns < poll->renew_ns)
		return;
	poll->renew_ns = now_ns + INTERFACES_NS;
	interfaces_renew(poll->status);
}
