/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 512 };

/* A path, or '@' and a name in the abstract namespace. */
static int peer_of(struct notify *notify, const char *name)
{
	size_t length_bytes = strlen(name);
	struct sockaddr_un *peer = &notify->peer;

	if ((name[0] != '/' && name[0] != '@') || length_bytes < 2 ||
	    length_bytes >= sizeof(peer->sun_path))
		return -EINVAL;
	memset(peer, 0, sizeof(*peer));
	peer->sun_family = AF_UNIX;
	memcpy(peer->sun_path, name, length_bytes);
	if (name[0] == '@')
		peer->sun_path[0] = '\0';
	notify->peer_bytes =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			    length_bytes);
	return 0;
}

/* Twice within what the manager allows, as sd_watchdog_enabled(3) advises. */
static uint64_t watchdog_ns_of(const char *usec, const char *pid_text, long pid)
{
	unsigned long long value_us;
	char *end;

	if (usec == NULL)
		return 0;
	if (pid_text != NULL && strtol(pid_text, NULL, 10) != pid)
		return 0;
	errno = 0;
	value_us = strtoull(usec, &end, 10);
	if (errno != 0 || end == usec || *end != '\0' ||
	    value_us > UINT64_MAX / 1000)
		return 0;
	return value_us * 1000 / 2;
}

int notify_open(struct notify *notify, const char *socket_name,
		const char *watchdog_usec, const char *watchdog_pid, long pid)
{
	int error;

	notify->fd = -1;
	notify->watchdog_ns = 0;
	if (socket_name == NULL || socket_name[0] == '\0')
		return 0;
	error = peer_of(notify, socket_name);
	if (error < 0)
		return error;
	notify->fd =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->fd < 0)
		return -errno;
	notify->watchdog_ns = watchdog_ns_of(watchdog_usec, watchdog_pid, pid);
	return 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

static int tell(const struct notify *notify, const char *message)
{
	size_t length_bytes = strlen(message);

	if (notify->fd < 0)
		return 0;
	if (sendto(notify->fd, message, length_bytes, MSG_NOSIGNAL,
		   (const struct sockaddr *)&notify->peer,
		   notify->peer_bytes) < 0)
		return -errno;
	return 0;
}

/* A newline would begin another assignment. */
static void append_status(char *message, size_t size_bytes, const char *status)
{
	size_t used_bytes = strlen(message);
	char *c;

	if (status == NULL)
		return;
	snprintf(message + used_bytes, size_bytes - used_bytes, "STATUS=%s",
		 status);
	for (c = message + used_bytes; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
}

int notify_ready(const struct notify *notify, const char *status)
{
	char message[MESSAGE_BYTES] = "READY=1\n";

	append_status(message, sizeof(message), status);
	return tell(notify, message);
}

int notify_reloading(const struct notify *notify, uint64_t monotonic_ns)
{
	char message[MESSAGE_BYTES];

	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(monotonic_ns / 1000));
	return tell(notify, message);
}

int notify_stopping(const struct notify *notify)
{
	return tell(notify, "STOPPING=1");
}

int notify_alive(const struct notify *notify)
{
	return tell(notify, "WATCHDOG=1");
}
