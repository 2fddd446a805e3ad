/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

#include "flowtable/shard.h"
#include "shaper/daemon/control.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/follow.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/keeper.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/metrics.h"
#include "shaper/daemon/refusals.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/status_poll.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/vifs.h"
#include "shaper/io/clock.h"
#include "shaper/pump.h"

/* Engines that have not answered for so long hang. */
#define HANG_NS UINT64_C(5000000000)

/* Signals, timers, rules; and two for each engine. */
enum { EVENTS_MAX = 8 + 2 * SHARDS_MAX };

struct engine_events {
	struct loop *loop;
	struct mailbox *mailbox;
	struct refusals *refusals;
};

struct loop {
	struct daemon *daemon;
	struct event *events[EVENTS_MAX];
	size_t events_count;
	struct event *put_off; /* refusals that the guard put off */
	struct engine_events engines[SHARDS_MAX];
	int failure;
};

static struct timeval span_of(uint64_t span_ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(span_ns / 1000000000u),
		.tv_usec = (suseconds_t)(span_ns / 1000u % 1000000u),
	};
}

/* At the start of everything that is called back. */
static uint64_t wake_up(void)
{
	uint64_t now_ns = clock_now_ns();

	log_advance(now_ns);
	return now_ns;
}

/* ------ what happens */

static void on_end(evutil_socket_t signal, short what, void *self)
{
	struct loop *loop = self;

	(void)what;
	wake_up();
	log_info(0, "symtapd: ends, by signal %d", (int)signal);
	event_base_loopbreak(loop->daemon->base);
}

static void on_reload(evutil_socket_t signal, short what, void *self)
{
	struct loop *loop = self;

	(void)signal;
	(void)what;
	wake_up();
	reload_by_signal(loop->daemon->reload);
}

static void on_mail(evutil_socket_t fd, short what, void *self)
{
	struct engine_events *events = self;

	(void)fd;
	(void)what;
	wake_up();
	mailbox_reap(events->mailbox);
}

static void plan_put_off(struct loop *loop, uint64_t now_ns)
{
	uint64_t next_ns = guard_next_ns(loop->daemon->guard);
	struct timeval span;

	if (next_ns == NS_NEVER)
		return;
	span = span_of(next_ns > now_ns ? next_ns - now_ns : 0);
	event_add(loop->put_off, &span);
}

static void on_refusals(evutil_socket_t fd, short what, void *self)
{
	struct engine_events *events = self;
	uint64_t now_ns = wake_up();

	(void)fd;
	(void)what;
	guard_refuse(events->loop->daemon->guard, events->refusals, now_ns);
	plan_put_off(events->loop, now_ns);
}

static void on_put_off(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;
	uint64_t now_ns = wake_up();

	(void)fd;
	(void)what;
	guard_advance(loop->daemon->guard, now_ns);
	plan_put_off(loop, now_ns);
}

static void on_rules(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;

	(void)fd;
	(void)what;
	wake_up();
	guard_watch(loop->daemon->guard);
}

static void on_log(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;

	(void)fd;
	(void)what;
	wake_up();
	guard_log(loop->daemon->guard);
}

static void on_vifs(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;

	(void)what;
	wake_up();
	vifs_read(loop->daemon->vifs);
	if (vifs_fd(loop->daemon->vifs) < 0)
		for (size_t i = 0; i < loop->events_count; i++)
			if (event_get_fd(loop->events[i]) == fd)
				event_del(loop->events[i]);
}

static void on_second(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;
	struct daemon *daemon = loop->daemon;
	uint64_t now_ns = wake_up();

	(void)fd;
	(void)what;
	loop->failure = engines_failure(daemon->engines);
	if (loop->failure < 0) {
		log_error(-loop->failure, "symtapd: an engine has ended");
		event_base_loopbreak(daemon->base);
		return;
	}
	vifs_look(daemon->vifs);
	/* Busy: the engines have yet to answer the last time. */
	if (status_poll_start(daemon->poll, now_ns) < 0)
		log_debug(0, "symtapd: the engines are slow to answer");
	control_advance(daemon->control);
	metrics_advance(daemon->metrics);
	guard_look(daemon->guard);
	reload_retry(daemon->reload);
	keeper_advance(daemon->keeper, daemon->policy->state_file, now_ns);
	travel_advance(daemon->travel, now_ns);
	follow_advance(daemon->follow);
	vifs_measure(daemon->vifs, clock_wall_ns(), now_ns);
}

