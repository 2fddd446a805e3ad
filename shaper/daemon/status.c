/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE_NS 60000000000ull

const char *status_mode_name(enum policy_mode mode)
{
	switch (mode) {
	case POLICY_SHADOW:
		return "shadow";
	case POLICY_ENFORCE:
		return "enforce";
	}
	return "?";
}

const char *status_fail_name(enum policy_fail fail)
{
	switch (fail) {
	case POLICY_FAIL_OPEN:
		return "open";
	case POLICY_FAIL_CLOSED:
		return "closed";
	}
	return "?";
}

static void add_totals(struct snapshot_totals *sum,
		       const struct snapshot_totals *totals)
{
	size_t i;

	for (i = 0; i < STATS_COUNT; i++)
		sum->stats.counter[i] += totals->stats.counter[i];
	sum->pairs += totals->pairs;
	sum->flows += totals->flows;
	sum->hosts += totals->hosts;
	sum->suspects += totals->suspects;
	sum->pairs_max += totals->pairs_max;
	sum->flows_max += totals->flows_max;
	sum->hosts_max += totals->hosts_max;
	sum->suspects_max += totals->suspects_max;
	sum->held_pkts += totals->held_pkts;
	sum->held_slots += totals->held_slots;
	sum->held_bytes += totals->held_bytes;
	sum->penalties += totals->penalties;
	sum->memory_bytes += totals->memory_bytes;
	sum->one_sided |= totals->one_sided;
	if (totals->one_sided_pct > sum->one_sided_pct)
		sum->one_sided_pct = totals->one_sided_pct;
}

static void add_io(struct nfqueue_stats *sum, const struct nfqueue_stats *io)
{
	size_t i;

	for (i = 0; i < NFQUEUE_COUNT; i++)
		sum->counter[i] += io->counter[i];
	for (i = 0; i < PACKET_ERRORS; i++)
		sum->unreadable_pkts[i] += io->unreadable_pkts[i];
}

/* One engine has it: what is no sum is that one's. */
static void add_tap(struct status_sums *sums, const struct tapjudge_stats *tap)
{
	for (size_t i = 0; i < TAPJUDGE_COUNTERS_COUNT; i++)
		sums->tap.counter[i] += tap->counter[i];
	for (size_t i = 0; i < PACKET_ERRORS; i++)
		sums->io.unreadable_pkts[i] += tap->unreadable_pkts[i];
	sums->tap.carrier = tap->carrier;
	sums->tap.mode = tap->mode;
}

static void add_leases(struct nfqueue_leases *sum,
		       const struct nfqueue_leases *leases)
{
	sum->keys += leases->keys;
	sum->keys_max += leases->keys_max;
	sum->leased += leases->leased;
}

static void forget_exemptions(struct status *status, uint64_t now_ns)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < status->exemptions_count; i++)
		if (status->exemptions[i].until_ns > now_ns)
			status->exemptions[kept++] = status->exemptions[i];
	status->exemptions_count = kept;
}

void status_sum(struct status *status, uint64_t now_ns)
{
	size_t i;

	status->sums = status->restored;
	for (i = 0; i < status->engines_count; i++) {
		add_totals(&status->sums.totals, &status->engines[i].totals);
		if (!status->engines[i].has_io)
			continue;
		add_io(&status->sums.io, &status->engines[i].io);
		add_leases(&status->sums.leases, &status->engines[i].leases);
	}
	if (status->has_tap)
		add_tap(&status->sums, &status->engines[0].tap);
	status->now_ns = now_ns;
	if (status->between_ns == 0) {
		status->before = status->between = status->sums;
		status->before_ns = status->between_ns = now_ns;
	} else if (now_ns - status->between_ns >= COMPARE_NS) {
		status->before = status->between;
		status->before_ns = status->between_ns;
		status->between = status->sums;
		status->between_ns = now_ns;
	}
	forget_exemptions(status, now_ns);
}

static bool is_loaded_anew(const struct status_netback *netback,
			   const uint64_t counters[NETBACKCOUNTERS])
{
	for (size_t i = 0; i < NETBACKCOUNTERS; i++)
		if (!netbackcounters[i].is_level &&
		    counters[i] < netback->told[i])
			return true;
	return false;
}

void status_netback(struct status *status,
		    const uint64_t counters[NETBACKCOUNTERS])
{
	struct status_netback *netback = &status->netback;
	bool anew = is_loaded_anew(netback, counters);

	netback->is_there = true;
	for (size_t i = 0; i < NETBACKCOUNTERS; i++) {
		if (anew && !netbackcounters[i].is_level)
			netback->before[i] += netback->told[i];
		netback->told[i] = counters[i];
		netback->counters[i] = netback->before[i] + counters[i];
	}
}

uint64_t status_grown(const struct status *status, enum stats_counter counter)
{
	return status->sums.totals.stats.counter[counter] -
	       status->before.totals.stats.counter[counter];
}

uint64_t status_io_grown(const struct status *status,
			 enum nfqueue_counter counter)
{
	return status->sums.io.counter[counter] -
	       status->before.io.counter[counter];
}

double status_fast_share(const struct status *status)
{
	uint64_t kernel = status_io_grown(status, NFQUEUE_fast_out_pkts) +
			  status_io_grown(status, NFQUEUE_fast_in_pkts);
	uint64_t engines = status_grown(status, STATS_out_pkts) +
			   status_grown(status, STATS_in_pkts);

	if (kernel + engines == 0)
		return -1;
	return (double)kernel / (double)(kernel + engines);
}

size_t status_leased_hosts(const struct status *status)
{
	size_t most = 0;

	for (size_t i = 0; status->fast.runs && i < status->engines_count; i++)
		if (status->engines[i].totals.hosts_places > most)
			most = status->engines[i].totals.hosts_places;
	return most;
}

bool status_exempt(struct status *status, const uint8_t address[16],
		   uint64_t until_ns, uint64_t now_ns)
{
	struct status_exemption *exemption;
	size_t i;

	forget_exemptions(status, now_ns);
	for (i = 0; i < status->exemptions_count; i++)
		if (memcmp(status->exemptions[i].address, address, 16) == 0)
			break;
	if (i == PUMP_EXEMPTIONS_MAX)
		return false;
	exemption = &status->exemptions[i];
	if (i == status->exemptions_count) {
		if (until_ns == 0)
			return true;
		status->exemptions_count++;
	}
	memcpy(exemption->address, address, 16);
	exemption->until_ns = until_ns;
	forget_exemptions(status, now_ns);
	return true;
}

bool status_kernel_counter(const struct status *status, size_t i,
			   struct nftrules_counter *ret_counter)
{
	const struct nftrules_counter *all = status->kernel_counters;
	struct nftrules_counter sum = all[i];
	size_t j;

	for (j = 0; j < i; j++)
		if (strcmp(all[j].name, all[i].name) == 0)
			return false;
	for (j = i + 1; j < status->kernel_counters_count; j++) {
		if (strcmp(all[j].name, all[i].name) != 0)
			continue;
		sum.pkts += all[j].pkts;
		sum.bytes += all[j].bytes;
	}
	*ret_counter = sum;
	return true;
}
