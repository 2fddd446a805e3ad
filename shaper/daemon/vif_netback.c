/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_netback.h"

#include <stdio.h>
#include <string.h>

#include "flowtable/flow.h"
#include "policy/guests.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/memory.h"
#include "shaper/daemon/passage.h"
#include "shaper/io/nft_rules.h"
#include "shaper/pump.h"
#include "xen-hooks/vif_keys.h"

enum { VLANS = 4096 };

/* A vif is one host: first contacts and the rate are the whole vif's. */
static void set_paces(const struct policy *policy,
		      const struct guest_wish *wish,
		      struct waynetback_settings *settings)
{
	settings->wants_consent = policy->evidence == POLICY_EVIDENCE_CONSENT;
	if (settings->wants_consent)
		settings->credit = policy->credit;
	settings->first_contacts_per_s = policy->first_contacts_per_s;
	settings->connections_per_s = policy->connections_per_s;
	settings->rate = wish->said & GUEST_RATE ? wish->rate : policy->rate;
}

void vifnetback_settings(const struct policy *policy,
			 const struct guest_wish *wish,
			 const struct vifkeys *keys,
			 struct waynetback_settings *ret_settings)
{
	*ret_settings = (struct waynetback_settings){
		.keys = keys,
		.overwrites = wish->mac == POLICY_XEN_MAC_OVERWRITE,
		.gate = policy->params[0],
		.holds_pairs = policy->enforce & 1u << FLOW_SCOPE_PAIR,
		.holds_flows = policy->enforce & 1u << FLOW_SCOPE_FLOW,
		.observes = policy->mode == POLICY_SHADOW,
		.slots = policy->xen.held_slots_per_vif,
		.mark = (uint32_t)NFTRULES_MARK_JUDGED << policy->fast.mark_bit,
	};
	set_paces(policy, wish, ret_settings);
	if (wish->ratio_q16 != 0)
		ret_settings->gate.ratio_q16 = wish->ratio_q16;
	if (policy->xen.at_slots == POLICY_SLOTS_SHED)
		ret_settings->slots_per_key = policy->xen.held_slots_per_key;
}

/* ------ keys */

/* The vif's own zone by the vif's name, or "" where it is known whose it is: it
 * has another name elsewhere. */
static void write_zone(const struct policy *policy, const char *interface,
		       uint16_t vlan, const struct passage_guest *guest,
		       char ret_zone[ZONE_NAME_SIZE])
{
	bool is_known = guest != NULL && guest->interface[0] != '\0';
	char own[ZONE_NAME_SIZE];

	zones_name(policy, interface, 0, own);
	zones_name(policy, interface, vlan, ret_zone);
	if (strcmp(ret_zone, own) != 0)
		return;
	memset(ret_zone, 0, ZONE_NAME_SIZE);
	if (!is_known)
		snprintf(ret_zone, ZONE_NAME_SIZE, "%.15s", interface);
}

bool vifnetback_take(const struct policy *policy,
		     const struct pump_record *record, const char *interface,
		     const struct passage_guest *guest,
		     struct memory_record *ret_key)
{
	if (guest != NULL && guest->count > 0) {
		const struct pump_guest told = { .addresses = guest->addresses,
						 .count = guest->count };

		if (!pump_is_of_guest(&told, &record->key))
			return false;
	}
	ret_key->record = *record;
	ret_key->record.key.zone = 0;
	write_zone(policy, interface, record->key.zone, guest, ret_key->zone);
	return true;
}

/* "vif1.0" or "vif1.0.5", as policy/zones.h names them. */
static bool read_zone(const char *zone, const char *interface,
		      uint16_t *ret_vlan)
{
	size_t length = strlen(interface);
	unsigned int vlan;
	char end;

	if (strncmp(zone, interface, length) != 0)
		return false;
	if (zone[length] == '\0') {
		*ret_vlan = 0;
		return true;
	}
	if (sscanf(zone + length, ".%4u%c", &vlan, &end) != 1 || vlan >= VLANS)
		return false;
	*ret_vlan = (uint16_t)vlan;
	return true;
}

static bool may_have(const struct vifkeys *vif, const uint8_t address[16])
{
	const struct pump_guest guest = { .addresses = vif->addresses,
					  .count = vif->addresses_count };
	struct flow_key key = { 0 };

	memcpy(key.inside, address, sizeof(key.inside));
	return pump_is_of_guest(&guest, &key);
}

/* A group may have other vifs, and other VLANs of this one: the first. */
static bool read_group(const struct policy *policy, const char *name,
		       const char *interface, uint16_t *ret_vlan)
{
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];

		if (strcmp(zone->name, name) != 0)
			continue;
		for (size_t j = 0; j < zone->count; j++) {
			if (strcmp(zone->members[j].interface, interface) != 0)
				continue;
			*ret_vlan = zone->members[j].vlan;
			return true;
		}
	}
	return false;
}

bool vifnetback_give(const struct policy *policy,
		     const struct memory_record *key, const struct vifkeys *vif,
		     const struct passage_guest *guest,
		     struct pump_record *ret_record)
{
	const char *zone = key->zone[0] != '\0' ? key->zone : guest->interface;
	uint16_t vlan;

	if (!read_zone(zone, vif->interface, &vlan) &&
	    !(may_have(vif, key->record.key.inside) &&
	      read_group(policy, zone, vif->interface, &vlan)))
		return false;
	*ret_record = key->record;
	ret_record->key.zone = vlan;
	return true;
}
