/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_TABLE_H
#define SHAPER_IO_FAST_TABLE_H

/*
 * The keys in the memory that the kernel program reads (fast_maps.h): put there
 * and taken out by one thread, while the program looks them up.  A slot that is
 * left rests until no processor can still be busy with what it was.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "shaper/bpf/fast_maps.h"

#define FASTTABLE_NONE UINT32_MAX

struct fasttable {
	struct fast_slot *slots; /* borrowed; their histories behind them */
	uint32_t count;          /* a power of two */
	struct fast_multipliers multipliers;
	struct fasttable_rest {
		uint64_t slot_ns, flow_ns; /* until then */
	} * rests;
};

/* false: out of memory. */
bool fasttable_init(struct fasttable *table, struct fast_slot *slots,
		    uint32_t count, uint64_t k0, uint64_t k1);
void fasttable_fini(struct fasttable *table);

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

struct fast_window *fasttable_window(const struct fasttable *table, uint32_t at,
				     enum flow_scope scope,
				     struct fast_history **ret_history);

#endif
