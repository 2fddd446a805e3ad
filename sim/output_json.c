/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON that symtap-sim(1) promises.  Keys are written one by one, since
 * there may be millions. */
#include <jansson.h>
#include <stdlib.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "sim/output.h"
#include "sim/result.h"
#include "sim/value.h"

enum { FLAGS = JSON_COMPACT | JSON_REAL_PRECISION(15) };

static json_t *address(const uint8_t addr[16])
{
	char string[ADDRESS_TEXT_SIZE];

	address_print(addr, string);
	return json_string(string);
}

static void set_held(json_t *json, const struct tally_held *held)
{
	json_object_set_new(json, "delayed", value_count(held->delayed_pkts));
	json_object_set_new(json, "delay_ms_total", value_ms(held->delay_ns));
	json_object_set_new(json, "delay_ms_max", value_ms(held->delay_max_ns));
	json_object_set_new(json, "dropped", value_count(held->dropped_pkts));
	json_object_set_new(
		json, "verdict_by",
		json_pack("{s:o,s:o,s:o}", "flow",
			  value_count(held->by_pkts[PUMP_BY_FLOW]), "pair",
			  value_count(held->by_pkts[PUMP_BY_PAIR]), "guard",
			  value_count(output_guard_pkts(held))));
}

/* ------ a key: what its scope does not have is null */

static json_t *key_object(const struct tally_key *key)
{
	enum flow_scope scope = (enum flow_scope)key->key.scope;
	bool flow = scope == FLOW_SCOPE_FLOW;
	json_t *json = json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:o,s:s,s:o,s:o,s:o}", "scope",
		flow_scope_name(scope), "inside", address(key->key.inside),
		"outside",
		scope == FLOW_SCOPE_HOST ? json_null()
					 : address(key->key.outside),
		"proto", flow ? value_count(key->key.proto) : json_null(),
		"inside_port",
		flow ? value_count(key->key.inside_port) : json_null(),
		"outside_port",
		flow ? value_count(key->key.outside_port) : json_null(),
		"guarded", output_guarded(key->guarded), "out",
		value_count(key->out_pkts), "in", value_count(key->in_pkts),
		"max_s", value_decimal(output_s(key)));

	if (json)
		set_held(json, &key->held);
	return json;
}

static bool write_keys(FILE *file, const struct result *result, size_t max)
{
	size_t keys_count = 0;
	const struct tally_key **keys =
		output_keys(result, (1u << FLOW_SCOPES) - 1, max, &keys_count);
	bool good = true;

	for (size_t i = 0; good && i < keys_count; i++) {
		json_t *json = key_object(keys[i]);

		if (i > 0)
			putc(',', file);
		good = json && json_dumpf(json, file, FLAGS) == 0;
		json_decref(json);
	}
	free(keys);
	return good;
}

/* ------ the capture */

static json_t *skipped_object(const struct replay_counts *counts)
{
	struct output_reason reasons[OUTPUT_REASONS_MAX];
	size_t reasons_count = output_reasons(counts, reasons);
	json_t *json = json_object();

	for (size_t i = 0; i < reasons_count; i++)
		json_object_set_new(json, reasons[i].name,
				    value_count(reasons[i].packets));
	return json;
}

