/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/lately.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->unhashed = true)
#define HASH_FUNCTION(key, length, hash) \
	((hash) = (unsigned)siphash13(secret, key, length))
#include <uthash.h>

struct name {
	struct flow_key key;
	char zone[ZONE_NAME_SIZE];
};

struct note {
	struct name name;
	struct memory_record record;
	uint64_t seen_ns;
	bool unhashed;
	UT_hash_handle hh;
};

struct lately {
	uint8_t secret[16];
	struct note *notes;
	size_t count;
};

struct lately *lately_new(void)
{
	struct lately *lately = calloc(1, sizeof(*lately));
	const void *place = lately;

	/* Where memory lies is what an outsider does not know. */
	if (lately != NULL)
		memcpy(lately->secret, &place, sizeof(place));
	return lately;
}

static void forget(struct lately *lately, struct note *note)
{
	HASH_DEL(lately->notes, note);
	free(note);
	lately->count--;
}

void lately_free(struct lately *lately)
{
	struct note *note, *next;

	if (lately == NULL)
		return;
	HASH_ITER(hh, lately->notes, note, next) forget(lately, note);
	free(lately);
}

static void sweep(struct lately *lately, uint64_t now_ns)
{
	struct note *note, *next;

	HASH_ITER(hh, lately->notes, note, next)
	if (now_ns - note->seen_ns >= LATELY_NS)
		forget(lately, note);
}

static struct note *find_or_add(struct lately *lately, const struct name *name)
{
	const uint8_t *secret = lately->secret;
	struct note *note;

	HASH_FIND(hh, lately->notes, name, sizeof(*name), note);
	if (note != NULL || lately->count == LATELY_KEYS_MAX)
		return note;
	note = calloc(1, sizeof(*note));
	if (note == NULL)
		return NULL;
	note->name = *name;
	HASH_ADD(hh, lately->notes, name, sizeof(*name), note);
	if (note->unhashed) {
		free(note);
		return NULL;
	}
	lately->count++;
	return note;
}

void lately_note(struct lately *lately, const struct memory_record *records,
		 size_t count, uint64_t now_ns)
{
	sweep(lately, now_ns);
	for (size_t i = 0; i < count; i++) {
		struct name name = { .key = records[i].record.key };
		struct note *note;

		name.key.zone = 0; /* it is the engine's own number */
		memcpy(name.zone, records[i].zone, sizeof(name.zone));
		note = find_or_add(lately, &name);
		if (note == NULL)
			continue;
		note->record = records[i];
		note->record.record.key.zone = 0;
		note->seen_ns = now_ns;
	}
}

size_t lately_take(struct lately *lately, const struct passage_guest *guest,
		   struct memory_record *ret_records, size_t max,
		   uint64_t now_ns)
{
	const struct pump_guest told = { .addresses = guest->addresses,
					 .count = guest->count };
	struct note *note, *next;
	size_t count = 0;

	sweep(lately, now_ns);
	HASH_ITER(hh, lately->notes, note, next)
	{
		bool is_own = strcmp(note->name.zone, guest->interface) == 0;

		if (guest->count > 0 ? !pump_is_of_guest(&told, &note->name.key)
				     : !is_own)
			continue;
		if (count == max)
			break;
		ret_records[count] = note->record;
		if (is_own)
			memset(ret_records[count].zone, 0,
			       sizeof(ret_records[count].zone));
		count++;
		forget(lately, note);
	}
	return count;
}
