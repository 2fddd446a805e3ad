/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_FOLLOW_H
#define SHAPER_DAEMON_FOLLOW_H

/*
 * The fast path follows its interfaces: what the policy names, or all guarded
 * ones; they may come and go, and somebody may take our program away.  The
 * loader attaches, the guard's rules say of which interfaces packets in are
 * told.  Main thread only; what goes wrong is logged here, once.
 */

#include <stdbool.h>

struct daemon;
struct follow;
struct policy;

/* Load the program, if the policy asks for it: daemon->fast, which the engines
 * borrow, or NULL.  NULL: out of memory. */
struct follow *follow_new(struct daemon *daemon);
/* Detach it everywhere. */
void follow_free(struct follow *follow);

/* Name what `policy` wants, before the engines are told of it. */
void follow_policy(struct follow *follow, const struct policy *policy);
/* They know the zones of all that was named. */
void follow_engines_know(struct follow *follow);

/* Attach and detach what should be.  Once a second, and after the above. */
void follow_advance(struct follow *follow);

#endif
