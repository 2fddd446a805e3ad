/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_ATTACHED_H
#define XEN_HOOKS_NETBACK_ATTACHED_H

/* Kernel only: guards that are attached to vifs. */

#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/types.h>

/* The parser has one of its own. */
#undef PACKET_MULTICAST

#include "xen-hooks/netback/frame.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/netback/guard_state.h"

struct net;
struct net_device;

/* As asked for, and checked. */
struct attached_settings {
	struct frame_source source;
	struct guard_params params;
	u32 slots;
	u32 keys;
	u32 mark; /* added to that of what was judged */
};

/* Under rtnl_lock().  0 or -errno. */
int __visible attached_set(struct net_device *dev,
			   const struct attached_settings *settings);
int __visible attached_unset(struct net_device *dev);

void __visible attached_unset_all(void);

/* What follows needs no rtnl_lock(), and nobody waits for who has it.  Each is
 * 0 or -ENODEV, unless another is named. */

struct attached_state {
	char name[IFNAMSIZ];
	u64 counters[GUARD_COUNTERS_COUNT];
	struct guard_summary summary;
};
int __visible attached_state(const struct net *net, const char *name,
			     struct attached_state *ret_state);

/* The next one, `number` being 1 at first; false: there is no other. */
bool __visible attached_next(const struct net *net, u64 *number,
			     struct attached_state *ret_state);

/* Of all together, with those that are gone. */
void __visible attached_sum(u64 ret_counters[GUARD_COUNTERS_COUNT]);

/* guard_state_tell until some are told, or the end is reached. */
int __visible attached_tell(const struct net *net, const char *name,
			    u32 *position, struct guard_record *ret_records,
			    u32 max, u32 *ret_count);

/* guard_state_put of each.  -ENOSPC: not of all. */
int __visible attached_put(const struct net *net, const char *name,
			   const struct guard_record *records, u32 count);

#endif
