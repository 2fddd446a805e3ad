/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of a plan, and what is in them. */
#include "shaper/io/nft_plan.h"

#include <stdio.h>

#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* Type numbers are those of the nft command, so that it can list our sets. */
static const struct field {
	uint32_t type, bytes;
} FIELDS[] = {
	[NFTPLAN_IPV4] = { 7, 4 },        [NFTPLAN_IPV6] = { 8, 16 },
	[NFTPLAN_MAC] = { 9, 6 },         [NFTPLAN_INTERFACE] = { 41, 16 },
	[NFTPLAN_IFINDEX] = { 20, 4 },    [NFTPLAN_PROTOCOL] = { 12, 1 },
	[NFTPLAN_PORT] = { 13, 2 },       [NFTPLAN_ICMP_TYPE] = { 14, 1 },
	[NFTPLAN_ICMP6_TYPE] = { 29, 1 }, [NFTPLAN_ETHERTYPE] = { 10, 2 },
	[NFTPLAN_NUMBER] = { 19, 4 },
};
enum { TYPE_BITS = 6, VERDICT_BYTES = 16 };

/* What has run out is no element to a rule, and takes up memory until the
 * kernel goes through the set: each second, if nobody says how often. */
enum { GC_MS = 5000 };

/* How many a field takes within a key of several. */
static uint32_t field_bytes(enum nftplan_field field)
{
	return (FIELDS[field].bytes + 3) & ~UINT32_C(3);
}

/* What the nft command needs to list a key that is a number of this machine. */
static void set_byte_order(struct nftnl_set *set, enum nftplan_field field)
{
	const uint32_t host_order = 1;
	uint8_t bytes[2 + sizeof(host_order)] = { NFTNL_UDATA_SET_KEYBYTEORDER,
						  sizeof(host_order) };

	if (field != NFTPLAN_INTERFACE && field != NFTPLAN_IFINDEX &&
	    field != NFTPLAN_NUMBER)
		return;
	memcpy(bytes + 2, &host_order, sizeof(host_order));
	nftnl_set_set_data(set, NFTNL_SET_USERDATA, bytes, sizeof(bytes));
}

static void set_key(struct nftnl_set *set, const enum nftplan_field *fields,
		    bool ranges)
{
	uint8_t lengths[NFTPLAN_FIELDS] = { 0 };
	uint32_t type = 0;
	uint32_t bytes = 0;
	uint32_t count;

	for (count = 0; fields[count] != NFTPLAN_END; count++) {
		type = (type << TYPE_BITS) | FIELDS[fields[count]].type;
		bytes += field_bytes(fields[count]);
		lengths[count] = (uint8_t)FIELDS[fields[count]].bytes;
	}
	if (count == 1) {
		bytes = FIELDS[fields[0]].bytes;
		set_byte_order(set, fields[0]);
	}
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, bytes);
	if (ranges && count > 1)
		nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, lengths, count);
}

static uint32_t set_flags(const struct nftplan_set *set)
{
	switch (set->kind) {
	case NFTPLAN_FIXED:
		return 0;
	case NFTPLAN_RANGES:
		return NFT_SET_INTERVAL |
		       (set->fields[1] != NFTPLAN_END ? NFT_SET_CONCAT : 0);
	case NFTPLAN_VERDICTS:
	case NFTPLAN_MACS:
		return NFT_SET_MAP;
	case NFTPLAN_RANGE_VERDICTS:
		return NFT_SET_MAP | NFT_SET_INTERVAL;
	case NFTPLAN_COUNTERS:
		return NFT_SET_OBJECT;
	case NFTPLAN_LEARNT:
		return NFT_SET_EVAL | NFT_SET_TIMEOUT;
	case NFTPLAN_REFUSALS:
		return NFT_SET_TIMEOUT;
	}
	return 0;
}

static void set_data(struct nftnl_set *set, enum nftplan_set_kind kind)
{
	bool macs = kind == NFTPLAN_MACS;

	nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE,
			  macs ? FIELDS[NFTPLAN_MAC].type : NFT_DATA_VERDICT);
	nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN,
			  macs ? FIELDS[NFTPLAN_MAC].bytes : VERDICT_BYTES);
}

