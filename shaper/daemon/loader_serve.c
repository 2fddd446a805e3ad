/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader's side: see loader.h.  Who asks may be a daemon that a packet has
 * taken over, so no answer gives more than attaching our own program. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shaper/daemon/loader_wire.h"
#include "shaper/daemon/priv.h"
#include "shaper/io/clock.h"
#include "shaper/io/fast_pin.h"
#include "shaper/io/fast_program.h"

#define UNLOADED "the kernel is still looking through the program"

enum {
	SLOTS_MIN = 1024,
	SLOTS_MAX = 1 << 24,
	SOON_S = 3,  /* then the daemon begins to judge by itself, ... */
	LATE_S = 55, /* ... or not at all, if that is what `hold` wants */
};

struct server {
	int socket;
	const struct priv_user *user;
	struct fastprogram *program; /* NULL: not loaded yet */
	struct fastpin pin;
	struct fastpin_left left;
	bool gives_fds; /* with this answer */

	/* The kernel looks through the program, and what it said then. */
	pthread_t thread;
	bool loading, settled;
	int error;
	char wrong[FAST_TEXT_BYTES];
};

/* ------ ends */

/* Terminals and service managers end all processes at once; this one is needed
 * until the daemon has ended. */
static void outlive(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "symtap-loader");
	prctl(PR_SET_DUMPABLE, 0);
}

/* Who loads hears of nothing else: daemons that are ended as soon as they start
 * would leave more and more such processes, each with tables of its own.  Later
 * a killed one would leave its filters. */
static void end_with_daemon(bool yes)
{
	prctl(PR_SET_PDEATHSIG, yes ? SIGKILL : 0);
}

/* ------ loading */

static int drop(const struct server *server, char ret_text[FAST_TEXT_BYTES])
{
	int error = priv_drop_loader(server->user);

	if (error == 0)
		error = priv_confine_loader();
	if (error < 0)
		snprintf(ret_text, FAST_TEXT_BYTES,
			 "the process that loads it cannot be confined");
	return error;
}

/* Packets are judged meanwhile.  It has the common priority: with less, a
 * daemon that is busy without its program would never get it. */
static void *load_beside(void *self)
{
	struct server *server = self;

	server->error = fastprogram_load(server->program, server->wrong);
	return NULL;
}

static bool has_loaded(struct server *server, time_t wait_s)
{
	uint64_t now_ns = clock_wall_ns();
	const struct timespec until = {
		.tv_sec = (time_t)(now_ns / 1000000000u) + wait_s,
		.tv_nsec = (long)(now_ns % 1000000000u),
	};

	if (!server->loading)
		return true;
	server->loading = pthread_timedjoin_np(server->thread, NULL, &until) !=
			  0;
	return !server->loading;
}

/* Nothing needs these privileges any more. */
static void settle(struct server *server)
{
	if (server->settled)
		return;
	server->settled = true;
	end_with_daemon(false);
	if (server->error == 0)
		server->error = drop(server, server->wrong);
}

static void take_pin(struct server *server,
		     const struct loader_request *request,
		     struct loader_answer *answer)
{
	const struct priv_user *user = server->user;
	struct fastpin_owner owner;
	struct fast_fds fds;

	fastprogram_fds(server->program, &fds);
	if (user != NULL)
		owner = (struct fastpin_owner){ user->uid, user->gid };
	if (request->pin[0] != '\0')
		fastpin_take(&server->pin, request->pin,
			     user != NULL ? &owner : NULL, &fds, &server->left,
			     answer->text);
	answer->left_slots = server->left.slots_count;
}

static int load(struct server *server, const struct loader_request *request,
		struct loader_answer *answer)
{
	const struct fast_options options = { .slots = request->slots,
					      .pump_only = request->pump_only };
	int error;

