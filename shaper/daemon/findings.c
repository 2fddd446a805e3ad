/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/findings.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shaper/daemon/status.h"

/* So many, and it is no start. */
enum { TRANSIT_PKTS = 1000 };

const char *finding_weight_name(enum finding_weight weight)
{
	switch (weight) {
	case FINDING_WARNING:
		return "warning";
	case FINDING_PROBLEM:
		return "problem";
	}
	return "?";
}

struct finding *findings_add(struct findings *findings, const char *id,
			     enum finding_weight weight, const char *format,
			     ...)
{
	size_t i = findings->count < FINDINGS_MAX ? findings->count++
						  : FINDINGS_MAX - 1;
	struct finding *finding = &findings->list[i];
	va_list args;

	finding->id = id;
	finding->weight = weight;
	finding->remedy[0] = '\0';
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
	return finding;
}

void finding_remedy(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

static unsigned long long number(uint64_t value)
{
	return (unsigned long long)value;
}

/* The core decides that, and holds nothing then unless it is told to. */
static void check_one_sided(const struct status *status,
			    struct findings *findings)
{
	if (!status->sums.totals.one_sided)
		return;
	finding_remedy(findings_add(findings, "one-sided", FINDING_PROBLEM,
				    "Only one direction of the traffic passes "
				    "here: for %u %% of what went out lately "
				    "nothing came back%s.",
				    status->sums.totals.one_sided_pct,
				    status->policy->force_one_sided
					    ? ""
					    : ", and nothing is held"),
		       "Check that replies come back through this gateway: a "
		       "second uplink, asymmetric VRRP or ECMP.  "
		       "`force_one_sided: true` holds in spite of it.");
}

static uint64_t since_start(const struct status *status,
			    enum stats_counter counter)
{
	return status->sums.totals.stats.counter[counter] -
	       status->restored.totals.stats.counter[counter];
}

/* Of so much traffic somebody's is guarded, or `inside` is not what it is. */
static void check_inside(const struct status *status, struct findings *findings)
{
	const uint64_t *io = status->sums.io.counter;
	const uint64_t *io_before = status->restored.io.counter;
	uint64_t transit = 0;

	for (size_t i = 0; i < status->kernel_counters_count; i++)
		if (strcmp(status->kernel_counters[i].name, "transit") == 0)
			transit += status->kernel_counters[i].pkts;
	if (transit < TRANSIT_PKTS || status->netback.is_there ||
	    since_start(status, STATS_out_pkts) > 0 ||
	    since_start(status, STATS_in_pkts) > 0 ||
	    io[NFQUEUE_fast_out_pkts] > io_before[NFQUEUE_fast_out_pkts])
		return;
	finding_remedy(findings_add(findings, "nobody-inside", FINDING_PROBLEM,
				    "Nobody is guarded: %llu packets passed, "
				    "and none was of or to an address of "
				    "`inside`.",
				    number(transit)),
		       "Write the addresses of your hosts into `inside`, as "
		       "they are before they are translated (NAT), and "
		       "`systemctl reload symtapd`.");
}

static void check_queues(const struct status *status, struct findings *findings)
{
	uint64_t full = status_io_grown(status, NFQUEUE_kernel_queue_dropped);
	uint64_t late = status_io_grown(status, NFQUEUE_kernel_user_dropped);
	uint64_t errors = status_io_grown(status, NFQUEUE_verdict_errors);
	uint64_t gone = status_io_grown(status, NFQUEUE_verdicts_late);

	if (full > 0)
		finding_remedy(
			findings_add(findings, "queue-full", FINDING_WARNING,
				     "The kernel's queue was full for %llu "
				     "packets in the last minutes.",
				     number(full)),
			"Raise `datapath: nfqueue: queue_length`, or `queues` "
			"when a CPU is idle (see `symtapctl top` for who "
			"floods).");
	if (late > 0)
		finding_remedy(
			findings_add(findings, "socket-full", FINDING_WARNING,
				     "%llu packets found no room in the "
				     "socket's buffer in the last minutes.",
				     number(late)),
			"Raise net.core.rmem_max, or give the daemon a CPU of "
			"its own.");
	if (errors > 0)
		finding_remedy(
			findings_add(findings, "verdict-errors",
				     FINDING_PROBLEM,
				     "The kernel refused %llu verdicts in the "
				     "last minutes.",
				     number(errors)),
			"Look for another program on the same queue numbers; "
			"`datapath: nfqueue: first_queue` moves ours.");
	if (gone > 0)
		finding_remedy(
			findings_add(findings, "waiting-dropped",
				     FINDING_WARNING,
				     "The kernel dropped what waited, found "
				     "%llu times in the last minutes: an "
				     "interface went down, or a program took "
				     "a chain out of nftables.",
				     number(gone)),
			"Whoever removes a base chain (`nft flush ruleset`, "
			"`delete table`; one of family netdev goes with its "
			"interface) empties all queues: let firewall scripts "
			"`flush chain` and add their rules anew.");
}

static void check_tables(const struct status *status, struct findings *findings)
{
	static const struct {
		enum stats_counter counter;
		const char *id, *what, *remedy;
	} rows[] = {
		{ STATS_keys_refused_full, "table-full",
		  "pairs or flows found no place: the table is full",
		  "Raise `limits: pairs` and `flows`; packets without a place "
		  "are judged by their host's gate." },
		{ STATS_keys_refused_quota, "host-quota",
		  "pairs or flows found no place: their host has its share",
		  "`symtapctl top scope=host by=rate` shows who opens so many; "
		  "`limits: pairs_per_host` and `flows_per_host` allow more." },
		{ STATS_hosts_refused, "hosts-full",
		  "hosts found no place and share one gate",
		  "Raise `limits: hosts`." },
		{ STATS_suspects_refused, "suspects-full",
		  "keys near their threshold found no exact window",
		  "Raise `limits: suspects`." },
		{ STATS_dropped_bound, "held-full",
		  "packets were dropped because too many wait in all",
		  "Raise `limits: held_packets` and `held_bytes`, or lower the "
		  "bounds of each host." },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t grown = status_grown(status, rows[i].counter);

		if (grown > 0)
			finding_remedy(
				findings_add(findings, rows[i].id,
					     FINDING_WARNING,
					     "%llu %s in the last minutes.",
					     number(grown), rows[i].what),
				"%s", rows[i].remedy);
	}
}

static void check_policy(const struct status *status, struct findings *findings)
{
	if (status->reload_error[0] != '\0')
		finding_remedy(
			findings_add(findings, "policy-refused",
				     FINDING_PROBLEM,
				     "The last reload was refused: %.180s",
				     status->reload_error),
			"Correct the file, check it with `symtapd -n -c FILE`, "
			"then `symtapctl reload`.  The policy from before is "
			"in force.");
	if (status->state_refused)
		finding_remedy(
			findings_add(findings, "state-refused", FINDING_WARNING,
				     "The state file was damaged or of another "
				     "version: counters and penalties began "
				     "anew."),
			"Nothing to do; it is written again at the next stop. "
			" After a crash check the disk.");
}

static void check_rules(const struct status *status, struct findings *findings)
{
	if (status->rules_restored > 0)
		finding_remedy(
			findings_add(findings, "rules-flushed", FINDING_WARNING,
				     "Another program removed our nftables "
				     "table %llu times; it was put back.",
				     number(status->rules_restored)),
			"Find what flushes the ruleset (firewall scripts, "
			"`nft flush ruleset` in nftables.conf) and let it "
			"delete its own tables only.");
	if (status->rules_wrong[0] != '\0')
		finding_remedy(
			findings_add(findings, "rules-retried", FINDING_PROBLEM,
				     "Our rules are not all in force: %.180s",
				     status->rules_wrong),
			"They are tried again each second, and the log says "
			"when they are there.  Until then packets may pass "
			"unjudged.");
	if (status->vifs_wrong[0] != '\0')
		finding_remedy(
			findings_add(
				findings, "vifs-retried", FINDING_PROBLEM,
				"Vifs that came or changed are not guarded "
				"as they should be: %.150s",
				status->vifs_wrong),
			"It is tried again each second; `symtapctl vifs` shows "
			"which of them are guarded by now.");
}

static bool is_attached(const struct status_fast *fast, const char *name)
{
	for (size_t i = 0; i < fast->interfaces_count; i++)
		if (strcmp(fast->interfaces[i].name, name) == 0)
			return true;
	return false;
}

/* Those that the policy names; `auto` takes what there is. */
static void check_attached(const struct status *status,
			   struct findings *findings)
{
	const struct policy *policy = status->policy;

	for (uint32_t i = 0; i < policy->fast.interfaces_count; i++) {
		const char *name = policy->fast.interfaces[i];

		if (!status->fast.runs || is_attached(&status->fast, name))
			continue;
		finding_remedy(
			findings_add(findings, "fast-missing", FINDING_WARNING,
				     "The fast path is not at %s: its packets "
				     "come to the queues.",
				     name),
			"`ip link show %s`: is it there, and is it "
			"Ethernet?  The log says what attaching met; it is "
			"tried again.",
			name);
	}
}

static void check_fast(const struct status *status, struct findings *findings)
{
	uint64_t full = status_io_grown(status, NFQUEUE_fast_full);
	uint64_t untold = status_io_grown(status, NFQUEUE_fast_untold_pkts);

	/* `auto` takes what there is. */
	if (status->fast.wanted && !status->fast.runs &&
	    !status->policy->fast.all)
		finding_remedy(
			findings_add(findings, "fast-off", FINDING_WARNING,
				     "The fast path is off, all packets come "
				     "to the queues: %.170s",
				     status->fast.wrong),
			"It needs CAP_BPF and CAP_PERFMON at the start, and a "
			"kernel with BTF and either tcx or clsact: see "
			"symtap.yaml(5), datapath.fast.  Then restart "
			"symtapd.");
	if (status->fast.direct_wrong[0] != '\0')
		finding_remedy(
			findings_add(
				findings, "fast-not-direct", FINDING_WARNING,
				"What conforms goes by the bridge although "
				"`direct` is asked for: %.170s",
				status->fast.direct_wrong),
			"symtap.yaml(5), datapath.fast.direct, says where a "
			"bridge can be left out.");
	if (full > 0)
		finding_remedy(
			findings_add(findings, "fast-full", FINDING_WARNING,
				     "%llu pairs or flows found no place among "
				     "those that the kernel can pass, in the "
				     "last minutes.",
				     number(full)),
			"Raise `datapath: fast: keys` and restart symtapd; "
			"until then their packets come to the queues.");
	if (untold > 0)
		finding_remedy(
			findings_add(findings, "fast-untold", FINDING_WARNING,
				     "%llu packets came in and were not "
				     "counted in the last minutes: more than "
				     "the kernel could tell of.",
				     number(untold)),
			"`symtapctl top --by rate` shows who; the daemon may "
			"need a processor of its own.  Until then answers are "
			"missed, and hosts held that need not be.");
}

void findings_of_status(const struct status *status, struct findings *findings)
{
	check_one_sided(status, findings);
	check_inside(status, findings);
	check_queues(status, findings);
	check_tables(status, findings);
	check_policy(status, findings);
	check_rules(status, findings);
	check_fast(status, findings);
	check_attached(status, findings);
}
