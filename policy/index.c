/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/index.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"
#include "policy/address.h"
#include "policy/policy.h"
#include "policy/zones.h"

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->unhashed = true)
#define HASH_FUNCTION(key, length, hash) \
	((hash) = (unsigned)siphash13(secret, key, length))
#include <uthash.h>

/* A prefix as two words in memory order: no byte is ever swapped. */
struct words {
	uint64_t word[2], mask[2];
};

struct bound_key {
	uint8_t addr[16];
	uint8_t length;
};

/* A prefix that bindings name; several do when interfaces differ. */
struct bound {
	struct bound_key key;
	bool unhashed;
	const struct policy_binding *binding;
	struct bound *next; /* the same prefix, another binding */
	UT_hash_handle hh;
};

struct policy_index {
	uint8_t secret[16];
	struct bound *bound;     /* by bound_key */
	struct bound *bound_all; /* the array they live in */
	uint8_t lengths[129];    /* that occur, longest first */
	size_t lengths_count;
	uint64_t host_mask[2]; /* of an IPv6 address */
	size_t inside_count;
	struct words inside[];
};

static void mask_words(unsigned length, uint64_t ret_mask[2])
{
	uint8_t mask[16];

	memset(mask, 0xff, sizeof(mask));
	address_mask(mask, length);
	memcpy(ret_mask, mask, sizeof(mask));
}

static void to_words(const struct policy_prefix *prefix,
		     struct words *ret_words)
{
	memcpy(ret_words->word, prefix->addr, sizeof(ret_words->word));
	mask_words(prefix->length, ret_words->mask);
}

bool index_is_inside(const struct policy_index *index, const uint8_t addr[16])
{
	uint64_t word[2];

	memcpy(word, addr, sizeof(word));
	for (size_t i = 0; i < index->inside_count; i++) {
		const struct words *words = &index->inside[i];

		if ((((word[0] & words->mask[0]) ^ words->word[0]) |
		     ((word[1] & words->mask[1]) ^ words->word[1])) == 0)
			return true;
	}
	return false;
}

static bool add_bound(struct policy_index *index, struct bound *bound,
		      const struct policy_binding *binding,
		      const struct policy_prefix *prefix)
{
	const uint8_t *secret = index->secret;
	struct bound *same;

	memcpy(bound->key.addr, prefix->addr, sizeof(bound->key.addr));
	bound->key.length = prefix->length;
	bound->binding = binding;
	HASH_FIND(hh, index->bound, &bound->key, sizeof(bound->key), same);
	if (same != NULL) {
		bound->next = same->next;
		same->next = bound;
		return true;
	}
	HASH_ADD(hh, index->bound, key, sizeof(bound->key), bound);
	return !bound->unhashed;
}

static void note_lengths(struct policy_index *index,
			 const bool occurs[static 129])
{
	for (unsigned length = 129; length-- > 0;) {
		if (occurs[length])
			index->lengths[index->lengths_count++] =
				(uint8_t)length;
	}
}

static bool add_bindings(struct policy_index *index,
			 const struct policy *policy)
{
	bool occurs[129] = { false };
	size_t count = 0, used = 0;

	for (size_t i = 0; i < policy->bindings_count; i++)
		count += policy->bindings[i].addresses.count;
	if (count == 0)
		return true;
	index->bound_all = calloc(count, sizeof(*index->bound_all));
	if (index->bound_all == NULL)
		return false;
	for (size_t i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		for (size_t j = 0; j < binding->addresses.count; j++) {
			const struct policy_prefix *prefix =
				&binding->addresses.list[j];

			occurs[prefix->length] = true;
			if (!add_bound(index, &index->bound_all[used++],
				       binding, prefix))
				return false;
		}
	}
	note_lengths(index, occurs);
	return true;
}

struct policy_index *index_new(const struct policy *policy)
{
	struct policy_index *index =
		calloc(1, sizeof(*index) + policy->inside.count *
						   sizeof(index->inside[0]));
	const void *places[2] = { index, policy->bindings };

	if (index == NULL)
		return NULL;
	/* Where memory lies is what an outsider does not know. */
	memcpy(index->secret, places,
	       sizeof(places) < sizeof(index->secret) ? sizeof(places)
						      : sizeof(index->secret));
	mask_words(policy->host_prefix6, index->host_mask);
	index->inside_count = policy->inside.count;
	for (size_t i = 0; i < policy->inside.count; i++)
		to_words(&policy->inside.list[i], &index->inside[i]);
	if (!add_bindings(index, policy)) {
		index_free(index);
		return NULL;
	}
	return index;
}

void index_free(struct policy_index *index)
{
	if (index == NULL)
		return;
	HASH_CLEAR(hh, index->bound);
	free(index->bound_all);
	free(index);
}

/* Is `interface` where `zone` is, or in the same named group? */
static bool is_there(const struct policy *policy, const struct zone *zone,
		     const char *interface)
{
	if (interface[0] == '\0' || zone == NULL ||
	    strcmp(interface, zone->interface) == 0)
		return true;
	for (size_t i = 0; i < policy->zones_count; i++) {
		const struct policy_zone *group = &policy->zones[i];

		if (strcmp(group->name, zone->name) != 0)
			continue;
		for (size_t j = 0; j < group->count; j++) {
			if (strcmp(group->members[j].interface, interface) == 0)
				return true;
		}
	}
	return false;
}

const struct policy_binding *index_binding_of(const struct policy_index *index,
					      const struct policy *policy,
					      const uint8_t addr[16],
					      const struct zone *zone)
{
	const uint8_t *secret = index->secret;

	for (size_t i = 0; i < index->lengths_count; i++) {
		struct bound_key key = { .length = index->lengths[i] };
		struct bound *bound;

		memcpy(key.addr, addr, sizeof(key.addr));
		address_mask(key.addr, key.length);
		if (key.length < 96 && address_is_v4(addr))
			return NULL;
		HASH_FIND(hh, index->bound, &key, sizeof(key), bound);
		for (; bound != NULL; bound = bound->next) {
			if (is_there(policy, zone, bound->binding->interface))
				return bound->binding;
		}
	}
	return NULL;
}

void index_host_of(const struct policy_index *index,
		   const struct policy *policy, const uint8_t addr[16],
		   const struct zone *zone, uint8_t ret_host[16])
{
	const struct policy_binding *bound =
		index_binding_of(index, policy, addr, zone);
	uint64_t word[2];

	memcpy(word, bound != NULL ? bound->addresses.list[0].addr : addr,
	       sizeof(word));
	if (bound == NULL && !address_is_v4(addr)) {
		word[0] &= index->host_mask[0];
		word[1] &= index->host_mask[1];
	}
	memcpy(ret_host, word, sizeof(word));
}
