/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/remembered.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/request_state.h"
#include "shaper/expected.h"

struct remembered {
	struct remembered_guest list[REMEMBERED_MAX];
	size_t count;
};

struct remembered *remembered_new(void)
{
	return calloc(1, sizeof(struct remembered));
}

void remembered_free(struct remembered *guests)
{
	if (guests == NULL)
		return;
	for (size_t i = 0; i < guests->count; i++)
		free(guests->list[i].keys);
	free(guests);
}

const struct remembered_guest *remembered_at(const struct remembered *guests,
					     size_t at)
{
	return &guests->list[at];
}

size_t remembered_count(const struct remembered *guests)
{
	return guests->count;
}

static size_t find(const struct remembered *guests, const char *uuid)
{
	size_t at = 0;

	while (at < guests->count && strcmp(guests->list[at].uuid, uuid) != 0)
		at++;
	return at;
}

const struct remembered_guest *remembered_find(const struct remembered *guests,
					       const char *uuid)
{
	size_t at = find(guests, uuid);

	return at < guests->count ? &guests->list[at] : NULL;
}

static void remove_at(struct remembered *guests, size_t at)
{
	free(guests->list[at].keys);
	guests->list[at] = guests->list[--guests->count];
}

size_t remembered_take(struct remembered *guests, const char *uuid,
		       const struct pump_guest *guest,
		       struct memory_record *ret_keys)
{
	size_t at = find(guests, uuid), taken = 0, kept = 0;
	struct remembered_guest *known;

	if (at == guests->count)
		return 0;
	known = &guests->list[at];
	for (size_t i = 0; i < known->count; i++)
		if (guest->count == 0 ||
		    pump_is_of_guest(guest, &known->keys[i].record.key))
			ret_keys[taken++] = known->keys[i];
		else
			known->keys[kept++] = known->keys[i];
	known->count = kept;
	if (kept == 0)
		remove_at(guests, at);
	return taken;
}

void remembered_advance(struct remembered *guests, uint64_t now_ns)
{
	size_t at = 0;

	while (at < guests->count)
		if (guests->list[at].until_ns <= now_ns)
			remove_at(guests, at);
		else
			at++;
}

static void make_room(struct remembered *guests)
{
	size_t first = 0;

	for (size_t i = 1; i < guests->count; i++)
		if (guests->list[i].until_ns < guests->list[first].until_ns)
			first = i;
	remove_at(guests, first);
}

static struct remembered_guest *add_guest(struct remembered *guests,
					  const char *uuid)
{
	struct memory_record *keys = calloc(REMEMBERED_KEYS_MAX, sizeof(*keys));
	struct remembered_guest *guest;

	if (keys == NULL)
		return NULL;
	if (guests->count == REMEMBERED_MAX)
		make_room(guests);
	guest = &guests->list[guests->count++];
	*guest = (struct remembered_guest){ .keys = keys };
	snprintf(guest->uuid, sizeof(guest->uuid), "%s", uuid);
	return guest;
}

static bool is_same(const struct memory_record *a,
		    const struct memory_record *b)
{
	return flow_key_equal(&a->record.key, &b->record.key) &&
	       strcmp(a->zone, b->zone) == 0;
}

static bool add_key(struct remembered *guests, const char *uuid,
		    const struct memory_record *key, uint64_t until_ns)
{
	size_t at = find(guests, uuid);
	struct remembered_guest *guest = at < guests->count
						 ? &guests->list[at]
						 : add_guest(guests, uuid);

	if (guest == NULL)
		return false;
	if (until_ns > guest->until_ns)
		guest->until_ns = until_ns;
	for (size_t i = 0; i < guest->count; i++) {
		struct memory_record *known = &guest->keys[i];

		if (!is_same(known, key))
			continue;
		if (expected_is_stricter(&key->record, &known->record))
			*known = *key;
		return true;
	}
	if (guest->count == REMEMBERED_KEYS_MAX)
		return false;
	guest->keys[guest->count++] = *key;
	return true;
}

bool remembered_add(struct remembered *guests, const char *uuid,
		    const struct memory_record *key, uint64_t now_ns)
{
	return add_key(guests, uuid, key, now_ns + REMEMBERED_NS);
}

int remembered_save(const struct remembered *guests, const char *path,
		    uint64_t wall_ns, uint64_t now_ns)
{
	struct state_writer writer;
	int error;

	state_begin(&writer, wall_ns);
	for (size_t i = 0; i < guests->count; i++) {
		const struct remembered_guest *guest = &guests->list[i];

		if (guest->until_ns <= now_ns)
			continue;
		state_add_guest(&writer, guest->uuid, guest->until_ns - now_ns);
		for (size_t j = 0; j < guest->count; j++)
			state_add_record(&writer, &guest->keys[j].record,
					 guest->keys[j].zone);
	}
	error = state_save_soon(&writer, path);
	state_fini(&writer);
	return error;
}

/* Whose time is over, or is none that we would have given, is not added. */
static uint64_t until_of(const struct state_item *item, uint64_t down_ns,
			 uint64_t now_ns)
{
	if (!request_state_is_uuid(item->name) || item->value <= down_ns ||
	    item->value > REMEMBERED_NS)
		return 0;
	return now_ns + item->value - down_ns;
}

int remembered_load(struct remembered *guests, const char *path,
		    uint64_t wall_ns, uint64_t now_ns, const char **ret_why)
{
	char uuid[STATE_UUID_BYTES] = "";
	struct state_reader reader;
	struct memory_record key;
	struct state_item item;
	uint64_t down_ns, until_ns = 0;
	size_t size_bytes;
	uint8_t *bytes;
	int error = state_load(path, &bytes, &size_bytes);

	if (error < 0)
		return error;
	*ret_why = state_open(&reader, bytes, size_bytes);
	down_ns = wall_ns > reader.wall_ns ? wall_ns - reader.wall_ns : 0;
	while (*ret_why == NULL && state_next(&reader, &item)) {
		if (item.kind == STATE_GUEST) {
			until_ns = until_of(&item, down_ns, now_ns);
			memcpy(uuid, item.name, sizeof(uuid));
		}
		if (item.kind != STATE_RECORD || until_ns == 0)
			continue;
		key.record = item.record;
		memcpy(key.zone, item.zone, sizeof(key.zone));
		add_key(guests, uuid, &key, until_ns);
	}
	free(bytes);
	return *ret_why == NULL ? 0 : 1;
}
