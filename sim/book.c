/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "flowtable/siphash.h"

enum { PLACES_MIN = 1024 };

void book_init(struct book *book, size_t entry_bytes, uint32_t max)
{
	assert(entry_bytes >= sizeof(struct flow_key));
	*book = (struct book){ .entry_bytes = entry_bytes, .max = max };
	/* Without a secret the hash is still a hash; the tables here are
	 * bounded, so that whoever knows it can only make them slow. */
	if (getrandom(book->seed, sizeof(book->seed), 0) < 0)
		memset(book->seed, 0, sizeof(book->seed));
}

void book_fini(struct book *book)
{
	for (uint32_t i = 0; i < book->count; i += BOOK_CHUNK)
		free(book->chunks[i / BOOK_CHUNK]);
	free(book->chunks);
	free(book->places);
	*book = (struct book){ 0 };
}

void *book_entry(const struct book *book, uint32_t i)
{
	return book->chunks[i / BOOK_CHUNK] +
	       (i % BOOK_CHUNK) * book->entry_bytes;
}

/* Where the key is, or the free place where it would be. */
static uint32_t place_of(const struct book *book, const struct flow_key *key)
{
	uint32_t mask = book->places_count - 1;
	uint32_t at = (uint32_t)siphash13(book->seed, key, sizeof(*key)) & mask;

	while (book->places[at] != 0 &&
	       memcmp(book_entry(book, book->places[at] - 1), key,
		      sizeof(*key)) != 0)
		at = (at + 1) & mask;
	return at;
}

static void *find(const struct book *book, const struct flow_key *key)
{
	uint32_t at;

	if (book->count == 0)
		return NULL;
	at = place_of(book, key);
	return book->places[at] ? book_entry(book, book->places[at] - 1) : NULL;
}

/* At most half of the places are taken. */
static bool grow_places(struct book *book)
{
	uint32_t count = book->places_count ? 2 * book->places_count
					    : PLACES_MIN;
	uint32_t *old = book->places;

	if (book->count < book->places_count / 2)
		return true;
	book->places = calloc(count, sizeof(*book->places));
	if (!book->places) {
		book->places = old;
		return false;
	}
	free(old);
	book->places_count = count;
	for (uint32_t i = 0; i < book->count; i++)
		book->places[place_of(book, book_entry(book, i))] = i + 1;
	return true;
}

static bool grow_chunks(struct book *book)
{
	uint32_t chunk = book->count / BOOK_CHUNK;
	uint8_t **chunks;

	if (book->count % BOOK_CHUNK != 0)
		return true;
	chunks = realloc(book->chunks, (chunk + 1) * sizeof(*chunks));
	if (!chunks)
		return false;
	book->chunks = chunks;
	chunks[chunk] = calloc(BOOK_CHUNK, book->entry_bytes);
	return chunks[chunk] != NULL;
}

void *book_find_or_add(struct book *book, const struct flow_key *key)
{
	void *entry = find(book, key);

	if (entry)
		return entry;
	if (book->count == book->max || !grow_places(book) ||
	    !grow_chunks(book)) {
		book->omitted++;
		return NULL;
	}
	entry = book_entry(book, book->count);
	memcpy(entry, key, sizeof(*key));
	book->places[place_of(book, key)] = ++book->count;
	return entry;
}
