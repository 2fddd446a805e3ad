/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_VCHAN_H
#define XEN_HOOKS_TAP_VCHAN_H

/*
 * The tap's wire as two rings in pages that the carrier's domain grants to the
 * judge's, with an event channel, by libxenvchan: the only file that knows it.
 * Nothing else of the carrier's memory can be seen.  The rings are announced at
 *
 *	/local/domain/CARRIER/data/symtap-tap/JUDGE
 *
 * which the carrier writes and the judge may read.
 */

#include <stdint.h>

#include "xen-hooks/tap_wire.h"

/* Who is on it: a judge may come when the wire is there.  0 or -errno. */
int tapvchan_grant(uint32_t judge_domain, struct tapwire *ret_wire);

/* The judge's end; -ENOENT: no carrier in that domain grants us one. */
int tapvchan_connect(uint32_t carrier_domain, struct tapwire *ret_wire);

#endif
