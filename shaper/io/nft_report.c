/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the kernel counted, read back for those who want to see it. */
#include <stdio.h>

#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <string.h>

#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_read.h"
#include "shaper/io/nft_refusals.h"

enum { NS_PER_MS = 1000 * 1000 };

struct rows {
	void *list;
	size_t size, max, count;
	bool ipv4;
	enum nftrefusals_kind kind;
	uint64_t timeout_ms; /* the set's own */
};

static void *next_row(struct rows *rows)
{
	char *row;

	if (rows->count == rows->max)
		return NULL;
	row = (char *)rows->list + rows->size * rows->count++;
	memset(row, 0, rows->size);
	return row;
}

/* "forged_lan0" is there for ARP, too. */
static struct nftrules_counter *find_counter(struct rows *rows,
					     const char *name)
{
	struct nftrules_counter *list = rows->list;
	size_t i;

	for (i = 0; i < rows->count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static void on_counter(const struct nftread_counter *counter, void *data)
{
	struct nftrules_counter *row;
	char name[sizeof(row->name)];
	char *space;

	snprintf(name, sizeof(name), "%s", counter->name);
	space = strchr(name, '_');
	if (space)
		*space = ' ';
	row = find_counter(data, name);
	if (!row)
		row = next_row(data);
	if (!row)
		return;
	memcpy(row->name, name, sizeof(name));
	row->pkts += counter->pkts;
	row->bytes += counter->bytes;
}

int nftrules_counters(struct nftrules *rules,
		      struct nftrules_counter *ret_counters, size_t max,
		      size_t *ret_count)
{
	struct rows rows = { .list = ret_counters,
			     .size = sizeof(*ret_counters),
			     .max = max };
	int error = nftread_counters(rules->socket, on_counter, &rows);

	if (error)
		return nfthandle_fail(rules, error, "reading counters");
	*ret_count = rows.count;
	return 0;
}

struct counted {
	uint64_t pkts, bytes;
};

static int note_count(struct nftnl_expr *expr, void *data)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
	struct counted *counted = data;

	if (name && strcmp(name, "counter") == 0) {
		counted->pkts =
			nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
		counted->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
	}
	return 0;
}

static struct counted counted_by(struct nftnl_set_elem *element)
{
	struct counted counted = { 0 };

	nftnl_set_elem_expr_foreach(element, note_count, &counted);
	return counted;
}

static uint64_t number_of(struct nftnl_set_elem *element, uint16_t attribute,
			  uint64_t otherwise)
{
	return nftnl_set_elem_is_set(element, attribute)
		       ? nftnl_set_elem_get_u64(element, attribute)
		       : otherwise;
}

/* Its key, when it is as long as it should be. */
static const uint8_t *key_of(struct nftnl_set_elem *element, uint32_t bytes)
{
	uint32_t length = 0;
	const uint8_t *key;

	key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length);
	return length == bytes ? key : NULL;
}

static void copy_address(uint8_t ret[16], const uint8_t *from, bool ipv4)
{
	memset(ret, 0, 16);
	if (ipv4)
		ret[10] = ret[11] = 0xff;
	memcpy(ret + (ipv4 ? 12 : 0), from, ipv4 ? 4 : 16);
}

static int on_offender(struct nftnl_set_elem *element, void *data)
{
	struct rows *rows = data;
	const uint8_t *key = key_of(element, 16 + 8 + (rows->ipv4 ? 4 : 16));
	struct nftrules_offender *row = key ? next_row(rows) : NULL;
	struct counted counted = counted_by(element);
	uint64_t left_ms;

	if (!row)
		return 0;
	memcpy(row->interface, key, sizeof(row->interface) - 1);
	memcpy(row->mac, key + 16, sizeof(row->mac));
	copy_address(row->addr, key + 24, rows->ipv4);
	row->pkts = counted.pkts;
	row->bytes = counted.bytes;
	left_ms =
		number_of(element, NFTNL_SET_ELEM_EXPIRATION, rows->timeout_ms);
	if (left_ms < rows->timeout_ms)
		row->seen_ago_ns = (rows->timeout_ms - left_ms) * NS_PER_MS;
	return 0;
}

