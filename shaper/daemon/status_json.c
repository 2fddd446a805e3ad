/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/status_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "shaper/daemon/counters.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/tap_answers.h"
#include "shaper/daemon/values.h"
#include "shaper/daemon/vif_answers.h"

static json_t *engines(const struct status *status)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->engines_count; i++) {
		const struct status_engine *engine = &status->engines[i];

		json_array_append_new(
			list,
			json_pack(
				"{s:i,s:i,s:o,s:o,s:o}", "queue", engine->queue,
				"hold_queue", engine->hold_queue,
				"offered_packets",
				values_count(engine->totals.stats
						     .counter[STATS_out_pkts]),
				"let_out_packets",
				values_count(engine->totals.stats
						     .counter[STATS_sent_pkts]),
				"held_packets",
				values_count(engine->totals.held_pkts)));
	}
	return list;
}

static json_t *interfaces(const struct status *status)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->interfaces_count; i++) {
		const struct status_interface *interface =
			&status->interfaces[i];

		json_array_append_new(
			list,
			json_pack("{s:o,s:b,s:s}", "name",
				  values_text(interface->name), "guarded",
				  (int)interface->is_guarded, "hold",
				  interface->back_pressure ? "back-pressure"
							   : "delay"));
	}
	return list;
}

static json_t *kernel_counters(const struct status *status)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->kernel_counters_count; i++) {
		struct nftrules_counter counter;

		if (!status_kernel_counter(status, i, &counter))
			continue;
		json_array_append_new(
			list, json_pack("{s:o,s:o,s:o}", "name",
					values_text(counter.name), "packets",
					values_count(counter.pkts), "bytes",
					values_count(counter.bytes)));
	}
	return list;
}

static json_t *offenders(const struct status *status)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->offenders_count; i++) {
		const struct nftrules_offender *offender =
			&status->offenders[i];
		const uint8_t *mac = offender->mac;
		char mac_text[18];

		snprintf(mac_text, sizeof(mac_text),
			 "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		json_array_append_new(
			list,
			json_pack("{s:o,s:s,s:o,s:o,s:o}", "interface",
				  values_text(offender->interface), "mac",
				  mac_text, "address",
				  values_address(offender->addr), "packets",
				  values_count(offender->pkts), "seen_s_ago",
				  values_seconds(offender->seen_ago_ns)));
	}
	return list;
}

static json_t *exemptions(const struct status *status, uint64_t now_ns)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->exemptions_count; i++)
		json_array_append_new(
			list,
			json_pack("{s:o,s:o}", "address",
				  values_address(status->exemptions[i].address),
				  "for_s",
				  values_until(status->exemptions[i].until_ns,
					       now_ns)));
	return list;
}

static json_t *used_of(uint32_t used, uint32_t max)
{
	return json_pack("{s:o,s:o}", "used", values_count(used), "max",
			 values_count(max));
}

static json_t *tables(const struct snapshot_totals *totals)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "pairs",
			 used_of(totals->pairs, totals->pairs_max), "flows",
			 used_of(totals->flows, totals->flows_max), "hosts",
			 used_of(totals->hosts, totals->hosts_max), "suspects",
			 used_of(totals->suspects, totals->suspects_max));
}

/* An IPv4 /n is 96 + n, mapped; what is shorter holds both families. */
static bool guards_ipv4(const struct policy *policy)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t i;

	for (i = 0; i < policy->inside.count; i++)
		if (policy->inside.list[i].length >= 96 &&
		    memcmp(policy->inside.list[i].addr, mapped, 12) == 0)
			return true;
	return false;
}

static bool guards_ipv6(const struct policy *policy)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	size_t i;

	for (i = 0; i < policy->inside.count; i++)
		if (policy->inside.list[i].length < 96 ||
		    memcmp(policy->inside.list[i].addr, mapped, 12) != 0)
			return true;
	return false;
}

