/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/output.h"

#include <math.h>
#include <stdlib.h>

#include "sim/link.h"
#include "sim/result.h"

static int compare(const void *a, const void *b)
{
	return tally_compare(*(const struct tally_key *const *)a,
			     *(const struct tally_key *const *)b);
}

const struct tally_key **output_keys(const struct result *result,
				     unsigned int scopes, size_t max,
				     size_t *ret_count)
{
	const struct tally_key **keys = NULL;
	size_t room = 0, count = 0;

	*ret_count = 0;
	for (size_t i = 0; i < result->passes_count; i++) {
		size_t all = tally_count(result->passes[i].tally, scopes);

		room += all < max ? all : max;
	}
	if (room > 0)
		keys = calloc(room, sizeof(const struct tally_key *));
	if (!keys)
		return NULL;
	for (size_t i = 0; i < result->passes_count; i++)
		count += tally_worst(result->passes[i].tally, scopes,
				     keys + count,
				     room - count < max ? room - count : max);
	if (result->passes_count > 1)
		qsort(keys, count, sizeof(*keys), compare);
	*ret_count = count < max ? count : max;
	return keys;
}

static void add_held(struct tally_held *sum, const struct tally_held *held)
{
	sum->delayed_pkts += held->delayed_pkts;
	sum->dropped_pkts += held->dropped_pkts;
	sum->delay_ns += held->delay_ns;
	if (held->delay_max_ns > sum->delay_max_ns)
		sum->delay_max_ns = held->delay_max_ns;
	for (int by = 0; by <= PUMP_BYS; by++)
		sum->by_pkts[by] += held->by_pkts[by];
}

static void add_summary(struct tally_summary *sum,
			const struct tally_summary *summary, bool same_packets)
{
	sum->out_pkts += summary->out_pkts;
	sum->in_pkts += summary->in_pkts;
	add_held(&sum->held, &summary->held);
	sum->limited_pkts += summary->limited_pkts;
	sum->keys_omitted += summary->keys_omitted;
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		sum->keys[scope] += summary->keys[scope];
	if (same_packets)
		return;
	sum->transit_pkts += summary->transit_pkts;
	sum->forged_pkts += summary->forged_pkts;
	for (int kind = 0; kind <= PACKET_DHCP; kind++)
		sum->kind_pkts[kind] += summary->kind_pkts[kind];
}

/* Each end in turn: a packet goes out once, and comes in once. */
void output_summary(const struct result *result,
		    struct tally_summary *ret_summary)
{
	*ret_summary = (struct tally_summary){ 0 };
	for (size_t i = 0; i < result->passes_count; i++)
		add_summary(ret_summary, tally_summary(result->passes[i].tally),
			    i > 0);
}

void output_add(struct output_totals *totals, const struct result *result)
{
	struct tally_summary summary;

	totals->captures++;
	totals->unreadable += result->passes_count == 0;
	totals->damaged += result->passes_count > 0 && result->why[0] != '\0';
	totals->packets += result->counts.packets;
	output_summary(result, &summary);
	add_summary(&totals->summary, &summary, false);
}

uint64_t output_guard_pkts(const struct tally_held *held)
{
	uint64_t pkts = 0;

	for (int by = PUMP_BY_HOST; by <= PUMP_BYS; by++)
		pkts += held->by_pkts[by];
	return pkts;
}

static void add_reason(struct output_reason *reasons, size_t *count,
		       const char *name, uint64_t packets)
{
	struct output_reason *reason = &reasons[*count];

	if (packets == 0)
		return;
	snprintf(reason->name, sizeof(reason->name), "%s", name);
	reason->packets = packets;
	++*count;
}

size_t output_reasons(const struct replay_counts *counts,
		      struct output_reason ret_reasons[OUTPUT_REASONS_MAX])
{
	uint64_t others = counts->unknown_link_pkts;
	size_t count = 0;
	char name[64];

	for (int i = PACKET_OK + 1; i < PACKET_ERRORS; i++)
		add_reason(ret_reasons, &count,
			   packet_error_name((enum packet_error)i),
			   counts->errors[i]);
	add_reason(ret_reasons, &count, "link_without_ip", counts->not_ip);
	add_reason(ret_reasons, &count, "bad_link", counts->bad_link);
	add_reason(ret_reasons, &count, "out_of_memory", counts->unjudged);
	for (size_t i = 0; i < counts->unknown_links_count; i++) {
		uint32_t type = counts->unknown_links[i].link_type;
		const char *known = link_type_name(type);

		snprintf(name, sizeof(name), "link_type_%u%s%s", type,
			 known ? "_" : "", known ? known : "");
		add_reason(ret_reasons, &count, name,
			   counts->unknown_links[i].packets);
		others -= counts->unknown_links[i].packets;
	}
	add_reason(ret_reasons, &count, "link_type_other", others);
	return count;
}

double output_s(const struct tally_key *key)
{
	return log2((key->peak_sent_pkts + 1.0) / (key->peak_heard_pkts + 1.0));
}

const char *output_guarded(enum replay_guarded guarded)
{
	switch (guarded) {
	case REPLAY_BY_PREFIX:
		return "prefix";
	case REPLAY_INITIATORS:
		return "initiators";
	case REPLAY_RESPONDERS:
		return "responders";
	}
	return "?";
}
