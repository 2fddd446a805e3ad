/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/heir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shaper/daemon/priv.h"

/* Until the daemon is gone: nobody ever writes. */
static void await_end(int pipe_end)
{
	char byte;
	ssize_t got;

	do {
		got = read(pipe_end, &byte, 1);
	} while (got > 0 || (got < 0 && errno == EINTR));
}

/* It outlives what ends all processes of the daemon at once. */
static _Noreturn void inherit(int pipe_end, const struct priv_user *user,
			      uint32_t ifindex,
			      void (*at_end)(uint32_t ifindex))
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "symtap-heir");
	if (dup2(pipe_end, STDIN_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0u, 0) < 0 || priv_drop(user) < 0 ||
	    priv_confine() < 0)
		_exit(1);
	await_end(STDIN_FILENO);
	at_end(ifindex);
	_exit(0);
}

int heir_start(struct heir *heir, const struct priv_user *user,
	       uint32_t ifindex, void (*at_end)(uint32_t ifindex))
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	heir->process = fork();
	if (heir->process == 0) {
		close(ends[1]);
		inherit(ends[0], user, ifindex, at_end);
	}
	close(ends[0]);
	heir->life = ends[1];
	return heir->process < 0 ? -errno : 0;
}

void heir_end(struct heir *heir)
{
	if (heir->life >= 0)
		close(heir->life);
	if (heir->process > 0)
		waitpid(heir->process, NULL, 0);
	heir->life = -1;
	heir->process = 0;
}
