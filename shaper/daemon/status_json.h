/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_STATUS_JSON_H
#define SHAPER_DAEMON_STATUS_JSON_H

/* What status and stats answer.  Each returns a new reference; NULL: out of
 * memory. */

#include <stdint.h>

struct json_t;
struct status;

struct json_t *status_json(const struct status *status, uint64_t now_ns);

/* A list: every counter, with what it counts. */
struct json_t *status_json_counters(const struct status *status);

#endif