static uint16_t port_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static int on_refusal(struct nftnl_set_elem *element, void *data)
{
	struct rows *rows = data;
	uint32_t address = rows->ipv4 ? 4 : 16;
	bool flow = rows->kind == NFTREFUSALS_FLOW;
	bool host = rows->kind == NFTREFUSALS_HOST;
	uint32_t bytes = 4 + address + (host ? 0 : address) + (flow ? 8 : 0);
	const uint8_t *key = key_of(element, bytes);
	struct nftrules_refused *row = key ? next_row(rows) : NULL;
	struct counted counted = counted_by(element);
	uint64_t left_ms, timeout_ms;
	uint32_t ifindex;

	if (!row)
		return 0;
	memcpy(&ifindex, key, sizeof(ifindex));
	if (!if_indextoname(ifindex, row->interface))
		row->interface[0] = '\0';
	key += 4;
	if (flow) {
		row->proto = key[0];
		key += 4;
		row->inside_port = port_at(key + 2 * address);
		row->outside_port = port_at(key + 2 * address + 2);
	}
	copy_address(row->inside, key, rows->ipv4);
	if (!host)
		copy_address(row->outside, key + address, rows->ipv4);
	row->spared = rows->kind == NFTREFUSALS_SPARED;
	row->pkts = counted.pkts;
	row->bytes = counted.bytes;
	left_ms = number_of(element, NFTNL_SET_ELEM_EXPIRATION, 0);
	timeout_ms = number_of(element, NFTNL_SET_ELEM_TIMEOUT, left_ms);
	row->left_ns = left_ms * NS_PER_MS;
	if (left_ms < timeout_ms)
		row->age_ns = (timeout_ms - left_ms) * NS_PER_MS;
	return 0;
}

/* Every element of a set of ours, where there is one. */
static int each_element(struct nftrules *rules,
			const struct nftplan_table *table, const char *name,
			int (*each)(struct nftnl_set_elem *element, void *data),
			struct rows *rows)
{
	struct nftnl_set *there = table ? nftplan_find_set(table, name) : NULL;
	struct nftnl_set *set;
	int error;

	if (!there)
		return 0;
	set = nftnl_set_alloc();
	if (!set)
		return -ENOMEM;
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, table->family);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	rows->timeout_ms = nftnl_set_get_u64(there, NFTNL_SET_TIMEOUT);
	error = nftread_elements(rules->socket, set);
	/* It lives while we read: a copy with a gap is better than none. */
	if (!error || error == -EINTR) {
		nftnl_set_elem_foreach(set, each, rows);
		error = 0;
	}
	nftnl_set_free(set);
	return error;
}

int nftrules_offenders(struct nftrules *rules,
		       struct nftrules_offender *ret_offenders, size_t max,
		       size_t *ret_count)
{
	struct rows rows = { .list = ret_offenders,
			     .size = sizeof(*ret_offenders),
			     .max = max };
	size_t i;
	int error = 0;

	for (i = 0; rules->plan && !error && i < NFTPLAN_TABLES; i++) {
		const struct nftplan_table *table =
			nftplan_find_table(rules->plan, NFTPLAN_FAMILIES[i]);

		rows.ipv4 = true;
		error = each_element(rules, table, "offenders4", on_offender,
				     &rows);
		rows.ipv4 = false;
		if (!error)
			error = each_element(rules, table, "offenders6",
					     on_offender, &rows);
	}
	if (error)
		return nfthandle_fail(rules, error, "reading offenders");
	*ret_count = rows.count;
	return 0;
}

int nftrules_refusals(struct nftrules *rules,
		      struct nftrules_refused *ret_refused, size_t max,
		      size_t *ret_count)
{
	struct rows rows = { .list = ret_refused,
			     .size = sizeof(*ret_refused),
			     .max = max };
	const struct nftplan_table *table =
		rules->plan
			? nftplan_find_table(rules->plan, rules->refusal_family)
			: NULL;
	unsigned int kind;
	int ipv4;
	int error = 0;

	for (kind = NFTREFUSALS_HOST; !error && kind < NFTREFUSALS_KINDS;
	     kind++)
		for (ipv4 = 1; !error && ipv4 >= 0; ipv4--) {
			rows.kind = kind;
			rows.ipv4 = ipv4;
			error = each_element(rules, table,
					     nftrefusals_set(kind, ipv4),
					     on_refusal, &rows);
		}
	if (error)
		return nfthandle_fail(rules, error, "reading refusals");
	*ret_count = rows.count;
	return 0;
}
