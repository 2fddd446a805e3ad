/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

/* Text to policy, or everything that is wrong with it. */

#include <stdbool.h>
#include <stddef.h>

#include "policy/errors.h"

struct keys_entry;
struct policy;

/*
 * `file_name` is for the messages only.  true: *ret_policy is the caller's to
 * free, and `errors` may hold warnings.  false: `errors` says why, as far as
 * it has room.  `errors` need not be initialised.
 */
bool policy_parse(const char *file_name, const char *text, size_t bytes,
		  struct policy **ret_policy, struct policy_errors *errors);

/* The table of all keys, with range and help of each. */
const struct keys_entry *policy_keys(void);

#endif
