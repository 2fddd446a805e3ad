/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { OVERHEAD_BYTES = 4096 };

static int fd_of(void *self)
{
	return (int)(intptr_t)self;
}

static bool has_other(void *self)
{
	(void)self;
	return true;
}

static void wake(void *self)
{
	(void)self;
}

static int send_all(void *self, const uint8_t *bytes, size_t count)
{
	if (send(fd_of(self), bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -errno;
}

/* The kernel counts a message as the memory that it takes, twice its length at
 * most and something more. */
static bool has_room(void *self, size_t bytes)
{
	int unread = 0, most = 0;
	socklen_t length = sizeof(most);

	/* Who is gone is found by sending. */
	if (ioctl(fd_of(self), SIOCOUTQ, &unread) < 0 ||
	    getsockopt(fd_of(self), SOL_SOCKET, SO_SNDBUF, &most, &length) < 0)
		return true;
	return (size_t)unread + 2 * bytes + OVERHEAD_BYTES <= (size_t)most;
}

/* Up to a quarter of what fits is little; of short messages each byte takes
 * five. */
static size_t unread_bytes(void *self)
{
	struct pollfd ready = { .fd = fd_of(self), .events = POLLOUT };
	int unread = 0;

	if (poll(&ready, 1, 0) != 0 ||
	    ioctl(fd_of(self), SIOCOUTQ, &unread) < 0)
		return 0;
	return (size_t)unread / 5;
}

static ssize_t receive(void *self, uint8_t *ret_bytes, size_t room)
{
	ssize_t got = recv(fd_of(self), ret_bytes, room, MSG_DONTWAIT);

	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return got < 0 ? -errno : -ENOTCONN;
}

static void close_socket(void *self)
{
	close(fd_of(self));
}

void tapsocket_wire(int fd, struct tapwire *ret_wire)
{
	*ret_wire = (struct tapwire){
		.self = (void *)(intptr_t)fd,
		.fd = fd,
		.has_other = has_other,
		.wake = wake,
		.send = send_all,
		.has_room = has_room,
		.unread_bytes = unread_bytes,
		.room_events = POLLOUT,
		.receive = receive,
		.close = close_socket,
	};
}

static int open_at(const char *path, struct sockaddr_un *ret_address)
{
	int fd;

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret_address->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret_address->sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

int tapsocket_connect(const char *path, struct tapwire *ret_wire)
{
	struct sockaddr_un address;
	int fd = open_at(path, &address), error;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	tapsocket_wire(fd, ret_wire);
	return 0;
}

int tapsocket_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = open_at(path, &address), error;
	struct stat there;

	if (fd < 0)
		return fd;
	/* A former one's; anything else is in the way of bind(). */
	if (lstat(path, &there) == 0 && S_ISSOCK(there.st_mode))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0600) < 0 || listen(fd, 1) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int tapsocket_accept(int fd, struct tapwire *ret_wire)
{
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (accepted < 0)
		return -errno;
	tapsocket_wire(accepted, ret_wire);
	return 0;
}
