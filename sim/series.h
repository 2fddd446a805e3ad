/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_SERIES_H
#define SIM_SERIES_H

/*
 * A replay as it is drawn: what was offered, let out, heard and held over
 * time, in all and of each pair and host.  An observer; memory is bounded
 * whatever the capture: at most SERIES_BINS stretches of time, which double
 * when time goes on, and SERIES_KEYS keys, of which those are forgotten that
 * were never over their threshold.
 *
 * Silences longer than SERIES_GAP_NS are cut out of the picture, all but
 * SERIES_GAP_SHOWN_NS of them: some captures jump by months.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/pump.h"
#include "sim/replay.h"

struct policy;
struct series;

#define SERIES_GAP_NS       UINT64_C(60000000000)
#define SERIES_GAP_SHOWN_NS UINT64_C(2000000000)

enum { SERIES_BINS = 200, SERIES_KEYS = 1024, SERIES_DELAYS = 12 };

struct series_bin {
	uint32_t offered_pkts, let_out_pkts, heard_pkts;
	uint32_t delayed_pkts, dropped_pkts;
	uint32_t by_pkts[PUMP_BYS + 1]; /* held, by whose gate; the last: a
					 * plain limit */
	float offered_s, let_out_s;     /* the largest plain S */
	uint64_t delay_max_ns;
};

struct series_sums {
	uint64_t offered_pkts, let_out_pkts, heard_pkts;
	uint64_t delayed_pkts, dropped_pkts, forged_pkts;
	uint64_t by_pkts[PUMP_BYS + 1];
	uint64_t delay_ns, delay_max_ns;
};

struct series_key {
	struct flow_key key; /* scope pair or host */
	struct series_sums sums;
	float threshold; /* T */
	float s_max;     /* of what was offered */
	const struct series_bin *bins;
};

/* NULL: out of memory.  `policy` is borrowed. */
struct series *series_new(const struct policy *policy);
void series_free(struct series *series);

/* For replay_config.observers; valid as long as the series. */
struct replay_observer series_observer(struct series *series);

/* All of it, as one; its key is all-zero and it has no S. */
void series_total(const struct series *series, struct series_key *ret_total);

/* The worst keys, worst first, at most `max`: more held, then the larger S.  A
 * host is told beside its pairs when it was held as one.  Borrowed. */
size_t series_worst(struct series *series, struct series_key *ret_keys,
		    size_t max);

size_t series_bins(const struct series *series);        /* in use */
uint64_t series_bin_ns(const struct series *series);    /* how long each is */
uint64_t series_cut_ns(const struct series *series);    /* silences left out */
uint64_t series_forgotten(const struct series *series); /* keys */

/* Out packets of all kinds by delay: [0] none, then up to the edge, the last
 * beyond all edges; dropped ones apart. */
extern const double series_delay_edges_ms[SERIES_DELAYS - 2];
const uint64_t *series_delays(const struct series *series);

#endif
