/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nft_plan.h"

static const uint8_t V4_MAPPED[12] = { [10] = 0xff, [11] = 0xff };

uint32_t nftranges_bytes(bool ipv4)
{
	return ipv4 ? 4 : 16;
}

uint32_t nftranges_offset(bool ipv4)
{
	return ipv4 ? 12 : 0;
}

static bool is_of(const struct policy_prefix *prefix, bool ipv4)
{
	bool is_v4 = prefix->length >= 96 &&
		     memcmp(prefix->addr, V4_MAPPED, sizeof(V4_MAPPED)) == 0;

	return is_v4 == ipv4;
}

bool nftranges_has_family(const struct policy_prefixes *prefixes, bool ipv4)
{
	size_t i;

	for (i = 0; i < prefixes->count; i++)
		if (is_of(&prefixes->list[i], ipv4))
			return true;
	return false;
}

static struct nftranges_range *one_more(struct nftranges *ranges)
{
	size_t size = ranges->size ? 2 * ranges->size : 8;
	struct nftranges_range *list;

	if (ranges->count < ranges->size)
		return &ranges->list[ranges->count++];
	list = realloc(ranges->list, size * sizeof(*list));
	if (!list) {
		ranges->failed = true;
		return NULL;
	}
	ranges->list = list;
	ranges->size = size;
	return &ranges->list[ranges->count++];
}

void nftranges_add(struct nftranges *ranges,
		   const struct policy_prefixes *prefixes)
{
	const struct policy_prefix *prefix;
	struct nftranges_range *range;
	size_t i;
	unsigned int bit;

	for (i = 0; i < prefixes->count; i++) {
		prefix = &prefixes->list[i];
		if (!is_of(prefix, ranges->ipv4))
			continue;
		range = one_more(ranges);
		if (!range)
			return;
		memcpy(range->first, prefix->addr, sizeof(range->first));
		memcpy(range->last, prefix->addr, sizeof(range->last));
		for (bit = prefix->length; bit < 128; bit++)
			range->last[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	}
}

static int by_first(const void *a, const void *b)
{
	const struct nftranges_range *of_a = a, *of_b = b;

	return memcmp(of_a->first, of_b->first, sizeof(of_a->first));
}

/* The address after the last of `range`; false: there is none. */
static bool next_after(const struct nftranges_range *range, uint8_t ret[16])
{
	int i = 15;

	memcpy(ret, range->last, 16);
	while (i >= 0 && ++ret[i] == 0)
		i--;
	return i >= 0;
}

void nftranges_merge(struct nftranges *ranges)
{
	struct nftranges_range *last;
	uint8_t next[16];
	size_t kept = 0;
	size_t i;

	if (ranges->count < 2)
		return;
	qsort(ranges->list, ranges->count, sizeof(*ranges->list), by_first);
	for (i = 1; i < ranges->count; i++) {
		last = &ranges->list[kept];
		if (next_after(last, next) &&
		    memcmp(ranges->list[i].first, next, 16) > 0) {
			ranges->list[++kept] = ranges->list[i];
			continue;
		}
		if (memcmp(ranges->list[i].last, last->last, 16) > 0)
			memcpy(last->last, ranges->list[i].last, 16);
	}
	ranges->count = kept + 1;
}

void nftranges_fini(struct nftranges *ranges)
{
	free(ranges->list);
}

void nftranges_set(struct nftplan_table *table, const char *name,
		   const struct policy_prefixes *prefixes, bool ipv4)
{
	struct nftranges ranges = { .ipv4 = ipv4 };
	struct nftnl_set *set = nftplan_set(
		table,
		&(struct nftplan_set){
			.name = name,
			.kind = NFTPLAN_RANGES,
			.fields = { ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6 } });
	uint32_t offset = nftranges_offset(ipv4);
	size_t i;

	nftranges_add(&ranges, prefixes);
	nftranges_merge(&ranges);
	if (ranges.failed)
		nftplan_break(table->plan);
	for (i = 0; i < ranges.count; i++)
		nftplan_element(table, set, ranges.list[i].first + offset,
				ranges.list[i].last + offset,
				nftranges_bytes(ipv4), NULL);
	nftranges_fini(&ranges);
}

/* The length of the prefix that a range is; 129: it is none. */
static unsigned int prefix_bits(const struct nftranges_range *range)
{
	unsigned int bits = 0, bit;

	while (bits < 128 && ((range->first[bits / 8] ^ range->last[bits / 8]) &
			      (0x80 >> (bits % 8))) == 0)
		bits++;
	for (bit = bits; bit < 128; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if ((range->first[bit / 8] & mask) ||
		    !(range->last[bit / 8] & mask))
			return 129;
	}
	return bits;
}

void nftranges_condition(struct nftexpr_rule rule, struct nftexpr_field field,
			 const char *name,
			 const struct policy_prefixes *prefixes, bool ipv4,
			 bool within)
{
	struct nftranges ranges = { .ipv4 = ipv4 };
	unsigned int bits = 129;

	nftranges_add(&ranges, prefixes);
	nftranges_merge(&ranges);
	if (ranges.failed)
		*rule.failed = true;
	if (ranges.count == 1)
		bits = prefix_bits(&ranges.list[0]);
	if (bits <= 128 && bits > 8 * nftranges_offset(ipv4)) {
		nftexpr_has_prefix(rule, field,
				   ranges.list[0].first +
					   nftranges_offset(ipv4),
				   bits - 8 * nftranges_offset(ipv4), within);
	} else {
		nftexpr_load(rule, field, 0);
		if (within)
			nftexpr_in_set(rule, 0, name);
		else
			nftexpr_not_in_set(rule, 0, name);
	}
	nftranges_fini(&ranges);
}
