/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_POLICY_FILE_H
#define SIM_POLICY_FILE_H

/* The policy that a verb judges by. */

#include <stdbool.h>
#include <stddef.h>

struct policy;

enum { POLICY_FILE_BYTES_MAX = 4 << 20 };

/*
 * From `path`; NULL: the shipped default.  Its mode becomes `enforce`, since
 * what enforcing would do is the question.  What is wrong with it, and
 * warnings, go to standard error.  NULL: it cannot be used.  The caller frees
 * it with policy_free.
 */
struct policy *policy_file_load(const char *path);

/* The guarded addresses in the place of the policy's own.  false: one of them
 * is no prefix (said on standard error), or out of memory. */
bool policy_file_set_inside(struct policy *policy, const char *const *prefixes,
			    size_t count);

#endif
