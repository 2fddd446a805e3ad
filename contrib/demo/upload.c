/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "contrib/demo/good.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contrib/demo/beat.h"

enum { PORT = 8873, CHUNK_BYTES = 65536, NS_PER_MS = 1000000 };

static bool name_to_address(const char *name, struct sockaddr_in *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sin_family = AF_INET;
	ret_address->sin_port = htons(PORT);
	return inet_pton(AF_INET, name, &ret_address->sin_addr) == 1;
}

static int close_with(int fd, int error)
{
	close(fd);
	return -error;
}

static int connect_paced(const struct good_order *order)
{
	unsigned rate_bytes_per_s = order->rate_kbit_per_s * 125;
	struct sockaddr_in here, there;
	int fd;

	if (!name_to_address(order->local, &here) ||
	    !name_to_address(order->remote, &there))
		return -EINVAL;
	here.sin_port = 0;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate_bytes_per_s,
		       sizeof(rate_bytes_per_s)) < 0 ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0)
		return close_with(fd, errno);
	return fd;
}

int good_upload(const struct good_order *order)
{
	static const uint8_t chunk[CHUNK_BYTES];
	struct beat beat;
	int fd = connect_paced(order);
	int error = 0;

	if (fd < 0)
		return fd;
	beat_init(&beat, NS_PER_MS, order->seconds);
	while (beat_now_ns() < beat.end_ns) {
		struct pollfd ready = { .fd = fd, .events = POLLOUT };

		if (poll(&ready, 1, 100) <= 0)
			continue;
		if (send(fd, chunk, sizeof(chunk),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN) {
			error = errno;
			break;
		}
	}
	return close_with(fd, error);
}

static int listen_at(const char *name)
{
	struct sockaddr_in here;
	int on = 1;
	int fd;

	if (!name_to_address(name, &here))
		return -EINVAL;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(fd, 4) < 0)
		return close_with(fd, errno);
	return fd;
}

/* Whatever is there; one sender at a time. */
static uint64_t take_in(int listener, int *sender)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct pollfd ready = { .events = POLLIN };
	ssize_t count;

	ready.fd = *sender < 0 ? listener : *sender;
	if (poll(&ready, 1, 10) <= 0)
		return 0;
	if (*sender < 0) {
		*sender = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		return 0;
	}
	count = recv(*sender, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (count > 0)
		return (uint64_t)count;
	if (count == 0 || errno != EAGAIN) {
		close(*sender);
		*sender = -1;
	}
	return 0;
}

int good_receive(const struct good_order *order)
{
	uint64_t received_bytes = 0;
	uint64_t tell_ns = 0;
	struct beat beat;
	int sender = -1;
	int listener = listen_at(order->local);

	if (listener < 0)
		return listener;
	beat_init(&beat, NS_PER_MS, order->seconds);
	while (beat_now_ns() < beat.end_ns) {
		if (beat_now_ns() >= tell_ns) {
			tell_ns = beat_now_ns() + 100 * NS_PER_MS;
			printf("received %" PRIu64 "\n", received_bytes);
			fflush(stdout);
		}
		received_bytes += take_in(listener, &sender);
	}
	printf("received %" PRIu64 "\n", received_bytes);
	if (sender >= 0)
		close(sender);
	close(listener);
	return 0;
}
