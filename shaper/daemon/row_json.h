/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_ROW_JSON_H
#define SHAPER_DAEMON_ROW_JSON_H

/* One key, as top and explain answer it. */

#include <stdint.h>

#include "shaper/daemon/explain.h"

struct json_t;
struct toplist_row;

/* A new reference. */
struct json_t *row_json(const struct toplist_row *row, enum explain_mode mode,
			uint64_t now_ns);

#endif
