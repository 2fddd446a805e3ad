/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_NETBACK_H
#define SHAPER_DAEMON_VIF_NETBACK_H

/* What the guard inside of netback is to do with one vif.  Pure. */

#include "xen-hooks/way_netback.h"

struct guest_wish;
struct policy;
struct vifkeys;

/* `keys` are borrowed. */
void vifnetback_settings(const struct policy *policy,
			 const struct guest_wish *wish,
			 const struct vifkeys *keys,
			 struct waynetback_settings *ret_settings);

#endif
