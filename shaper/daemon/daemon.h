/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_DAEMON_H
#define SHAPER_DAEMON_DAEMON_H

/*
 * Everything that symtapd is, for the few files that make it up: main.c sets
 * it up, loop.c runs it, guard.c keeps the kernel's rules, reload.c changes the
 * policy.  Main thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/daemon/loader.h"
#include "shaper/daemon/notify.h"
#include "shaper/daemon/options.h"
#include "shaper/daemon/ring.h"
#include "shaper/daemon/status.h"

struct control;
struct engines;
struct event_base;
struct fast;
struct hold;
struct follow;
struct guard;
struct keeper;
struct loader;
struct loop;
struct metrics;
struct netwatch;
struct policy;
struct reload;
struct status_poll;
struct travel;
struct vifs;

struct daemon {
	struct options options;
	struct policy *policy; /* in force; status.policy is the same */
	uint32_t shard_seed;
	struct status status;

	struct loader *loader; /* NULL: the policy wants no fast path */
	struct loader_heritage heritage;
	struct netwatch *net; /* interfaces */
	struct follow *follow;
	struct fast *fast; /* NULL: there is none */
	struct hold *hold; /* NULL: the policy wants none */
	struct ring *ring; /* NULL: it cannot be had, or no vifs are followed */
	char ring_wrong[RING_TEXT_BYTES];
	struct engines *engines;
	struct guard *guard;
	struct event_base *base;
	struct loop *loop;
	struct status_poll *poll;
	struct keeper *keeper;
	struct travel *travel;
	struct control *control;
	struct metrics *metrics; /* NULL: the policy wants none */
	struct reload *reload;
	struct vifs *vifs; /* NULL: the policy wants none */
	struct notify notify;
};

/* Take up what the one before left: its state file, and then, which may be
 * newer, what was leased in the kernel.  Before the engines' threads run. */
void daemon_remember(struct daemon *daemon);

/* Stop, save the state, and take everything down in reverse. */
void daemon_end(struct daemon *daemon);

#endif
