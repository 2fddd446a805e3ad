/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is known already: the first thing that happens to a parsed packet. */
#include "flowtable/flowtable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/pages.h"

enum { PASSED_ON_MAX = UINT16_MAX };

static size_t buckets_bytes(const struct flowtable *table)
{
	return (size_t)table->buckets_count * sizeof(*table->buckets);
}

static size_t entries_bytes(const struct flowtable *table)
{
	return (size_t)table->capacity * sizeof(*table->entries);
}

static uint64_t load64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

bool flowtable_init(struct flowtable *table, uint32_t capacity,
		    const uint8_t seed[16])
{
	assert(capacity > 0 && capacity <= 1u << 30);
	*table = (struct flowtable){
		.k0 = load64(seed),
		.k1 = load64(seed + 8),
		.capacity = capacity,
		.buckets_count = capacity / (FLOWTABLE_PLACES / 2) + 1,
		.freed = FLOWTABLE_NONE,
	};
	table->entries = pages_reserve(entries_bytes(table));
	table->buckets = pages_reserve(buckets_bytes(table));
	if (table->entries && table->buckets)
		return true;
	flowtable_fini(table);
	return false;
}

void flowtable_fini(struct flowtable *table)
{
	pages_release(table->entries, entries_bytes(table));
	pages_release(table->buckets, buckets_bytes(table));
	table->entries = NULL;
	table->buckets = NULL;
}

size_t flowtable_bytes(const struct flowtable *table)
{
	return entries_bytes(table) + buckets_bytes(table);
}

/* The last word is put together from its fields: read as a whole, right after
 * they were written one by one, it would wait for all of them to leave the
 * store buffer. */
uint64_t flowtable_hash(const struct flowtable *table,
			const struct flow_key *key)
{
	struct siphash s;

	siphash_init(&s, table->k0, table->k1);
	siphash_word(&s, load64(key->inside));
	siphash_word(&s, load64(key->inside + 8));
	siphash_word(&s, load64(key->outside));
	siphash_word(&s, load64(key->outside + 8));
	siphash_word(&s, (uint64_t)key->inside_port |
				 (uint64_t)key->outside_port << 16 |
				 (uint64_t)key->zone << 32 |
				 (uint64_t)key->proto << 48 |
				 (uint64_t)key->scope << 56);
	return siphash_finish(s);
}

/* Bit i: place i has this tag.  Without a branch: most look-ups are hits at
 * an unpredictable place. */
static unsigned int matching(const struct flowtable_bucket *bucket,
			     uint16_t tag)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < FLOWTABLE_PLACES; i++)
		mask |= (unsigned int)(bucket->tags[i] == tag) << i;
	return mask;
}

uint32_t flowtable_guess(const struct flowtable *table, uint64_t hash)
{
	const struct flowtable_bucket *bucket =
		&table->buckets[flowtable_home(table, hash)];
	unsigned int mask = matching(bucket, flowtable_tag(hash));
	uint32_t slot;

	if (mask == 0)
		return FLOWTABLE_NONE;
	slot = bucket->slots[__builtin_ctz(mask)];
	flowtable_prefetch_entry(table, slot);
	return slot;
}

static struct flowtable_bucket *next_bucket(const struct flowtable *table,
					    struct flowtable_bucket *bucket)
{
	if (++bucket == table->buckets + table->buckets_count)
		bucket = table->buckets;
	return bucket;
}

uint32_t flowtable_find(const struct flowtable *table,
			const struct flow_key *key, uint64_t hash)
{
	uint16_t tag = flowtable_tag(hash);
	struct flowtable_bucket *bucket =
		&table->buckets[flowtable_home(table, hash)];

	for (uint32_t seen = 0; seen < table->buckets_count; seen++) {
		unsigned int mask = matching(bucket, tag);

		for (; mask; mask &= mask - 1) {
			uint32_t slot = bucket->slots[__builtin_ctz(mask)];

			if (flow_key_equal(&table->entries[slot].key, key))
				return slot;
		}
		if (bucket->passed_on[0] == 0)
			break;
		bucket = next_bucket(table, bucket);
	}
	return FLOWTABLE_NONE;
}

static uint32_t take_entry(struct flowtable *table)
{
	uint32_t slot = table->freed;

	if (slot != FLOWTABLE_NONE) {
		table->freed = table->entries[slot].up;
		return slot;
	}
	if (table->fresh < table->capacity)
		return table->fresh++;
	return FLOWTABLE_NONE;
}

/* A key that finds its bucket full goes to the next and says so in each that
 * it passes, so that a look-up knows whether to go on. */
uint32_t flowtable_add(struct flowtable *table, const struct flow_key *key,
		       uint64_t hash)
{
	struct flowtable_bucket *bucket =
		&table->buckets[flowtable_home(table, hash)];
	uint32_t slot = take_entry(table);
	unsigned int mask;
	struct flow_entry *entry;
	int place;

	if (slot == FLOWTABLE_NONE)
		return slot;
	while ((mask = matching(bucket, 0)) == 0) {
		if (bucket->passed_on[0] < PASSED_ON_MAX)
			bucket->passed_on[0]++;
		bucket = next_bucket(table, bucket);
	}
	place = __builtin_ctz(mask);
	bucket->tags[place] = flowtable_tag(hash);
	bucket->slots[place] = slot;
	table->used++;

	entry = &table->entries[slot];
	memset(entry, 0, sizeof(*entry));
	entry->key = *key;
	return slot;
}

void flowtable_remove(struct flowtable *table, uint32_t slot)
{
	struct flow_entry *entry = &table->entries[slot];
	uint64_t hash = flowtable_hash(table, &entry->key);
	uint16_t tag = flowtable_tag(hash);
	struct flowtable_bucket *bucket =
		&table->buckets[flowtable_home(table, hash)];

	for (;;) {
		unsigned int mask = matching(bucket, tag);

		while (mask && bucket->slots[__builtin_ctz(mask)] != slot)
			mask &= mask - 1;
		if (mask) {
			bucket->tags[__builtin_ctz(mask)] = 0;
			break;
		}
		assert(bucket->passed_on[0] > 0);
		if (bucket->passed_on[0] < PASSED_ON_MAX)
			bucket->passed_on[0]--;
		bucket = next_bucket(table, bucket);
	}
	entry->key.scope = FLOW_SCOPES;
	entry->up = table->freed;
	table->freed = slot;
	table->used--;
}
