/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_METRICS_H
#define SHAPER_DAEMON_METRICS_H

/*
 * GET /metrics (Prometheus text) and GET /status.json over HTTP, on a loopback
 * address as a rule.  Answered from the status alone, so that no engine waits
 * for a reader; connections, their time, and what they may send are bounded.
 */

struct event_base;
struct metrics;
struct status;

enum {
	METRICS_CONNECTIONS_MAX = 16, /* more wait in the kernel's backlog */
	METRICS_IDLE_S = 5,
	METRICS_CONNECTION_S = 30, /* then it is closed, busy or not */
	METRICS_HEADERS_BYTES = 8192,
};

/*
 * Serve on `listen` ("127.0.0.1:9477", "[::1]:9477").  `status` outlives it.
 * 0 or -errno: -EINVAL when it is not an address and port.  An address that
 * others may reach is taken, and warned about: the text names hosts.  on_read
 * is called before each answer.
 */
int metrics_new(struct event_base *base, const char *listen,
		const struct status *status, void (*on_read)(void *self),
		void *self, struct metrics **ret_metrics);
/* Once a second: who could not be let in may come.  NULL is fine. */
void metrics_advance(struct metrics *metrics);
void metrics_free(struct metrics *metrics);

#endif
