/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/tap_answers.h"

#include <jansson.h>

#include "shaper/daemon/status.h"
#include "shaper/daemon/values.h"

/* What no judge judged: it passed, or was dropped, as the carrier was told. */
static uint64_t unjudged(const uint64_t *of_carrier)
{
	return of_carrier[TAPCARRIER_unjudged_pkts] +
	       of_carrier[TAPCARRIER_abandoned_pkts] +
	       of_carrier[TAPCARRIER_late_pkts] +
	       of_carrier[TAPCARRIER_full_pkts] +
	       of_carrier[TAPCARRIER_untold_pkts];
}

/* What was not asked about, since there was more than may wait. */
static uint64_t refused(const uint64_t *of_carrier)
{
	return of_carrier[TAPCARRIER_refused_pkts] +
	       of_carrier[TAPCARRIER_crowded_pkts];
}

json_t *tap_answers(const struct status *status)
{
	const struct tapjudge_stats *stats = &status->sums.tap;
	const uint64_t *counter = stats->counter;

	if (!status->has_tap)
		return json_null();
	return json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "mode",
		tap_mode_name(stats->mode), "received_packets",
		values_count(counter[TAPJUDGE_received_pkts]),
		"observed_packets",
		values_count(counter[TAPJUDGE_observed_pkts]), "passed_packets",
		values_count(counter[TAPJUDGE_passed_pkts]), "dropped_packets",
		values_count(counter[TAPJUDGE_dropped_pkts]), "refused_packets",
		values_count(refused(stats->carrier.counter)),
		"unjudged_packets",
		values_count(unjudged(stats->carrier.counter)));
}
