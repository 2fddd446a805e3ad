/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TAP_ANSWERS_H
#define SHAPER_DAEMON_TAP_ANSWERS_H

/* What the status says of a tap, as JSON. */

struct json_t;
struct status;

/* null: packets come by queues.  The caller's. */
struct json_t *tap_answers(const struct status *status);

#endif
