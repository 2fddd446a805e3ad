/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_REQUESTS_H
#define SHAPER_DAEMON_REQUESTS_H

/*
 * One line of the control socket to what it asks for.  Pure, and strict: a
 * line that is not understood whole is refused with the reason.
 *
 *	status
 *	stats
 *	top [by=S|rate|held] [scope=pair|flow|host] [limit=1..1000]
 *	explain ADDRESS
 *	release ADDRESS
 *	exempt ADDRESS for DURATION
 *	exempt ADDRESS end
 *	reload
 *	doctor
 *	vifs
 *	export, import: see request_state.h
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/daemon/request_state.h"

enum {
	REQUEST_LINE_BYTES = 1024, /* without the newline */
	REQUEST_ROWS_DEFAULT = 20,
	REQUEST_ROWS_MAX = 1000,
	REQUEST_TEXT_BYTES = 96,
};

enum request_verb {
	REQUEST_STATUS,
	REQUEST_STATS,
	REQUEST_TOP,
	REQUEST_EXPLAIN,
	REQUEST_RELEASE,
	REQUEST_EXEMPT,
	REQUEST_RELOAD,
	REQUEST_DOCTOR,
	REQUEST_VIFS,
	REQUEST_EXPORT,
	REQUEST_IMPORT,
	REQUEST_VERBS
};

enum request_order {
	REQUEST_BY_S, /* offered out:in, highest first */
	REQUEST_BY_RATE,
	REQUEST_BY_HELD,
};

struct request {
	enum request_verb verb;
	enum request_order by; /* top */
	enum flow_scope scope; /* top */
	uint32_t limit;        /* top: rows */
	uint8_t address[16];   /* explain, release, exempt, export; v4 mapped */
	uint64_t exempt_ns;    /* exempt: 0 ends it; 1 s..30 d */
	struct request_state state; /* export, import */
};

struct request_error {
	char text[REQUEST_TEXT_BYTES]; /* one line, printable ASCII */
};

/*
 * Read `length_bytes` of `line` (no newline; a NUL inside is an error like any
 * other byte that does not belong).  false: ret_error says what is wrong.
 */
bool request_parse(const char *line, size_t length_bytes,
		   struct request *ret_request,
		   struct request_error *ret_error);

/* An address, v4 as ::ffff:a.b.c.d.  false: it is none. */
bool request_parse_address(const char *text, uint8_t ret_address[16]);

/* "status", "top", ... as in the line. */
const char *request_verb_name(enum request_verb verb);
/* "S", "rate", "held" */
const char *request_order_name(enum request_order by);

#endif
