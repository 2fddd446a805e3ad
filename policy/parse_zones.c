/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/draft.h"

#include <string.h>

#include "policy/yaml.h"

static bool read_interface(struct keys_reader *reader,
			   const struct yaml_node *node, void *into)
{
	struct policy_zone_member *member = into;

	return draft_read_interface(reader, node, member->interface);
}

const struct keys_entry DRAFT_MEMBER_KEYS[] = {
	{ .name = "interface",
	  .type = KEYS_OTHER,
	  .required = true,
	  .read = read_interface,
	  .help = "an interface of the guarded side" },
	{ .name = "vlan",
	  .type = KEYS_COUNT,
	  .min = 1,
	  .max = 4094,
	  KEYS_FIELD(struct policy_zone_member, vlan),
	  .help = "a VLAN on it; left out: untagged" },
	{ 0 },
};

/* "lan0", or {interface: lan0, vlan: 17} */
static bool one_member(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct policy_zone *zone = into;
	struct policy_zone_member member = { 0 }, *list;
	bool good;

	if (node->kind == YAML_SCALAR)
		good = draft_read_interface(reader, node, member.interface);
	else
		good = keys_read(reader, node, DRAFT_MEMBER_KEYS, &member);
	if (!good)
		return false;
	list = draft_grow(zone->members, zone->count, sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	zone->members = list;
	list[zone->count++] = member;
	return true;
}

static bool is_zone_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= sizeof(((struct policy_zone *)NULL)->name))
		return false;
	if (strcmp(name, "other") == 0)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
}

static bool read_zone(struct keys_reader *reader, const struct yaml_node *node,
		      struct draft *draft)
{
	struct policy *policy = &draft->policy;
	struct policy_zone *zone, *list;
	bool good = is_zone_name(node->key);

	list = draft_grow(policy->zones, policy->zones_count, sizeof(*list));
	if (list == NULL) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	policy->zones = list;
	zone = &list[policy->zones_count++];
	*zone = (struct policy_zone){ 0 };
	if (!good)
		keys_key_error(reader, node,
			       "1 to 31 letters, digits, _ and -; not other",
			       "cannot be the name of a zone");
	else
		memcpy(zone->name, node->key, strlen(node->key));
	return keys_each(reader, node, DRAFT_PREFIXES_MAX, one_member, zone) &&
	       good;
}

static bool is_in_zone(const struct policy_zone *zone,
		       const struct policy_zone_member *member)
{
	for (size_t i = 0; i < zone->count; i++) {
		if (zone->members[i].vlan == member->vlan &&
		    strcmp(zone->members[i].interface, member->interface) == 0)
			return true;
	}
	return false;
}

/* A place is in one zone only. */
static bool check_overlap(struct keys_reader *reader,
			  const struct yaml_node *node,
			  const struct policy *policy)
{
	const struct policy_zone *zone =
		&policy->zones[policy->zones_count - 1];

	for (size_t i = 0; i < zone->count; i++) {
		for (size_t j = 0; j + 1 < policy->zones_count; j++) {
			if (!is_in_zone(&policy->zones[j], &zone->members[i]))
				continue;
			keys_error(reader, node,
				   "give every interface and VLAN one zone",
				   "%s is in zone %s already",
				   zone->members[i].interface,
				   policy->zones[j].name);
			return false;
		}
	}
	return true;
}

bool draft_read_zones(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct draft *draft = into;
	bool good = true;

	if (node->kind != YAML_MAP || node->count > DRAFT_ZONES_MAX) {
		keys_error(reader, node, "campus: [lan0, lan1]",
			   "a map of at most 1024 zones is wanted here");
		return false;
	}
	for (node = node->first; node != NULL; node = node->next) {
		size_t before = keys_enter(reader, node->key);

		good &= read_zone(reader, node, draft) &&
			check_overlap(reader, node, &draft->policy);
		keys_leave(reader, before);
	}
	return good;
}

static bool holds_member(const struct policy_match *match,
			 const struct policy_zone_member *member)
{
	return (match->interface[0] == '\0' ||
		strcmp(match->interface, member->interface) == 0) &&
	       (match->vlan == 0 || match->vlan == member->vlan);
}

bool draft_check_zones(struct keys_reader *reader, const struct yaml_node *node,
		       const struct policy *policy,
		       const struct policy_rule *rule)
{
	if (rule->action != POLICY_LIMIT && rule->action != POLICY_EXEMPT)
		return true;
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];
		size_t held = 0;

		for (size_t j = 0; j < zone->count; j++)
			held += holds_member(&rule->match, &zone->members[j]);
		if (held == 0 || held == zone->count)
			continue;
		keys_error(reader, node,
			   "match the whole zone, or take the place out of it",
			   "a key in zone %s does not say which interface or "
			   "VLAN of it",
			   zone->name);
		return false;
	}
	return true;
}

/* Does the policy speak of an interface of this name? */
static bool is_known(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->sources_count; i++) {
		if (strcmp(policy->sources[i].interface, name) == 0)
			return true;
	}
	for (size_t i = 0; i < policy->bindings_count; i++) {
		if (strcmp(policy->bindings[i].interface, name) == 0)
			return true;
	}
	for (size_t i = 0; i < policy->rules_count; i++) {
		if (strcmp(policy->rules[i].match.interface, name) == 0)
			return true;
	}
	for (size_t i = 0; i < policy->zones_count; i++) {
		for (size_t j = 0; j < policy->zones[i].count; j++) {
			if (strcmp(policy->zones[i].members[j].interface,
				   name) == 0)
				return true;
		}
	}
	return false;
}

bool draft_check_zone_names(struct keys_reader *reader,
			    const struct draft *draft)
{
	const struct policy *policy = &draft->policy;
	const struct yaml_node *map = yaml_tree_find(draft->root, "zones");
	size_t before = keys_enter(reader, "zones");
	bool good = true;

	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *zone = &policy->zones[i];
		struct policy_zone_member itself = { 0 };
		size_t length;

		if (zone->name[0] == '\0' || !is_known(policy, zone->name))
			continue;
		/* known, hence not longer than an interface's name */
		memcpy(itself.interface, zone->name, sizeof(itself.interface));
		if (is_in_zone(zone, &itself))
			continue;
		length = keys_enter(reader, zone->name);
		keys_key_error(reader, yaml_tree_find(map, zone->name),
			       "another name, or that interface in it",
			       "an interface of this name is not in the zone");
		keys_leave(reader, length);
		good = false;
	}
	keys_leave(reader, before);
	return good;
}
