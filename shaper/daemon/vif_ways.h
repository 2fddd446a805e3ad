/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_WAYS_H
#define SHAPER_DAEMON_VIF_WAYS_H

/* What this host can do for the guest of one vif, found by looking. */

#include <stdbool.h>

#include "xen-hooks/way.h"

/* As way_choose, of what `policy` and this host have for `interface`.
 * `ring_lacks`: see ring.h; `netback_lacks`: see way_netback.h. */
bool vifways_choose(const struct policy *policy, const char *interface,
		    const char *ring_lacks, const char *netback_lacks,
		    enum policy_way wanted, enum policy_way *ret_way,
		    char ret_why[WAY_TEXT_BYTES]);

#endif
