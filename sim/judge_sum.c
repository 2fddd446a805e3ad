/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of several captures as one, and what can be read from them. */
#include "sim/judge.h"
#include "sim/rate.h"

static int64_t excess(const struct judge_second *second)
{
	return (int64_t)second->pkts -
	       (int64_t)second->heard_pkts * RATE_PER_HEARD;
}

void judge_take_worse(struct judge_second *worst,
		      const struct judge_second *other)
{
	if (other->pkts && (!worst->pkts || excess(other) > excess(worst)))
		*worst = *other;
}

static void merge_max(uint64_t *largest, uint64_t other)
{
	if (other > *largest)
		*largest = other;
}

static void merge_seconds(struct judge_figures *total,
			  const struct judge_figures *more)
{
	judge_take_worse(&total->first_second, &more->first_second);
	judge_take_worse(&total->later_second, &more->later_second);
	judge_take_worse(&total->sliding_second, &more->sliding_second);
	judge_take_worse(&total->connections, &more->connections);
	judge_take_worse(&total->connections_sliding,
			 &more->connections_sliding);
	judge_take_worse(&total->contacts, &more->contacts);
	judge_take_worse(&total->contacts_sliding, &more->contacts_sliding);
	merge_max(&total->delay_max_ns, more->delay_max_ns);
	merge_max(&total->worst_ns, more->worst_ns);
	merge_max(&total->duration_ns, more->duration_ns);
}

/* The worst conversations stay with their captures. */
void judge_merge(struct judge_figures *total, const struct judge_figures *more)
{
	merge_seconds(total, more);
	total->out_pkts += more->out_pkts;
	total->late_pkts += more->late_pkts;
	total->delayed_pkts += more->delayed_pkts;
	total->dropped_pkts += more->dropped_pkts;
	total->let_out_pkts += more->let_out_pkts;
	total->in_pkts += more->in_pkts;
	total->forged_pkts += more->forged_pkts;
	total->transit_pkts += more->transit_pkts;
	total->limited_pkts += more->limited_pkts;
	for (int by = 0; by < PUMP_BYS; by++)
		total->by_pkts[by] += more->by_pkts[by];
	for (int i = 0; i < JUDGE_DELAY_BUCKETS; i++)
		total->delays[i] += more->delays[i];
	total->pairs += more->pairs;
	total->late_pairs += more->late_pairs;
	total->conversations += more->conversations;
	total->long_conversations += more->long_conversations;
	total->never_conversations += more->never_conversations;
	total->new_connections += more->new_connections;
	total->connections_delayed += more->connections_delayed;
	total->connections_dropped += more->connections_dropped;
	total->first_contacts += more->first_contacts;
	total->answered_delayed_pkts += more->answered_delayed_pkts;
	total->group_held_pkts += more->group_held_pkts;
	total->group_pkts += more->group_pkts;
	total->unjudged += more->unjudged;
}

uint64_t judge_delay_ns(const struct judge_figures *figures, double share)
{
	uint64_t sum = 0;

	if ((double)figures->delays[0] >= share * (double)figures->out_pkts)
		return 0;
	for (int i = 0; i < JUDGE_DELAY_BUCKETS - 1; i++) {
		sum += figures->delays[i];
		if ((double)sum >= share * (double)figures->out_pkts)
			return UINT64_C(1000) << i;
	}
	return UINT64_MAX;
}
