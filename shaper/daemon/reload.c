/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/reload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/print.h"
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

struct reload {
	struct daemon *daemon;
	struct policy *next; /* being taken over; NULL: nothing under way */
	bool by_client;
	uint64_t token;
	bool again;        /* a signal came meanwhile */
	bool vifs_changed; /* once more, of what is in force */
	bool by_file;      /* `next` is of the file */
	char *base;        /* the file in force, as text: without vifs */
	char *next_base;
	char kept[160];
};

struct reload *reload_new(struct daemon *daemon)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload == NULL)
		return NULL;
	reload->daemon = daemon;
	reload->base = policy_print(daemon->policy);
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
	free(reload->base);
	free(reload->next_base);
	free(reload);
}

static void answer(struct reload *reload, bool ok, const char *text)
{
	if (reload->by_client && reload->daemon->control != NULL)
		control_reloaded(reload->daemon->control, reload->token, ok,
				 text);
	reload->by_client = false;
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

	free(reload->base);
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
	notify_ready(&daemon->notify, NULL);
}

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
	if (reload->again) {
		reload->again = false;
		reload_by_signal(reload);
	} else if (reload->vifs_changed) {
		reload_vifs(reload);
	}
}

/* Rules, then engines.  0, or -errno and what is wrong; then nothing has
 * changed. */
static int install(struct reload *reload, const char **ret_wrong)
{
	struct daemon *daemon = reload->daemon;
	int error;

	*ret_wrong = "too much is asked at once; try again";
	if (engines_change(daemon->engines))
		return -EAGAIN;
	*ret_wrong = "out of memory";
	if (!vifs_apply(daemon->vifs, reload->next))
		return -ENOMEM;
	follow_policy(daemon->follow, reload->next);
	error = guard_update(daemon->guard, reload->next);
	if (error < 0) {
		*ret_wrong = guard_error(daemon->guard);
		return error;
	}
	error = engines_set_policy(daemon->engines, reload->next, taken_over,
				   reload);
	if (error == 0)
		return 0;
	if (guard_update(daemon->guard, daemon->policy) < 0)
		log_error(0, "rules: %s", guard_error(daemon->guard));
	*ret_wrong = "too much is asked at once; try again";
	return error;
}

static void start(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	static struct policy_errors errors;
	const char *wrong;
	int error;

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
	free(reload->next_base);
	reload->next_base = policy_print(reload->next);
	if (reload->next_base == NULL) {
		refuse(reload, ENOMEM, "out of memory");
		return;
	}
	error = install(reload, &wrong);
	if (error < 0) {
		refuse(reload, error == -EAGAIN ? 0 : -error, wrong);
		vifs_applied(daemon->vifs, false, wrong);
	}
}

void reload_vifs(struct reload *reload)
{
	static struct policy_errors errors;
	const char *wrong = "the policy in force cannot be read again";

	reload->vifs_changed = true;
	if (reload->next != NULL)
		return;
	reload->by_file = false;
	if (policy_parse("the policy in force", reload->base,
			 strlen(reload->base), &reload->next, &errors) &&
	    install(reload, &wrong) == 0) {
		reload->vifs_changed = false;
		return;
	}
	log_error(0, "xen: vifs: %s", wrong);
	policy_free(reload->next);
	reload->next = NULL;
	vifs_applied(reload->daemon->vifs, false, wrong);
}

void reload_retry(struct reload *reload)
{
	if (reload->vifs_changed)
		reload_vifs(reload);
}

void reload_by_signal(struct reload *reload)
{
	if (reload->next != NULL) {
		reload->again = true;
		return;
	}
	reload->by_client = false;
	notify_reloading(&reload->daemon->notify, clock_now_ns());
	start(reload);
	if (reload->next == NULL)
		notify_ready(&reload->daemon->notify, NULL);
}

void reload_by_client(struct reload *reload, uint64_t token)
{
	if (reload->next != NULL) {
		control_reloaded(reload->daemon->control, token, false,
				 "another reload is under way; try again");
		return;
	}
	reload->by_client = true;
	reload->token = token;
	start(reload);
}
