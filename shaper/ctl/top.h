/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_TOP_H
#define SHAPER_CTL_TOP_H

/* The live view. */

#include "flowtable/flow.h"
#include "shaper/daemon/requests.h"

enum {
	TOP_INTERVAL_MS_MIN = 100,
	TOP_INTERVAL_MS_MAX = 60000,
};

struct top_view {
	enum request_order by;
	enum flow_scope scope;
	uint32_t limit;  /* rows when there is no terminal */
	int interval_ms; /* TOP_INTERVAL_MS_MIN..MAX */
};

/* The line that asks for it; `rows` at most. */
void top_request(const struct top_view *view, uint32_t rows,
		 char ret_line[REQUEST_LINE_BYTES]);

/*
 * Show it in the terminal until the operator quits: 0.  -errno: the terminal
 * cannot be used.  A daemon that goes away is waited for.
 */
int top_live(const char *socket_path, struct top_view *view);

#endif
