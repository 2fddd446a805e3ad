/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "shaper/daemon/mailbox.h"

struct job {
	int steps_left;
	int steps, dones, endeds;
	const struct mailbox_engine *engine;
	uint64_t now_ns;
};

static bool step(void *self, struct mailbox_engine *engine, uint64_t now_ns)
{
	struct job *job = self;

	job->steps++;
	job->engine = engine;
	job->now_ns = now_ns;
	return --job->steps_left <= 0;
}

static void done(void *self, bool ended)
{
	struct job *job = self;

	job->dones++;
	job->endeds += ended;
}

static int post(struct mailbox *mailbox, struct job *job)
{
	const struct mailbox_task task = { step, done, job };

	return mailbox_post(mailbox, &task);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_mailbox_runs_a_task_step_by_step(void **state)
{
	struct mailbox_engine engine = { .shard = 3 };
	struct job job = { .steps_left = 3 };
	struct mailbox *mailbox;

	(void)state;
	assert_int_equal(mailbox_new(&mailbox), 0);
	assert_false(is_readable(mailbox_work_fd(mailbox)));
	assert_int_equal(post(mailbox, &job), 0);
	assert_true(is_readable(mailbox_work_fd(mailbox)));
	assert_true(mailbox_run(mailbox, &engine, 10));
	assert_true(mailbox_run(mailbox, &engine, 20));
	assert_false(is_readable(mailbox_done_fd(mailbox)));
	assert_false(mailbox_run(mailbox, &engine, 30));
	assert_false(mailbox_run(mailbox, &engine, 40));
	assert_int_equal(job.steps, 3);
	assert_int_equal(job.now_ns, 30);
	assert_ptr_equal(job.engine, &engine);
	assert_int_equal(job.dones, 0);
	assert_true(is_readable(mailbox_done_fd(mailbox)));
	mailbox_reap(mailbox);
	assert_int_equal(job.dones, 1);
	assert_int_equal(job.endeds, 0);
	assert_false(is_readable(mailbox_done_fd(mailbox)));
	mailbox_free(mailbox);
	assert_int_equal(job.dones, 1);
}

static void test_mailbox_is_bounded_until_tasks_are_reaped(void **state)
{
	struct mailbox_engine engine = { 0 };
	struct job job = { 0 };
	struct mailbox *mailbox;
	int i;

	(void)state;
	assert_int_equal(mailbox_new(&mailbox), 0);
	for (i = 0; i < MAILBOX_TASKS_MAX; i++)
		assert_int_equal(post(mailbox, &job), 0);
	assert_false(mailbox_has_room(mailbox));
	assert_int_equal(post(mailbox, &job), -EAGAIN);
	while (mailbox_run(mailbox, &engine, 1))
		;
	assert_int_equal(job.steps, MAILBOX_TASKS_MAX);
	assert_int_equal(post(mailbox, &job), -EAGAIN);
	mailbox_reap(mailbox);
	assert_int_equal(job.dones, MAILBOX_TASKS_MAX);
	assert_true(mailbox_has_room(mailbox));
	assert_int_equal(post(mailbox, &job), 0);
	mailbox_free(mailbox);
}

static void test_mailbox_gives_back_what_was_not_run(void **state)
{
	struct mailbox_engine engine = { 0 };
	struct job begun = { .steps_left = 5 }, waiting = { 0 };
	struct mailbox *mailbox;

	(void)state;
	assert_int_equal(mailbox_new(&mailbox), 0);
	assert_int_equal(post(mailbox, &begun), 0);
	assert_int_equal(post(mailbox, &waiting), 0);
	assert_true(mailbox_run(mailbox, &engine, 1));
	mailbox_free(mailbox);
	assert_int_equal(begun.steps, 1);
	assert_int_equal(begun.endeds, 1);
	assert_int_equal(waiting.steps, 0);
	assert_int_equal(waiting.endeds, 1);
}

/* Asks once more when it is given back. */
struct insistent {
	struct job job;
	struct mailbox *mailbox;
	int error;
};

static void insist(void *self, bool ended)
{
	struct insistent *insistent = self;

	done(&insistent->job, ended);
	insistent->error = post(insistent->mailbox, &insistent->job);
}

static void test_mailbox_takes_nothing_once_it_is_closed(void **state)
{
	struct insistent insistent = { 0 };
	const struct mailbox_task task = { step, insist, &insistent };
	struct mailbox *mailbox;

	(void)state;
	assert_int_equal(mailbox_new(&mailbox), 0);
	insistent.mailbox = mailbox;
	assert_int_equal(mailbox_post(mailbox, &task), 0);
	mailbox_close(mailbox);
	assert_int_equal(insistent.job.endeds, 1);
	assert_int_equal(insistent.error, -EAGAIN);
	assert_false(mailbox_has_room(mailbox));
	mailbox_close(mailbox);
	mailbox_free(mailbox);
	assert_int_equal(insistent.job.dones, 1);
}

/* A task may post the next one from its done. */
struct relay {
	struct mailbox *mailbox;
	int left;
};

static bool relay_step(void *self, struct mailbox_engine *engine,
		       uint64_t now_ns)
{
	(void)self;
	(void)engine;
	(void)now_ns;
	return true;
}

static void relay_done(void *self, bool ended)
{
	struct relay *relay = self;
	const struct mailbox_task task = { relay_step, relay_done, relay };

	if (!ended && --relay->left > 0)
		assert_int_equal(mailbox_post(relay->mailbox, &task), 0);
}

enum { RELAYS = 20000 };

static void *engine_main(void *self)
{
	struct mailbox_engine engine = { 0 };
	struct relay *relay = self;
	struct pollfd work = { .fd = mailbox_work_fd(relay->mailbox),
			       .events = POLLIN };
	int runs = 0;

	while (runs < RELAYS) {
		poll(&work, 1, -1);
		if (work.revents == 0)
			continue;
		mailbox_run(relay->mailbox, &engine, 1);
		runs++;
	}
	return NULL;
}

static void test_mailbox_loses_nothing_between_two_threads(void **state)
{
	struct relay relay = { .left = RELAYS };
	const struct mailbox_task task = { relay_step, relay_done, &relay };
	struct pollfd done_fd = { .events = POLLIN };
	pthread_t thread;

	(void)state;
	assert_int_equal(mailbox_new(&relay.mailbox), 0);
	assert_int_equal(pthread_create(&thread, NULL, engine_main, &relay), 0);
	assert_int_equal(mailbox_post(relay.mailbox, &task), 0);
	done_fd.fd = mailbox_done_fd(relay.mailbox);
	while (relay.left > 0) {
		assert_int_equal(poll(&done_fd, 1, 10000), 1);
		mailbox_reap(relay.mailbox);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	mailbox_free(relay.mailbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox_runs_a_task_step_by_step),
		cmocka_unit_test(
			test_mailbox_is_bounded_until_tasks_are_reaped),
		cmocka_unit_test(test_mailbox_gives_back_what_was_not_run),
		cmocka_unit_test(test_mailbox_takes_nothing_once_it_is_closed),
		cmocka_unit_test(
			test_mailbox_loses_nothing_between_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
