/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_NOTIFY_H
#define SHAPER_DAEMON_NOTIFY_H

/*
 * The service manager is told how we are: sd_notify(3)'s protocol, spoken by
 * hand.  Without a service manager every call does nothing and succeeds.  A
 * message that finds no room is lost, the manager's watchdog is the judge.
 */

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: nobody wants to hear */
	socklen_t peer_bytes;
	struct sockaddr_un peer;
	uint64_t watchdog_ns; /* say notify_alive this often; 0: not wanted */
};

/*
 * The three are $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, or NULL.
 * `pid` is ours.  0 or -errno (-EINVAL: an address we cannot use).
 */
int notify_open(struct notify *notify, const char *socket_name,
		const char *watchdog_usec, const char *watchdog_pid, long pid);
void notify_close(struct notify *notify);

/* `status` is one line for the operator, and may be NULL. */
int notify_ready(const struct notify *notify, const char *status);
/* `monotonic_ns` is CLOCK_MONOTONIC now; say ready again afterwards. */
int notify_reloading(const struct notify *notify, uint64_t monotonic_ns);
int notify_stopping(const struct notify *notify);
int notify_alive(const struct notify *notify);

#endif
