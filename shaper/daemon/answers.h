/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_ANSWERS_H
#define SHAPER_DAEMON_ANSWERS_H

/*
 * What the daemon knows as JSON text: the control socket's answers and
 * /status.json.  Each function returns one line with its newline, to be
 * freed by the caller, or NULL: out of memory.
 *
 *	{"ok": ...}     it was done, or here it is
 *	{"no": "why"}   understood, but it cannot be done now
 *	{"bad": "why"}  not understood
 */

#include <stdint.h>

struct findings;
struct inquiry_answer;
struct json_t;
struct status;

char *answers_status(const struct status *status, uint64_t now_ns);
char *answers_stats(const struct status *status);
char *answers_vifs(const struct status *status);
char *answers_doctor(const struct findings *findings);

/* top, explain, release, exempt */
char *answers_inquiry(const struct inquiry_answer *answer,
		      const struct status *status, uint64_t now_ns);

/* `summary` is one line on what is now in force. */
char *answers_reloaded(const char *summary);

/* Takes `body` over. */
char *answers_ok(struct json_t *body);
char *answers_no(const char *why);
char *answers_bad(const char *why);

/* status and stats in one, without "ok": for /status.json */
char *answers_page(const struct status *status, uint64_t now_ns);

#endif
