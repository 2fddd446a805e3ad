/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_GATES_H
#define XEN_HOOKS_NETBACK_GUARD_GATES_H

/* Gates, and who pays when one is closed; for guard.c only. */

#include "xen-hooks/netback/guard_keys.h"

/* May it leave?  Every gate is asked, then its pair's floor and purse:
 * asked->is_paid. */
bool guard_may_leave(struct guard *guard, struct guard_asked *asked);

/* Lower *until_ns to when to ask again. */
void guard_wait_for(struct guard *guard, const struct guard_asked *asked,
		    uint64_t *until_ns);

/* It left: what was owed is given up, and the pair has sent. */
void guard_gates_sent(struct guard *guard, const struct guard_asked *asked);

/* So many packets that are evidence came in for this pair. */
void guard_purse_heard(struct guard *guard, const struct guard_place *place,
		       uint32_t pkts);

/* Is anything in its purse? */
bool guard_has_purse(struct guard *guard, const struct guard_place *place);

#endif
