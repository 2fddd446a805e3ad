/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One writer, one reader.  Positions only grow; what is between them is
 * inside.  Never full: no more than MAILBOX_TASKS_MAX are under way. */
struct ring {
	_Alignas(64) atomic_uint written;
	_Alignas(64) atomic_uint read;
	struct mailbox_task tasks[MAILBOX_TASKS_MAX];
};

struct mailbox {
	struct ring work; /* main thread to engine */
	struct ring back; /* and back again */
	int work_fd, done_fd;
	unsigned int underway; /* the main thread's */
	bool closed;
};

static bool ring_peek(struct ring *ring, struct mailbox_task **ret_task)
{
	unsigned int at =
		atomic_load_explicit(&ring->read, memory_order_relaxed);

	if (at == atomic_load_explicit(&ring->written, memory_order_acquire))
		return false;
	*ret_task = &ring->tasks[at % MAILBOX_TASKS_MAX];
	return true;
}

static void ring_pop(struct ring *ring)
{
	unsigned int at =
		atomic_load_explicit(&ring->read, memory_order_relaxed);

	atomic_store_explicit(&ring->read, at + 1, memory_order_release);
}

static void ring_push(struct ring *ring, const struct mailbox_task *task)
{
	unsigned int at =
		atomic_load_explicit(&ring->written, memory_order_relaxed);

	ring->tasks[at % MAILBOX_TASKS_MAX] = *task;
	atomic_store_explicit(&ring->written, at + 1, memory_order_release);
}

/* An eventfd that is already readable stays so: nothing to do about errors. */
static void ring_bell(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void silence_bell(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

int mailbox_new(struct mailbox **ret_mailbox)
{
	struct mailbox *box = aligned_alloc(64, sizeof(*box));
	int error;

	if (box == NULL)
		return -ENOMEM;
	*box = (struct mailbox){ .work_fd = -1, .done_fd = -1 };
	box->work_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	box->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->work_fd < 0 || box->done_fd < 0) {
		error = -errno;
		mailbox_free(box);
		return error;
	}
	*ret_mailbox = box;
	return 0;
}

void mailbox_close(struct mailbox *box)
{
	struct mailbox_task *task;
	struct mailbox_task ended;

	box->closed = true;
	mailbox_reap(box);
	while (ring_peek(&box->work, &task)) {
		ended = *task;
		ring_pop(&box->work);
		box->underway--;
		ended.done(ended.self, true);
	}
}

void mailbox_free(struct mailbox *box)
{
	if (box == NULL)
		return;
	mailbox_close(box);
	if (box->work_fd >= 0)
		close(box->work_fd);
	if (box->done_fd >= 0)
		close(box->done_fd);
	free(box);
}

int mailbox_post(struct mailbox *box, const struct mailbox_task *task)
{
	if (!mailbox_has_room(box))
		return -EAGAIN;
	box->underway++;
	ring_push(&box->work, task);
	ring_bell(box->work_fd);
	return 0;
}

bool mailbox_has_room(const struct mailbox *box)
{
	return !box->closed && box->underway < MAILBOX_TASKS_MAX;
}

int mailbox_done_fd(const struct mailbox *box)
{
	return box->done_fd;
}

void mailbox_reap(struct mailbox *box)
{
	struct mailbox_task *task;
	struct mailbox_task done;

	silence_bell(box->done_fd);
	while (ring_peek(&box->back, &task)) {
		done = *task;
		ring_pop(&box->back);
		box->underway--;
		done.done(done.self, false);
	}
}

int mailbox_work_fd(const struct mailbox *box)
{
	return box->work_fd;
}

bool mailbox_run(struct mailbox *box, struct mailbox_engine *engine,
		 uint64_t now_ns)
{
	struct mailbox_task *task;

	silence_bell(box->work_fd);
	if (!ring_peek(&box->work, &task))
		return false;
	if (!task->step(task->self, engine, now_ns))
		return true;
	ring_push(&box->back, task);
	ring_pop(&box->work);
	ring_bell(box->done_fd);
	return ring_peek(&box->work, &task);
}
