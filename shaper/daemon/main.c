/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symtapd: sets everything up in order; daemon.c takes it down in reverse. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "policy/errors.h"
#include "policy/policy.h"
#include "policy/print.h"
#include "shaper/daemon/control.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/follow.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/hold.h"
#include "shaper/daemon/keeper.h"
#include "shaper/daemon/load.h"
#include "shaper/daemon/loader.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/loop.h"
#include "shaper/daemon/metrics.h"
#include "shaper/daemon/priv.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/status_poll.h"
#include "shaper/daemon/tap_place.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/vifs.h"
#include "shaper/io/clock.h"
#include "shaper/io/hold_edt.h"
#include "shaper/io/net_watch.h"
#include "xen-hooks/tap_wire.h"

enum {
	EXIT_FAILED = 1,
	EXIT_WRONG = 2, /* the command line or the policy: trying again does
			 * not help */
	NICE = -10,     /* packets come before chores */
};

#define OWN_USER "symtap"

__attribute__((format(printf, 3, 4))) static _Noreturn void
fatal(int status, int error, const char *format, ...)
{
	char text[LOG_LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_error(error, "symtapd: %s", text);
	exit(status);
}

/* Whom we turn into; NULL: there is no such user. */
static const struct priv_user *own_user(void)
{
	static struct priv_user user;

	return priv_find(OWN_USER, &user) == 0 ? &user : NULL;
}

/* ------ the policy */

static void tell_errors(const struct policy_errors *errors, bool plainly)
{
	char line[POLICY_ERROR_LINE_SIZE];

	for (size_t i = 0; i < errors->count; i++) {
		policy_errors_print(errors, i, line, sizeof(line));
		if (plainly)
			fprintf(stderr, "%s\n", line);
		else if (errors->list[i].warning)
			log_warn(0, "policy: %s", line);
		else
			log_error(0, "policy: %s", line);
	}
}

/* Does not return unless the policy is good. */
static struct policy *load(const char *path, bool plainly)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;
	int error = load_policy(path, &policy, &errors);

	if (error < 0 && error != -EINVAL)
		fatal(EXIT_WRONG, -error, "%s cannot be read", path);
	tell_errors(&errors, plainly);
	if (error == 0)
		return policy;
	if (!plainly)
		fatal(EXIT_WRONG, 0, "the policy is not good; nothing is done");
	exit(EXIT_WRONG);
}

static int check(const struct options *options)
{
	struct policy *policy = load(options->policy_path, true);
	char *text;

	if (options->action == OPTIONS_PRINT) {
		text = policy_print(policy);
		if (text == NULL)
			fatal(EXIT_FAILED, ENOMEM, "cannot print the policy");
		fputs(text, stdout);
		free(text);
	}
	policy_free(policy);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

/* ------ up */

/* Never something weaker in its place. */
static void set_up_hold(struct daemon *daemon)
{
	char wrong[HOLD_TEXT_BYTES];
	int error;

	if (daemon->policy->fast.hold == POLICY_HOLD_PUMP)
		return;
	if (daemon->fast == NULL)
		fatal(EXIT_FAILED, 0,
		      "datapath.fast.hold: there is no fast path");
	if (daemon->policy->fast.hold == POLICY_HOLD_EDT)
		error = holdedt_check(daemon->policy, wrong);
	else
		error = hold_new(daemon->policy, own_user(), &daemon->hold,
				 wrong);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "datapath.fast.hold: %s", wrong);
}

/* false: packets come by queues, as ever. */
static bool connect_tap(const struct daemon *daemon, struct tapwire *ret_tap)
{
	const char *text = daemon->options.tap;
	struct tap_place place;
	int error;

	if (text == NULL)
		return false;
	if (daemon->fast != NULL || daemon->policy->xen.vifs)
		fatal(EXIT_WRONG, 0,
		      "--tap: packets are another's, so there is no fast path "
		      "and no vif to follow here");
	if (!tap_place_read(text, &place))
		fatal(EXIT_WRONG, 0,
		      "--tap: `vchan:DOMAIN` or `unix:/PATH` is meant");
	error = tap_place_connect(&place, ret_tap);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "no symtap-tap is there at %s",
		      text);
	return true;
}

/* A vif may do without. */
static void set_up_ring(struct daemon *daemon)
{
	if (daemon->policy->xen.vifs)
		ring_new(own_user(), &daemon->ring, daemon->ring_wrong);
}

