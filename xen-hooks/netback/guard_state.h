/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_STATE_H
#define XEN_HOOKS_NETBACK_GUARD_STATE_H

/*
 * What a guard knows of its keys, to be shown, and to be given to the guard of
 * the same guest elsewhere.  Also compiled for the kernel.  The caller locks,
 * and goes over all keys in steps: `position` begins as 0, and the end is
 * reached when it is 0 again.
 */

#include <stdbool.h>
#include <stdint.h>

#include "xen-hooks/netback/guard_record.h"

struct guard;
struct guard_key;

/* Keys of which something waits, then those over their threshold, less than one
 * bit below it or with a penalty, then those that are expected.  At most
 * `steps` are looked at.  Returns how many are told. */
uint32_t guard_state_tell(struct guard *guard, uint32_t *position,
			  uint32_t steps, struct guard_record *ret_records,
			  uint32_t max, uint64_t now_ns);

/* `summary` is all-zero at the beginning. */
void guard_state_sum(struct guard *guard, uint32_t *position, uint32_t steps,
		     struct guard_summary *summary, uint64_t now_ns);

/*
 * Give a key back.  One that its guest uses has it at once, if that is the
 * stricter; else it is expected: it has it when its guest first uses it, as if
 * no time had passed.  false: it makes no sense, or there is no place.
 */
bool guard_state_put(struct guard *guard, const struct guard_record *record,
		     uint64_t now_ns);

/* Its guest uses this key, which was not met: what is expected of it comes
 * true.  For guard.c. */
void guard_state_meet(struct guard *guard, struct guard_key *key);

#endif
