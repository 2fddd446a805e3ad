/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_NETBACK_H
#define SHAPER_DAEMON_VIF_NETBACK_H

/* What the guard inside of netback is to do with one vif, and its keys as ours.
 * Pure. */

#include "xen-hooks/way_netback.h"

struct guest_wish;
struct memory_record;
struct passage_guest;
struct policy;
struct pump_record;
struct vifkeys;

/* `keys` are borrowed. */
void vifnetback_settings(const struct policy *policy,
			 const struct guest_wish *wish,
			 const struct vifkeys *keys,
			 struct waynetback_settings *ret_settings);

/* A key that the guard of `interface` told; false: it is not this guest's, NULL
 * being everybody. */
bool vifnetback_take(const struct policy *policy,
		     const struct pump_record *record, const char *interface,
		     const struct passage_guest *guest,
		     struct memory_record *ret_key);

/* A key for the guard of `vif`; false: it lives elsewhere. */
bool vifnetback_give(const struct policy *policy,
		     const struct memory_record *key, const struct vifkeys *vif,
		     const struct passage_guest *guest,
		     struct pump_record *ret_record);

#endif
