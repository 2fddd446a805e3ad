/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/zones.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"
#include "policy/policy.h"

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->unhashed = true)
#define HASH_FUNCTION(key, length, hash) \
	((hash) = (unsigned)siphash13(secret, key, length))
#include <uthash.h>

enum {
	OTHER = ZONES_MAX - 1,
	MANY = ZONES_MAX / 4, /* made since others were forgotten */
};

struct place {
	struct zone zone; /* without a name: nobody's */
	bool is_tag;      /* of a VLAN that the policy does not name */
	bool unhashed;
	UT_hash_handle hh;
};

struct zones {
	uint8_t secret[16];
	struct place *by_name;
	size_t fresh; /* places from here on were never used */
	uint16_t freed[ZONES_MAX];
	size_t freed_count, tags_count, made_count;
	struct place places[ZONES_MAX];
};

struct zones *zones_new(void)
{
	struct zones *zones = calloc(1, sizeof(*zones));
	const void *place = zones;

	if (zones == NULL)
		return NULL;
	/* Where memory lies is what an outsider does not know. */
	memcpy(zones->secret, &place, sizeof(place));
	snprintf(zones->places[OTHER].zone.name, ZONE_NAME_SIZE, "other");
	return zones;
}

void zones_free(struct zones *zones)
{
	if (zones == NULL)
		return;
	HASH_CLEAR(hh, zones->by_name);
	free(zones);
}

static struct place *find(const struct zones *zones, const struct zone *zone)
{
	const uint8_t *secret = zones->secret;
	struct place *place;

	HASH_FIND(hh, zones->by_name, zone->name, ZONE_NAME_SIZE, place);
	return place;
}

/* The latest that was freed; NULL: there is none. */
static struct place *free_place(struct zones *zones)
{
	if (zones->freed_count > 0)
		return &zones->places[zones->freed[--zones->freed_count]];
	return zones->fresh < OTHER ? &zones->places[zones->fresh++] : NULL;
}

static void give_back(struct zones *zones, struct place *place)
{
	*place = (struct place){ 0 };
	zones->freed[zones->freed_count++] = (uint16_t)(place - zones->places);
}

/* NULL: there is no place. */
static struct place *add(struct zones *zones, const struct zone *zone)
{
	const uint8_t *secret = zones->secret;
	struct place *place = free_place(zones);

	if (place == NULL)
		return NULL;
	place->zone = *zone;
	HASH_ADD(hh, zones->by_name, zone.name, ZONE_NAME_SIZE, place);
	if (place->unhashed) {
		give_back(zones, place);
		return NULL;
	}
	zones->made_count++;
	return place;
}

static uint16_t find_or_add(struct zones *zones, const struct zone *zone)
{
	struct place *place = find(zones, zone);

	if (place == NULL)
		place = add(zones, zone);
	if (place == NULL)
		return OTHER;
	if (place->zone.interface[0] == '\0')
		place->zone = *zone; /* until now known by its name only */
	return (uint16_t)(place - zones->places);
}

static const struct policy_zone *
find_group(const struct policy *policy, const char *interface, uint16_t vlan)
{
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *group = &policy->zones[i];

		for (size_t j = 0; j < group->count; j++) {
			if (group->members[j].vlan == vlan &&
			    strcmp(group->members[j].interface, interface) == 0)
				return group;
		}
	}
	return NULL;
}

void zones_name(const struct policy *policy, const char *interface,
		uint16_t vlan, char ret_name[ZONE_NAME_SIZE])
{
	const struct policy_zone *group = find_group(policy, interface, vlan);

	memset(ret_name, 0, ZONE_NAME_SIZE);
	if (group != NULL)
		snprintf(ret_name, ZONE_NAME_SIZE, "%s", group->name);
	else if (vlan == 0)
		snprintf(ret_name, ZONE_NAME_SIZE, "%.15s", interface);
	else
		snprintf(ret_name, ZONE_NAME_SIZE, "%.15s.%u", interface, vlan);
}

uint16_t zones_id(struct zones *zones, const struct policy *policy,
		  const char *interface, uint16_t vlan)
{
	struct zone zone = { .vlan = vlan };
	bool is_tag = vlan != 0 && find_group(policy, interface, vlan) == NULL;
	uint16_t id;

	snprintf(zone.interface, sizeof(zone.interface), "%s", interface);
	zones_name(policy, zone.interface, vlan, zone.name);
	if (is_tag && zones->tags_count == ZONES_TAGS_MAX &&
	    find(zones, &zone) == NULL)
		return zones_id(zones, policy, interface, 0);
	id = find_or_add(zones, &zone);
	if (is_tag && id != OTHER && !zones->places[id].is_tag) {
		zones->places[id].is_tag = true;
		zones->tags_count++;
	}
	return id;
}

uint16_t zones_id_of_name(struct zones *zones, const char *name)
{
	struct zone zone = { 0 };

	snprintf(zone.name, sizeof(zone.name), "%s", name);
	if (strcmp(zone.name, zones->places[OTHER].zone.name) == 0)
		return OTHER;
	return find_or_add(zones, &zone);
}

bool zones_are_many(const struct zones *zones)
{
	return zones->made_count >= MANY;
}

void zones_keep(struct zones *zones, const bool kept[ZONES_MAX])
{
	zones->made_count = 0;
	for (size_t i = 0; i < zones->fresh; i++) {
		struct place *place = &zones->places[i];

		if (kept[i] || place->zone.name[0] == '\0')
			continue;
		HASH_DEL(zones->by_name, place);
		zones->tags_count -= place->is_tag;
		give_back(zones, place);
	}
}

const struct zone *zones_get(const struct zones *zones, uint16_t id)
{
	return &zones->places[id < ZONES_MAX ? id : OTHER].zone;
}
