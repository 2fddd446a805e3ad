/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/reload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/policy.h"
#include "shaper/daemon/control.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/follow.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/load.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/vifs.h"
#include "shaper/io/clock.h"

enum { TEXT_BYTES = 1024 };

/* Clients of the control socket. */
struct askers {
	uint64_t tokens[CONTROL_CLIENTS_MAX];
	size_t count;
};

struct reload {
	struct daemon *daemon;
	struct policy *next;   /* being taken over; NULL: nothing under way */
	bool by_file;          /* `next` is of the file */
	struct askers answers; /* those who are told of `next` */
	bool file_wanted;      /* once nothing is under way */
	struct askers waiting; /* for that */
	bool vifs_changed;     /* once more, of what is in force */
	struct policy *base;   /* the file in force: without vifs */
	struct policy *next_base;
	char kept[160];
};

struct reload *reload_new(struct daemon *daemon)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload == NULL)
		return NULL;
	reload->daemon = daemon;
	reload->base = policy_copy(daemon->policy);
	if (reload->base == NULL) {
		free(reload);
		return NULL;
	}
	return reload;
}

void reload_free(struct reload *reload)
{
	if (reload == NULL)
		return;
	policy_free(reload->next);
	policy_free(reload->base);
	policy_free(reload->next_base);
	free(reload);
}

/* All who asked before the file was read. */
static void answer(struct reload *reload, bool ok, const char *text)
{
	struct askers *answers = &reload->answers;

	for (size_t i = 0; i < answers->count; i++)
		if (reload->daemon->control != NULL)
			control_reloaded(reload->daemon->control,
					 answers->tokens[i], ok, text);
	answers->count = 0;
	if (!reload->file_wanted)
		notify_ready(&reload->daemon->notify, NULL);
}

static void refuse(struct reload *reload, int error, const char *why)
{
	struct status *status = &reload->daemon->status;

	log_error(error, "reload: refused, the policy in force stays: %s", why);
	status->reloads_refused++;
	snprintf(status->reload_error, sizeof(status->reload_error), "%s", why);
	policy_free(reload->next);
	reload->next = NULL;
	answer(reload, false, why);
}

/* All mistakes go to the log, the first one to whoever asked. */
static void refuse_errors(struct reload *reload,
			  const struct policy_errors *errors)
{
	char line[POLICY_ERROR_LINE_SIZE], first[POLICY_ERROR_LINE_SIZE];

	first[0] = '\0';
	for (size_t i = 0; i < errors->count; i++) {
		policy_errors_print(errors, i, line, sizeof(line));
		if (errors->list[i].warning) {
			log_warn(0, "reload: %s", line);
			continue;
		}
		log_error(0, "reload: %s", line);
		if (first[0] == '\0')
			memcpy(first, line, sizeof(first));
	}
	refuse(reload, 0, first);
}

static bool sizes_memory_alike(const struct policy_limits *a,
			       const struct policy_limits *b)
{
	return a->pairs == b->pairs && a->flows == b->flows &&
	       a->hosts == b->hosts && a->suspects == b->suspects &&
	       a->fragments == b->fragments &&
	       a->held_packets == b->held_packets;
}

static void keep_memory(const struct policy_limits *now,
			struct policy_limits *next)
{
	next->pairs = now->pairs;
	next->flows = now->flows;
	next->hosts = now->hosts;
	next->suspects = now->suspects;
	next->fragments = now->fragments;
	next->held_packets = now->held_packets;
}

static void keep(struct reload *reload, const char *what)
{
	size_t used = strlen(reload->kept);

	snprintf(reload->kept + used, sizeof(reload->kept) - used, "%s%s",
		 used ? ", " : "", what);
}

/* But for its interfaces, which are followed. */
static bool fast_is_alike(const struct policy *a, const struct policy *b)
{
	return policy_wants_fast(a) == policy_wants_fast(b) &&
	       a->fast.keys == b->fast.keys &&
	       a->fast.mark_bit == b->fast.mark_bit &&
	       a->fast.hold == b->fast.hold &&
	       strcmp(a->fast.pin, b->fast.pin) == 0;
}

static void keep_fast(const struct policy *now, struct policy *next)
{
	if (policy_wants_fast(now) != policy_wants_fast(next)) {
		next->fast = now->fast;
		return;
	}
	next->fast.keys = now->fast.keys;
	next->fast.mark_bit = now->fast.mark_bit;
	next->fast.hold = now->fast.hold;
	memcpy(next->fast.pin, now->fast.pin, sizeof(next->fast.pin));
}

/* What is open or reserved stays as it is until a restart, and says so. */
static void keep_what_must_stay(struct reload *reload, const struct policy *now,
				struct policy *next)
{
	reload->kept[0] = '\0';
	if (memcmp(&now->nfqueue, &next->nfqueue, sizeof(now->nfqueue)) != 0 ||
	    !fast_is_alike(now, next))
		keep(reload, "datapath");
	if (!sizes_memory_alike(&now->limits, &next->limits))
		keep(reload, "limits that reserve memory");
	if (strcmp(now->control_socket, next->control_socket) != 0 ||
	    strcmp(now->control_group, next->control_group) != 0 ||
	    now->control_mode != next->control_mode)
		keep(reload, "control");
	if (now->xen.vifs != next->xen.vifs)
		keep(reload, "xen.vifs");
	if (strcmp(now->metrics_listen, next->metrics_listen) != 0)
		keep(reload, "metrics");
	if (strcmp(now->state_file, next->state_file) != 0)
		keep(reload, "state");
	next->nfqueue = now->nfqueue;
	keep_memory(&now->limits, &next->limits);
	next->xen.vifs = now->xen.vifs;
	keep_fast(now, next);
	memcpy(next->control_socket, now->control_socket,
	       sizeof(next->control_socket));
	memcpy(next->control_group, now->control_group,
	       sizeof(next->control_group));
	next->control_mode = now->control_mode;
	memcpy(next->metrics_listen, now->metrics_listen,
	       sizeof(next->metrics_listen));
	memcpy(next->state_file, now->state_file, sizeof(next->state_file));
}

