/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LOOP_H
#define SHAPER_DAEMON_LOOP_H

/*
 * The main thread's day: signals, once a second, the watchdog, and whatever
 * the engines and the kernel's rules have to say.  No packet comes here.
 */

struct daemon;
struct loop;

/* Watch everything that `daemon` has.  0 or -errno. */
int loop_new(struct daemon *daemon, struct loop **ret_loop);

/* Until SIGTERM or SIGINT.  0, or -errno when an engine has failed. */
int loop_run(struct loop *loop);

/* Before the event base is freed.  NULL is fine. */
void loop_free(struct loop *loop);

#endif
