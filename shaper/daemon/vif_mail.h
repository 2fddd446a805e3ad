/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIF_MAIL_H
#define SHAPER_DAEMON_VIF_MAIL_H

/*
 * The socket between symtapd and the process that follows XenStore, at the
 * latter's end.  symtapd may wait for room in it; so this end never does
 * without taking what comes meanwhile, and neither waits for the other for
 * ever.
 */

#include <stdbool.h>

#include "shaper/daemon/vif_process.h"

struct vifmail;

enum { VIFMAIL_KEPT_MAX = 4 * VIFWATCH_VIFS_MAX };

/* The socket stays the caller's.  NULL: out of memory. */
struct vifmail *vifmail_new(int fd);
void vifmail_free(struct vifmail *mail);

/* false: the other end is gone, or says more than can be kept. */
bool vifmail_say(struct vifmail *mail, const struct vif_order *order);

/* Something was heard meanwhile: the socket does not tell of it again. */
bool vifmail_has_kept(const struct vifmail *mail);

/* The next report, in order.  1; 0: there is none now; < 0: the other end is
 * gone. */
int vifmail_hear(struct vifmail *mail, struct vif_report *ret_report);

#endif
