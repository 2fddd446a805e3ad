/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_fields.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_ranges.h"

static const char *chain_of(enum nftrules_queue queue)
{
	switch (queue) {
	case NFTRULES_QUEUE_MAIN:
		return "shard";
	case NFTRULES_QUEUE_HOLD:
		return "hold";
	case NFTRULES_QUEUE_ROOM:
		return "room_shard";
	}
	return "shard";
}

struct name {
	char text[32];
};

static struct name name_of(const char *what, unsigned int number)
{
	struct name name;

	snprintf(name.text, sizeof(name.text), "%s_%u", what, number);
	return name;
}

static struct name map_name(enum nftrules_queue queue)
{
	struct name name;

	snprintf(name.text, sizeof(name.text), "%ss", chain_of(queue));
	return name;
}

static struct name bound_name(enum nftrules_queue queue, bool ipv4, bool ranges)
{
	struct name name;

	snprintf(name.text, sizeof(name.text), "bound_%s%s%c", chain_of(queue),
		 ranges ? "_ranges" : "s", ipv4 ? '4' : '6');
	return name;
}

static void queue_chains(struct nftplan_table *table,
			 const struct nftcompile *compile,
			 enum nftrules_queue queue)
{
	const struct policy *policy = compile->policy;
	bool room = queue == NFTRULES_QUEUE_ROOM;
	struct nftexpr_rule rule;
	unsigned int shard;

	for (shard = 0; shard < compile->shards; shard++) {
		struct name chain = name_of(chain_of(queue), shard);

		nftplan_chain(table, chain.text);
		rule = nftplan_rule(table, chain.text, NULL);
		/* Without a daemon, the room lets packets on to the queue that
		 * knows what to do then. */
		nftexpr_queue(rule, compile->method,
			      nftrules_queue_number(policy->nfqueue.first_queue,
						    compile->shards,
						    (uint8_t)shard, queue),
			      room || policy->nfqueue.fail == POLICY_FAIL_OPEN);
	}
}

static void shard_map(struct nftplan_table *table,
		      const struct nftcompile *compile,
		      enum nftrules_queue queue)
{
	struct name name = map_name(queue);
	struct nftnl_set *map;
	uint32_t shard;

	map = nftplan_set(
		table, &(struct nftplan_set){ .name = name.text,
					      .kind = NFTPLAN_VERDICTS,
					      .fields = { NFTPLAN_NUMBER } });
	for (shard = 0; shard < compile->shards; shard++)
		nftplan_element(table, map, &shard, NULL, sizeof(shard),
				name_of(chain_of(queue), shard).text);
}

/* A range of addresses that belongs to the host of a MAC binding. */
struct bound {
	struct nftranges_range range;
	uint32_t shard;
};

static bool is_range(const struct nftranges_range *range)
{
	return memcmp(range->first, range->last, sizeof(range->first)) != 0;
}

static int by_first(const void *a, const void *b)
{
	const struct bound *of_a = a, *of_b = b;

	return memcmp(&of_a->range, &of_b->range, sizeof(of_a->range));
}

static size_t find_bound(const struct nftplan_table *table,
			 const struct nftcompile *compile, bool ipv4,
			 bool of_ranges, struct bound *ret_bound)
{
	const struct policy *policy = compile->policy;
	struct nftranges ranges = { .ipv4 = ipv4 };
	struct zone zone = { 0 };
	uint8_t host[16];
	size_t count = 0;
	size_t i, j;

	for (i = 0; i < policy->bindings_count; i++) {
		const struct policy_binding *binding = &policy->bindings[i];

		memcpy(zone.interface, binding->interface,
		       sizeof(zone.interface));
		ranges.count = 0;
		nftranges_add(&ranges, &binding->addresses);
		for (j = 0; j < ranges.count; j++) {
			if (is_range(&ranges.list[j]) != of_ranges ||
			    (count++, !ret_bound))
				continue;
			policy_host_of(policy, ranges.list[j].first, &zone,
				       host);
			ret_bound[count - 1].range = ranges.list[j];
			ret_bound[count - 1].shard = shard_of(
				host, compile->shard_seed, compile->shards);
		}
	}
	if (ranges.failed)
		nftplan_break(table->plan);
	nftranges_fini(&ranges);
	return count;
}

/*
 * All addresses of a bound host lead to the shard of the one that stands for
 * it.  Of an address that is bound twice, in two zones, the first counts.
 * Addresses have a map of their own, where one more is one element; ranges are
 * kept in order, which the kernel is slow and particular about.
 */
static void bound_map(struct nftplan_table *table,
		      const struct nftcompile *compile,
		      enum nftrules_queue queue, bool ipv4, bool ranges)
{
	uint32_t offset = nftranges_offset(ipv4);
	size_t count = find_bound(table, compile, ipv4, ranges, NULL);
	struct bound *bound = calloc(count ? count : 1, sizeof(*bound));
	const struct bound *last = NULL;
	struct nftnl_set *map;
	size_t i;

