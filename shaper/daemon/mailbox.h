/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_MAILBOX_H
#define SHAPER_DAEMON_MAILBOX_H

/*
 * How the main thread asks an engine's thread for something: a bounded queue
 * of tasks each way and an eventfd at each end.  A task is run between two
 * batches of packets, in short steps, and then comes back.  No lock is taken
 * on either side.
 *
 *	main thread		mailbox_post, later task->done
 *	engine's thread		mailbox_run > task->step, until it is finished
 *
 * One main thread and one engine's thread per mailbox.  A test may play both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox;
struct nfqueue;
struct nfqueue_stats;
struct policy;
struct pump;
struct tapjudge_stats;
struct zones;

enum { MAILBOX_TASKS_MAX = 64 };

/* What a task may use while it runs on the engine's thread: borrowed for the
 * length of one step.  Copy what the main thread is to see. */
struct mailbox_engine {
	struct pump *pump;
	struct zones *zones;
	const struct policy *policy;
	struct nfqueue *nfqueue;          /* NULL: no such data path */
	const struct nfqueue_stats *io;   /* the same */
	const struct tapjudge_stats *tap; /* NULL: no tap brings packets */
	uint8_t shard, shards;
};

struct mailbox_task {
	/*
	 * On the engine's thread: some microseconds of work, no I/O, no lock.
	 * Returns true when finished; false: call again after the next batch.
	 */
	bool (*step)(void *self, struct mailbox_engine *engine,
		     uint64_t now_ns);
	/* On the main thread, once, after the last step: `self` is the main
	 * thread's again.  Also called, without a step, for a task that was
	 * still waiting when the engine ended (`ended` is then true). */
	void (*done)(void *self, bool ended);
	void *self;
};

/* 0 or -errno. */
int mailbox_new(struct mailbox **ret_mailbox);
/* Nobody runs tasks any more: those still inside are given back, as `ended`
 * where they were not finished, and none is taken from now on. */
void mailbox_close(struct mailbox *mailbox);
/* Closed first.  NULL is fine. */
void mailbox_free(struct mailbox *mailbox);

/* --- the main thread's end --- */

/* -EAGAIN: MAILBOX_TASKS_MAX are under way, try again after the next done; or
 * it is closed. */
int mailbox_post(struct mailbox *mailbox, const struct mailbox_task *task);
/* Would mailbox_post take one now? */
bool mailbox_has_room(const struct mailbox *mailbox);
/* Readable when tasks have come back; then call mailbox_reap. */
int mailbox_done_fd(const struct mailbox *mailbox);
void mailbox_reap(struct mailbox *mailbox);

/* --- the engine's end --- */

/* Readable when there is something to run. */
int mailbox_work_fd(const struct mailbox *mailbox);
/* One step of the oldest task.  Returns true when more is to be done. */
bool mailbox_run(struct mailbox *mailbox, struct mailbox_engine *engine,
		 uint64_t now_ns);

#endif
