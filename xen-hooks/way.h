/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_WAY_H
#define XEN_HOOKS_WAY_H

/* Which of the ways of policy.h a vif gets.  Pure. */

#include <stdbool.h>

#include "policy/policy.h"

enum { WAY_TEXT_BYTES = 512 };

/* What each of them lacks for this vif; NULL: nothing. */
struct way_lacks {
	const char *of[POLICY_WAYS];
};

/*
 * `wanted`, or for AUTO the best that lacks nothing.  ret_why: a word on that,
 * and what the better ones lack.  false: it cannot be had, ret_why says why.
 */
bool way_choose(enum policy_way wanted, const struct way_lacks *lacks,
		enum policy_way *ret_way, char ret_why[WAY_TEXT_BYTES]);

#endif