	if (server->program != NULL || request->slots < SLOTS_MIN ||
	    request->slots > SLOTS_MAX ||
	    (request->slots & (request->slots - 1)) != 0 ||
	    memchr(request->pin, '\0', sizeof(request->pin)) == NULL)
		return -EINVAL;
	error = fastprogram_new(&options, &server->program, answer->text);
	if (error < 0)
		return error;
	error = -pthread_create(&server->thread, NULL, load_beside, server);
	if (error < 0)
		return error;
	server->loading = true;
	if (!has_loaded(server, options.pump_only ? SOON_S : LATE_S) &&
	    !options.pump_only) {
		snprintf(answer->text, sizeof(answer->text), "%s", UNLOADED);
		return -ETIMEDOUT;
	}
	if (server->loading || server->error == 0) {
		answer->text[0] = '\0';
		take_pin(server, request, answer);
	}
	if (!server->loading)
		settle(server);
	if (!server->loading && server->error < 0) {
		memcpy(answer->text, server->wrong, sizeof(answer->text));
		return server->error;
	}
	server->gives_fds = true;
	return 0;
}

/* ------ answering */

static size_t list_fds(const struct server *server, int ret_fds[LOADER_FDS_MAX])
{
	struct fast_fds fds;

	if (!server->gives_fds)
		return 0;
	fastprogram_fds(server->program, &fds);
	ret_fds[0] = fds.slots;
	ret_fds[1] = fds.heard;
	ret_fds[2] = fds.memory;
	if (server->left.slots_count == 0)
		return LOADER_FDS;
	ret_fds[3] = server->left.slots;
	ret_fds[4] = server->left.memory;
	return LOADER_FDS_MAX;
}

static bool send_answer(struct server *server, struct loader_answer *answer)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(LOADER_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec from = { answer, sizeof(*answer) };
	struct msghdr message = { .msg_iov = &from, .msg_iovlen = 1 };
	int fds[LOADER_FDS_MAX];
	size_t count = list_fds(server, fds);

	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	server->gives_fds = false;
	return sendmsg(server->socket, &message, MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(*answer);
}

static int attach(struct server *server, uint32_t ifindex,
		  char ret_text[FAST_TEXT_BYTES])
{
	int error;

	if (!has_loaded(server, 0)) {
		snprintf(ret_text, FAST_TEXT_BYTES, "%s", UNLOADED);
		return -EAGAIN;
	}
	settle(server);
	if (server->error < 0) {
		memcpy(ret_text, server->wrong, FAST_TEXT_BYTES);
		return server->error;
	}
	error = fastprogram_attach(server->program, ifindex, ret_text);
	/* The engines run: they have what the one before had leased. */
	fastpin_put(&server->pin);
	if (error == 0)
		snprintf(ret_text, FAST_TEXT_BYTES, "%s",
			 fastprogram_way(server->program, ifindex));
	return error;
}

static int answer_to(struct server *server,
		     const struct loader_request *request,
		     struct loader_answer *answer)
{
	if (request->what == LOADER_LOAD)
		return load(server, request, answer);
	if (server->program == NULL)
		return -EINVAL;
	switch ((enum loader_what)request->what) {
	case LOADER_LOAD:
		break;
	case LOADER_ATTACH:
		return attach(server, request->ifindex, answer->text);
	case LOADER_DETACH:
		fastprogram_detach(server->program, request->ifindex);
		return 0;
	case LOADER_IS_ATTACHED:
		return fastprogram_is_attached(server->program,
					       request->ifindex)
			       ? 0
			       : -ENOENT;
	case LOADER_IS_COMPLETE:
		return fastprogram_is_complete(server->program) ? 0 : -ENOENT;
	case LOADER_END:
		if (!server->loading)
			fastprogram_free(server->program);
		server->program = NULL;
		fastpin_remove(&server->pin);
		return 0;
	}
	return -EINVAL;
}

static void serve(struct server *server)
{
	struct loader_request request;
	struct loader_answer answer;
	ssize_t got;

	for (;;) {
		got = recv(server->socket, &request, sizeof(request), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got != (ssize_t)sizeof(request))
			return;
		memset(&answer, 0, sizeof(answer));
		answer.error = answer_to(server, &request, &answer);
		if (!send_answer(server, &answer))
			return;
		fastpin_left_close(&server->left);
	}
}

_Noreturn void loader_serve(int socket, const struct priv_user *user,
			    pid_t daemon)
{
	struct server server = { .socket = socket, .user = user };

	end_with_daemon(true);
	if (getppid() != daemon)
		_exit(0);
	outlive();
	fastpin_init(&server.pin);
	serve(&server);
	if (!server.loading)
		fastprogram_free(server.program);
	_exit(0);
}