static json_t *policy_of(const struct status *status, uint64_t now_ns)
{
	const struct policy *policy = status->policy;

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:b}", "path",
			 values_text(status->policy_path), "loaded_s_ago",
			 values_since(status->policy_loaded_ns, now_ns),
			 "reloads", values_count(status->reloads),
			 "reloads_refused",
			 values_count(status->reloads_refused), "error",
			 status->reload_error[0] == '\0'
				 ? json_null()
				 : values_text(status->reload_error),
			 "bridged", (int)policy->nfqueue.bridge, "ipv4",
			 (int)guards_ipv4(policy), "ipv6",
			 (int)guards_ipv6(policy));
}

/* Since the beginning: what the judgement refused, paid for and held back,
 * beside the gates. */
static json_t *judgement(const struct snapshot_totals *totals)
{
	const uint64_t *counter = totals->stats.counter;

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "waited_rate_packets",
		values_count(counter[STATS_waited_rate_pkts]),
		"shed_key_packets", values_count(counter[STATS_shed_key_pkts]),
		"shed_vif_packets", values_count(counter[STATS_shed_vif_pkts]),
		"slots_over_packets",
		values_count(counter[STATS_slots_over_pkts]),
		"refused_rst_packets", values_count(counter[STATS_refused_rst]),
		"refused_syn_ack_packets",
		values_count(counter[STATS_refused_syn_ack]), "paid_packets",
		values_count(counter[STATS_paid_pkts]),
		"waited_contact_packets",
		values_count(counter[STATS_waited_contact_pkts]),
		"waited_connection_packets",
		values_count(counter[STATS_waited_connection_pkts]));
}

static json_t *fast_interfaces(const struct status_fast *fast)
{
	json_t *list = json_array();

	for (size_t i = 0; i < fast->interfaces_count; i++)
		json_array_append_new(
			list,
			json_pack("{s:o,s:s,s:b}", "name",
				  values_text(fast->interfaces[i].name),
				  "attached", fast->interfaces[i].way, "direct",
				  (int)fast->interfaces[i].direct));
	return list;
}

static json_t *leases(const struct status_sums *sums)
{
	const struct nfqueue_leases *now = &sums->leases;
	const uint64_t *counter = sums->io.counter;

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "now",
		values_count(now->leased), "keys", values_count(now->keys),
		"keys_max", values_count(now->keys_max), "made",
		values_count(counter[NFQUEUE_fast_leases]), "given_back",
		values_count(counter[NFQUEUE_fast_given_back]), "ended",
		values_count(counter[NFQUEUE_fast_taken_back]), "no_place",
		values_count(counter[NFQUEUE_fast_full]), "epochs",
		values_count(counter[NFQUEUE_fast_epochs]));
}

/* null: the policy does not ask for it. */
static json_t *fast(const struct status *status)
{
	const struct status_fast *fast = &status->fast;
	const uint64_t *counter = status->sums.io.counter;
	double share = status_fast_share(status);

	if (!fast->wanted)
		return json_null();
	return json_pack(
		"{s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "runs",
		(int)fast->runs, "mark_bits",
		values_count(UINT64_C(15) << status->policy->fast.mark_bit),
		"error",
		fast->wrong[0] == '\0' ? json_null() : values_text(fast->wrong),
		"interfaces", fast_interfaces(fast), "share_pct",
		share < 0 ? json_null() : values_decimal(100 * share),
		"out_packets", values_count(counter[NFQUEUE_fast_out_pkts]),
		"direct_packets",
		values_count(counter[NFQUEUE_fast_direct_pkts]), "direct_error",
		fast->direct_wrong[0] == '\0' ? json_null()
					      : values_text(fast->direct_wrong),
		"in_packets", values_count(counter[NFQUEUE_fast_in_pkts]),
		"steered_packets",
		values_count(counter[NFQUEUE_fast_steered_pkts]),
		"told_packets", values_count(counter[NFQUEUE_fast_told_pkts]),
		"untold_packets",
		values_count(counter[NFQUEUE_fast_untold_pkts]), "leases",
		leases(&status->sums));
}

