/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_ANNOUNCER_H
#define SHAPER_DAEMON_ANNOUNCER_H

/*
 * Tells the network of a vif's bridge that its addresses are here now, once,
 * when it becomes active after it was not there.  In the process that follows
 * XenStore, which keeps a socket for it and no capability.
 */

#include <stdbool.h>
#include <stdint.h>

#include "xen-hooks/vif_keys.h"

struct announcer;

enum { ANNOUNCER_FRAMES_PER_S = 256 };

/* Before privileges are dropped.  NULL: out of memory. */
struct announcer *announcer_new(void);
void announcer_free(struct announcer *announcer); /* NULL is fine */

/* It is new here, and not guarded yet; it is gone.. */
void announcer_expect(struct announcer *announcer, uint32_t domain,
		      uint32_t handle);
void announcer_forget(struct announcer *announcer, uint32_t domain,
		      uint32_t handle);

/* It is guarded.  If it was expected: announce what it has, when `asked`, and
 * expect it no more. */
void announcer_guarded(struct announcer *announcer, const struct vifkeys *keys,
		       bool asked, uint64_t now_ns);

#endif
