/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_FORGED_H
#define SIM_FORGED_H

/*
 * Anti-spoof as the gateway's rules do it, for captures that were taken on the
 * guarded interface: a source must be one of the policy's (of any interface
 * that it lists; none listed: `inside`), a bound MAC sends from its own
 * addresses only, and a bound address comes from its own MAC only.
 */

#include <stdbool.h>
#include <stdint.h>

struct packet_meta;
struct policy;

/* `mac`: six bytes of who sent the frame; NULL: not known, so that no binding
 * applies.  Cannot fail. */
bool forged_is(const struct policy *policy, const struct packet_meta *meta,
	       const uint8_t *mac);

#endif
