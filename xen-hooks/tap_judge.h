/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_JUDGE_H
#define XEN_HOOKS_TAP_JUDGE_H

/*
 * The end of the tap that judges, as a datapath of a pump: packets that a
 * carrier shows become packets that are offered, and what the pump says of each
 * goes back as its verdict.  Under `mode: enforce` it asks to interpose, under
 * `mode: shadow` to observe; it never intercepts.
 */

#include <stddef.h>
#include <stdint.h>

#include "shaper/io/datapath.h"
#include "xen-hooks/tap_stats.h"
#include "xen-hooks/tap_wire.h"

struct policy;
struct pump;
struct tapjudge;
struct zones;

struct tapjudge_config {
	struct pump *pump;           /* borrowed for life, as */
	struct zones *zones;         /* both of these */
	const struct policy *policy; /* until tapjudge_set_policy */
	uint8_t seed[16];            /* random; keys the hash of fragments */
	struct tapwire wire;         /* closed by tapjudge_free */
};

/* NULL: out of memory, and the wire stays the caller's. */
struct tapjudge *tapjudge_new(const struct tapjudge_config *config);
void tapjudge_free(struct tapjudge *judge); /* NULL is fine */

/* It ends with -ENOTCONN when the carrier is gone or silent. */
void tapjudge_datapath(struct tapjudge *judge, struct datapath *ret_datapath);

/* Together with pump_set_policy, by the thread that runs the data path, which
 * is advanced next. */
void tapjudge_set_policy(struct tapjudge *judge, const struct policy *policy);

const struct tapjudge_stats *tapjudge_stats(const struct tapjudge *judge);

#endif
