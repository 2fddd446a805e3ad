/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_ATTACHED_H
#define XEN_HOOKS_NETBACK_ATTACHED_H

/* Kernel only: guards that are attached to vifs.  All under rtnl_lock(). */

#include <linux/if_packet.h>
#include <linux/types.h>

/* The parser has one of its own. */
#undef PACKET_MULTICAST

#include "xen-hooks/netback/frame.h"
#include "xen-hooks/netback/guard.h"

struct net_device;

/* As asked for, and checked. */
struct attached_settings {
	struct frame_source source;
	struct guard_params params;
	u32 slots;
	u32 keys;
};

/* 0 or -errno. */
int attached_set(struct net_device *dev,
		 const struct attached_settings *settings);
int attached_unset(struct net_device *dev);

/* 0 or -ENODEV. */
int attached_counters(const struct net_device *dev,
		      u64 ret_counters[GUARD_COUNTERS_COUNT]);

void attached_unset_all(void);

#endif
