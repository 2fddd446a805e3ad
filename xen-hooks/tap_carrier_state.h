/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_CARRIER_STATE_H
#define XEN_HOOKS_TAP_CARRIER_STATE_H

/* Internal to tap_carrier*.c. */

#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_waiting.h"

enum talk {
	TALK_NONE,  /* there is no wire */
	TALK_BEGUN, /* nothing was heard yet */
	TALK_ON,
};

struct tapcarrier {
	struct tapcarrier_config config;
	struct tapcarrier_owner owner;
	struct tapwaiting *waiting;
	struct tapwire wire;
	struct tapinbox inbox;
	enum talk talk;
	enum tap_mode asked, allowed, mode, mode_before;
	uint32_t version;                    /* of the judge */
	uint64_t heard_ns, said_ns, told_ns; /* told: what was counted */
	bool more;                           /* was said, and not read yet */
	struct tapcarrier_stats stats;
};

static inline void tapcarrier_count(struct tapcarrier *carrier,
				    enum tapcarrier_counter counter)
{
	carrier->stats.counter[counter]++;
}

/* Tell the owner what the judge may do. */
void tapcarrier_tell_mode(struct tapcarrier *carrier);

/* It follows what the judge asked for and was allowed. */
void tapcarrier_renew_mode(struct tapcarrier *carrier, uint64_t now_ns);

/* Read the wire.  However much a judge says, packets have their turn. */
void tapcarrier_hear(struct tapcarrier *carrier, uint64_t now_ns);

#endif
