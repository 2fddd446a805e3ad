/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_HOLD_EDT_H
#define SHAPER_IO_HOLD_EDT_H

/*
 * `hold: edt`, the daemon's side of shaper/bpf/edt_memory.h: what the policy
 * asks for, and whether what leaves this machine passes an fq, which alone
 * keeps to the times that the program gives.
 */

#include <stdbool.h>
#include <stddef.h>

struct edt_memory;
struct policy;

enum { HOLDEDT_TEXT_BYTES = 256 };

/* Also when the policy is another. */
void holdedt_configure(struct edt_memory *memory, const struct policy *policy);

/*
 * Every interface that is up, but for those of the policy, bridges and the
 * loopback, has fq at its root, or below mq.  0; or -errno, and ret_wrong says
 * which has not.
 */
int holdedt_check(const struct policy *policy,
		  char ret_wrong[HOLDEDT_TEXT_BYTES]);

#endif
