/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_elements.h"

#include <stdio.h>

#include <libnftnl/set.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 64, DATA_BYTES = 16, NAME_BYTES = 40 };

/* One element as bytes that can be sorted and compared. */
struct record {
	uint8_t key[KEY_BYTES], key_end[KEY_BYTES], data[DATA_BYTES];
	uint32_t flags, verdict;
	char chain[NAME_BYTES], object[NAME_BYTES];
	struct nftnl_set_elem *element; /* not compared */
};

struct records {
	struct record *list;
	size_t count, size;
};

static void copy_bytes(struct nftnl_set_elem *element, uint16_t attribute,
		       uint8_t *ret_bytes, uint32_t room)
{
	uint32_t bytes = 0;
	const void *data = NULL;

	if (nftnl_set_elem_is_set(element, attribute))
		data = nftnl_set_elem_get(element, attribute, &bytes);
	if (data)
		memcpy(ret_bytes, data, bytes < room ? bytes : room);
}

static uint32_t number_of(struct nftnl_set_elem *element, uint16_t attribute)
{
	return nftnl_set_elem_is_set(element, attribute)
		       ? nftnl_set_elem_get_u32(element, attribute)
		       : 0;
}

static void copy_name(struct nftnl_set_elem *element, uint16_t attribute,
		      char ret_name[NAME_BYTES])
{
	const char *name = nftnl_set_elem_is_set(element, attribute)
				   ? nftnl_set_elem_get_str(element, attribute)
				   : NULL;

	if (name)
		snprintf(ret_name, NAME_BYTES, "%s", name);
}

static int add_record(struct nftnl_set_elem *element, void *data)
{
	struct records *records = data;
	struct record *record;

	if (records->count == records->size) {
		records->size = records->size ? 2 * records->size : 64;
		record =
			realloc(records->list, records->size * sizeof(*record));
		if (!record)
			return -1;
		records->list = record;
	}
	record = &records->list[records->count++];
	memset(record, 0, sizeof(*record));
	copy_bytes(element, NFTNL_SET_ELEM_KEY, record->key, KEY_BYTES);
	copy_bytes(element, NFTNL_SET_ELEM_KEY_END, record->key_end, KEY_BYTES);
	copy_bytes(element, NFTNL_SET_ELEM_DATA, record->data, DATA_BYTES);
	record->flags = number_of(element, NFTNL_SET_ELEM_FLAGS);
	record->verdict = number_of(element, NFTNL_SET_ELEM_VERDICT);
	copy_name(element, NFTNL_SET_ELEM_CHAIN, record->chain);
	copy_name(element, NFTNL_SET_ELEM_OBJREF, record->object);
	record->element = element;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct record, element));
}

static bool collect(struct nftnl_set *set, struct records *records)
{
	if (nftnl_set_elem_foreach(set, add_record, records) < 0)
		return false;
	if (records->count > 0)
		qsort(records->list, records->count, sizeof(*records->list),
		      compare);
	return true;
}

bool nftelements_match(struct nftnl_set *a, struct nftnl_set *b)
{
	struct records of_a = { 0 }, of_b = { 0 };
	bool match = collect(a, &of_a) && collect(b, &of_b) &&
		     of_a.count == of_b.count;

	for (size_t i = 0; match && i < of_a.count; i++)
		match = compare(&of_a.list[i], &of_b.list[i]) == 0;
	free(of_a.list);
	free(of_b.list);
	return match;
}

/* Not nftnl_set_elem_clone: its copies share the names of chains. */
static bool copy_to(struct nftnl_set *set, const struct record *record)
{
	static const uint16_t ATTRIBUTES[] = {
		NFTNL_SET_ELEM_KEY,
		NFTNL_SET_ELEM_KEY_END,
		NFTNL_SET_ELEM_DATA,
	};
	struct nftnl_set_elem *element = nftnl_set_elem_alloc();

	if (!element)
		return false;
	nftnl_set_elem_add(set, element);
	for (size_t i = 0; i < sizeof(ATTRIBUTES) / sizeof(*ATTRIBUTES); i++) {
		const void *data = NULL;
		uint32_t bytes = 0;

		if (nftnl_set_elem_is_set(record->element, ATTRIBUTES[i]))
			data = nftnl_set_elem_get(record->element,
						  ATTRIBUTES[i], &bytes);
		if (data &&
		    nftnl_set_elem_set(element, ATTRIBUTES[i], data, bytes) < 0)
			return false;
	}
	if (record->flags)
		nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS,
				       record->flags);
	if (nftnl_set_elem_is_set(record->element, NFTNL_SET_ELEM_VERDICT))
		nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_VERDICT,
				       record->verdict);
	if (record->chain[0] &&
	    nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN,
				   record->chain) < 0)
		return false;
	return !record->object[0] ||
	       nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_OBJREF,
				      record->object) >= 0;
}

bool nftelements_differ(struct nftnl_set *now, struct nftnl_set *next,
			struct nftnl_set *gone, struct nftnl_set *come)
{
	struct records before = { 0 }, after = { 0 };
	bool good = collect(now, &before) && collect(next, &after);
	size_t i = 0, j = 0;
	int order;

	while (good && (i < before.count || j < after.count)) {
		if (i == before.count)
			order = 1;
		else if (j == after.count)
			order = -1;
		else
			order = compare(&before.list[i], &after.list[j]);
		if (order < 0)
			good = copy_to(gone, &before.list[i++]);
		else if (order > 0)
			good = copy_to(come, &after.list[j++]);
		else
			i++, j++;
	}
	free(before.list);
	free(after.list);
	return good;
}
