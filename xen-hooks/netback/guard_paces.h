/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_PACES_H
#define XEN_HOOKS_NETBACK_GUARD_PACES_H

/*
 * What S cannot see, for guard.c only: first contacts of the vif, new
 * connections of a pair, and what the vif may send in all.  They are asked
 * before any gate, in this order.
 */

#include "xen-hooks/netback/guard_keys.h"

/* Does it begin a TCP connection?  Ask before it is counted. */
bool guard_begins(struct guard *guard, const struct guard_place *place,
		  const struct packet_meta *meta);

/* false: it has to wait, until *until_ns at the latest, which is lowered. */
bool guard_is_in_pace(struct guard *guard, const struct guard_asked *asked,
		      uint64_t *until_ns);

/* It left. */
void guard_paces_sent(struct guard *guard, const struct guard_asked *asked);

/* Its pair was answered.  true: a first contact waits, and may go. */
bool guard_paces_heard(struct guard *guard, const struct guard_place *place);

#endif