static void on_watchdog(evutil_socket_t fd, short what, void *self)
{
	struct loop *loop = self;
	struct daemon *daemon = loop->daemon;
	uint64_t now_ns = wake_up();

	(void)fd;
	(void)what;
	if (now_ns - daemon->status.now_ns < HANG_NS)
		notify_alive(&daemon->notify);
	else
		log_warn(0, "symtapd: an engine does not answer");
}

/* ------ life */

static int add(struct loop *loop, evutil_socket_t fd, short what,
	       void (*on)(evutil_socket_t, short, void *), void *self,
	       uint64_t every_ns)
{
	struct timeval span = span_of(every_ns);
	struct event *event = event_new(loop->daemon->base, fd,
					(short)(what | EV_PERSIST), on, self);

	if (event == NULL)
		return -ENOMEM;
	loop->events[loop->events_count++] = event;
	return event_add(event, every_ns > 0 ? &span : NULL) < 0 ? -ENOMEM : 0;
}

static int add_engines(struct loop *loop)
{
	struct engines *engines = loop->daemon->engines;
	struct engine_events *events;
	int error = 0;

	for (size_t i = 0; i < engines_count(engines) && error == 0; i++) {
		events = &loop->engines[i];
		*events = (struct engine_events){
			.loop = loop,
			.mailbox = engines_mailboxes(engines)[i],
			.refusals = engines_refusals(engines, i),
		};
		error = add(loop, mailbox_done_fd(events->mailbox), EV_READ,
			    on_mail, events, 0);
		if (error == 0)
			error = add(loop, refusals_fd(events->refusals),
				    EV_READ, on_refusals, events, 0);
	}
	return error;
}

static int add_all(struct loop *loop)
{
	struct daemon *daemon = loop->daemon;
	int error;

	if ((error = add(loop, SIGTERM, EV_SIGNAL, on_end, loop, 0)) < 0 ||
	    (error = add(loop, SIGINT, EV_SIGNAL, on_end, loop, 0)) < 0 ||
	    (error = add(loop, SIGHUP, EV_SIGNAL, on_reload, loop, 0)) < 0 ||
	    (error = add(loop, -1, 0, on_second, loop, 1000000000)) < 0)
		return error;
	if (daemon->guard != NULL &&
	    ((error = add(loop, guard_watch_fd(daemon->guard), EV_READ,
			  on_rules, loop, 0)) < 0 ||
	     (error = add(loop, guard_log_fd(daemon->guard), EV_READ, on_log,
			  loop, 0)) < 0))
		return error;
	if (daemon->vifs != NULL)
		error = add(loop, vifs_fd(daemon->vifs), EV_READ, on_vifs, loop,
			    0);
	if (error == 0 && daemon->notify.watchdog_ns > 0)
		error = add(loop, -1, 0, on_watchdog, loop,
			    daemon->notify.watchdog_ns / 3);
	return error < 0 ? error : add_engines(loop);
}

int loop_new(struct daemon *daemon, struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int error;

	if (loop == NULL)
		return -ENOMEM;
	loop->daemon = daemon;
	loop->put_off = evtimer_new(daemon->base, on_put_off, loop);
	error = loop->put_off == NULL ? -ENOMEM : add_all(loop);
	if (error < 0) {
		loop_free(loop);
		return error;
	}
	*ret_loop = loop;
	return 0;
}

int loop_run(struct loop *loop)
{
	if (event_base_dispatch(loop->daemon->base) < 0)
		return -EIO;
	return loop->failure;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < loop->events_count; i++)
		event_free(loop->events[i]);
	if (loop->put_off != NULL)
		event_free(loop->put_off);
	free(loop);
}
