/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_RING_H
#define SHAPER_DAEMON_RING_H

/*
 * What the way `ring` asks of this machine: a device where packets of vifs
 * wait, filters that send them there, and an heir who takes both away.
 */

#include <stdint.h>

struct holdqdisc;
struct priv_user;
struct ring;
struct viftaps;

enum { RING_TEXT_BYTES = 256 };

/* While there are privileges, and before there are threads; as hold_new. */
int ring_new(const struct priv_user *user, struct ring **ret_ring,
	     char ret_wrong[RING_TEXT_BYTES]);
/* The heir ends as well.  NULL is fine. */
void ring_free(struct ring *ring);

struct holdqdisc *ring_device(const struct ring *ring);

/* Why it is not for this vif; NULL: it is.  `taps` NULL: who listens cannot be
 * read. */
const char *ring_lacks(const char *interface, const struct viftaps *taps);

/* Once for each vif that has this way.  Cannot fail: it makes the first of its
 * keys quicker. */
void ring_prepare(struct ring *ring, const char *interface);

#endif
