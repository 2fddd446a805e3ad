/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_TALLY_TABLE_H
#define SIM_TALLY_TABLE_H

/* The keys of one scope: found by a keyed hash, never forgotten, up to a
 * bound.  Entries move when it grows: remember their slot. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/peak.h"
#include "sim/tally.h"

#define TALLY_NONE UINT32_MAX

struct tally_entry {
	struct tally_key key; /* its peak is copied when it is asked for */
	struct peak peak;
	uint32_t up; /* flow: its pair; pair: its host; TALLY_NONE */
};

struct tally_table {
	struct tally_entry *entries;
	struct tally_place {
		uint32_t hash;
		uint32_t slot; /* + 1; 0: free */
	} * places;
	uint32_t capacity, count, max;
	uint32_t places_count; /* a power of two, at least 2 * capacity */
	uint64_t k0, k1;
};

/* `max`: up to so many.  false: out of memory. */
bool tally_table_init(struct tally_table *table, uint32_t max,
		      const uint8_t seed[16]);
void tally_table_fini(struct tally_table *table);

uint64_t tally_table_hash(const struct tally_table *table,
			  const struct flow_key *key);

static inline void tally_table_prefetch(const struct tally_table *table,
					uint64_t hash)
{
	__builtin_prefetch(
		&table->places[(uint32_t)hash & (table->places_count - 1)]);
}

/* The entry's lines; any slot. */
static inline void tally_table_prefetch_entry(const struct tally_table *table,
					      uint32_t slot)
{
	const char *entry = (const char *)(table->entries + slot);

	for (size_t at = 0; slot < table->count && at < sizeof(*table->entries);
	     at += 64)
		__builtin_prefetch(entry + at, 1);
}

/* Where the key with this hash probably is, unseen.  TALLY_NONE: nobody
 * knows. */
static inline uint32_t tally_table_guess(const struct tally_table *table,
					 uint64_t hash)
{
	const struct tally_place *place =
		&table->places[(uint32_t)hash & (table->places_count - 1)];

	return place->slot && place->hash == (uint32_t)hash ? place->slot - 1
							    : TALLY_NONE;
}

/* TALLY_NONE: not there. */
uint32_t tally_table_find(const struct tally_table *table,
			  const struct flow_key *key, uint64_t hash);

/* One that is not there yet, zeroed but for its key.  TALLY_NONE: no place. */
uint32_t tally_table_add(struct tally_table *table, const struct flow_key *key,
			 uint64_t hash);

/* The table of one scope. */
const struct tally_table *tally_table(struct tally *tally,
				      enum flow_scope scope);

#endif
