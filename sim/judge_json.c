/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge_json.h"

#include <jansson.h>
#include <stdio.h>

#include "policy/address.h"
#include "policy/units.h"
#include "sim/judgement.h"
#include "sim/sweep.h"
#include "sim/value.h"

static json_t *facts_of(const struct judge_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < facts->count; i++) {
		const struct judge_fact *fact = &facts->list[i];

		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "name",
				  fact->name, "unit", fact->unit, "found",
				  value_decimal(fact->found), "at_most",
				  fact->judged ? value_decimal(fact->limit)
					       : json_null(),
				  "pass",
				  fact->judged ? json_boolean(judge_fact_passes(
							 fact))
					       : json_null(),
				  "where", value_text(fact->where)));
	}
	return list;
}

static void set_figures(json_t *json, const struct judge_figures *figures)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "out", figures->out_pkts },
		{ "let_out", figures->let_out_pkts },
		{ "delayed", figures->delayed_pkts },
		{ "late", figures->late_pkts },
		{ "dropped", figures->dropped_pkts },
		{ "limited", figures->limited_pkts },
		{ "in", figures->in_pkts },
		{ "forged", figures->forged_pkts },
		{ "transit", figures->transit_pkts },
		{ "pairs", figures->pairs },
		{ "late_pairs", figures->late_pairs },
		{ "conversations", figures->conversations },
		{ "long_conversations", figures->long_conversations },
		{ "first_contacts", figures->first_contacts },
		{ "new_connections", figures->new_connections },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(json, counts[i].name,
				    value_count(counts[i].value));
	json_object_set_new(json, "delay_ms_max",
			    value_ms(figures->delay_max_ns));
	json_object_set_new(json, "conversation_ms_max",
			    value_ms(figures->worst_ns));
}

static json_t *exceptions_of(const struct judge_figures *figures)
{
	json_t *list = json_array();

	for (size_t i = 0; i < figures->worst_count; i++) {
		char key[JUDGE_KEY_SIZE], why[JUDGE_TEXT_SIZE];

		judge_print_key(&figures->worst[i].flow, key);
		judge_explain(&figures->worst[i], why);
		json_array_append_new(
			list,
			json_pack("{s:s,s:o,s:o,s:s}", "conversation", key,
				  "delay_ms_total",
				  value_ms(figures->worst[i].delay_ns),
				  "dropped",
				  value_count(figures->worst[i].dropped_pkts),
				  "why", why));
	}
	return list;
}

static json_t *trial_of(const struct judge_trial *trial)
{
	char guarded[ADDRESS_TEXT_SIZE] = "initiators";
	json_t *json;

	if (trial->guarded == JUDGE_GUARDED_RESPONDERS)
		snprintf(guarded, sizeof(guarded), "responders");
	else if (trial->guarded == JUDGE_GUARDED_PREFIX)
		address_print_prefix(&trial->entry->prefix, guarded);
	json = json_pack(
		"{s:o,s:s,s:o,s:o,s:o}", "file", value_text(trial->entry->file),
		"guarded", guarded, "problem",
		trial->problem[0] ? value_text(trial->problem) : json_null(),
		"targets", facts_of(&trial->facts), "exceptions",
		exceptions_of(&trial->figures));
	set_figures(json, &trial->figures);
	return json;
}

static json_t *group_of(const struct judge_group *group)
{
	json_t *list = json_array();
	json_t *json;

	for (size_t i = 0; i < group->count; i++)
		json_array_append_new(list, trial_of(&group->trials[i]));
	json = json_pack(
		"{s:s,s:s,s:o,s:b,s:o,s:o}", "class",
		judge_class_name(group->family), "family",
		judge_family_name(group->family), "guarded",
		group->family == JUDGE_LEGIT
			? value_text(group->guarded == JUDGE_GUARDED_INITIATORS
					     ? "initiators"
					     : "responders")
			: json_null(),
		"pass", group->passed, "targets",
		group->family == JUDGE_LEGIT ? facts_of(&group->facts)
					     : json_null(),
		"captures", list);
	set_figures(json, &group->figures);
	return json;
}

bool judge_json(const struct judgement *judgement, const char *path)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < judgement->groups_count; i++)
		json_array_append_new(groups, group_of(&judgement->groups[i]));
	return value_write(json_pack("{s:o,s:b,s:b,s:o}", "folder",
				     value_text(judgement->folder), "pass",
				     judgement->passed, "unreadable",
				     judgement->unreadable, "groups", groups),
			   path);
}

bool judge_json_sweep(const struct sweep *sweep, const char *path)
{
	json_t *points = json_array();

	for (size_t i = 0; i < sweep->count; i++) {
		const struct sweep_point *point = &sweep->points[i];
		char threshold[UNITS_TEXT_SIZE];
		json_t *good = json_object(), *attack = json_object();

		units_print_log2(point->ratio_q16, threshold);
		set_figures(good, &point->good);
		set_figures(attack, &point->attack);
		json_array_append_new(
			points,
			json_pack("{s:s,s:o,s:s,s:i,s:i,s:b,s:b,s:o,s:o,s:o,s:"
				  "i,s:"
				  "o,s:o}",
				  "threshold", threshold, "window_ms",
				  value_ms(point->window_ns), "evidence",
				  point->consent.evidence ==
						  POLICY_EVIDENCE_CONSENT
					  ? "consent"
					  : "packets",
				  "patience", (int)point->consent.patience_pkts,
				  "floor", (int)point->consent.floor_pkts,
				  "as_given", point->as_given, "bettered",
				  point->bettered, "late_pct",
				  value_decimal(point->late_pct),
				  "late_pairs_pct",
				  value_decimal(point->late_pairs_pct),
				  "let_out_pct",
				  value_decimal(point->let_out_pct),
				  "let_out_first_second",
				  (int)point->attack.first_second.pkts, "good",
				  good, "attack", attack));
	}
	return value_write(json_pack("{s:o,s:b,s:o}", "folder",
				     value_text(sweep->judgement->folder),
				     "unreadable", sweep->unreadable, "points",
				     points),
			   path);
}
