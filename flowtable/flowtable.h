/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_FLOWTABLE_H
#define FLOWTABLE_FLOWTABLE_H

/*
 * The table of the packet path: a fixed number of 96-byte entries, found by a
 * keyed hash through an index of 64-byte buckets (ten 16-bit tags and ten
 * places).  Two buckets' places stand for each entry, so that a bucket seldom
 * overflows into the next; with its share of the index an entry costs 109
 * bytes.  A look-up touches one line of the index and two of the entry, and
 * is split in three so that a batch can prefetch each:
 *
 *	hash = flowtable_hash(...); flowtable_prefetch(table, hash);
 *	slot = flowtable_guess(table, hash);   (prefetches the entry)
 *	slot = flowtable_find(table, key, hash);
 *
 * The table knows nothing of time or of what may be forgotten: its owner
 * removes entries.  It is full when every entry is in use, not before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/siphash.h"

enum { FLOWTABLE_RUNS = 4 };
#define FLOWTABLE_NONE UINT32_MAX

/* Some values mean one thing for flows, another for pairs. */
enum flow_entry_flag {
	FLOW_ENTRY_EXEMPT = 1,     /* a rule says so: never held */
	FLOW_ENTRY_OUTSIDE = 2,    /* made by a packet from outside */
	FLOW_ENTRY_ASIDE = 4,      /* packets out are on their way to hold */
	FLOW_ENTRY_WITH_HOST = 8,  /* those that wait elsewhere do so there */
	FLOW_ENTRY_OPENING = 16,   /* TCP: its SYN went out */
	FLOW_ENTRY_ASIDE_IN = 32,  /* packets in, likewise */
	FLOW_ENTRY_ACCEPTED = 64,  /* TCP: a SYN-ACK came, not yet counted */
	FLOW_ENTRY_CONTACTED = 16, /* pair: its guarded host spoke */
	FLOW_ENTRY_HEARD = 64,     /* pair: the other one answered */
	FLOW_ENTRY_LEASED = 128,   /* pair: somebody else counts it; it stays */
	FLOW_ENTRY_ASKED = 128,    /* TCP: its latest packet was a first SYN */
};

/* One key.  What a scope does not need is 0.  Zeroed when it is made. */
struct flow_entry {
	struct flow_key key;
	uint32_t suspect; /* exact window and gate; 0: none is needed */
	uint32_t up;      /* flow: its pair; pair: its host (slots) */
	union {
		uint16_t segment_bytes[2]; /* flow: out, in; 0: unknown;
					    * see shaper/pump_segments.c */
		uint32_t below;            /* pair, host: entries whose `up`
					    * this is */
	} u;
	uint8_t flags;      /* enum flow_entry_flag */
	uint8_t params;     /* index of its gate_params */
	uint8_t generation; /* of the policy that chose them */
	uint8_t parked;     /* flow: its packets that wait in a wider key */
	uint64_t base_ns;   /* shaper/window.h: a window in 40 bytes */
	uint64_t runs[FLOWTABLE_RUNS];
};
_Static_assert(sizeof(struct flow_entry) == 96, "an entry is 96 bytes");

struct flowtable {
	struct flow_entry *entries;
	struct flowtable_bucket *buckets;
	uint64_t k0, k1;
	uint32_t buckets_count;
	uint32_t capacity;
	uint32_t used;
	uint32_t fresh; /* entries from here on were never used */
	uint32_t freed; /* first of the freed ones, linked by `up` */
};

enum { FLOWTABLE_PLACES = 10 };

struct flowtable_bucket {
	uint16_t tags[FLOWTABLE_PLACES]; /* 0: empty */
	uint16_t passed_on[2]; /* [0]: keys of this bucket that stand in a
				* later one; saturates, then stays */
	uint32_t slots[FLOWTABLE_PLACES];
};
_Static_assert(sizeof(struct flowtable_bucket) == 64, "a bucket is a line");

/* false: out of memory (nothing to undo).  capacity 1..2^30.  Memory is
 * reserved here and used as entries are. */
bool flowtable_init(struct flowtable *table, uint32_t capacity,
		    const uint8_t seed[16]);
void flowtable_fini(struct flowtable *table);

/* Reserved by flowtable_init. */
size_t flowtable_bytes(const struct flowtable *table);

static inline struct flow_entry *flowtable_entry(const struct flowtable *table,
						 uint32_t slot)
{
	return &table->entries[slot];
}

/* Cannot fail. */
uint64_t flowtable_hash(const struct flowtable *table,
			const struct flow_key *key);

static inline uint32_t flowtable_home(const struct flowtable *table,
				      uint64_t hash)
{
	return (uint32_t)(((hash >> 32) * table->buckets_count) >> 32);
}

static inline uint16_t flowtable_tag(uint64_t hash)
{
	return (uint16_t)(hash | 1);
}

static inline void flowtable_prefetch(const struct flowtable *table,
				      uint64_t hash)
{
	__builtin_prefetch(&table->buckets[flowtable_home(table, hash)]);
}

static inline void flowtable_prefetch_entry(const struct flowtable *table,
					    uint32_t slot)
{
	const char *entry = (const char *)&table->entries[slot];

	__builtin_prefetch(entry, 1);
	__builtin_prefetch(entry + 64, 1);
}

/*
 * Where the key with this hash probably is; its entry is prefetched.  The
 * caller compares keys.  FLOWTABLE_NONE: not in its home bucket.
 */
uint32_t flowtable_guess(const struct flowtable *table, uint64_t hash);

/* FLOWTABLE_NONE: not in the table. */
uint32_t flowtable_find(const struct flowtable *table,
			const struct flow_key *key, uint64_t hash);

/* A key that is not in the table yet.  FLOWTABLE_NONE: the table is full. */
uint32_t flowtable_add(struct flowtable *table, const struct flow_key *key,
		       uint64_t hash);

void flowtable_remove(struct flowtable *table, uint32_t slot);

/* Is there a key in this entry?  For walks over slots 0..fresh-1. */
static inline bool flowtable_in_use(const struct flowtable *table,
				    uint32_t slot)
{
	return table->entries[slot].key.scope != FLOW_SCOPES;
}

#endif
