/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One more of a policy, for who adds to it. */
#include <stdlib.h>
#include <string.h>

#include "policy/guests.h"
#include "policy/policy.h"

/* Replaces a list by a copy of its own; an empty one is none. */
static bool own(void *list_place, size_t count, size_t size)
{
	void *list;
	void *copy = NULL;

	memcpy(&list, list_place, sizeof(list));
	if (count > 0) {
		copy = malloc(count * size);
		if (copy != NULL)
			memcpy(copy, list, count * size);
	}
	memcpy(list_place, &copy, sizeof(copy));
	return count == 0 || copy != NULL;
}

#define OWN(list, count) own(&(list), count, sizeof(*(list)))

static bool own_prefixes(struct policy_prefixes *prefixes)
{
	return OWN(prefixes->list, prefixes->count);
}

static bool own_match(struct policy_match *match)
{
	bool good = own_prefixes(&match->src);

	good &= own_prefixes(&match->dst);
	good &= OWN(match->src_port.list, match->src_port.count);
	good &= OWN(match->dst_port.list, match->dst_port.count);
	return good;
}

/* All of one level, whatever fails, so that nothing is shared; where a list
 * itself could not be had, none of its entries is left to be freed. */
static bool own_lists(struct policy *copy)
{
	bool good = own_prefixes(&copy->inside);

	good &= OWN(copy->params, copy->params_count);
	good &= OWN(copy->rules, copy->rules_count);
	good &= OWN(copy->sources, copy->sources_count);
	good &= OWN(copy->bindings, copy->bindings_count);
	good &= OWN(copy->zones, copy->zones_count);
	good &= OWN(copy->xen.guests, copy->xen.guests_count);
	good &= OWN(copy->vifs, copy->vifs_count);
	good &= OWN(copy->owners, copy->owners_count);
	if (copy->rules == NULL)
		copy->rules_count = 0;
	if (copy->sources == NULL)
		copy->sources_count = 0;
	if (copy->bindings == NULL)
		copy->bindings_count = 0;
	if (copy->zones == NULL)
		copy->zones_count = 0;
	return good;
}

static bool own_entries(struct policy *copy)
{
	bool good = true;

	for (size_t i = 0; i < copy->rules_count; i++)
		good &= own_match(&copy->rules[i].match);
	for (size_t i = 0; i < copy->sources_count; i++)
		good &= own_prefixes(&copy->sources[i].sources);
	for (size_t i = 0; i < copy->bindings_count; i++)
		good &= own_prefixes(&copy->bindings[i].addresses);
	for (size_t i = 0; i < copy->zones_count; i++)
		good &= OWN(copy->zones[i].members, copy->zones[i].count);
	return good;
}

struct policy *policy_copy(const struct policy *policy)
{
	struct policy *copy = malloc(sizeof(*copy));
	bool good;

	if (copy == NULL)
		return NULL;
	*copy = *policy;
	copy->index = NULL;
	good = own_lists(copy);
	good &= own_entries(copy);
	if (good && policy_prepare(copy))
		return copy;
	policy_free(copy);
	return NULL;
}
