/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/tally_table.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"

enum { CAPACITY_MIN = 1024 };

bool tally_table_init(struct tally_table *table, uint32_t max,
		      const uint8_t seed[16])
{
	*table = (struct tally_table){ .max = max };
	memcpy(&table->k0, seed, sizeof(table->k0));
	memcpy(&table->k1, seed + 8, sizeof(table->k1));
	table->capacity = max < CAPACITY_MIN ? max : CAPACITY_MIN;
	table->places_count = 2 * CAPACITY_MIN;
	table->entries = calloc(table->capacity, sizeof(*table->entries));
	table->places = calloc(table->places_count, sizeof(*table->places));
	return table->entries && table->places;
}

void tally_table_fini(struct tally_table *table)
{
	free(table->entries);
	free(table->places);
	*table = (struct tally_table){ 0 };
}

uint64_t tally_table_hash(const struct tally_table *table,
			  const struct flow_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)];
	struct siphash s;

	memcpy(words, key, sizeof(words));
	siphash_init(&s, table->k0, table->k1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		siphash_word(&s, words[i]);
	return siphash_finish(s);
}

uint32_t tally_table_find(const struct tally_table *table,
			  const struct flow_key *key, uint64_t hash)
{
	uint32_t mask = table->places_count - 1;

	for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
		const struct tally_place *place = &table->places[at];

		if (place->slot == 0)
			return TALLY_NONE;
		if (place->hash == (uint32_t)hash &&
		    flow_key_equal(&table->entries[place->slot - 1].key.key,
				   key))
			return place->slot - 1;
	}
}

static void put(struct tally_place *places, uint32_t count, uint32_t hash,
		uint32_t slot)
{
	uint32_t at = hash & (count - 1);

	while (places[at].slot != 0)
		at = (at + 1) & (count - 1);
	places[at] = (struct tally_place){ hash, slot };
}

static bool grow(struct tally_table *table)
{
	uint32_t capacity = table->capacity > table->max / 2
				    ? table->max
				    : table->capacity * 2;
	uint32_t count = table->places_count;
	struct tally_place *places;
	struct tally_entry *entries;

	if (table->capacity >= table->max)
		return false;
	while (count / 2 < capacity)
		count *= 2;
	entries = realloc(table->entries, capacity * sizeof(*entries));
	if (!entries)
		return false;
	table->entries = entries;
	places = calloc(count, sizeof(*places));
	if (!places)
		return false;
	for (uint32_t i = 0; i < table->places_count; i++)
		if (table->places[i].slot != 0)
			put(places, count, table->places[i].hash,
			    table->places[i].slot);
	free(table->places);
	table->places = places;
	table->places_count = count;
	table->capacity = capacity;
	return true;
}

uint32_t tally_table_add(struct tally_table *table, const struct flow_key *key,
			 uint64_t hash)
{
	if (table->count == table->capacity && !grow(table))
		return TALLY_NONE;
	table->entries[table->count] =
		(struct tally_entry){ .key.key = *key, .up = TALLY_NONE };
	put(table->places, table->places_count, (uint32_t)hash,
	    table->count + 1);
	return table->count++;
}
