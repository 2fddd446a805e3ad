/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/status_poll.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/status.h"

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
	part->engine.has_io = engine->io != NULL;
	if (engine->io != NULL)
		part->engine.io = *engine->io;
	return true;
}

/* Counters go on from where they were, so that a restart is no reset. */
static void add_restored(struct status *status)
{
	const struct status_sums *restored = &status->restored;
	struct status_engine *engine = &status->engines[0];
	size_t i;

	for (i = 0; i < STATS_COUNT; i++)
		engine->totals.stats.counter[i] +=
			restored->totals.stats.counter[i];
	for (i = 0; i < NFQUEUE_COUNT; i++)
		engine->io.counter[i] += restored->io.counter[i];
	for (i = 0; i < PACKET_ERRORS; i++)
		engine->io.unreadable_pkts[i] +=
			restored->io.unreadable_pkts[i];
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
		status->engines[i].has_io = part->engine.has_io;
		if (i == 0)
			add_restored(status);
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
