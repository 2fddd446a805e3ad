/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/expected.h"

#include <string.h>

static uint32_t *list_of(struct expected *expected, uint64_t hash)
{
	return &expected->lists[hash & (EXPECTED_LISTS - 1)];
}

void expected_remove(struct expected *expected, struct expected_key *key)
{
	uint32_t at = (uint32_t)(key - expected->keys);
	uint32_t *link = list_of(expected, key->hash);

	while (*link != at)
		link = &expected->keys[*link].next;
	*link = key->next;
	key->used = false;
	key->next = expected->freed;
	expected->freed = at;
	expected->count--;
}

static void sweep(struct expected *expected, uint64_t now_ns)
{
	for (uint32_t at = 1; at <= expected->fresh; at++)
		if (expected->keys[at].used &&
		    expected->keys[at].until_ns <= now_ns)
			expected_remove(expected, &expected->keys[at]);
}

struct expected_key *expected_find(struct expected *expected,
				   const struct flow_key *key, uint64_t hash,
				   uint64_t now_ns)
{
	for (uint32_t at = *list_of(expected, hash); at != 0;
	     at = expected->keys[at].next) {
		struct expected_key *found = &expected->keys[at];

		if (found->hash != hash ||
		    !flow_key_equal(&found->record.key, key))
			continue;
		if (found->until_ns > now_ns)
			return found;
		expected_remove(expected, found);
		return NULL;
	}
	return NULL;
}

static struct expected_key *take_place(struct expected *expected)
{
	uint32_t at = expected->freed;

	if (at != 0) {
		expected->freed = expected->keys[at].next;
		return &expected->keys[at];
	}
	if (expected->fresh == EXPECTED_MAX)
		return NULL;
	return &expected->keys[++expected->fresh];
}

bool expected_is_stricter(const struct pump_record *a,
			  const struct pump_record *b)
{
	uint64_t sent_a = 0, sent_b = 0;

	if (a->releases != b->releases)
		return a->releases > b->releases;
	for (uint32_t i = 0; i < a->runs_count; i++)
		sent_a += a->runs[i].sent_pkts;
	for (uint32_t i = 0; i < b->runs_count; i++)
		sent_b += b->runs[i].sent_pkts;
	return sent_a > sent_b;
}

bool expected_add(struct expected *expected, const struct pump_record *record,
		  uint64_t hash, uint64_t until_ns, uint64_t now_ns)
{
	struct expected_key *key =
		expected_find(expected, &record->key, hash, now_ns);
	uint32_t *list = list_of(expected, hash);

	if (key != NULL) {
		if (expected_is_stricter(record, &key->record))
			key->record = *record;
		if (until_ns > key->until_ns)
			key->until_ns = until_ns;
		return true;
	}
	if (expected->count == EXPECTED_MAX)
		sweep(expected, now_ns);
	key = take_place(expected);
	if (key == NULL)
		return false;
	*key = (struct expected_key){ .record = *record,
				      .hash = hash,
				      .until_ns = until_ns,
				      .next = *list,
				      .used = true };
	*list = (uint32_t)(key - expected->keys);
	expected->count++;
	return true;
}
