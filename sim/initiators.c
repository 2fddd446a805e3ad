/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/initiators.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/packet_meta.h"
#include "flowtable/siphash.h"

enum {
	WAYS = 8,
	SETS_MIN = 64,
	SPARE_SHARE = 4, /* places for each pair: few sets overflow */
	LINE_BYTES = 64,
};

/* A place is the pair's hash; these two of its bits say something else. */
enum { LOWER_BEGAN = 1, IN_USE = 2 };

struct set {
	uint64_t places[WAYS]; /* latest seen first; 0: free, at the end */
};
_Static_assert(sizeof(struct set) == LINE_BYTES, "a set is a line");

struct initiators {
	struct set *sets;
	void *memory;
	uint64_t count; /* a power of two */
	uint64_t k0, k1;
	uint64_t forgotten;
	bool grows;
};

/* Zeroed pages cost nothing until they are used. */
static bool sets_init(struct initiators *initiators, uint64_t count)
{
	uintptr_t memory;

	initiators->memory = calloc(count + 1, sizeof(struct set));
	if (!initiators->memory)
		return false;
	memory = (uintptr_t)initiators->memory;
	initiators->sets = (struct set *)((memory + LINE_BYTES - 1) /
					  LINE_BYTES * LINE_BYTES);
	initiators->count = count;
	return true;
}

struct initiators *initiators_new(uint32_t pairs, bool grows,
				  const uint8_t seed[16])
{
	struct initiators *initiators = calloc(1, sizeof(*initiators));
	uint64_t count = SETS_MIN;

	if (!initiators)
		return NULL;
	memcpy(&initiators->k0, seed, sizeof(initiators->k0));
	memcpy(&initiators->k1, seed + 8, sizeof(initiators->k1));
	initiators->grows = grows;
	while (count * WAYS < (uint64_t)pairs * SPARE_SHARE)
		count *= 2;
	if (sets_init(initiators, count))
		return initiators;
	free(initiators);
	return NULL;
}

void initiators_free(struct initiators *initiators)
{
	if (!initiators)
		return;
	free(initiators->memory);
	free(initiators);
}

static struct set *set_of(const struct initiators *initiators, uint64_t hash)
{
	return &initiators->sets[(hash >> 2) & (initiators->count - 1)];
}

static void hash_address(struct siphash *s, const uint8_t address[16])
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	siphash_word(s, words[0]);
	siphash_word(s, words[1]);
}

static bool src_is_lower(const struct packet_ends *ends)
{
	return memcmp(ends->src, ends->dst, sizeof(ends->src)) <= 0;
}

uint64_t initiators_hash(const struct initiators *initiators,
			 const struct packet_ends *ends, uint16_t zone)
{
	bool lower = src_is_lower(ends);
	struct siphash s;
	uint64_t hash;

	siphash_init(&s, initiators->k0, initiators->k1);
	hash_address(&s, lower ? ends->src : ends->dst);
	hash_address(&s, lower ? ends->dst : ends->src);
	siphash_word(&s, zone);
	hash = siphash_finish(s);
	__builtin_prefetch(set_of(initiators, hash), 1);
	return hash;
}

static uint64_t place_of(uint64_t hash)
{
	return (hash & ~(uint64_t)LOWER_BEGAN) | IN_USE;
}

/* WAYS: not there. */
static unsigned int way_of(const struct set *set, uint64_t hash)
{
	unsigned int way = 0;

	while (way < WAYS &&
	       (set->places[way] & ~(uint64_t)LOWER_BEGAN) != place_of(hash))
		way++;
	return way;
}

/* Twice as many sets: the pairs of one go to two. */
static void grow(struct initiators *initiators)
{
	struct initiators wider = *initiators;

	if (!sets_init(&wider, initiators->count * 2))
		return;
	for (uint64_t i = 0; i < initiators->count; i++) {
		unsigned int used[2] = { 0, 0 };

		for (unsigned int way = 0; way < WAYS; way++) {
			uint64_t place = initiators->sets[i].places[way];
			struct set *set = set_of(&wider, place);
			bool upper = set == &wider.sets[i + initiators->count];

			if (place)
				set->places[used[upper]++] = place;
		}
	}
	free(initiators->memory);
	*initiators = wider;
}

static struct set *room_for(struct initiators *initiators, uint64_t hash)
{
	struct set *set = set_of(initiators, hash);
	uint64_t count;

	while (set->places[WAYS - 1] && initiators->grows) {
		count = initiators->count;
		grow(initiators);
		set = set_of(initiators, hash);
		if (count == initiators->count)
			break;
	}
	initiators->forgotten += set->places[WAYS - 1] != 0;
	return set;
}

static void to_front(struct set *set, unsigned int way, uint64_t place)
{
	for (; way > 0; way--)
		set->places[way] = set->places[way - 1];
	set->places[0] = place;
}

bool initiators_ask(struct initiators *initiators,
		    const struct packet_ends *ends, uint64_t hash)
{
	struct set *set = set_of(initiators, hash);
	unsigned int way = way_of(set, hash);
	bool lower = src_is_lower(ends);
	uint64_t place;

	if (way == WAYS) {
		set = room_for(initiators, hash);
		to_front(set, WAYS - 1, place_of(hash) | lower);
		return true;
	}
	place = set->places[way];
	if (way > 0)
		to_front(set, way, place);
	return lower == (place & LOWER_BEGAN);
}

bool initiators_find(const struct initiators *initiators,
		     const struct packet_ends *ends, uint64_t hash,
		     bool *ret_src_began)
{
	const struct set *set = set_of(initiators, hash);
	unsigned int way = way_of(set, hash);

	if (way == WAYS)
		return false;
	*ret_src_began = src_is_lower(ends) == (set->places[way] & LOWER_BEGAN);
	return true;
}

uint64_t initiators_forgotten(const struct initiators *initiators)
{
	return initiators->forgotten;
}