static void set_counter_each(struct nftplan_table *table, struct nftnl_set *set)
{
	struct nftnl_expr *counter = nftnl_expr_alloc("counter");

	if (counter)
		nftnl_set_add_expr(set, counter);
	else
		nftplan_break(table->plan);
}

struct nftnl_set *nftplan_set(struct nftplan_table *table,
			      const struct nftplan_set *spec)
{
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set) {
		nftplan_break(table->plan);
		return NULL;
	}
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, table->family);
	if (nftnl_set_set_str(set, NFTNL_SET_TABLE, NFTPLAN_NAME) < 0 ||
	    nftnl_set_set_str(set, NFTNL_SET_NAME, spec->name) < 0)
		nftplan_break(table->plan);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, set_flags(spec));
	nftnl_set_set_u32(set, NFTNL_SET_ID, (uint32_t)table->sets_count + 1);
	set_key(set, spec->fields, spec->kind == NFTPLAN_RANGES);
	if (set_flags(spec) & NFT_SET_MAP)
		set_data(set, spec->kind);
	if (spec->kind == NFTPLAN_COUNTERS)
		nftnl_set_set_u32(set, NFTNL_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
	if (spec->size_max)
		nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, spec->size_max);
	if (spec->timeout_ms) {
		nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, spec->timeout_ms);
		nftnl_set_set_u32(set, NFTNL_SET_GC_INTERVAL, GC_MS);
	}
	if (spec->kind == NFTPLAN_REFUSALS)
		set_counter_each(table, set);
	nftplan_take_set(table, set);
	return nftplan_is_broken(table->plan) ? NULL : set;
}

uint32_t nftplan_room(size_t elements_count)
{
	uint32_t size = 256;

	while (size < 2 * elements_count)
		size *= 2;
	return size;
}

bool nftplan_set_is_kept(const struct nftnl_set *set)
{
	return nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_TIMEOUT;
}

static struct nftnl_set_elem *add_element(struct nftplan_table *table,
					  struct nftnl_set *set,
					  const void *key, uint32_t key_bytes)
{
	struct nftnl_set_elem *element = nftnl_set_elem_alloc();

	if (!element) {
		nftplan_break(table->plan);
		return NULL;
	}
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, key_bytes);
	nftnl_set_elem_add(set, element);
	return element;
}

/* A range in one dimension is two elements: its first, and the one after its
 * last, unless there is none. */
static void close_range(struct nftplan_table *table, struct nftnl_set *set,
			const void *key_end, uint32_t key_bytes)
{
	struct nftnl_set_elem *element;
	uint8_t after[NFTPLAN_KEY];
	uint32_t i = key_bytes;

	memcpy(after, key_end, key_bytes);
	while (i > 0 && ++after[i - 1] == 0)
		i--;
	if (i == 0)
		return;
	element = add_element(table, set, after, key_bytes);
	if (element)
		nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS,
				       NFT_SET_ELEM_INTERVAL_END);
}

static bool is_of_counters(const struct nftnl_set *set)
{
	return nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_OBJECT;
}

void nftplan_element(struct nftplan_table *table, struct nftnl_set *set,
		     const void *key, const void *key_end, uint32_t key_bytes,
		     const char *goes_to)
{
	struct nftnl_set_elem *element;

	if (!set)
		return;
	element = add_element(table, set, key, key_bytes);
	if (!element)
		return;
	if (goes_to && is_of_counters(set)) {
		nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_OBJREF, goes_to);
	} else if (goes_to) {
		nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_VERDICT,
				       (uint32_t)NFT_GOTO);
		nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, goes_to);
	}
	if (!key_end)
		return;
	if (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_CONCAT)
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, key_end,
				   key_bytes);
	else
		close_range(table, set, key_end, key_bytes);
}

void nftplan_element_mac(struct nftplan_table *table, struct nftnl_set *set,
			 const void *key, uint32_t key_bytes,
			 const uint8_t mac[6])
{
	struct nftnl_set_elem *element =
		set ? add_element(table, set, key, key_bytes) : NULL;

	if (element)
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, mac,
				   FIELDS[NFTPLAN_MAC].bytes);
}
