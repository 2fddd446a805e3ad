/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_COUNTERS_H
#define SHAPER_DAEMON_COUNTERS_H

/* The counter tables as rows that can be walked. */

#include "flowtable/packet.h"
#include "shaper/io/nfqueue_stats.h"
#include "shaper/stats.h"
#include "xen-hooks/tap_stats.h"

struct counter_row {
	const char *name; /* as in the table */
	const char *unit;
	const char *help;
};

extern const struct counter_row counters_core[STATS_COUNT];
extern const struct counter_row counters_io[NFQUEUE_COUNT];
extern const struct counter_row counters_tap[TAPJUDGE_COUNTERS_COUNT];
extern const struct counter_row counters_carrier[TAPCARRIER_COUNTERS_COUNT];
/* By enum packet_error, for nfqueue_stats.unreadable_pkts; [0] unused. */
extern const struct counter_row counters_unreadable[PACKET_ERRORS];

#endif
