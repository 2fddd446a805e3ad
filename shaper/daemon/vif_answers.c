/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_answers.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/address.h"
#include "shaper/daemon/values.h"
#include "shaper/daemon/vif_table.h"

static json_t *text_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : values_text(text);
}

static json_t *addresses_of(const struct vifkeys *keys)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT_SIZE];

	for (uint32_t i = 0; i < keys->addresses_count; i++) {
		address_print_prefix(&keys->addresses[i], text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *keys_of(const struct vifkeys *keys)
{
	char mac[ADDRESS_MAC_TEXT_SIZE];

	address_print_mac(keys->mac, mac);
	return json_pack("{s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i}", "domain",
			 (int)keys->domain, "handle", (int)keys->handle, "name",
			 text_or_null(keys->name), "uuid",
			 text_or_null(keys->uuid), "vif",
			 values_text(keys->interface), "bridge",
			 text_or_null(keys->bridge), "script",
			 text_or_null(keys->script), "mac",
			 keys->has_mac ? json_string(mac) : json_null(),
			 "addresses", addresses_of(keys), "queues",
			 (int)keys->queues);
}

json_t *vif_answers_outcomes(const uint64_t counters[NETBACKCOUNTERS])
{
	struct netback_outcomes sum;

	netbackcounters_sum(counters, &sum);
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "offered_packets",
			 values_count(sum.offered_pkts), "passed_packets",
			 values_count(sum.passed_pkts), "waiting_packets",
			 values_count(sum.waiting_pkts), "dropped_packets",
			 values_count(sum.dropped_pkts), "withheld_packets",
			 values_count(sum.withheld_pkts), "observed_packets",
			 values_count(sum.observed_pkts));
}

static json_t *row_of(const struct viftable_row *row)
{
	const struct vif_figures *figures = &row->figures;
	json_t *json = keys_of(&row->keys);
	json_t *more = json_pack(
		"{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "state",
		viftable_state(row), "way", text_or_null(figures->way), "why",
		text_or_null(row->why), "S",
		values_decimal((double)figures->s_centi / 100), "held_packets",
		values_count(figures->held_pkts), "held_since",
		figures->since_s ? values_count(figures->since_s) : json_null(),
		"slots",
		row->slots < 0 ? json_null() : json_integer(row->slots),
		"wrong", text_or_null(row->wrong));

	json_object_set_new(more, "netback",
			    row->has_counters
				    ? vif_answers_outcomes(row->counters)
				    : json_null());
	json_object_update_missing(json, more);
	json_decref(more);
	return json;
}

json_t *vif_answers(const struct viftable *table)
{
	json_t *list = json_array();

	for (size_t i = 0; i < viftable_count(table); i++)
		json_array_append_new(list, row_of(viftable_at(table, i)));
	return list;
}

static void count_active(const struct vif_figures *figures,
			 struct vif_sums *sums)
{
	if (figures->is_unguarded)
		sums->off++;
	else if (figures->since_s != 0)
		sums->held++;
	else
		sums->active++;
}

void vif_answers_count(const struct viftable *table, struct vif_sums *ret_sums)
{
	memset(ret_sums, 0, sizeof(*ret_sums));
	ret_sums->known = viftable_count(table);
	for (size_t i = 0; i < ret_sums->known; i++) {
		const struct viftable_row *row = viftable_at(table, i);

		ret_sums->wrong += row->wrong[0] != '\0';
		ret_sums->held_pkts += row->figures.held_pkts;
		switch (row->state) {
		case VIF_ACTIVE:
			count_active(&row->figures, ret_sums);
			break;
		case VIF_ATTACHING:
			ret_sums->attaching++;
			break;
		case VIF_DRAINING:
			ret_sums->draining++;
			break;
		case VIF_ABSENT:
		case VIF_GONE:
			break;
		}
	}
}

json_t *vif_answers_sums(const struct viftable *table)
{
	struct vif_sums sums;

	vif_answers_count(table, &sums);
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "known",
			 values_count(sums.known), "active",
			 values_count(sums.active), "held",
			 values_count(sums.held), "off", values_count(sums.off),
			 "attaching", values_count(sums.attaching), "draining",
			 values_count(sums.draining), "wrong",
			 values_count(sums.wrong), "held_packets",
			 values_count(sums.held_pkts));
}
