/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shaper/daemon/requests.h"
#include "shaper/io/clock.h"

enum { CHUNK_BYTES = 65536 };

int client_open(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length_bytes = strlen(path);
	int error;

	client->fd = -1;
	if (length_bytes == 0 || length_bytes >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length_bytes);
	client->fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return -errno;
	if (connect(client->fd, (const struct sockaddr *)&address,
		    sizeof(address)) == 0)
		return 0;
	error = -errno;
	client_close(client);
	return error;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* Wait for `events` until `deadline_ns`.  0 or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd wanted = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		int ready;

		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		ready = poll(&wanted, 1,
			     (int)((deadline_ns - now_ns) / 1000000) + 1);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_line(int fd, const char *request, uint64_t deadline_ns)
{
	char line[REQUEST_LINE_BYTES + 2];
	int length = snprintf(line, sizeof(line), "%s\n", request);
	size_t sent = 0;
	int error;

	if (length < 0 || (size_t)length >= sizeof(line))
		return -EMSGSIZE;
	while (sent < (size_t)length) {
		ssize_t n = send(fd, line + sent, (size_t)length - sent,
				 MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		error = wait_for(fd, POLLOUT, deadline_ns);
		if (error < 0)
			return error;
	}
	return 0;
}

struct answer {
	char *text;
	size_t used_bytes, size_bytes;
};

/* > 0: the line is complete; 0: read on; < 0: -errno. */
static int read_some(int fd, struct answer *answer)
{
	char *end;
	ssize_t n;

	if (answer->used_bytes + 1 >= answer->size_bytes) {
		size_t size_bytes = 2 * answer->size_bytes + CHUNK_BYTES;
		char *text;

		if (size_bytes > 2 * CLIENT_ANSWER_BYTES)
			return -EMSGSIZE;
		text = realloc(answer->text, size_bytes);
		if (text == NULL)
			return -ENOMEM;
		answer->text = text;
		answer->size_bytes = size_bytes;
	}
	n = recv(fd, answer->text + answer->used_bytes,
		 answer->size_bytes - 1 - answer->used_bytes, 0);
	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	end = memchr(answer->text + answer->used_bytes, '\n', (size_t)n);
	answer->used_bytes += (size_t)n;
	if (end == NULL)
		return 0;
	*end = '\0';
	return 1;
}

int client_ask(struct client *client, const char *request, char **ret_answer)
{
	uint64_t deadline_ns = clock_now_ns() + CLIENT_WAIT_MS * 1000000ull;
	struct answer answer = { 0 };
	int error = send_line(client->fd, request, deadline_ns);

	while (error == 0) {
		error = wait_for(client->fd, POLLIN, deadline_ns);
		if (error == 0)
			error = read_some(client->fd, &answer);
	}
	if (error < 0) {
		free(answer.text);
		return error;
	}
	*ret_answer = answer.text;
	return 0;
}
