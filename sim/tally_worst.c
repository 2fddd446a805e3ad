/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which keys are the worst. */
#include <stdlib.h>
#include <string.h>

#include "sim/tally_table.h"

static int descending(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* (sent + 1) / (heard + 1), without a division. */
static int by_peak(const struct tally_key *a, const struct tally_key *b)
{
	return descending(
		(a->peak_sent_pkts + UINT64_C(1)) * (b->peak_heard_pkts + 1),
		(b->peak_sent_pkts + UINT64_C(1)) * (a->peak_heard_pkts + 1));
}

int tally_compare(const struct tally_key *a, const struct tally_key *b)
{
	int order = descending(a->held.delayed_pkts + a->held.dropped_pkts,
			       b->held.delayed_pkts + b->held.dropped_pkts);

	if (order == 0)
		order = descending(a->held.delay_ns, b->held.delay_ns);
	if (order == 0)
		order = by_peak(a, b);
	if (order == 0)
		order = descending(a->out_pkts + a->in_pkts,
				   b->out_pkts + b->in_pkts);
	if (order == 0)
		order = a->key.scope - b->key.scope;
	if (order == 0)
		order = memcmp(&a->key, &b->key, sizeof(a->key));
	return order ? order : (int)a->guarded - (int)b->guarded;
}

static int compare(const void *a, const void *b)
{
	return tally_compare(*(const struct tally_key *const *)a,
			     *(const struct tally_key *const *)b);
}

/* A heap with the least bad of them on top. */
struct heap {
	const struct tally_key **keys;
	size_t count, max;
};

static void sift_up(struct heap *heap, size_t at)
{
	const struct tally_key *key = heap->keys[at];

	while (at > 0 && tally_compare(heap->keys[(at - 1) / 2], key) < 0) {
		heap->keys[at] = heap->keys[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->keys[at] = key;
}

static void sift_down(struct heap *heap, const struct tally_key *key)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count &&
		    tally_compare(heap->keys[child], heap->keys[child + 1]) < 0)
			child++;
		if (tally_compare(key, heap->keys[child]) >= 0)
			break;
		heap->keys[at] = heap->keys[child];
		at = child;
	}
	heap->keys[at] = key;
}

static void offer(struct heap *heap, const struct tally_key *key)
{
	if (heap->count < heap->max) {
		heap->keys[heap->count] = key;
		sift_up(heap, heap->count++);
	} else if (tally_compare(key, heap->keys[0]) < 0) {
		sift_down(heap, key);
	}
}

size_t tally_worst(struct tally *tally, unsigned int scopes,
		   const struct tally_key **ret_keys, size_t max)
{
	struct heap heap = { .keys = ret_keys, .max = max };

	for (int scope = 0; scope < FLOW_SCOPES && max > 0; scope++) {
		const struct tally_table *table =
			tally_table(tally, (enum flow_scope)scope);

		for (uint32_t i = 0; scopes >> scope & 1 && i < table->count;
		     i++) {
			struct tally_entry *entry = &table->entries[i];

			entry->key.peak_sent_pkts = entry->peak.most_sent_pkts;
			entry->key.peak_heard_pkts =
				entry->peak.most_heard_pkts;
			offer(&heap, &entry->key);
		}
	}
	qsort(ret_keys, heap.count, sizeof(*ret_keys), compare);
	return heap.count;
}

size_t tally_count(struct tally *tally, unsigned int scopes)
{
	size_t count = 0;

	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (scopes >> scope & 1)
			count += tally_table(tally, (enum flow_scope)scope)
					 ->count;
	return count;
}
