/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "shaper/daemon/loader_wire.h"

enum {
	LOAD_SECONDS = 60, /* longer than loader_serve.c waits for it */
	ANSWER_SECONDS = 3,
};

struct loader {
	int socket;    /* -1: it does not answer any more */
	time_t wait_s; /* that long */
};

int loader_start(const struct priv_user *user, struct loader **ret_loader)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	pid_t daemon = getpid(), pid;
	int sockets[2];

	if (loader == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		goto fail;
	pid = fork();
	if (pid == 0) {
		close(sockets[0]);
		loader_serve(sockets[1], user, daemon);
	}
	close(sockets[1]);
	if (pid < 0) {
		close(sockets[0]);
		goto fail;
	}
	loader->socket = sockets[0];
	*ret_loader = loader;
	return 0;

fail:
	free(loader);
	return -errno;
}

/* ------ asking */

static void give_up(struct loader *loader)
{
	close(loader->socket);
	loader->socket = -1;
}

/* Of a message that came with descriptors; those beyond `max` are closed. */
static size_t take_fds(struct msghdr *message, int *fds, size_t max)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t count = 0, bytes;

	if (header == NULL || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return 0;
	bytes = header->cmsg_len - CMSG_LEN(0);
	for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + at, sizeof(fd));
		if (count < max)
			fds[count++] = fd;
		else
			close(fd);
	}
	return count;
}

static ssize_t receive(struct loader *loader, struct loader_answer *ret_answer,
		       int *ret_fds, size_t *ret_fds_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(LOADER_FDS_MAX * sizeof(int))];
	} control;
	struct iovec into = { ret_answer, sizeof(*ret_answer) };
	struct msghdr message = {
		.msg_iov = &into,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	do {
		got = recvmsg(loader->socket, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got >= 0)
		*ret_fds_count = take_fds(&message, ret_fds, LOADER_FDS_MAX);
	return got;
}

static void set_wait(struct loader *loader, time_t wait_s)
{
	const struct timeval span = { .tv_sec = wait_s };

	if (loader->wait_s != wait_s &&
	    setsockopt(loader->socket, SOL_SOCKET, SO_RCVTIMEO, &span,
		       sizeof(span)) == 0)
		loader->wait_s = wait_s;
}

/* false: it is gone, or hangs; then it is not asked again. */
static bool ask(struct loader *loader, const struct loader_request *request,
		struct loader_answer *ret_answer, int fds[LOADER_FDS_MAX],
		size_t *ret_fds_count)
{
	*ret_fds_count = 0;
	if (loader->socket < 0)
		return false;
	set_wait(loader,
		 request->what == LOADER_LOAD ? LOAD_SECONDS : ANSWER_SECONDS);
	if (send(loader->socket, request, sizeof(*request), MSG_NOSIGNAL) ==
		    (ssize_t)sizeof(*request) &&
	    receive(loader, ret_answer, fds, ret_fds_count) ==
		    (ssize_t)sizeof(*ret_answer)) {
		ret_answer->text[FAST_TEXT_BYTES - 1] = '\0';
		return true;
	}
	for (size_t i = 0; i < *ret_fds_count; i++)
		close(fds[i]);
	give_up(loader);
	return false;
}

static int ask_about(struct loader *loader, enum loader_what what,
		     uint32_t ifindex, char ret_text[FAST_TEXT_BYTES])
{
	const struct loader_request request = { .what = what,
						.ifindex = ifindex };
	struct loader_answer answer;
	int fds[LOADER_FDS_MAX];
	size_t count;

	if (!ask(loader, &request, &answer, fds, &count)) {
		snprintf(ret_text, FAST_TEXT_BYTES,
			 "the process that attaches it has ended");
		return -EPIPE;
	}
	memcpy(ret_text, answer.text, FAST_TEXT_BYTES);
	return answer.error;
}

/* ------ */

static int open_fast(const struct fast_options *options, const int *fds,
		     struct fast **ret_fast, char ret_text[FAST_TEXT_BYTES])
{
	const struct fast_fds of_program = { fds[0], fds[1], fds[2] };
	int error = fast_open(options, &of_program, ret_fast);

	if (error < 0)
		snprintf(ret_text, FAST_TEXT_BYTES,
			 "there is no memory for what it shares");
	return error;
}

int loader_load(struct loader *loader, const struct fast_options *options,
		const char *pin, struct fast **ret_fast,
		struct loader_heritage *ret_heritage,
		char ret_text[FAST_TEXT_BYTES])
{
	struct loader_request request = { .what = LOADER_LOAD,
					  .slots = options->slots,
					  .pump_only = options->pump_only };
	struct loader_answer answer;
	int fds[LOADER_FDS_MAX], error;
	size_t count;

	*ret_heritage = (struct loader_heritage){ -1, -1, 0 };
	snprintf(request.pin, sizeof(request.pin), "%s", pin);
	snprintf(ret_text, FAST_TEXT_BYTES,
		 "the process that loads it has ended, or took longer than "
		 "%d s",
		 LOAD_SECONDS);
	if (!ask(loader, &request, &answer, fds, &count))
		return -EPIPE;
	memcpy(ret_text, answer.text, FAST_TEXT_BYTES);
	if (answer.error < 0)
		return answer.error;
	if (count == LOADER_FDS_MAX && answer.left_slots > 0)
		*ret_heritage = (struct loader_heritage){ fds[3], fds[4],
							  answer.left_slots };
	else if (count != LOADER_FDS)
		return -EPROTO;
	error = open_fast(options, fds, ret_fast, ret_text);
	if (error < 0 && count == LOADER_FDS_MAX) {
		close(fds[3]);
		close(fds[4]);
	}
	return error;
}

int loader_attach(struct loader *loader, uint32_t ifindex,
		  char ret_text[FAST_TEXT_BYTES])
{
	return ask_about(loader, LOADER_ATTACH, ifindex, ret_text);
}

bool loader_is_attached(struct loader *loader, uint32_t ifindex)
{
	char text[FAST_TEXT_BYTES];

	return ask_about(loader, LOADER_IS_ATTACHED, ifindex, text) == 0;
}

bool loader_is_complete(struct loader *loader)
{
	char text[FAST_TEXT_BYTES];

	return ask_about(loader, LOADER_IS_COMPLETE, 0, text) == 0;
}

bool loader_is_there(struct loader *loader)
{
	char byte;

	if (loader->socket >= 0 && recv(loader->socket, &byte, sizeof(byte),
					MSG_PEEK | MSG_DONTWAIT) == 0)
		give_up(loader);
	return loader_answers(loader);
}

void loader_detach(struct loader *loader, uint32_t ifindex)
{
	char text[FAST_TEXT_BYTES];

	ask_about(loader, LOADER_DETACH, ifindex, text);
}

bool loader_answers(const struct loader *loader)
{
	return loader->socket >= 0;
}

void loader_free(struct loader *loader)
{
	char text[FAST_TEXT_BYTES];

	if (loader == NULL)
		return;
	ask_about(loader, LOADER_END, 0, text);
	if (loader->socket >= 0)
		give_up(loader);
	free(loader);
}
