/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LOAD_H
#define SHAPER_DAEMON_LOAD_H

/* A policy from its file. */

#include <stddef.h>

struct policy;
struct policy_errors;

enum { LOAD_BYTES_MAX = 4 << 20 };

/*
 * 0: *ret_policy is the caller's to free, and `errors` may hold warnings.
 * -EINVAL: `errors` says what is wrong with it, also when the file is too
 * large.  Another -errno: the file could not be read.
 */
int load_policy(const char *path, struct policy **ret_policy,
		struct policy_errors *errors);

#endif
