/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_PUMP_LEASE_H
#define SHAPER_PUMP_LEASE_H

/*
 * A pair that conforms, and flows of it, may be counted and passed by somebody
 * else for a while: the kernel program (shaper/bpf/fast_maps.h).  Whoever does
 * so gives them back, with what it counted, before the pump is offered another
 * packet of theirs.
 *
 *	pump_may_lease()     may this key go, and what is in its window?
 *	pump_leased()        it has gone: the pump forgets its window
 *	pump_take_back()     it is back; oldest runs first
 *
 * Patience (credit.h) is not given anew; credit is earned by what was heard.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/evidence.h"

struct pump;

enum { PUMP_LEASE_RUNS = 64 };

struct pump_lease {
	struct flow_key key; /* scope flow or pair */
	uint32_t host;       /* whose it is: pump_lease_keys() */
	uint32_t ratio_q16;  /* it comes back above this, T - 1/2 */
	uint64_t window_ns;
	uint32_t sent_pkts, heard_pkts; /* in all runs */
	uint32_t heard_all_pkts;  /* pair, coming back: while it was away */
	struct evidence evidence; /* TCP flow */
	uint16_t segment_bytes;   /* the same: of a full one; 0: unknown */
	uint32_t runs_count;
	struct pump_lease_run {
		uint64_t start_ns;
		uint32_t sent_pkts, heard_pkts;
	} runs[PUMP_LEASE_RUNS];
};

/*
 * Only what was answered, owes nothing, has nothing waiting and is clearly
 * below its threshold; nothing while `enforce` names the host, or it has a
 * rate.  true: *ret_lease is what its holder must begin with.
 */
bool pump_may_lease(struct pump *pump, const struct flow_key *key,
		    struct pump_lease *ret_lease, uint64_t now_ns);

void pump_leased(struct pump *pump, const struct flow_key *key);

/* How many keys of this host whoever holds leases keeps: counted by him, here,
 * so that none takes more than its share.  The host is known until it is 0. */
uint32_t *pump_lease_keys(struct pump *pump, uint32_t host);

/* false: there is no place for it, and it is judged by its host. */
bool pump_take_back(struct pump *pump, const struct pump_lease *lease,
		    uint64_t now_ns);

#endif
