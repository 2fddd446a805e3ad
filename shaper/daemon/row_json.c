/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/row_json.h"

#include <jansson.h>

#include "shaper/daemon/toplist.h"
#include "shaper/daemon/values.h"
#include "shaper/snapshot.h"

static json_t *ends_of(const struct toplist_row *entry)
{
	const struct flow_key *key = &entry->row.key;
	char number[4];
	json_t *ends = json_pack("{s:s,s:o,s:o}", "scope",
				 flow_scope_name((enum flow_scope)key->scope),
				 "zone", values_text(entry->zone), "inside",
				 values_address(key->inside));

	if (key->scope != FLOW_SCOPE_HOST)
		json_object_set_new(ends, "outside",
				    values_address(key->outside));
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
	return values_decimal(
		window_ns == 0 ? 0 : (double)pkts * 1e9 / (double)window_ns);
}

static json_t *rates_of(const struct snapshot_row *row)
{
	uint64_t window_ns = row->window_ns;

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "S_offered",
		values_decimal(explain_s(row->offered_pkts, row->heard_pkts)),
		"S_let_out",
		values_decimal(explain_s(row->sent_pkts, row->heard_pkts)),
		"S_decides",
		values_decimal(explain_s(row->sent_pkts, row->replies)),
		"threshold", values_decimal(explain_threshold(row->ratio_q16)),
		"window_s", values_seconds(window_ns), "offered_per_s",
		per_s(row->offered_pkts, window_ns), "let_out_per_s",
		per_s(row->sent_pkts, window_ns), "heard_per_s",
		per_s(row->heard_pkts, window_ns), "replies_per_s",
		per_s(row->replies, window_ns));
}

static json_t *gate_of(const struct snapshot_row *row, enum explain_mode mode,
		       uint64_t now_ns)
{
	return json_pack("{s:s,s:s,s:b,s:b,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:o}",
			 "state", explain_state_name(explain_state(row, mode)),
			 "reason", explain_reason_name(explain_reason(row)),
			 "over", (int)row->over, "in_kernel", (int)row->leased,
			 "exempt", (int)row->exempt, "enforced",
			 (int)row->enforced, "held_packets",
			 values_count(row->held_pkts), "releases",
			 values_count(row->releases), "delay_s",
			 values_seconds(row->delay_ns), "next_in_s",
			 values_until(row->armed_ns, now_ns), "held_for_s",
			 values_since(row->held_since_ns, now_ns), "over_for_s",
			 values_since(row->over_since_ns, now_ns));
}

/* What the judgement knows beside the gate. */
static json_t *judgement_of(const struct snapshot_row *row)
{
	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "held_slots",
		values_count(row->held_slots), "rate_packets_per_s",
		values_count(row->rate_pkts_per_s), "rate_bytes_per_s",
		values_count(row->rate_bytes_per_s), "refused_rst_packets",
		values_count(row->refused_rst), "refused_syn_ack_packets",
		values_count(row->refused_syn_ack), "patience_packets",
		values_count(row->patience_pkts), "credit_packets",
		values_count(row->earned_pkts), "pace_per_s",
		values_count(row->pace_per_s), "line_before",
		values_count(row->before), "line", values_count(row->line),
		"paced_per_s", values_count(row->paced));
}

json_t *row_json(const struct toplist_row *entry, enum explain_mode mode,
		 uint64_t now_ns)
{
	json_t *json = ends_of(entry);
	json_t *rates = rates_of(&entry->row);
	json_t *gate = gate_of(&entry->row, mode, now_ns);
	json_t *judgement = judgement_of(&entry->row);

	json_object_update_missing(json, rates);
	json_object_update_missing(json, gate);
	json_object_update_missing(json, judgement);
	json_decref(rates);
	json_decref(gate);
	json_decref(judgement);
	return json;
}
