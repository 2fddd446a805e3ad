/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/answers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/counters.h"
#include "shaper/daemon/explain.h"
#include "shaper/daemon/findings.h"
#include "shaper/daemon/inquiry.h"
#include "shaper/daemon/status.h"

/* Every number is finite here; three decimals are what a reader can use. */
static json_t *decimal(double value)
{
	return json_real(round(value * 1000) / 1000);
}

static json_t *seconds(uint64_t span_ns)
{
	return decimal((double)span_ns / 1e9);
}

static json_t *count_of(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *since(uint64_t then_ns, uint64_t now_ns)
{
	if (then_ns == 0)
		return json_null();
	return seconds(now_ns > then_ns ? now_ns - then_ns : 0);
}

static json_t *until(uint64_t then_ns, uint64_t now_ns)
{
	if (then_ns == 0)
		return json_null();
	return seconds(then_ns > now_ns ? then_ns - now_ns : 0);
}

static json_t *address_of(const uint8_t address[16])
{
	char text[EXPLAIN_ADDRESS_BYTES];

	explain_address(address, text);
	return json_string(text);
}

/* A path or a name may hold any byte: what is not UTF-8 becomes '?'. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	char ascii[STATUS_TEXT_BYTES];
	size_t i;

	if (string != NULL)
		return string;
	for (i = 0; i < sizeof(ascii) - 1 && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

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

static char *ok(json_t *body)
{
	return line_of(json_pack("{s:o}", "ok", body));
}

char *answers_no(const char *why)
{
	return line_of(json_pack("{s:o}", "no", text_of(why)));
}

char *answers_bad(const char *why)
{
	return line_of(json_pack("{s:o}", "bad", text_of(why)));
}

char *answers_reloaded(const char *summary)
{
	return ok(json_pack("{s:o}", "reloaded", text_of(summary)));
}

static json_t *engines(const struct status *status)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < status->engines_count; i++) {
		const struct status_engine *engine = &status->engines[i];

		json_array_append_new(
			list,
			json_pack("{s:i,s:i,s:o,s:o,s:o}", "queue",
				  engine->queue, "hold_queue",
				  engine->hold_queue, "offered_packets",
				  count_of(engine->totals.stats
						   .counter[STATS_out_pkts]),
				  "let_out_packets",
				  count_of(engine->totals.stats
						   .counter[STATS_sent_pkts]),
				  "held_packets",
				  count_of(engine->totals.held_pkts)));
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
				  text_of(interface->name), "guarded",
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
					text_of(counter.name), "packets",
					count_of(counter.pkts), "bytes",
					count_of(counter.bytes)));
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
			list, json_pack("{s:o,s:s,s:o,s:o,s:o}", "interface",
					text_of(offender->interface), "mac",
					mac_text, "address",
					address_of(offender->addr), "packets",
					count_of(offender->pkts), "seen_s_ago",
					seconds(offender->seen_ago_ns)));
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
				  address_of(status->exemptions[i].address),
				  "for_s",
				  until(status->exemptions[i].until_ns,
					now_ns)));
	return list;
}

static json_t *used_of(uint32_t used, uint32_t max)
{
	return json_pack("{s:o,s:o}", "used", count_of(used), "max",
			 count_of(max));
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
			 text_of(status->policy_path), "loaded_s_ago",
			 since(status->policy_loaded_ns, now_ns), "reloads",
			 count_of(status->reloads), "reloads_refused",
			 count_of(status->reloads_refused), "error",
			 status->reload_error[0] == '\0'
				 ? json_null()
				 : text_of(status->reload_error),
			 "bridged", (int)policy->nfqueue.bridge, "ipv4",
			 (int)guards_ipv4(policy), "ipv6",
			 (int)guards_ipv6(policy));
}

static json_t *status_body(const struct status *status, uint64_t now_ns)
{
	const struct snapshot_totals *totals = &status->sums.totals;
	json_t *body = json_pack("{s:s,s:s,s:s,s:o,s:o,s:b,s:i}", "version",
				 SYMTAP_VERSION, "mode",
				 status_mode_name(status->policy->mode), "fail",
				 status_fail_name(status->policy->nfqueue.fail),
				 "uptime_s", since(status->started_ns, now_ns),
				 "policy", policy_of(status, now_ns),
				 "one_sided",
				 (int)status->sums.totals.one_sided,
				 "one_sided_pct", (int)totals->one_sided_pct);
	json_t *more = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "offered_packets",
		count_of(totals->stats.counter[STATS_out_pkts]),
		"let_out_packets",
		count_of(totals->stats.counter[STATS_sent_pkts]),
		"heard_packets", count_of(totals->stats.counter[STATS_in_pkts]),
		"held_packets", count_of(totals->held_pkts), "held_bytes",
		count_of(totals->held_bytes), "over_threshold",
		count_of(totals->penalties), "memory_bytes",
		count_of(totals->memory_bytes), "tables", tables(totals),
		"engines", engines(status), "rules_restored",
		count_of(status->rules_restored));
	json_t *lists = json_pack("{s:o,s:o,s:o,s:o}", "interfaces",
				  interfaces(status), "kernel_counters",
				  kernel_counters(status), "offenders",
				  offenders(status), "exemptions",
				  exemptions(status, now_ns));

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
			list,
			json_pack("{s:s,s:s,s:s,s:s,s:o}", "of", of, "name",
				  rows[i].name, "unit", rows[i].unit, "help",
				  rows[i].help, "value", count_of(values[i])));
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
	return ok(status_body(status, now_ns));
}

char *answers_stats(const struct status *status)
{
	return ok(json_pack("{s:o}", "counters", stats_body(status)));
}

char *answers_page(const struct status *status, uint64_t now_ns)
{
	json_t *body = status_body(status, now_ns);

	json_object_set_new(body, "counters", stats_body(status));
	return line_of(body);
}

char *answers_doctor(const struct findings *findings)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		json_array_append_new(
			list, json_pack("{s:s,s:s,s:o,s:o}", "id", finding->id,
					"weight",
					finding_weight_name(finding->weight),
					"what", text_of(finding->what),
					"remedy", text_of(finding->remedy)));
	}
	return ok(json_pack("{s:o}", "findings", list));
}

static json_t *ends_of(const struct toplist_row *entry)
{
	const struct flow_key *key = &entry->row.key;
	char number[4];
	json_t *ends = json_pack("{s:s,s:o,s:o}", "scope",
				 flow_scope_name((enum flow_scope)key->scope),
				 "zone", text_of(entry->zone), "inside",
				 address_of(key->inside));

	if (key->scope != FLOW_SCOPE_HOST)
		json_object_set_new(ends, "outside", address_of(key->outside));
	if (key->scope == FLOW_SCOPE_FLOW) {
		json_object_set_new(
			ends, "proto",
			json_string(explain_proto(key->proto, number)));
		json_object_set_new(ends, "inside_port",
				    json_integer(key->inside_port));
		json_object_set_new(ends, "outside_port",
				    json_integer(key->outside_port));
	}
	return ends;
}

static json_t *per_s(uint32_t pkts, uint64_t window_ns)
{
	return decimal(window_ns == 0 ? 0
				      : (double)pkts * 1e9 / (double)window_ns);
}

static json_t *row_of(const struct toplist_row *entry, enum explain_mode mode,
		      uint64_t now_ns)
{
	const struct snapshot_row *row = &entry->row;
	json_t *json = ends_of(entry);
	json_t *rates = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "S_offered",
		decimal(explain_s(row->offered_pkts, row->heard_pkts)),
		"S_let_out",
		decimal(explain_s(row->sent_pkts, row->heard_pkts)),
		"threshold", decimal(explain_threshold(row->ratio_q16)),
		"window_s", seconds(row->window_ns), "offered_per_s",
		per_s(row->offered_pkts, row->window_ns), "let_out_per_s",
		per_s(row->sent_pkts, row->window_ns), "heard_per_s",
		per_s(row->heard_pkts, row->window_ns));
	json_t *gate = json_pack(
		"{s:s,s:b,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:o}", "state",
		explain_state_name(explain_state(row, mode)), "over",
		(int)row->over, "exempt", (int)row->exempt, "enforced",
		(int)row->enforced, "held_packets", count_of(row->held_pkts),
		"releases", count_of(row->releases), "delay_s",
		seconds(row->delay_ns), "next_in_s",
		until(row->armed_ns, now_ns), "held_for_s",
		since(row->held_since_ns, now_ns), "over_for_s",
		since(row->over_since_ns, now_ns));

	json_object_update_missing(json, rates);
	json_object_update_missing(json, gate);
	json_decref(rates);
	json_decref(gate);
	return json;
}

static json_t *rows_of(const struct inquiry_answer *answer,
		       enum explain_mode mode, bool explained, uint64_t now_ns)
{
	char sentence[EXPLAIN_SENTENCE_BYTES];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < answer->rows.count; i++) {
		const struct toplist_row *row = &answer->rows.rows[i];
		json_t *json = row_of(row, mode, now_ns);

		if (explained) {
			explain_row(row, mode, now_ns, sentence);
			json_object_set_new(json, "says", text_of(sentence));
			json_object_set_new(
				json, "replies_needed",
				count_of(explain_replies_needed(&row->row)));
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
			 count_of(answer->rows.seen), "held_packets",
			 count_of(status->sums.totals.held_pkts), "rows",
			 rows_of(answer, mode, false, now_ns));
}

static json_t *explain_body(const struct inquiry_answer *answer,
			    enum explain_mode mode, uint64_t now_ns)
{
	char summary[EXPLAIN_SENTENCE_BYTES];

	explain_summary(answer->request.address, answer->rows.rows,
			answer->rows.count, mode, summary);
	return json_pack("{s:o,s:o,s:o,s:o}", "address",
			 address_of(answer->request.address), "says",
			 text_of(summary), "seen", count_of(answer->rows.seen),
			 "rows", rows_of(answer, mode, true, now_ns));
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
		return ok(top_body(answer, status, mode, now_ns));
	case REQUEST_EXPLAIN:
		return ok(explain_body(answer, mode, now_ns));
	case REQUEST_RELEASE:
		return ok(json_pack(
			"{s:o,s:o}", "address", address_of(request->address),
			"released_packets", count_of(answer->released_pkts)));
	case REQUEST_EXEMPT:
		if (answer->refused > 0)
			return answers_no("too many exemptions; end one first");
		return ok(json_pack(
			"{s:o,s:o}", "address", address_of(request->address),
			"exempt_for_s", seconds(request->exempt_ns)));
	case REQUEST_STATUS:
	case REQUEST_STATS:
	case REQUEST_RELOAD:
	case REQUEST_DOCTOR:
	case REQUEST_VERBS:
		break;
	}
	return answers_no("nothing to ask the engines");
}
