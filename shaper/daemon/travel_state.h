/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TRAVEL_STATE_H
#define SHAPER_DAEMON_TRAVEL_STATE_H

/* Internal to travel*.c. */

#include <limits.h>
#include <stdbool.h>

#include "shaper/daemon/log.h"
#include "shaper/daemon/travel.h"

struct lately;

struct travel {
	struct passage *passage;
	struct remembered *guests;
	struct lately *lately;
	struct travel_vif *vifs; /* that are here */
	size_t count, room;
	char path[PATH_MAX]; /* "": nothing is written */
	bool changed;
	uint64_t written_ns;
	struct log_limit log;
};

/* A vif of the guest; NULL: none is here. */
struct travel_vif *travel_find(struct travel *travel, const char *uuid);

/* The keys that are remembered of its guest are expected of it. */
void travel_give(struct travel *travel, const struct travel_vif *vif,
		 uint64_t now_ns);

/* What is remembered is another: it is written at once, but not again and
 * again when many leave. */
void travel_change(struct travel *travel, uint64_t now_ns);

#endif