static void set_up_engines(struct daemon *daemon)
{
	struct engines_config config = { .policy = daemon->policy,
					 .fast = daemon->fast,
					 .hold = hold_device(daemon->hold) };
	struct tapwire tap;
	char wrong[ENGINES_TEXT_BYTES];
	int error;

	if (getrandom(config.seed, sizeof(config.seed), 0) !=
		    (ssize_t)sizeof(config.seed) ||
	    getrandom(&config.shard_seed, sizeof(config.shard_seed), 0) !=
		    (ssize_t)sizeof(config.shard_seed))
		fatal(EXIT_FAILED, errno, "no random numbers");
	daemon->shard_seed = config.shard_seed;
	if (connect_tap(daemon, &tap))
		config.tap = &tap;
	error = engines_new(&config, &daemon->engines, wrong);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "%s", wrong);
	if (daemon->ring != NULL)
		error = engines_set_ring(daemon->engines,
					 ring_device(daemon->ring));
	if (error < 0)
		fatal(EXIT_FAILED, -error, "the device of vifs cannot be used");
}

static void set_up_status(struct daemon *daemon)
{
	struct status *status = &daemon->status;

	status->started_ns = clock_now_ns();
	status->now_ns = status->started_ns;
	status->policy = daemon->policy;
	status->policy_loaded_ns = status->started_ns;
	snprintf(status->policy_path, sizeof(status->policy_path), "%s",
		 daemon->options.policy_path);
	status->engines_count = engines_count(daemon->engines);
	status->has_tap = daemon->options.tap != NULL;
	for (size_t i = 0; i < status->engines_count; i++) {
		status->engines[i].queue = engines_queue(daemon->engines, i);
		status->engines[i].hold_queue =
			engines_hold_queue(daemon->engines, i);
	}
}

static void on_control_reload(void *self, uint64_t token)
{
	struct daemon *daemon = self;

	reload_by_client(daemon->reload, token);
}

static void on_read(void *self)
{
	struct daemon *daemon = self;
	uint64_t now_ns = clock_now_ns();

	status_poll_freshen(daemon->poll, now_ns);
	guard_count(daemon->guard, now_ns);
}

/* All that is beside the packet path. */
static void set_up_control(struct daemon *daemon)
{
	const struct policy *policy = daemon->policy;
	const struct priv_user *user = own_user();
	struct control_config config = {
		.path = policy->control_socket,
		.mode = policy->control_mode,
		.group = policy->control_group,
		.is_only = daemon->options.tap == NULL,
		.user = user != NULL ? user->uid : 0,
		.status = &daemon->status,
		.mailboxes = engines_mailboxes(daemon->engines),
		.mailboxes_count = engines_count(daemon->engines),
		.on_read = on_read,
		.on_reload = on_control_reload,
		.self = daemon,
	};
	int error;

	daemon->base = event_base_new();
	daemon->poll = status_poll_new(&daemon->status, config.mailboxes,
				       config.mailboxes_count);
	daemon->reload = reload_new(daemon);
	daemon->travel = travel_new(config.mailboxes, config.mailboxes_count);
	config.travel = daemon->travel;
	daemon->keeper = keeper_new(&daemon->status, daemon->travel,
				    config.mailboxes, config.mailboxes_count);
	if (daemon->base == NULL || daemon->poll == NULL ||
	    daemon->reload == NULL || daemon->keeper == NULL ||
	    daemon->travel == NULL)
		fatal(EXIT_FAILED, ENOMEM, "cannot start");
	error = control_new(daemon->base, &config, &daemon->control);
	if (error == -EALREADY)
		fatal(EXIT_FAILED, 0,
		      "another symtapd guards this network, and two would take "
		      "away each other's rules; end it");
	if (error == -EADDRINUSE)
		fatal(EXIT_FAILED, 0, "another symtapd answers at %s",
		      config.path);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "control.socket %s", config.path);
	if (policy->metrics_listen[0] == '\0')
		return;
	error = metrics_new(daemon->base, policy->metrics_listen,
			    &daemon->status, on_read, daemon, &daemon->metrics);
	if (error < 0)
		fatal(EXIT_FAILED, -error,
		      "metrics.listen %s: an address of this machine's "
		      "loopback and a port that is free",
		      policy->metrics_listen);
}

/* Not allowed to (as a unit it is the manager who does it): also good. */
static void come_first(void)
{
	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		log_debug(errno, "symtapd: keeps its priority");
}

/* From here on we are our own user, if there is one, with one capability. */
static void drop_privileges(struct daemon *daemon)
{
	const struct priv_user *user = own_user();
	int error;

	if (getuid() == 0 && user != NULL) {
		error = control_give(daemon->control, user->uid, user->gid);
		if (error < 0)
			fatal(EXIT_FAILED, -error,
			      "control.socket cannot be given to " OWN_USER);
	} else if (getuid() == 0) {
		log_info(0, "symtapd: there is no user " OWN_USER
			    ", stays root with CAP_NET_ADMIN alone");
	}
	error = priv_drop(user);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "privileges cannot be dropped");
}

