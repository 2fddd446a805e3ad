/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/engine_uthash.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/siphash.h"

static unsigned int keyed_hash(const void *bytes)
{
	struct siphash s;
	uint64_t words[5];

	memcpy(words, bytes, sizeof(words));
	siphash_init(&s, 0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
	for (int i = 0; i < 5; i++)
		siphash_word(&s, words[i]);
	return (unsigned int)siphash_finish(s);
}

#define HASH_FUNCTION(bytes, count, result)   \
	do {                                  \
		(void)(count);                \
		(result) = keyed_hash(bytes); \
	} while (0)
#include <uthash.h>

struct counted {
	struct flow_key key;
	uint32_t packets;
	UT_hash_handle hh;
};

struct bench_uthash {
	struct counted *tables[2];
	struct counted *entries;
	uint32_t used, capacity;
};

struct bench_uthash *bench_uthash_new(uint32_t capacity)
{
	struct bench_uthash *tables = calloc(1, sizeof(*tables));

	if (!tables)
		exit(1);
	tables->capacity = 2 * capacity;
	tables->entries = calloc(tables->capacity, sizeof(*tables->entries));
	if (!tables->entries)
		exit(1);
	return tables;
}

void bench_uthash_free(struct bench_uthash *tables)
{
	for (int i = 0; i < 2; i++)
		HASH_CLEAR(hh, tables->tables[i]);
	free(tables->entries);
	free(tables);
}

void bench_uthash_add(struct bench_uthash *tables, int table,
		      const struct flow_key *key)
{
	struct counted *entry;

	if (tables->used == tables->capacity)
		exit(1);
	entry = &tables->entries[tables->used++];
	entry->key = *key;
	HASH_ADD(hh, tables->tables[table], key, sizeof(entry->key), entry);
}

void bench_uthash_count(struct bench_uthash *tables, int table,
			const struct flow_key *key)
{
	struct counted *entry;

	HASH_FIND(hh, tables->tables[table], key, sizeof(*key), entry);
	if (entry)
		entry->packets++;
}
