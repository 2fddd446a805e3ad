/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/state_json.h"

#include <jansson.h>
#include <string.h>

#include "shaper/daemon/answers.h"
#include "shaper/daemon/passage.h"
#include "shaper/daemon/remembered.h"
#include "shaper/daemon/request_state.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/values.h"

static json_t *window_of(const struct pump_record *record)
{
	json_t *window = json_array();

	for (uint32_t i = 0; i < record->runs_count; i++) {
		const struct pump_record_run *run = &record->runs[i];

		json_array_append_new(
			window, json_pack("[o,o,o]", values_count(run->age_ns),
					  values_count(run->sent_pkts),
					  values_count(run->heard_pkts)));
	}
	return window;
}

static json_t *key_of(const struct memory_record *from, const char *zone)
{
	const struct pump_record *record = &from->record;
	const struct flow_key *key = &record->key;
	json_t *json = json_pack("{s:s,s:o}", "scope",
				 flow_scope_name((enum flow_scope)key->scope),
				 "inside", values_address(key->inside));

	if (key->scope != FLOW_SCOPE_HOST)
		json_object_set_new(json, "outside",
				    values_address(key->outside));
	if (key->scope == FLOW_SCOPE_FLOW) {
		json_object_set_new(json, "proto", values_count(key->proto));
		json_object_set_new(json, "inside_port",
				    values_count(key->inside_port));
		json_object_set_new(json, "outside_port",
				    values_count(key->outside_port));
	}
	if (zone[0] != '\0')
		json_object_set_new(json, "zone", values_text(zone));
	json_object_set_new(json, "penalty", values_count(record->releases));
	json_object_set_new(json, "wait_ns", values_count(record->armed_in_ns));
	json_object_set_new(json, "window", window_of(record));
	return json;
}

/* The keys of `uuid` in `list`, made if it is not there yet. */
static json_t *keys_of(json_t *list, const char *uuid)
{
	json_t *guest, *keys;
	size_t i;

	json_array_foreach(
		list, i,
		guest) if (strcmp(json_string_value(json_object_get(guest,
								    "uuid")),
				  uuid) == 0) return json_object_get(guest,
								     "keys");
	keys = json_array();
	json_array_append_new(list, json_pack("{s:s,s:o}", "uuid", uuid, "keys",
					      keys));
	return keys;
}

static const struct travel_vif *owner_of(const struct memory_record *key,
					 const struct travel_vif *vifs,
					 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct passage_guest *guest = &vifs[i].guest;
		const struct pump_guest told = { .addresses = guest->addresses,
						 .count = guest->count };

		if (strcmp(key->zone, guest->interface) == 0 ||
		    (guest->count > 0 &&
		     pump_is_of_guest(&told, &key->record.key)))
			return &vifs[i];
	}
	return NULL;
}

/* The interface of its vif has another name elsewhere. */
static void add_key(json_t *guests, json_t *others,
		    const struct memory_record *key,
		    const struct request_state *asked,
		    const struct travel_vif *vifs, size_t count)
{
	const struct travel_vif *vif = owner_of(key, vifs, count);
	const char *uuid = vif != NULL ? vif->uuid : asked->uuid;
	const char *zone = key->zone;

	if (vif != NULL && strcmp(zone, vif->guest.interface) == 0)
		zone = "";
	json_array_append_new(uuid[0] != '\0' ? keys_of(guests, uuid) : others,
			      key_of(key, zone));
}

static void add_remembered(json_t *guests, const struct remembered_guest *guest,
			   uint64_t now_ns)
{
	json_t *keys = keys_of(guests, guest->uuid);

	for (size_t i = 0; i < guest->count && guest->until_ns > now_ns; i++)
		json_array_append_new(keys, key_of(&guest->keys[i],
						   guest->keys[i].zone));
}

char *state_json_export(const struct request_state *asked,
			const struct passage_keys *taken,
			const struct remembered *guests,
			const struct travel_vif *vifs, size_t vifs_count,
			uint64_t now_ns)
{
	json_t *list = json_array(), *others = json_array();

	for (size_t i = 0; i < taken->count; i++)
		add_key(list, others, &taken->keys[i], asked, vifs, vifs_count);
	for (size_t i = 0; i < remembered_count(guests); i++) {
		const struct remembered_guest *guest = remembered_at(guests, i);

		if (asked->by == REQUEST_STATE_ALL ||
		    (asked->by == REQUEST_STATE_UUID &&
		     strcmp(guest->uuid, asked->uuid) == 0))
			add_remembered(list, guest, now_ns);
	}
	return answers_ok(json_pack("{s:i,s:o,s:o,s:b}", "symtap_state",
				    STATE_JSON_VERSION, "guests", list, "keys",
				    others, "cut", (int)taken->is_full));
}

char *state_json_imported(const char *as)
{
	return answers_ok(json_pack("{s:s}", "taken", as));
}