	if (!bound || count == 0) {
		if (!bound)
			nftplan_break(table->plan);
		free(bound);
		return;
	}
	map = nftplan_set(
		table,
		&(struct nftplan_set){
			.name = bound_name(queue, ipv4, ranges).text,
			.kind = ranges ? NFTPLAN_RANGE_VERDICTS
				       : NFTPLAN_VERDICTS,
			.fields = { ipv4 ? NFTPLAN_IPV4 : NFTPLAN_IPV6 } });
	find_bound(table, compile, ipv4, ranges, bound);
	qsort(bound, count, sizeof(*bound), by_first);
	for (i = 0; i < count; i++) {
		if (last && memcmp(bound[i].range.first, last->range.last,
				   sizeof(last->range.last)) <= 0)
			continue;
		last = &bound[i];
		nftplan_element(table, map, last->range.first + offset,
				ranges ? last->range.last + offset : NULL,
				nftranges_bytes(ipv4),
				name_of(chain_of(queue), last->shard).text);
	}
	free(bound);
}

static void compile_queue(struct nftplan_table *table,
			  const struct nftcompile *compile,
			  enum nftrules_queue queue)
{
	queue_chains(table, compile, queue);
	if (compile->shards == 1)
		return;
	shard_map(table, compile, queue);
	for (int ipv4 = 1; ipv4 >= 0; ipv4--) {
		if (!nftplan_sees(table, ipv4))
			continue;
		bound_map(table, compile, queue, ipv4, false);
		bound_map(table, compile, queue, ipv4, true);
	}
}

void nftshards_compile(struct nftplan_table *table,
		       const struct nftcompile *compile)
{
	compile_queue(table, compile, NFTRULES_QUEUE_MAIN);
	nftfast_compile(table, compile);
	if (compile->conntrack != NFTRULES_CONNTRACK_NONE)
		compile_queue(table, compile, NFTRULES_QUEUE_ROOM);
}

static void hash_of_address(struct nftexpr_rule rule,
			    const struct nftcompile *compile,
			    struct nftexpr_field address, bool ipv4)
{
	uint8_t mask[16] = { 0 };
	unsigned int bit;

	nftexpr_load(rule, address, 0);
	if (!ipv4 && compile->policy->host_prefix6 < 128) {
		for (bit = 0; bit < compile->policy->host_prefix6; bit++)
			mask[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
		nftexpr_mask(rule, 0, mask, sizeof(mask));
	}
	nftexpr_hash(rule, 0, nftranges_bytes(ipv4), compile->shards,
		     compile->shard_seed, 4);
}

void nftshards_dispatch(struct nftplan_table *table,
			const struct nftcompile *compile, const char *chain,
			bool ipv4, bool by_source, enum nftrules_queue queue)
{
	struct nftexpr_field address = by_source ? nftfields_source(ipv4)
						 : nftfields_destination(ipv4);
	struct nftexpr_rule rule;

	if (compile->shards == 1) {
		rule = nftplan_rule(table, chain, NULL);
		nftexpr_goto(rule, name_of(chain_of(queue), 0).text);
		return;
	}
	for (int ranges = 0; ranges <= 1; ranges++) {
		struct name bound = bound_name(queue, ipv4, ranges);

		if (!nftplan_find_set(table, bound.text))
			continue;
		rule = nftplan_rule(table, chain, NULL);
		nftexpr_load(rule, address, 0);
		nftexpr_verdict_of(rule, 0, bound.text);
	}
	rule = nftplan_rule(table, chain, NULL);
	hash_of_address(rule, compile, address, ipv4);
	nftexpr_verdict_of(rule, 4, map_name(queue).text);
}

struct nftcompile_name nftshards_target(const struct nftcompile *compile,
					bool ipv4, bool by_source)
{
	if (compile->fast)
		return nftfast_target(compile, ipv4, by_source);
	return nftshards_queue(compile, ipv4, by_source);
}

struct nftcompile_name nftshards_queue(const struct nftcompile *compile,
				       bool ipv4, bool by_source)
{
	struct nftcompile_name only = { "shard_0" };

	if (compile->shards == 1)
		return only;
	return nftcompile_name(by_source ? "to_source" : "to_destination",
			       ipv4);
}

void nftshards_targets(struct nftplan_table *table,
		       const struct nftcompile *compile, bool ipv4)
{
	int by_source;

	if (compile->shards == 1)
		return;
	for (by_source = 1; by_source >= 0; by_source--) {
		struct nftcompile_name chain =
			nftshards_queue(compile, ipv4, by_source);

		nftplan_chain(table, chain.text);
		nftshards_dispatch(table, compile, chain.text, ipv4, by_source,
				   NFTRULES_QUEUE_MAIN);
	}
}

void nftshards_block(struct nftbatch *batch, const struct nftplan_table *table,
		     struct nftplan_table *scratch)
{
	struct nftexpr_rule old, drop;
	struct name chain;
	unsigned int shard;

	for (shard = 0; shard < SHARDS_MAX; shard++) {
		chain = name_of(chain_of(NFTRULES_QUEUE_MAIN), shard);
		if (!nftplan_find_chain(table, chain.text))
			continue;
		if (scratch->chains_count == 0)
			nftbatch_counter(batch, NFT_MSG_NEWOBJ, table->family,
					 NFTPLAN_NAME, "blocked");
		nftplan_chain(scratch, chain.text);
		old = nftplan_rule(scratch, chain.text, NULL);
		drop = nftplan_rule(scratch, chain.text, "blocked");
		if (nftplan_is_broken(scratch->plan))
			return;
		/* Without a handle: all rules of the chain. */
		nftbatch_rule(batch, NFT_MSG_DELRULE, old.rule);
		nftexpr_count(drop, "blocked");
		nftexpr_drop(drop);
		nftbatch_rule(batch, NFT_MSG_NEWRULE, drop.rule);
	}
}