static void tell_file(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	struct status *status = &daemon->status;
	char text[TEXT_BYTES];

	policy_free(reload->base);
	reload->base = reload->next_base;
	reload->next_base = NULL;
	status->policy_loaded_ns = clock_now_ns();
	status->reloads++;
	status->reload_error[0] = '\0';
	snprintf(text, sizeof(text), "%s is in force, mode %s%s%s",
		 daemon->options.policy_path,
		 status_mode_name(daemon->policy->mode),
		 reload->kept[0] ? "; unchanged until a restart: " : "",
		 reload->kept);
	log_info(0, "reload: %s", text);
	answer(reload, true, text);
}

static void go_on(struct reload *reload);

static void taken_over(void *self)
{
	struct reload *reload = self;
	struct daemon *daemon = reload->daemon;

	policy_free(daemon->policy);
	daemon->policy = reload->next;
	reload->next = NULL;
	daemon->status.policy = daemon->policy;
	follow_engines_know(daemon->follow);
	follow_advance(daemon->follow);
	if (reload->by_file)
		tell_file(reload);
	vifs_applied(daemon->vifs, true, "");
	go_on(reload);
}

static int tell_engines(struct reload *reload, const char **ret_wrong)
{
	struct daemon *daemon = reload->daemon;
	int error = engines_set_policy(daemon->engines, reload->next,
				       taken_over, reload);

	if (error == 0)
		return 0;
	guard_go_back(daemon->guard, daemon->policy);
	*ret_wrong = "too much is asked at once; try again";
	return error;
}

/* Rules, then engines.  0, or -errno and what is wrong; then nothing has
 * changed. */
static int install(struct reload *reload, const char **ret_wrong)
{
	struct daemon *daemon = reload->daemon;
	int error;

	*ret_wrong = "out of memory";
	if (!vifs_apply(daemon->vifs, reload->next))
		return -ENOMEM;
	follow_policy(daemon->follow, reload->next);
	error = guard_update(daemon->guard, reload->next);
	if (error < 0)
		*ret_wrong = guard_error(daemon->guard);
	else
		error = tell_engines(reload, ret_wrong);
	if (error == 0)
		reload->vifs_changed = false;
	else
		follow_policy(daemon->follow, daemon->policy);
	return error;
}

static void take_file(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	static struct policy_errors errors;
	const char *wrong;
	int error;

	reload->file_wanted = false;
	reload->answers = reload->waiting;
	reload->waiting.count = 0;
	error = load_policy(daemon->options.policy_path, &reload->next,
			    &errors);
	if (error == -EINVAL) {
		refuse_errors(reload, &errors);
		return;
	}
	if (error < 0) {
		refuse(reload, -error, "the file cannot be read");
		return;
	}
	keep_what_must_stay(reload, daemon->policy, reload->next);
	reload->by_file = true;
	policy_free(reload->next_base);
	reload->next_base = policy_copy(reload->next);
	if (reload->next_base == NULL) {
		refuse(reload, ENOMEM, "out of memory");
		return;
	}
	vifs_forget_refusals(daemon->vifs);
	error = install(reload, &wrong);
	if (error < 0) {
		refuse(reload, error == -EAGAIN ? 0 : -error, wrong);
		vifs_applied(daemon->vifs, false, wrong);
	}
}

static void take_vifs(struct reload *reload)
{
	static struct log_limit limit = { .subject = "xen",
					  .burst_lines = 4,
					  .lines_per_min = 4 };
	const char *wrong = "out of memory";
	int error = -ENOMEM;

	reload->by_file = false;
	reload->next = policy_copy(reload->base);
	if (reload->next != NULL)
		error = install(reload, &wrong);
	if (error == 0)
		return;
	policy_free(reload->next);
	reload->next = NULL;
	/* The engines have no room for it: see reload_retry. */
	if (error == -EAGAIN)
		return;
	log_limited(&limit, LOG_LEVEL_ERROR, 0, "xen: vifs: %s", wrong);
	vifs_applied(reload->daemon->vifs, false, wrong);
}

/* One after the other: what taken_over ends, and what the engines are told
 * apart from us. */
static void go_on(struct reload *reload)
{
	if (reload->next != NULL || engines_change(reload->daemon->engines))
		return;
	if (reload->file_wanted)
		take_file(reload);
	if (reload->next == NULL && reload->vifs_changed)
		take_vifs(reload);
}

void reload_retry(struct reload *reload)
{
	go_on(reload);
}

void reload_vifs(struct reload *reload)
{
	reload->vifs_changed = true;
	go_on(reload);
}

void reload_by_signal(struct reload *reload)
{
	notify_reloading(&reload->daemon->notify, clock_now_ns());
	reload->file_wanted = true;
	go_on(reload);
}

void reload_by_client(struct reload *reload, uint64_t token)
{
	struct askers *waiting = &reload->waiting;

	if (waiting->count == CONTROL_CLIENTS_MAX) {
		control_reloaded(reload->daemon->control, token, false,
				 "too much is asked at once; try again");
		return;
	}
	waiting->tokens[waiting->count++] = token;
	reload->file_wanted = true;
	go_on(reload);
}
