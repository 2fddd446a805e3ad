/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/lengths.h"

enum { EXACT = 64, EXACT_BITS = 6 };

static uint32_t class_of(uint32_t length)
{
	unsigned int bits = 0;

	if (length < EXACT)
		return length;
	for (uint32_t rest = length >> EXACT_BITS; rest > 1; rest >>= 1)
		bits++;
	return EXACT + bits;
}

static void unlink_item(struct lengths *lengths, struct lengths_link *links,
			uint32_t item)
{
	struct lengths_link *link = &links[item];
	uint32_t class = link->class - 1;

	if (link->next)
		links[link->next - 1].prev = link->prev;
	if (link->prev)
		links[link->prev - 1].next = link->next;
	else
		lengths->heads[class] = link->next;
	if (lengths->heads[class] == 0)
		lengths->used[class / 64] &= ~(1ull << (class % 64));
	*link = (struct lengths_link){ 0 };
}

void lengths_set(struct lengths *lengths, struct lengths_link *links,
		 uint32_t item, uint32_t length)
{
	uint32_t class = class_of(length);
	struct lengths_link *link = &links[item];

	if (link->class && link->class - 1 == class)
		return;
	if (link->class)
		unlink_item(lengths, links, item);
	if (length == 0)
		return;
	*link = (struct lengths_link){
		.next = lengths->heads[class],
		.class = class + 1,
	};
	if (link->next)
		links[link->next - 1].prev = item + 1;
	lengths->heads[class] = item + 1;
	lengths->used[class / 64] |= 1ull << (class % 64);
}

uint32_t lengths_longest(const struct lengths *lengths)
{
	for (int half = 1; half >= 0; half--) {
		uint64_t used = lengths->used[half];

		if (used)
			return lengths->heads[half * 64 + 63 -
					      __builtin_clzll(used)] -
			       1;
	}
	return UINT32_MAX;
}
