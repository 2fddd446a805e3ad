/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "policy/zones.h"
#include "shaper/daemon/refusals.h"
#include "shaper/io/clock.h"
#include "shaper/pump.h"

enum {
	/* Wake-ups for timers: exact for a burst of so many, ... */
	EXACT_WAKEUPS = 32,
	/* ... then one a tick, since each costs tens of microseconds. */
	TICK_NS = 1000000,
	REFUSALS_AT_ONCE = 64,
};

/* Nearly every packet comes by the first descriptor of the data path.  The
 * others and the mailbox are seldom readable, and one by one would cost more
 * to look at than a packet does: they stand behind one. */
enum { POLL_OTHERS, POLL_PACKETS, POLLS };
enum { OTHER_MAILBOX = 0 }; /* in epoll_data: else the fd's index */

struct worker {
	struct worker_config config;
	pthread_t thread;
	struct pollfd polls[POLLS];
	bool ending;
	bool more_mail;
	uint64_t paid_ns; /* GCRA: wake-ups are paid for until then */
	atomic_int failure;
};

/* When to wake up for a timer that is due at `due_ns`. */
static uint64_t wakeup_ns(const struct worker *worker, uint64_t due_ns,
			  uint64_t now_ns)
{
	const uint64_t credit_ns = UINT64_C(1) * EXACT_WAKEUPS * TICK_NS;

	if (due_ns == NS_NEVER || worker->paid_ns <= now_ns + credit_ns)
		return due_ns;
	if (due_ns < now_ns + TICK_NS)
		return now_ns + TICK_NS;
	return due_ns;
}

static void pay_for_wakeup(struct worker *worker, uint64_t now_ns)
{
	if (worker->paid_ns < now_ns)
		worker->paid_ns = now_ns;
	worker->paid_ns += TICK_NS;
}

static void pass_on_refusals(struct worker *worker)
{
	struct pump_refusal refusals[REFUSALS_AT_ONCE];
	struct refusals_entry entry;
	size_t count;

	if (worker->config.refusals == NULL)
		return;
	count = pump_refusals(worker->config.datapath.pump, refusals,
			      REFUSALS_AT_ONCE);
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		entry.refusal = refusals[i];
		memcpy(entry.interface,
		       zones_get(worker->config.engine.zones,
				 refusals[i].key.zone)
			       ->interface,
		       sizeof(entry.interface));
		if (!refusals_push(worker->config.refusals, &entry))
			(*worker->config.refusals_lost)++;
	}
	refusals_ring(worker->config.refusals);
}

/* Wait for the first `count` of the descriptors until `until_ns`. */
static void wait_until(struct worker *worker, nfds_t count, uint64_t until_ns,
		       uint64_t now_ns)
{
	uint64_t span_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec span = {
		.tv_sec = (time_t)(span_ns / 1000000000u),
		.tv_nsec = (long)(span_ns % 1000000000u),
	};

	for (size_t i = 0; i < POLLS; i++)
		worker->polls[i].revents = 0;
	/* EINTR is a wake-up for nothing. */
	if (ppoll(worker->polls, count, until_ns == NS_NEVER ? NULL : &span,
		  NULL) < 0)
		return;
}

/* 0 or -errno; *ret_mail: there is some. */
static int serve_others(struct worker *worker, uint64_t now_ns, bool *ret_mail)
{
	const struct datapath *path = &worker->config.datapath;
	struct epoll_event events[DATAPATH_FDS_MAX];
	int count, error;

	count = epoll_wait(worker->polls[POLL_OTHERS].fd, events,
			   DATAPATH_FDS_MAX, 0);
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == OTHER_MAILBOX) {
			*ret_mail = true;
			continue;
		}
		error = path->on_readable(path->self, events[i].data.u32,
					  now_ns);
		if (error < 0)
			return error;
	}
	return 0;
}

