/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_REPORT_H
#define XEN_HOOKS_NETBACK_REPORT_H

/* Kernel only: what the daemon is told of guards, and gives back to them.  The
 * commands of protocol.h that set nothing; none takes rtnl_lock(). */

#include <net/genetlink.h>

/* Defined in module.c, which has checked what `info` carries. */
extern struct genl_family netguard_family;

int report_one(struct sk_buff *skb, struct genl_info *info);
int report_all(struct sk_buff *skb, struct netlink_callback *cb);
int report_keys(struct sk_buff *skb, struct netlink_callback *cb);
int report_put_keys(struct sk_buff *skb, struct genl_info *info);

#endif
