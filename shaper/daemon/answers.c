/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/answers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/counters.h"
#include "shaper/daemon/explain.h"
#include "shaper/daemon/findings.h"
#include "shaper/daemon/inquiry.h"
#include "shaper/daemon/row_json.h"
#include "shaper/daemon/sentences.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/values.h"
#include "shaper/daemon/vif_answers.h"

/* One line; jansson escapes control characters inside of strings. */
static char *line_of(json_t *json)
{
	char *compact = NULL;
	char *line = NULL;
	size_t length_bytes;

	if (json != NULL)
		compact = json_dumps(json,
				     JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(json);
	if (compact == NULL)
		return NULL;
	length_bytes = strlen(compact);
	line = realloc(compact, length_bytes + 2);
	if (line == NULL) {
		free(compact);
		return NULL;
	}
	line[length_bytes] = '\n';
	line[length_bytes + 1] = '\0';
	return line;
}

char *answers_ok(json_t *body)
{
	return line_of(json_pack("{s:o}", "ok", body));
}

char *answers_no(const char *why)
{
	return line_of(json_pack("{s:o}", "no", values_text(why)));
}

char *answers_bad(const char *why)
{
	return line_of(json_pack("{s:o}", "bad", values_text(why)));
}

char *answers_reloaded(const char *summary)
{
	return answers_ok(json_pack("{s:o}", "reloaded", values_text(summary)));
}

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
			list, json_pack("{s:o,s:s}", "name",
					values_text(fast->interfaces[i].name),
					"attached", fast->interfaces[i].way));
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
		"{s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "runs",
		(int)fast->runs, "mark_bits",
		values_count(UINT64_C(15) << status->policy->fast.mark_bit),
		"error",
		fast->wrong[0] == '\0' ? json_null() : values_text(fast->wrong),
		"interfaces", fast_interfaces(fast), "share_pct",
		share < 0 ? json_null() : values_decimal(100 * share),
		"out_packets", values_count(counter[NFQUEUE_fast_out_pkts]),
		"in_packets", values_count(counter[NFQUEUE_fast_in_pkts]),
		"steered_packets",
		values_count(counter[NFQUEUE_fast_steered_pkts]),
		"told_packets", values_count(counter[NFQUEUE_fast_told_pkts]),
		"untold_packets",
		values_count(counter[NFQUEUE_fast_untold_pkts]), "leases",
		leases(&status->sums));
}

static json_t *status_body(const struct status *status, uint64_t now_ns)
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

	json_object_set_new(lists, "vifs",
			    status->vifs ? vif_answers_sums(status->vifs)
					 : json_null());
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

static json_t *stats_body(const struct status *status)
{
	const struct status_sums *sums = &status->sums;
	json_t *list = json_array();

	append_counters(list, "core", counters_core, sums->totals.stats.counter,
			0, STATS_COUNT);
	append_counters(list, "nfqueue", counters_io, sums->io.counter, 0,
			NFQUEUE_COUNT);
	append_counters(list, "unreadable", counters_unreadable,
			sums->io.unreadable_pkts, 1, PACKET_ERRORS);
	return list;
}

char *answers_status(const struct status *status, uint64_t now_ns)
{
	return answers_ok(status_body(status, now_ns));
}

char *answers_stats(const struct status *status)
{
	/* Engines are asked once a second: of what moment these are. */
	return answers_ok(json_pack(
		"{s:o,s:o}", "counters", stats_body(status), "uptime_s",
		values_since(status->started_ns, status->now_ns)));
}

char *answers_page(const struct status *status, uint64_t now_ns)
{
	json_t *body = status_body(status, now_ns);

	json_object_set_new(body, "counters", stats_body(status));
	return line_of(body);
}

char *answers_vifs(const struct status *status)
{
	if (status->vifs == NULL)
		return answers_no("no vifs are followed: xen.vifs: follow");
	return answers_ok(
		json_pack("{s:o}", "vifs", vif_answers(status->vifs)));
}

char *answers_doctor(const struct findings *findings)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:o,s:o}", "id", finding->id,
				  "weight",
				  finding_weight_name(finding->weight), "what",
				  values_text(finding->what), "remedy",
				  values_text(finding->remedy)));
	}
	return answers_ok(json_pack("{s:o}", "findings", list));
}

static json_t *rows_of(const struct inquiry_answer *answer,
		       enum explain_mode mode, bool explained, uint64_t now_ns)
{
	char says[SENTENCES_BYTES];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < answer->rows.count; i++) {
		const struct toplist_row *row = &answer->rows.rows[i];
		json_t *json = row_json(row, mode, now_ns);

		if (explained) {
			sentences_row(row, mode, now_ns, says);
			json_object_set_new(json, "says", values_text(says));
			json_object_set_new(json, "replies_needed",
					    values_count(explain_replies_needed(
						    &row->row)));
		}
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *top_body(const struct inquiry_answer *answer,
			const struct status *status, enum explain_mode mode,
			uint64_t now_ns)
{
	return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "mode",
			 status_mode_name(status->policy->mode), "by",
			 request_order_name(answer->request.by), "scope",
			 flow_scope_name(answer->request.scope), "seen",
			 values_count(answer->rows.seen), "held_packets",
			 values_count(status->sums.totals.held_pkts), "rows",
			 rows_of(answer, mode, false, now_ns));
}

static json_t *explain_body(const struct inquiry_answer *answer,
			    enum explain_mode mode, uint64_t now_ns)
{
	char summary[SENTENCES_BYTES];

	sentences_summary(answer->request.address, answer->rows.rows,
			  answer->rows.count, mode, summary);
	return json_pack("{s:o,s:o,s:o,s:o}", "address",
			 values_address(answer->request.address), "says",
			 values_text(summary), "seen",
			 values_count(answer->rows.seen), "rows",
			 rows_of(answer, mode, true, now_ns));
}

static enum explain_mode mode_of(const struct status *status)
{
	if (status->policy->mode == POLICY_SHADOW)
		return EXPLAIN_SHADOW;
	return status->sums.totals.one_sided && !status->policy->force_one_sided
		       ? EXPLAIN_ONE_SIDED
		       : EXPLAIN_ENFORCES;
}

char *answers_inquiry(const struct inquiry_answer *answer,
		      const struct status *status, uint64_t now_ns)
{
	enum explain_mode mode = mode_of(status);
	const struct request *request = &answer->request;

	if (answer->answered < answer->asked)
		return answers_no("an engine is busy or ending; ask again");
	switch (request->verb) {
	case REQUEST_TOP:
		return answers_ok(top_body(answer, status, mode, now_ns));
	case REQUEST_EXPLAIN:
		return answers_ok(explain_body(answer, mode, now_ns));
	case REQUEST_RELEASE:
		return answers_ok(json_pack(
			"{s:o,s:o}", "address",
			values_address(request->address), "released_packets",
			values_count(answer->released_pkts)));
	case REQUEST_EXEMPT:
		if (answer->refused > 0)
			return answers_no("too many exemptions; end one first");
		return answers_ok(json_pack(
			"{s:o,s:o}", "address",
			values_address(request->address), "exempt_for_s",
			values_seconds(request->exempt_ns)));
	case REQUEST_STATUS:
	case REQUEST_STATS:
	case REQUEST_RELOAD:
	case REQUEST_DOCTOR:
	case REQUEST_VIFS:
	case REQUEST_EXPORT:
	case REQUEST_IMPORT:
	case REQUEST_VERBS:
		break;
	}
	return answers_no("nothing to ask the engines");
}
