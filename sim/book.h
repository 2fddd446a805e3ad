/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

/*
 * What an observer remembers of each key: an entry of any size that begins
 * with its struct flow_key.  Found by a keyed hash, never forgotten, never
 * moved, up to a bound.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"

enum { BOOK_CHUNK = 256 };

struct book {
	size_t entry_bytes;
	uint32_t count, max;
	uint8_t **chunks; /* of BOOK_CHUNK entries */
	uint32_t *places; /* slot + 1; 0: free */
	uint32_t places_count;
	uint64_t omitted; /* asked for, and there was no place */
	uint8_t seed[16];
};

/* Up to `max` entries.  Takes no memory yet. */
void book_init(struct book *book, size_t entry_bytes, uint32_t max);
void book_fini(struct book *book);

/* The entry, zeroed but for its key when it is new.  NULL: no place (counted)
 * or out of memory (the same). */
void *book_find_or_add(struct book *book, const struct flow_key *key);

/* The i-th that was added; i < count. */
void *book_entry(const struct book *book, uint32_t i);

#endif