static json_t *summary_object(const struct result *result)
{
	uint64_t accepted = 0, dropped = 0;
	struct tally_summary summary;
	json_t *json;

	output_summary(result, &summary);
	json = json_pack("{s:o,s:o}", "out", value_count(summary.out_pkts),
			 "in", value_count(summary.in_pkts));
	if (!json)
		return NULL;
	set_held(json, &summary.held);
	json_object_set_new(
		json, "guards",
		json_pack("{s:o,s:o,s:o,s:o}", "host",
			  value_count(summary.held.by_pkts[PUMP_BY_HOST]),
			  "rate",
			  value_count(summary.held.by_pkts[PUMP_BY_RATE]),
			  "first_contacts",
			  value_count(summary.held.by_pkts[PUMP_BY_CONTACTS]),
			  "new_connections",
			  value_count(
				  summary.held.by_pkts[PUMP_BY_CONNECTIONS])));
	for (size_t i = 0; i < result->passes_count; i++) {
		accepted += result->passes[i].counts.rule_accepted;
		dropped += result->passes[i].counts.rule_dropped;
	}
	json_object_set_new(json, "transit",
			    value_count(summary.transit_pkts -
					result->counts.rule_accepted -
					result->counts.rule_dropped));
	json_object_set_new(json, "rule_accepted", value_count(accepted));
	json_object_set_new(json, "rule_dropped", value_count(dropped));
	json_object_set_new(json, "forged", value_count(summary.forged_pkts));
	json_object_set_new(json, "multicast",
			    value_count(summary.kind_pkts[PACKET_MULTICAST]));
	json_object_set_new(json, "icmp_errors",
			    value_count(summary.kind_pkts[PACKET_ICMP_ERROR]));
	json_object_set_new(json, "neighbour",
			    value_count(summary.kind_pkts[PACKET_NEIGHBOUR]));
	json_object_set_new(json, "dhcp",
			    value_count(summary.kind_pkts[PACKET_DHCP]));
	json_object_set_new(json, "over_plain_limits",
			    value_count(summary.limited_pkts));
	return json;
}

static void set_damage(json_t *json, const struct result *result)
{
	if (result->why[0] == '\0')
		return;
	json_object_set_new(json, "error", value_text(result->why));
	if (result->passes_count > 0)
		json_object_set_new(json, "error_offset",
				    value_count(result->offset));
}

static json_t *pass_array(const struct options *options)
{
	json_t *json = json_array();

	for (size_t i = 0; i < options->passes_count; i++)
		json_array_append_new(
			json, json_string(output_guarded(options->passes[i])));
	return json;
}

static uint64_t forgotten_pairs(const struct result *result)
{
	uint64_t pairs = 0;

	for (size_t i = 0; i < result->passes_count; i++)
		pairs += result->passes[i].counts.forgotten;
	return pairs;
}

/* All but keys and summary, which come last. */
static json_t *head_object(const struct result *result,
			   const struct policy *policy,
			   const struct options *options)
{
	const struct replay_counts *counts = &result->counts;
	struct tally_summary summary;
	bool one_sided = false;
	json_t *json = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "file",
		value_text(result->file), "packets",
		value_count(counts->packets), "parsed",
		value_count(counts->parsed - counts->unjudged), "imperfect",
		value_count(counts->imperfect), "skipped",
		skipped_object(counts), "duration_s",
		value_decimal((double)(counts->last_ns - counts->first_ns) /
			      1e9),
		"time_ran_back", value_count(counts->time_ran_back), "guarded",
		pass_array(options));

	if (!json)
		return NULL;
	output_summary(result, &summary);
	for (size_t i = 0; i < result->passes_count; i++)
		one_sided |= result->passes[i].one_sided;
	json_object_set_new(json, "evidence",
			    json_string(policy->evidence ==
							POLICY_EVIDENCE_PACKETS
						? "packets"
						: "consent"));
	json_object_set_new(json, "exact",
			    json_boolean(options->exact &&
					 result_is_complete(result)));
	json_object_set_new(json, "one_sided", json_boolean(one_sided));
	json_object_set_new(json, "keys_found",
			    value_count(summary.keys[FLOW_SCOPE_FLOW] +
					summary.keys[FLOW_SCOPE_PAIR] +
					summary.keys[FLOW_SCOPE_HOST]));
	json_object_set_new(json, "keys_omitted",
			    value_count(summary.keys_omitted));
	json_object_set_new(json, "pairs_forgotten",
			    value_count(forgotten_pairs(result)));
	set_damage(json, result);
	return json;
}

bool output_json(FILE *file, const struct result *result,
		 const struct policy *policy, const struct options *options)
{
	json_t *head = head_object(result, policy, options);
	json_t *summary = summary_object(result);
	bool good = false;

	if (head && summary) {
		putc('{', file);
		json_dumpf(head, file, FLAGS | JSON_EMBED);
		fputs(",\"keys\":[", file);
		good = write_keys(file, result, options->keys);
		fputs("],\"summary\":", file);
		good &= json_dumpf(summary, file, FLAGS) == 0;
		fputs("}\n", file);
	}
	json_decref(head);
	json_decref(summary);
	return good && !ferror(file);
}
