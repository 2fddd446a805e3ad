/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_TABLE_H
#define SHAPER_IO_FAST_TABLE_H

/*
 * The keys in the memory that the kernel program reads (fast_maps.h): put there
 * and taken out by an engine, while the program looks them up, and other
 * engines do the same with theirs.  A slot is an engine's from the exchange
 * that takes it; nobody else writes to it, but for how many keys stand further
 * on, and what is not its own an engine does not find.  A slot that is left
 * rests until no processor can still be busy with what it was.
 *
 * Zones: the program has numbers of its own, those of its interfaces' places;
 * each engine says which of its own are meant.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"

#define FASTTABLE_NONE UINT32_MAX

struct fasttable {
	struct fast_slot *slots; /* borrowed; their histories behind them */
	uint32_t count;          /* a power of two */
	struct fast_multipliers multipliers;
	/* Of the program's zones, our numbers; none: they are the same. */
	uint16_t zones[FAST_INTERFACES];
	uint32_t zones_count;
	uint16_t places[ZONES_MAX]; /* the other way; 1 + the first; 0: none */
	struct fasttable_own {
		uint64_t rests_ns, flow_rests_ns; /* until then */
		uint32_t next;                    /* that rests */
		bool mine;
	} * own;         /* NULL: all is, and nothing changes */
	uint64_t *pairs; /* a bit for each slot that has a pair of ours */
	uint32_t rests_first, rests_last;
};

/* How many slots, for who does not say: an eighth of this memory at most. */
enum { FASTTABLE_LEAST = 1024, FASTTABLE_USUAL = 262144 };
uint32_t fasttable_slots_for(uint64_t memory_bytes);

/* false: out of memory. */
bool fasttable_init(struct fasttable *table, struct fast_slot *slots,
		    uint32_t count, uint64_t k0, uint64_t k1);
void fasttable_fini(struct fasttable *table);

/* All of them; FASTTABLE_NONE: a place that nobody has. */
void fasttable_set_zones(struct fasttable *table,
			 const uint16_t zones[FAST_INTERFACES]);

/* The first pair of ours among the slots [from, end), or `end`. */
uint32_t fasttable_next_pair(const struct fasttable *table, uint32_t from,
			     uint32_t end);

/* The slot where it stands, or FASTTABLE_NONE.  A flow's may be its pair's. */
uint32_t fasttable_find(const struct fasttable *table,
			const struct flow_key *key);
void fasttable_key(const struct fasttable *table, uint32_t at,
		   enum flow_scope scope, struct flow_key *ret_key);

/* All else in it is 0.  FASTTABLE_NONE: there is no place. */
uint32_t fasttable_add_pair(struct fasttable *table, const struct flow_key *key,
			    uint32_t span_64ns, uint64_t now_ns);
uint32_t fasttable_add_flow(struct fasttable *table, const struct flow_key *key,
			    uint32_t pair, uint64_t now_ns);

/* A pair has no flows any more. */
void fasttable_erase_pair(struct fasttable *table, uint32_t at,
			  uint64_t now_ns);
void fasttable_erase_flow(struct fasttable *table, uint32_t at,
			  uint64_t now_ns);

/* What has rested long enough is anybody's; adding does so, too. */
void fasttable_advance(struct fasttable *table, uint64_t now_ns);

struct fast_window *fasttable_window(const struct fasttable *table, uint32_t at,
				     enum flow_scope scope,
				     struct fast_history **ret_history);

#endif