static int serve(struct worker *worker)
{
	const struct datapath *path = &worker->config.datapath;
	uint64_t now_ns = clock_now_ns();
	bool due, mail = worker->more_mail;
	int error = 0;

	if (worker->polls[POLL_PACKETS].revents != 0)
		error = path->on_readable(path->self, 0, now_ns);
	if (error == 0 && worker->polls[POLL_OTHERS].revents != 0)
		error = serve_others(worker, now_ns, &mail);
	if (error < 0)
		return error;
	if (mail)
		worker->more_mail = mailbox_run(worker->config.mailbox,
						&worker->config.engine, now_ns);
	due = path->next_ns(path->self) <= now_ns;
	if (due)
		pay_for_wakeup(worker, now_ns);
	if (due || mail) {
		error = path->advance(path->self, now_ns);
		if (error < 0)
			return error;
	}
	pass_on_refusals(worker);
	return 0;
}

static int run(struct worker *worker)
{
	const struct datapath *path = &worker->config.datapath;
	uint64_t now_ns, until_ns, pause_ns;
	int error;

	while (!worker->ending) {
		now_ns = clock_now_ns();
		until_ns = wakeup_ns(worker, path->next_ns(path->self), now_ns);
		if (worker->more_mail)
			until_ns = now_ns;
		pause_ns = path->pause_ns ? path->pause_ns(path->self) : 0;
		if (pause_ns > 0 && until_ns > now_ns + pause_ns) {
			wait_until(worker, POLL_OTHERS + 1, now_ns + pause_ns,
				   now_ns);
			/* What floods has something by now. */
			worker->polls[POLL_PACKETS].revents = POLLIN;
		} else {
			wait_until(worker, POLLS, until_ns, now_ns);
		}
		error = serve(worker);
		if (error < 0)
			return error;
	}
	return 0;
}

static void *thread_main(void *self)
{
	struct worker *worker = self;
	char name[16];
	int error;

	snprintf(name, sizeof(name), "engine %u", worker->config.engine.shard);
	pthread_setname_np(pthread_self(), name);
	/* Else the kernel rounds our timeouts to 50 microseconds. */
	prctl(PR_SET_TIMERSLACK, 1);
	error = run(worker);
	if (error < 0)
		atomic_store(&worker->failure, error);
	return NULL;
}

static int look_at(struct worker *worker, int fd, uint32_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(worker->polls[POLL_OTHERS].fd, EPOLL_CTL_ADD, fd,
			 &event) < 0
		       ? -errno
		       : 0;
}

static int set_up_polls(struct worker *worker)
{
	const struct datapath *path = &worker->config.datapath;
	int error;

	for (size_t i = 0; i < POLLS; i++)
		worker->polls[i].events = POLLIN;
	worker->polls[POLL_PACKETS].fd = path->fds[0];
	worker->polls[POLL_OTHERS].fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker->polls[POLL_OTHERS].fd < 0)
		return -errno;
	error = look_at(worker, mailbox_work_fd(worker->config.mailbox),
			OTHER_MAILBOX);
	for (size_t i = 1; i < path->fds_count && error == 0; i++)
		error = look_at(worker, path->fds[i], (uint32_t)i);
	return error;
}

static void free_worker(struct worker *worker)
{
	if (worker->polls[POLL_OTHERS].fd >= 0)
		close(worker->polls[POLL_OTHERS].fd);
	free(worker);
}

static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int error;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int worker_start(const struct worker_config *config, struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (worker == NULL)
		return -ENOMEM;
	worker->config = *config;
	worker->config.engine.pump = config->datapath.pump;
	error = set_up_polls(worker);
	if (error == 0)
		error = start_thread(worker);
	if (error < 0) {
		free_worker(worker);
		return error;
	}
	*ret_worker = worker;
	return 0;
}

static bool end_step(void *self, struct mailbox_engine *engine, uint64_t now_ns)
{
	struct worker *worker = self;

	(void)engine;
	(void)now_ns;
	worker->ending = true;
	return true;
}

static void end_done(void *self, bool ended)
{
	(void)self;
	(void)ended;
}

int worker_end(struct worker *worker)
{
	const struct mailbox_task task = { end_step, end_done, worker };

	return mailbox_post(worker->config.mailbox, &task);
}

void worker_join(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_join(worker->thread, NULL);
	free_worker(worker);
}

int worker_failure(const struct worker *worker)
{
	return atomic_load(&worker->failure);
}