json_t *status_json(const struct status *status, uint64_t now_ns)
{
	const struct snapshot_totals *totals = &status->sums.totals;
	json_t *body = json_pack(
		"{s:s,s:s,s:s,s:o,s:o,s:b,s:i}", "version", SYMTAP_VERSION,
		"mode", status_mode_name(status->policy->mode), "fail",
		status_fail_name(status->policy->nfqueue.fail), "uptime_s",
		values_since(status->started_ns, now_ns), "policy",
		policy_of(status, now_ns), "one_sided",
		(int)status->sums.totals.one_sided, "one_sided_pct",
		(int)totals->one_sided_pct);
	json_t *more = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"offered_packets",
		values_count(totals->stats.counter[STATS_out_pkts]),
		"let_out_packets",
		values_count(totals->stats.counter[STATS_sent_pkts]),
		"heard_packets",
		values_count(totals->stats.counter[STATS_in_pkts]),
		"held_slots", values_count(totals->held_slots), "held_packets",
		values_count(totals->held_pkts), "held_bytes",
		values_count(totals->held_bytes), "over_threshold",
		values_count(totals->penalties), "memory_bytes",
		values_count(totals->memory_bytes), "tables", tables(totals),
		"engines", engines(status), "rules_restored",
		values_count(status->rules_restored));
	json_t *lists = json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "judgement",
				  judgement(totals), "fast", fast(status),
				  "interfaces", interfaces(status),
				  "kernel_counters", kernel_counters(status),
				  "offenders", offenders(status), "exemptions",
				  exemptions(status, now_ns));

	json_object_set_new(
		lists, "netback",
		status->netback.is_there
			? vif_answers_outcomes(status->netback.counters)
			: json_null());
	json_object_set_new(lists, "vifs",
			    status->vifs ? vif_answers_sums(status->vifs)
					 : json_null());
	json_object_set_new(lists, "tap", tap_answers(status));
	json_object_update_missing(body, more);
	json_object_update_missing(body, lists);
	json_decref(more);
	json_decref(lists);
	return body;
}

static void append_counters(json_t *list, const char *of,
			    const struct counter_row *rows,
			    const uint64_t *values, size_t first, size_t count)
{
	size_t i;

	for (i = first; i < count; i++)
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:s,s:s,s:o}", "of", of,
					"name", rows[i].name, "unit",
					rows[i].unit, "help", rows[i].help,
					"value", values_count(values[i])));
}

static void append_netback(json_t *list, const struct status_netback *netback)
{
	for (size_t i = 0; i < NETBACKCOUNTERS && netback->is_there; i++)
		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s,s:s,s:o}", "of", "netback",
				  "name", netbackcounters[i].name, "unit",
				  "packets", "help", netbackcounters[i].help,
				  "value", values_count(netback->counters[i])));
}

json_t *status_json_counters(const struct status *status)
{
	const struct status_sums *sums = &status->sums;
	json_t *list = json_array();

	append_counters(list, "core", counters_core, sums->totals.stats.counter,
			0, STATS_COUNT);
	append_counters(list, "nfqueue", counters_io, sums->io.counter, 0,
			NFQUEUE_COUNT);
	if (status->has_tap) {
		append_counters(list, "tap", counters_tap, sums->tap.counter, 0,
				TAPJUDGE_COUNTERS_COUNT);
		append_counters(list, "carrier", counters_carrier,
				sums->tap.carrier.counter, 0,
				TAPCARRIER_COUNTERS_COUNT);
	}
	append_counters(list, "unreadable", counters_unreadable,
			sums->io.unreadable_pkts, 1, PACKET_ERRORS);
	append_netback(list, &status->netback);
	return list;
}
