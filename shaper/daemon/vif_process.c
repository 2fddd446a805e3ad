/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_process.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shaper/daemon/announcer.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/priv.h"
#include "shaper/daemon/vif_mail.h"
#include "shaper/io/clock.h"
#include "shaper/io/vif_debt.h"
#include "xen-hooks/store.h"
#include "xen-hooks/vif_slots.h"
#include "xen-hooks/way_rate.h"

enum { WAIT_MAX_MS = 10000, ROOM_BYTES = 8 << 20 };

struct process {
	struct vifwatch *watch;
	struct announcer *announcer;
	struct vifpublish *publish;
	struct vifmail *mail;
	struct wayrate *rates;
	struct store *writer; /* of rates, or NULL */
	int fd;               /* to symtapd */
	int pace_fd;          /* from its engines */
	bool connected, told_error, has_looked;
	uint64_t rates_failed, publish_failed; /* of those, told */
};

static void order(const struct process *process, const struct vifwatch_vif *vif,
		  enum vif_action action)
{
	static struct vif_order word;

	memset(&word, 0, sizeof(word));
	word.action = action;
	word.keys = vif->keys;
	word.state = vif->state;
	memcpy(word.wrong, vif->wrong, sizeof(word.wrong));
	if (!vifmail_say(process->mail, &word))
		_exit(EXIT_FAILURE);
}

static void on_action(void *self, const struct vifwatch_vif *vif,
		      enum vif_action action)
{
	const struct process *process = self;
	struct store *store = vifwatch_store(process->watch);

	/* Who was there when we connected is not new. */
	if (action != VIF_DO_DRAIN && process->connected &&
	    vif->state == VIF_ATTACHING)
		announcer_expect(process->announcer, vif->keys.domain,
				 vif->keys.handle);
	else if (action == VIF_DO_DRAIN)
		announcer_forget(process->announcer, vif->keys.domain,
				 vif->keys.handle);
	if (action == VIF_DO_DRAIN)
		wayrate_forget(process->rates, store, vif->keys.domain,
			       vif->keys.handle);
	else if (action == VIF_DO_GUARD &&
		 !wayrate_know(process->rates, store, &vif->keys))
		_exit(EXIT_FAILURE);
	order(process, vif, action);
}

static void on_seen(void *self, const struct vifwatch_vif *vif)
{
	const struct process *process = self;
	const struct vifkeys *keys = &vif->keys;

	if (vif->state == VIF_ABSENT || vif->state == VIF_GONE)
		vifpublish_forget(process->publish, keys->domain, keys->handle);
	else if (!vifpublish_state(process->publish, keys->domain, keys->handle,
				   vif_state_name(vif->state), vif->wrong))
		log_error(0, "xen: out of memory: %s is not published",
			  keys->interface);
	order(process, vif, VIF_DO_NOTHING);
}

static void on_wrong(void *self, const char *wrong)
{
	(void)self;
	log_warn(0, "xen: %s; it stays as it was", wrong);
}

static void on_rate(void *self, uint32_t domain, uint32_t handle)
{
	const struct process *process = self;

	wayrate_touched(process->rates, domain, handle);
}

static void take_debts(struct process *process, uint64_t now_ns)
{
	struct vif_debt debt;

	while (recv(process->pace_fd, &debt, sizeof(debt), MSG_DONTWAIT) ==
	       (ssize_t)sizeof(debt)) {
		debt.interface[sizeof(debt.interface) - 1] = '\0';
		wayrate_owes(process->rates, debt.interface, debt.engine,
			     debt.owed_pkts > 0 ? debt.packet_bytes : 0,
			     now_ns);
	}
}

static bool has_interface(void *self, const char *name)
{
	(void)self;
	return if_nametoindex(name) != 0;
}

static void tell_slots(const struct process *process,
		       const struct vif_report *report)
{
	static struct vif_order word;

	memset(&word, 0, sizeof(word));
	word.is_of_slots = true;
	word.keys.domain = report->domain;
	word.keys.handle = report->handle;
	word.slots = vifslots_read(report->interface, report->queues);
	if (!vifmail_say(process->mail, &word))
		_exit(EXIT_FAILURE);
}

