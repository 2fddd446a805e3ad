/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_REFUSALS_H
#define SHAPER_DAEMON_REFUSALS_H

/*
 * What engines want refused in the kernel, on its way to the main thread: a
 * bounded ring with one writer and one reader.  A refusal that finds no room
 * is lost, which costs work but no correctness: the packets are dropped by
 * the engine instead.
 */

#include <stdbool.h>
#include <stddef.h>

#include "shaper/pump.h"

struct refusals;

enum { REFUSALS_MAX = 4096 };

struct refusals_entry {
	struct pump_refusal refusal;
	char interface[16]; /* where the guarded end lives */
};

/* 0 or -errno. */
int refusals_new(struct refusals **ret_refusals);
void refusals_free(struct refusals *refusals);

/* The engine's end.  false: full.  Ring the bell after the last one. */
bool refusals_push(struct refusals *refusals,
		   const struct refusals_entry *entry);
void refusals_ring(struct refusals *refusals);

/* The main thread's: readable when there is something to take. */
int refusals_fd(const struct refusals *refusals);
size_t refusals_take(struct refusals *refusals,
		     struct refusals_entry *ret_entries, size_t max);

#endif
