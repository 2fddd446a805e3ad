/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/expect.h"

#include <math.h>

static const double NS_PER_MS = 1e6;

/* At most, of a silent target: in its first second, and later. */
static const double SILENT_FIRST_PKTS = 64, SILENT_PKTS_PER_S = 12;

/* What rounding may do to a number. */
static const double ROUNDING = 1e-9;

bool expect_compares(const struct scenario *scenario)
{
	for (uint32_t i = 0; i < scenario->expect_count; i++)
		if (scenario->expect[i].measure == MEASURE_GOODPUT_RATIO)
			return true;
	return false;
}

double expect_ratio(uint32_t sender, const struct world_result *result,
		    const struct world_result *without)
{
	double bare = without->senders[sender].goodput_bits_per_s;

	return bare > 0 ? result->senders[sender].goodput_bits_per_s / bare : 1;
}

/* A gap that never came is off by all of it. */
static double worst_gap_ms(const struct scenario_expect *expect,
			   const struct ledger *ledger)
{
	double worst = 0;

	for (uint32_t i = 0; i < expect->gaps_count; i++) {
		double gap = 0, off;

		if (i + 1 < ledger->releases)
			gap = (double)(ledger->releases_ns[i + 1] -
				       ledger->releases_ns[i]);
		off = fabs(gap - (double)expect->gaps_ns[i]) / NS_PER_MS;
		worst = off > worst ? off : worst;
	}
	return worst;
}

static double out_per_in(const struct ledger *ledger)
{
	return (double)ledger->let_out_pkts /
	       (double)(ledger->heard_pkts > 0 ? ledger->heard_pkts : 1);
}

/* Beyond what one who hears nothing may send. */
static double gain_per_in(const struct ledger *ledger)
{
	double span_s = (double)(ledger->ends_ns - ledger->begins_ns) / 1e9;
	double gain = (double)ledger->let_out_pkts - SILENT_FIRST_PKTS -
		      SILENT_PKTS_PER_S * span_s;

	return gain > 0 ? gain / (double)(ledger->heard_pkts > 0
						  ? ledger->heard_pkts
						  : 1)
			: 0;
}

static double delayed_pct(const struct delays *delays)
{
	return delays->count > 0
		       ? 100 * (double)delays->over_10ms / (double)delays->count
		       : 0;
}

double expect_measure(const struct scenario *scenario, uint32_t index,
		      uint32_t sender, const struct world_result *result,
		      const struct world_result *without)
{
	const struct scenario_expect *expect = &scenario->expect[index];
	const struct world_sender *found = &result->senders[sender];
	const struct ledger *ledger = &found->ledger;
	const struct ledger_totals *totals = &found->totals;

	switch (expect->measure) {
	case MEASURE_GOODPUT_RATIO:
		return expect_ratio(sender, result, without);
	case MEASURE_GOODPUT:
		return found->goodput_bits_per_s / 1e6;
	case MEASURE_OFFERED:
		return (double)ledger->offered_pkts;
	case MEASURE_LET_OUT:
		return (double)ledger->let_out_pkts;
	case MEASURE_DROPPED:
		return (double)ledger->dropped_pkts;
	case MEASURE_LET_OUT_PER_S:
		return totals->let_out_per_s;
	case MEASURE_FIRST_SECOND:
		return (double)totals->first_second_pkts;
	case MEASURE_ANY_SECOND:
		return (double)totals->any_second_pkts;
	case MEASURE_CONTACTS_PER_S:
		return totals->contacts_per_s;
	case MEASURE_CONTACTS_ANY_SECOND:
		return (double)totals->any_second_contacts;
	case MEASURE_CONNECTIONS_PER_S:
		return totals->connections_per_s;
	case MEASURE_CONNECTIONS_ANY_SECOND:
		return (double)totals->any_second_opened;
	case MEASURE_OUT_PER_IN:
		return out_per_in(ledger);
	case MEASURE_GAIN_PER_IN:
		return gain_per_in(ledger);
	case MEASURE_DELAY_P50_MS:
		return (double)delays_percentile(&ledger->delays, 50) /
		       NS_PER_MS;
	case MEASURE_DELAY_P99_MS:
		return (double)delays_percentile(&ledger->delays, 99) /
		       NS_PER_MS;
	case MEASURE_DELAY_MAX_MS:
		return (double)ledger->delays.max_ns / NS_PER_MS;
	case MEASURE_DELAYED_PCT:
		return delayed_pct(&ledger->delays);
	case MEASURE_S_MAX:
		return ledger->s_max;
	case MEASURE_S:
		return result->looks[index];
	case MEASURE_GAPS:
		return worst_gap_ms(expect, ledger);
	case MEASURES:
		break;
	}
	return 0;
}

bool expect_holds(const struct scenario_expect *expect, double found)
{
	if (expect->measure == MEASURE_GAPS)
		return found <=
		       (double)expect->tolerance_ns / NS_PER_MS + ROUNDING;
	return (!expect->has_least || found >= expect->least - ROUNDING) &&
	       (!expect->has_most || found <= expect->most + ROUNDING);
}