static void guarded(struct process *process, const struct vif_report *report)
{
	const struct vifwatch *watch = process->watch;

	for (size_t i = 0; i < vifwatch_stats(watch)->vifs; i++) {
		const struct vifkeys *keys = &vifwatch_at(watch, i)->keys;

		if (keys->domain == report->domain &&
		    keys->handle == report->handle)
			announcer_guarded(process->announcer, keys,
					  report->announce, clock_now_ns());
	}
}

static void take_report(struct process *process, struct vif_report *report)
{
	report->wrong[sizeof(report->wrong) - 1] = '\0';
	switch (report->kind) {
	case VIF_REPORT_DONE:
		if (report->event == VIF_GUARDED)
			guarded(process, report);
		vifwatch_done(process->watch, report->domain, report->handle,
			      report->event, report->wrong);
		break;
	case VIF_REPORT_FIGURES:
		vifpublish_figures(process->publish, report->domain,
				   report->handle, &report->figures);
		tell_slots(process, report);
		break;
	}
}

/* false: symtapd has ended. */
static bool take_reports(struct process *process)
{
	struct vif_report report;
	int got;

	while ((got = vifmail_hear(process->mail, &report)) > 0)
		take_report(process, &report);
	return got == 0;
}

static int wait_ms(const struct process *process, uint64_t now_ns)
{
	uint64_t next_ns = vifwatch_next_ns(process->watch);
	uint64_t rates_ns = wayrate_next_ns(process->rates);
	uint64_t publish_ns = vifpublish_next_ns(process->publish);

	if (rates_ns < next_ns)
		next_ns = rates_ns;
	if (process->connected && publish_ns < next_ns)
		next_ns = publish_ns;
	if (next_ns <= now_ns || vifmail_has_kept(process->mail))
		return 0;
	next_ns = (next_ns - now_ns) / 1000000 + 1;
	return next_ns < WAIT_MAX_MS ? (int)next_ns : WAIT_MAX_MS;
}

/* A connection without watches has no thread that reads for it: so each answer
 * is here one change of threads earlier, and a pause is seven answers. */
static void open_writer(struct process *process)
{
	store_close(process->writer);
	process->writer = NULL;
	if (process->connected && store_open(&process->writer) < 0)
		process->writer = NULL;
}

static struct store *writer(const struct process *process)
{
	return process->writer != NULL ? process->writer
				       : vifwatch_store(process->watch);
}

static void tell_connection(struct process *process)
{
	const struct vifwatch_stats *stats = vifwatch_stats(process->watch);
	bool connected = stats->connected;

	if (stats->error < 0 && !process->told_error)
		log_warn(-stats->error, "xen: xenstored cannot be reached");
	process->told_error = stats->error < 0;
	if (connected == process->connected)
		return;
	process->connected = connected;
	open_writer(process);
	wayrate_lost(process->rates);
	if (connected) {
		vifpublish_begin(process->publish);
		log_info(0, "xen: xenstored answers, vifs are followed");
		return;
	}
	log_warn(0, "xen: xenstored is gone; vifs stay as they are");
}

/* To lose the connection here is found out by the next who asks.  Who waits for
 * a guard does not wait for what is written of others. */
static void publish(struct process *process, uint64_t now_ns)
{
	int error;

	if (vifwatch_next_ns(process->watch) == 0)
		return;
	error = vifpublish_advance(process->publish,
				   vifwatch_store(process->watch), now_ns);

	if (error < 0 && error != -ENOTCONN)
		log_warn(-error, "xen: symtap/vif of this domain cannot be "
				 "written; nothing is published until it can");
}

/* Nobody else sees that a guest goes on, or is told nothing. */
static void tell_refused(struct process *process)
{
	static struct log_limit limit = { .subject = "xen",
					  .burst_lines = 4,
					  .lines_per_min = 4 };
	uint64_t rates = wayrate_stats(process->rates)->failed;
	uint64_t published = vifpublish_stats(process->publish)->failed;

	if (rates > process->rates_failed)
		log_limited(&limit, LOG_LEVEL_WARN, 0,
			    "xen: XenStore refused a vif's key `rate`; its "
			    "guest may not be paused");
	if (published > process->publish_failed)
		log_limited(&limit, LOG_LEVEL_WARN, 0,
			    "xen: XenStore refused what is published of a vif "
			    "(a quota?); tried again in a second");
	process->rates_failed = rates;
	process->publish_failed = published;
}

