/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/toplist.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* (out + 1) / (in + 1), compared crosswise; at 2^32 - 1 the + 1 is left out,
 * so that both products fit. */
static int compare_s(const struct snapshot_row *a, const struct snapshot_row *b)
{
	uint64_t a_out = a->offered_pkts, b_out = b->offered_pkts;
	uint64_t a_in = a->heard_pkts, b_in = b->heard_pkts;

	a_out = a_out < UINT32_MAX ? a_out + 1 : a_out;
	b_out = b_out < UINT32_MAX ? b_out + 1 : b_out;
	a_in = a_in < UINT32_MAX ? a_in + 1 : a_in;
	b_in = b_in < UINT32_MAX ? b_in + 1 : b_in;
	return order(a_out * b_in, b_out * a_in);
}

static uint64_t rate_per_s(const struct snapshot_row *row)
{
	uint64_t window_ms = row->window_ns / 1000000;

	if (window_ms == 0)
		return row->offered_pkts;
	return (uint64_t)row->offered_pkts * 1000 / window_ms;
}

static int compare_rate(const struct snapshot_row *a,
			const struct snapshot_row *b)
{
	return order(rate_per_s(a), rate_per_s(b));
}

static int compare_held(const struct snapshot_row *a,
			const struct snapshot_row *b)
{
	int difference = order((uint64_t)a->held_pkts + a->line,
			       (uint64_t)b->held_pkts + b->line);

	return difference != 0 ? difference : order(a->over, b->over);
}

int toplist_compare(enum request_order by, const struct snapshot_row *a,
		    const struct snapshot_row *b)
{
	int difference = 0;

	switch (by) {
	case REQUEST_BY_S:
		break;
	case REQUEST_BY_RATE:
		difference = compare_rate(a, b);
		break;
	case REQUEST_BY_HELD:
		difference = compare_held(a, b);
		break;
	}
	if (difference == 0)
		difference = compare_s(a, b);
	if (difference == 0)
		difference = compare_rate(a, b);
	if (difference == 0)
		difference = -memcmp(&a->key, &b->key, sizeof(a->key));
	return difference;
}

bool toplist_init(struct toplist *list, enum request_order by, size_t max)
{
	assert(max > 0);
	list->by = by;
	list->count = 0;
	list->max = max;
	list->seen = 0;
	list->rows = calloc(max, sizeof(*list->rows));
	return list->rows != NULL;
}

void toplist_fini(struct toplist *list)
{
	free(list->rows);
	list->rows = NULL;
	list->count = 0;
	list->max = 0;
}

static bool is_before(const struct toplist *list, size_t a, size_t b)
{
	return toplist_compare(list->by, &list->rows[a].row,
			       &list->rows[b].row) > 0;
}

static void swap(struct toplist *list, size_t a, size_t b)
{
	struct toplist_row row = list->rows[a];

	list->rows[a] = list->rows[b];
	list->rows[b] = row;
}

static void sift_up(struct toplist *list, size_t i)
{
	while (i > 0 && is_before(list, (i - 1) / 2, i)) {
		swap(list, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void sift_down(struct toplist *list, size_t i)
{
	for (;;) {
		size_t least = i;
		size_t child = 2 * i + 1;

		if (child < list->count && is_before(list, least, child))
			least = child;
		if (child + 1 < list->count &&
		    is_before(list, least, child + 1))
			least = child + 1;
		if (least == i)
			return;
		swap(list, i, least);
		i = least;
	}
}

static void set_row(struct toplist_row *entry, const struct snapshot_row *row,
		    const char *zone)
{
	entry->row = *row;
	snprintf(entry->zone, sizeof(entry->zone), "%s", zone);
}

void toplist_add(struct toplist *list, const struct snapshot_row *row,
		 const char *zone)
{
	list->seen++;
	if (list->count < list->max) {
		set_row(&list->rows[list->count], row, zone);
		sift_up(list, list->count++);
	} else if (toplist_compare(list->by, row, &list->rows[0].row) > 0) {
		set_row(&list->rows[0], row, zone);
		sift_down(list, 0);
	}
}

void toplist_merge(struct toplist *list, const struct toplist *from)
{
	uint64_t seen = list->seen + from->seen;
	size_t i;

	for (i = 0; i < from->count; i++)
		toplist_add(list, &from->rows[i].row, from->rows[i].zone);
	list->seen = seen;
}

static int worst_first(const void *a, const void *b, void *by)
{
	const struct toplist_row *row_a = a, *row_b = b;

	return -toplist_compare(*(const enum request_order *)by, &row_a->row,
				&row_b->row);
}

void toplist_sort(struct toplist *list)
{
	if (list->count == 0)
		return;
	qsort_r(list->rows, list->count, sizeof(*list->rows), worst_first,
		&list->by);
}
