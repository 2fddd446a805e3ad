/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_process.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shaper/daemon/log.h"
#include "shaper/daemon/priv.h"
#include "shaper/io/clock.h"

enum { WAIT_MAX_MS = 10000 };

struct process {
	struct vifwatch *watch;
	int fd; /* to symtapd */
	bool connected;
};

static void on_action(void *self, const struct vifwatch_vif *vif,
		      enum vif_action action)
{
	const struct process *process = self;
	struct vif_order order;

	memset(&order, 0, sizeof(order));
	order.action = action;
	order.keys = vif->keys;
	if (send(process->fd, &order, sizeof(order), MSG_NOSIGNAL) < 0)
		_exit(EXIT_FAILURE);
}

static void on_wrong(void *self, const char *wrong)
{
	(void)self;
	log_warn(0, "xen: %s; it stays as it was", wrong);
}

static bool has_interface(void *self, const char *name)
{
	(void)self;
	return if_nametoindex(name) != 0;
}

/* false: symtapd has ended. */
static bool take_reports(struct process *process)
{
	struct vif_report report;
	ssize_t got;

	while ((got = recv(process->fd, &report, sizeof(report),
			   MSG_DONTWAIT)) == (ssize_t)sizeof(report)) {
		report.wrong[sizeof(report.wrong) - 1] = '\0';
		vifwatch_done(process->watch, report.domain, report.handle,
			      report.event, report.wrong);
	}
	return got < 0 && errno == EAGAIN;
}

static int wait_ms(const struct vifwatch *watch, uint64_t now_ns)
{
	uint64_t next_ns = vifwatch_next_ns(watch);

	if (next_ns <= now_ns)
		return 0;
	next_ns = (next_ns - now_ns) / 1000000 + 1;
	return next_ns < WAIT_MAX_MS ? (int)next_ns : WAIT_MAX_MS;
}

static void tell_connection(struct process *process)
{
	bool connected = vifwatch_stats(process->watch)->connected;

	if (connected == process->connected)
		return;
	process->connected = connected;
	if (connected)
		log_info(0, "xen: xenstored answers, vifs are followed");
	else
		log_warn(0, "xen: xenstored is gone; vifs stay as they are");
}

static void run(struct process *process)
{
	struct pollfd ready[2] = { { .fd = process->fd, .events = POLLIN },
				   { .events = POLLIN } };

	do {
		uint64_t now_ns = clock_now_ns();

		log_advance(now_ns);
		vifwatch_advance(process->watch, now_ns);
		tell_connection(process);
		ready[1].fd = vifwatch_fd(process->watch);
		poll(ready, 2, wait_ms(process->watch, now_ns));
	} while (take_reports(process));
}

static _Noreturn void child(int fd)
{
	struct process process = { .fd = fd };
	const struct vifwatch_owner owner = { on_action, on_wrong,
					      has_interface, &process };

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "symtapd-xen");
	process.watch = vifwatch_new(&owner);
	if (process.watch == NULL || priv_drop_all() < 0 || priv_confine() < 0)
		_exit(EXIT_FAILURE);
	run(&process);
	vifwatch_free(process.watch);
	_exit(EXIT_SUCCESS);
}

int vif_process_start(void)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (pid == 0) {
		close(ends[0]);
		child(ends[1]);
	}
	close(ends[1]);
	return ends[0];
}
