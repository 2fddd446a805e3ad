/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_HOLD_H
#define SHAPER_DAEMON_HOLD_H

/*
 * What `datapath.fast.hold: qdisc` asks of this machine: ports of pure bridges,
 * a device where packets wait, and an heir: a process that does nothing but
 * take the device away when the daemon was killed, since whoever has packets
 * there waits as long as it stands.
 */

struct hold;
struct holdqdisc;
struct policy;
struct priv_user;

enum { HOLD_TEXT_BYTES = 256 };

/*
 * While there are privileges, and before there are threads.  `user`: who the
 * heir turns into; NULL: stays who it is.  0, and NULL unless the policy asks
 * for it; or -errno, and ret_wrong says what cannot be had.
 */
int hold_new(const struct policy *policy, const struct priv_user *user,
	     struct hold **ret_hold, char ret_wrong[HOLD_TEXT_BYTES]);

/* The heir ends as well.  NULL is fine. */
void hold_free(struct hold *hold);

/* NULL is fine: none. */
struct holdqdisc *hold_device(const struct hold *hold);

#endif
