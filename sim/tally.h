/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_TALLY_H
#define SIM_TALLY_H

/*
 * What a replay did to each key, and to all packets: the observer behind the
 * report.  Out, in and S are of packets as they were captured, nothing held;
 * delayed and dropped are what holding would have done, all packets of the
 * key that waited, at whichever gate.
 *
 * Packets that S does not judge (multicast, ICMP errors, neighbour discovery,
 * DHCP) are in the summary only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/packet_meta.h"
#include "shaper/pump.h"
#include "sim/replay.h"

struct policy;
struct tally;

struct tally_held {
	uint64_t delayed_pkts, dropped_pkts;
	uint64_t delay_ns; /* in all */
	uint64_t delay_max_ns;
	uint64_t by_pkts[PUMP_BYS + 1]; /* delayed and dropped, by whose gate
					 * (enum pump_by); the last: none's */
};

struct tally_key {
	struct flow_key key;
	uint64_t out_pkts, in_pkts;
	/* In its window when S was largest, which is 0 before anything is
	 * sent. */
	uint32_t peak_sent_pkts, peak_heard_pkts;
	enum replay_guarded guarded; /* as in tally_config */
	uint16_t params;             /* index into policy->params */
	struct tally_held held;
};

struct tally_summary {              /* each packet once */
	uint64_t out_pkts, in_pkts; /* that S judges */
	struct tally_held held;     /* among out_pkts */
	uint64_t transit_pkts, forged_pkts;
	uint64_t kind_pkts[PACKET_DHCP + 1]; /* by enum packet_kind; UNICAST
					      * is 0 */
	uint64_t limited_pkts; /* dropped, past a plain limit of their kind */
	uint64_t keys[FLOW_SCOPES];
	uint64_t keys_omitted; /* at least so many found no place */
};

struct tally_config {
	const struct policy *policy; /* borrowed */
	enum replay_guarded guarded;
	bool exact;        /* tables and windows grow past what the policy's
			    * limits say */
	bool summary_only; /* no keys */
};

/* NULL: out of memory. */
struct tally *tally_new(const struct tally_config *config);
void tally_free(struct tally *tally);

/* For replay_config.observers; valid as long as the tally. */
struct replay_observer tally_observer(struct tally *tally);

/* Borrowed. */
const struct tally_summary *tally_summary(struct tally *tally);

/*
 * The worst keys of these scopes (bits, 1 << enum flow_scope), worst first, at
 * most `max`.  Returns how many; they are borrowed.
 */
size_t tally_worst(struct tally *tally, unsigned int scopes,
		   const struct tally_key **ret_keys, size_t max);

/* How many keys it has of these scopes. */
size_t tally_count(struct tally *tally, unsigned int scopes);

/* Negative: `a` is worse.  More packets held, more delay, larger S, more
 * packets; never 0 for two different keys. */
int tally_compare(const struct tally_key *a, const struct tally_key *b);

#endif
