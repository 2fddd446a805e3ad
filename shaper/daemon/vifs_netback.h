/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIFS_NETBACK_H
#define SHAPER_DAEMON_VIFS_NETBACK_H

/*
 * Vifs that are guarded inside of netback: their guards there, and what these
 * know.  A guest's keys go with it, from the engines into its guard and back.
 * Internal to vifs*.c.
 */

#include <stdbool.h>

struct vif;
struct vifs;

/* Its keys are asked for by whoever asks for guests. */
void vifsnetback_begin(struct vifs *vifs);
/* While travel.h still is: what the guards know is remembered. */
void vifsnetback_remember(struct vifs *vifs);
/* Take all guards away. */
void vifsnetback_end(struct vifs *vifs);

/* As vif->in_netback and vif->netback have it now.  0 or -errno. */
int vifsnetback_set(struct vifs *vifs, struct vif *vif);

/* Once a second: how they do, to vifs->table.  Who has lost its guard is
 * guarded anew. */
void vifsnetback_measure(struct vifs *vifs);

/* The module came or went since vifs_apply. */
bool vifsnetback_is_as_before(const struct vifs *vifs);

#endif
