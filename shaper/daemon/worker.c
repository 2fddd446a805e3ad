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
#include <sys/prctl.h>

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
	/* While packets flood, the other descriptors are looked at less. */
	PAUSES_PER_LOOK = 4,
};

struct worker {
	struct worker_config config;
	pthread_t thread;
	struct pollfd polls[DATAPATH_FDS_MAX + 1]; /* [0]: the mailbox */
	bool ending;
	bool more_mail;
	unsigned int pauses;
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

/* Wait for `count` of the descriptors until `until_ns`. */
static void wait_until(struct worker *worker, nfds_t count, uint64_t until_ns,
		       uint64_t now_ns)
{
	uint64_t span_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec span = {
		.tv_sec = (time_t)(span_ns / 1000000000u),
		.tv_nsec = (long)(span_ns % 1000000000u),
	};

	for (size_t i = 0; i < DATAPATH_FDS_MAX + 1; i++)
		worker->polls[i].revents = 0;
	/* EINTR is a wake-up for nothing. */
	if (ppoll(worker->polls, count, until_ns == NS_NEVER ? NULL : &span,
		  NULL) < 0)
		return;
}

static int serve(struct worker *worker)
{
	const struct datapath *path = &worker->config.datapath;
	uint64_t now_ns = clock_now_ns();
	bool due, mail = false;
	int error;

	for (size_t i = 0; i < path->fds_count; i++) {
		if (worker->polls[i + 1].revents == 0)
			continue;
		error = path->on_readable(path->self, i, now_ns);
		if (error < 0)
			return error;
	}
	if (worker->polls[0].revents != 0 || worker->more_mail) {
		worker->more_mail = mailbox_run(worker->config.mailbox,
						&worker->config.engine, now_ns);
		mail = true;
	}
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
	nfds_t all = (nfds_t)path->fds_count + 1;
	uint64_t now_ns, until_ns, pause_ns;
	bool pauses;
	int error;

	while (!worker->ending) {
		now_ns = clock_now_ns();
		until_ns = wakeup_ns(worker, path->next_ns(path->self), now_ns);
		if (worker->more_mail)
			until_ns = now_ns;
		pause_ns = path->pause_ns ? path->pause_ns(path->self) : 0;
		pauses = pause_ns > 0 && until_ns > now_ns + pause_ns;
		if (pauses) {
			wait_until(worker, 1, now_ns + pause_ns, now_ns);
			/* What floods has something by now. */
			worker->polls[1].revents = POLLIN;
			until_ns = now_ns;
		}
		if (!pauses || ++worker->pauses % PAUSES_PER_LOOK == 0)
			wait_until(worker, all, until_ns, now_ns);
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

int worker_start(const struct worker_config *config, struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	sigset_t all, before;
	int error;

	if (worker == NULL)
		return -ENOMEM;
	worker->config = *config;
	worker->config.engine.pump = config->datapath.pump;
	worker->polls[0].fd = mailbox_work_fd(config->mailbox);
	worker->polls[0].events = POLLIN;
	for (size_t i = 0; i < config->datapath.fds_count; i++) {
		worker->polls[i + 1].fd = config->datapath.fds[i];
		worker->polls[i + 1].events = POLLIN;
	}
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		free(worker);
		return -error;
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
	free(worker);
}

int worker_failure(const struct worker *worker)
{
	return atomic_load(&worker->failure);
}