static void set_up_vifs(struct daemon *daemon)
{
	int error;

	if (!daemon->policy->xen.vifs)
		return;
	error = vifs_new(daemon, &daemon->vifs);
	if (error == -EOPNOTSUPP)
		fatal(EXIT_WRONG, 0,
		      "xen.vifs: this symtapd was built without libxenstore");
	if (error < 0)
		fatal(EXIT_FAILED, -error, "XenStore cannot be followed");
	daemon->status.vifs = vifs_table(daemon->vifs);
}

/* Packets find nobody yet who judges: they pass, or do not, as they shall when
 * symtapd is not there. */
static void set_up_guard(struct daemon *daemon)
{
	const struct guard_config config = {
		.policy = daemon->policy,
		.shard_seed = daemon->shard_seed,
		.shards = (uint8_t)engines_count(daemon->engines),
		.fast = daemon->fast != NULL,
		.net = daemon->net,
		.status = &daemon->status,
	};

	if (daemon->options.tap != NULL)
		return;
	if (guard_new(&config, &daemon->guard) < 0)
		fatal(EXIT_FAILED, 0, "the rules cannot be installed");
}

/* By the new rules: those of a life before would have what the kernel program
 * told of pass unseen, which ended with it. */
static void judge(struct daemon *daemon)
{
	char wrong[ENGINES_TEXT_BYTES];
	int error = engines_start(daemon->engines, wrong);

	if (error < 0 && daemon->policy->nfqueue.fail == POLICY_FAIL_OPEN)
		guard_remove(daemon->guard);
	else if (error < 0)
		guard_block(daemon->guard);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "%s", wrong);
	if (daemon->guard == NULL)
		return;
	follow_engines_know(daemon->follow);
	follow_advance(daemon->follow);
}

static void set_up(struct daemon *daemon)
{
	int error;

	error = netwatch_new(&daemon->net);
	if (error < 0)
		fatal(EXIT_FAILED, -error, "interfaces cannot be followed");
	daemon->follow = follow_new(daemon);
	if (daemon->follow == NULL)
		fatal(EXIT_FAILED, ENOMEM, "cannot start");
	set_up_hold(daemon);
	set_up_ring(daemon);
	set_up_engines(daemon);
	set_up_status(daemon);
	set_up_control(daemon);
	come_first();
	set_up_vifs(daemon);
	drop_privileges(daemon);
	daemon_remember(daemon);
	error = priv_confine();
	if (error < 0)
		fatal(EXIT_FAILED, -error, "system calls cannot be confined");
	if (daemon->vifs != NULL && !vifs_begin(daemon->vifs, daemon->policy))
		fatal(EXIT_FAILED, ENOMEM, "cannot start");
	set_up_guard(daemon);
	judge(daemon);
	if (daemon->vifs != NULL)
		reload_vifs(daemon->reload);
}

/* While we are small, alone and have every privilege.  It begins as we do. */
static void start_loader(struct daemon *daemon)
{
	int error;

	if (!policy_wants_fast(daemon->policy))
		return;
	/* Nobody waits for its end. */
	signal(SIGCHLD, SIG_IGN);
	error = loader_start(own_user(), &daemon->loader);
	if (error < 0)
		log_warn(-error, "fast path: no process can be made");
}

/* One that comes too soon is carried out when it can be. */
static void put_off_reloads(bool off)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(off ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int run(struct daemon *daemon)
{
	int error;

	put_off_reloads(true);
	log_open(STDERR_FILENO,
		 daemon->options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
		 log_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM")));
	signal(SIGPIPE, SIG_IGN);
	daemon->policy = load(daemon->options.policy_path, false);
	start_loader(daemon);
	error = notify_open(&daemon->notify, getenv("NOTIFY_SOCKET"),
			    getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"),
			    getpid());
	if (error < 0)
		log_warn(-error, "symtapd: the service manager cannot be told");
	set_up(daemon);
	error = loop_new(daemon, &daemon->loop);
	if (error < 0) {
		log_error(-error, "symtapd: cannot run");
		daemon_end(daemon);
		return EXIT_FAILED;
	}
	log_info(0, "symtapd: runs, mode %s, fail %s, %zu engine(s)",
		 status_mode_name(daemon->policy->mode),
		 status_fail_name(daemon->policy->nfqueue.fail),
		 engines_count(daemon->engines));
	notify_ready(&daemon->notify, NULL);
	put_off_reloads(false);
	error = loop_run(daemon->loop);
	daemon_end(daemon);
	return error < 0 ? EXIT_FAILED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	char wrong[256];

	if (!options_read(argc, argv, &daemon.options, wrong, sizeof(wrong)))
		fatal(EXIT_WRONG, 0, "%s", wrong);
	switch (daemon.options.action) {
	case OPTIONS_HELP:
		options_help(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		puts("symtapd " SYMTAP_VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_CHECK:
	case OPTIONS_PRINT:
		return check(&daemon.options);
	case OPTIONS_RUN:
		break;
	}
	return run(&daemon);
}
