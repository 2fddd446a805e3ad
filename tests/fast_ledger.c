/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/siphash.h"

enum { KEYS_MAX = 1 << 18 };

struct ledger {
	struct ledger_key *keys[KEYS_MAX]; /* open addressing */
	struct ledger_key *all[KEYS_MAX / 2];
	size_t count;
};

struct ledger *ledger_new(void)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	assert(ledger != NULL);
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++) {
		free(ledger->all[i]->events);
		free(ledger->all[i]);
	}
	free(ledger);
}

struct ledger_key *ledger_find(struct ledger *ledger,
			       const struct flow_key *key)
{
	static const uint8_t SEED[16] = { 7 };
	size_t at = siphash13(SEED, key, sizeof(*key)) % KEYS_MAX;

	while (ledger->keys[at] != NULL) {
		if (flow_key_equal(&ledger->keys[at]->key, key))
			return ledger->keys[at];
		at = (at + 1) % KEYS_MAX;
	}
	assert(ledger->count < KEYS_MAX / 2);
	ledger->keys[at] = calloc(1, sizeof(*ledger->keys[at]));
	assert(ledger->keys[at] != NULL);
	ledger->keys[at]->key = *key;
	ledger->all[ledger->count++] = ledger->keys[at];
	return ledger->keys[at];
}

struct ledger_key *ledger_next(const struct ledger *ledger, size_t *position)
{
	if (*position == ledger->count)
		return NULL;
	return ledger->all[(*position)++];
}

static void make_room(struct ledger_key *key)
{
	if (key->first > 0) {
		memmove(key->events, key->events + key->first,
			key->count * sizeof(*key->events));
		key->first = 0;
	}
	if (key->count < key->capacity)
		return;
	key->capacity = key->capacity ? key->capacity * 2 : 4;
	key->events =
		realloc(key->events, key->capacity * sizeof(*key->events));
	assert(key->events != NULL);
}

void ledger_add(struct ledger_key *key, uint32_t sent_pkts, uint32_t heard_pkts,
		uint64_t at_ns)
{
	if (sent_pkts + heard_pkts == 0)
		return;
	if (key->first + key->count == key->capacity)
		make_room(key);
	assert(key->count == 0 ||
	       key->events[key->first + key->count - 1].at_ns <= at_ns);
	key->events[key->first + key->count++] =
		(struct ledger_event){ at_ns, sent_pkts, heard_pkts };
}

void ledger_sums(const struct ledger_key *key, uint64_t window_ns,
		 uint64_t now_ns, uint32_t *ret_sent_pkts,
		 uint32_t *ret_heard_pkts)
{
	*ret_sent_pkts = 0;
	*ret_heard_pkts = 0;
	for (uint32_t i = key->count; i-- > 0;) {
		const struct ledger_event *event = &key->events[key->first + i];

		if (event->at_ns + window_ns <= now_ns)
			break;
		*ret_sent_pkts += event->sent_pkts;
		*ret_heard_pkts += event->heard_pkts;
	}
}

void ledger_forget(struct ledger_key *key, uint64_t window_ns, uint64_t now_ns)
{
	while (key->count > 0 &&
	       key->events[key->first].at_ns + window_ns <= now_ns) {
		key->first++;
		key->count--;
	}
	if (key->count == 0)
		key->first = 0;
}