static void tell_looked(struct process *process)
{
	static const struct vif_order word = { .has_looked = true };

	if (!process->has_looked && !vifmail_say(process->mail, &word))
		_exit(EXIT_FAILURE);
	process->has_looked = true;
}

static void run(struct process *process)
{
	enum { REPORTS, PACES, STORE };
	struct pollfd ready[] = {
		[REPORTS] = { .fd = process->fd, .events = POLLIN },
		[PACES] = { .fd = process->pace_fd, .events = POLLIN },
		[STORE] = { .events = POLLIN },
	};

	do {
		uint64_t now_ns = clock_now_ns();

		log_advance(now_ns);
		vifwatch_advance(process->watch, now_ns);
		tell_looked(process);
		tell_connection(process);
		if (ready[PACES].revents != 0)
			take_debts(process, now_ns);
		wayrate_advance(process->rates, writer(process), now_ns);
		publish(process, now_ns);
		tell_refused(process);
		ready[STORE].fd = vifwatch_fd(process->watch);
		poll(ready, 3, wait_ms(process, clock_now_ns()));
	} while (take_reports(process));
	wayrate_let_go(process->rates, writer(process));
	store_close(process->writer);
}

/* XenStore is root's.  As symtapd's unit has it we are not, and may be again.
 */
static void become_root(void)
{
	if (getuid() != 0 && setresuid(0, 0, 0) < 0)
		log_debug(errno, "xen: stays user %u", (unsigned int)getuid());
}

/* The queues would have a listener for as long as we live, who never listens:
 * longer than symtapd, when that is killed. */
static void close_others(int fd, int pace_fd)
{
	unsigned int low = (unsigned int)(fd < pace_fd ? fd : pace_fd);
	unsigned int high = (unsigned int)(fd < pace_fd ? pace_fd : fd);

	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, UINT_MAX, 0);
}

static _Noreturn void child(int fd, int pace_fd)
{
	struct process process = { .fd = fd, .pace_fd = pace_fd };
	const struct vifwatch_owner owner = { .on_action = on_action,
					      .on_wrong = on_wrong,
					      .on_rate = on_rate,
					      .on_seen = on_seen,
					      .has_interface = has_interface,
					      .self = &process };

	close_others(fd, pace_fd);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "symtapd-xen");
	process.watch = vifwatch_new(&owner);
	process.announcer = announcer_new();
	process.rates = wayrate_new();
	process.publish = vifpublish_new();
	process.mail = vifmail_new(fd);
	if (process.watch == NULL || process.announcer == NULL ||
	    process.rates == NULL || process.publish == NULL ||
	    process.mail == NULL)
		_exit(EXIT_FAILURE);
	become_root();
	if (priv_drop_all() < 0 || priv_confine() < 0)
		_exit(EXIT_FAILURE);
	run(&process);
	vifmail_free(process.mail);
	vifpublish_free(process.publish);
	wayrate_free(process.rates);
	announcer_free(process.announcer);
	vifwatch_free(process.watch);
	_exit(EXIT_SUCCESS);
}

static void close_pair(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static int make_pairs(int orders[2], int debts[2])
{
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, debts) == 0)
		return 0;
	error = -errno;
	close_pair(orders);
	return error;
}

/* As many orders as there are vifs fit in at once: symtapd takes them all up
 * together, with one change of rules.  Without the right to, less does. */
static void widen(int fd)
{
	const int bytes = ROOM_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) <
	    0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

int vif_process_start(int *ret_pace_fd)
{
	int orders[2], debts[2];
	int error = make_pairs(orders, debts);
	pid_t pid;

	if (error < 0)
		return error;
	widen(orders[0]);
	widen(orders[1]);
	pid = fork();
	if (pid < 0) {
		error = -errno;
		close_pair(orders);
		close_pair(debts);
		return error;
	}
	if (pid == 0) {
		close(orders[0]);
		close(debts[0]);
		child(orders[1], debts[1]);
	}
	close(orders[1]);
	close(debts[1]);
	*ret_pace_fd = debts[0];
	return orders[0];
}
