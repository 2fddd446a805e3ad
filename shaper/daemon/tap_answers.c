/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/tap_answers.h"

#include <jansson.h>

#include "shaper/daemon/status.h"
#include "shaper/daemon/values.h"

/* What no judge judged: it passed, or was dropped, as the carrier was told. */
static uint64_t unjudged(const struct tapcarrier_stats *carrier)
{
	static const enum tapcarrier_counter why[] = {
		TAPCARRIER_unjudged_pkts, TAPCARRIER_abandoned_pkts,
		TAPCARRIER_late_pkts, TAPCARRIER_full_pkts,
		TAPCARRIER_untold_pkts
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(why) / sizeof(why[0]); i++)
		sum += carrier->counter[why[i]];
	return sum;
}

json_t *tap_answers(const struct status *status)
{
	const struct tapjudge_stats *stats = &status->sums.tap;
	const uint64_t *counter = stats->counter;

	if (!status->has_tap)
		return json_null();
	return json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:o}", "mode", tap_mode_name(stats->mode),
		"received_packets",
		values_count(counter[TAPJUDGE_received_pkts]),
		"observed_packets",
		values_count(counter[TAPJUDGE_observed_pkts]), "passed_packets",
		values_count(counter[TAPJUDGE_passed_pkts]), "dropped_packets",
		values_count(counter[TAPJUDGE_dropped_pkts]),
		"unjudged_packets", values_count(unjudged(&stats->carrier)));
}
