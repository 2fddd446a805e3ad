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
#include "shaper/io/clock.h"

enum { TEXT_BYTES = 1024 };

struct reload {
	struct daemon *daemon;
	struct policy *next; /* being taken over; NULL: nothing under way */
	bool by_client;
	uint64_t token;
	bool again; /* a signal came meanwhile */
	char kept[160];
};

struct reload *reload_new(struct daemon *daemon)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (reload != NULL)
		reload->daemon = daemon;
	return reload;
}

void reload_free(struct reload *reload)
{
	if (reload == NULL)
		return;
	policy_free(reload->next);
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
	if (strcmp(now->metrics_listen, next->metrics_listen) != 0)
		keep(reload, "metrics");
	if (strcmp(now->state_file, next->state_file) != 0)
		keep(reload, "state");
	next->nfqueue = now->nfqueue;
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

static void taken_over(void *self)
{
	struct reload *reload = self;
	struct daemon *daemon = reload->daemon;
	struct status *status = &daemon->status;
	char text[TEXT_BYTES];

	policy_free(daemon->policy);
	daemon->policy = reload->next;
	reload->next = NULL;
	status->policy = daemon->policy;
	status->policy_loaded_ns = clock_now_ns();
	status->reloads++;
	status->reload_error[0] = '\0';
	follow_engines_know(daemon->follow);
	follow_advance(daemon->follow);
	snprintf(text, sizeof(text), "%s is in force, mode %s%s%s",
		 daemon->options.policy_path,
		 status_mode_name(daemon->policy->mode),
		 reload->kept[0] ? "; unchanged until a restart: " : "",
		 reload->kept);
	log_info(0, "reload: %s", text);
	answer(reload, true, text);
	notify_ready(&daemon->notify, NULL);
	if (!reload->again)
		return;
	reload->again = false;
	reload_by_signal(reload);
}

static void start(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	static struct policy_errors errors;
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
	if (engines_change(daemon->engines)) {
		refuse(reload, 0, "too much is asked at once; try again");
		return;
	}
	follow_policy(daemon->follow, reload->next);
	error = guard_update(daemon->guard, reload->next);
	if (error < 0) {
		refuse(reload, -error, guard_error(daemon->guard));
		return;
	}
	error = engines_set_policy(daemon->engines, reload->next, taken_over,
				   reload);
	if (error == 0)
		return;
	if (guard_update(daemon->guard, daemon->policy) < 0)
		log_error(0, "rules: %s", guard_error(daemon->guard));
	refuse(reload, 0, "too much is asked at once; try again");
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
