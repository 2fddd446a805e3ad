/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/suspects.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"

uint32_t suspects_ids(const struct suspects *suspects)
{
	return 1 + suspects->lent_max + suspects->hosts_max;
}

size_t suspects_bytes(const struct suspects *suspects)
{
	return (size_t)suspects_ids(suspects) * sizeof(struct suspect);
}

bool suspects_init(struct suspects *suspects, uint32_t lent_max,
		   uint32_t hosts_max)
{
	*suspects = (struct suspects){
		.lent_max = lent_max,
		.hosts_max = hosts_max,
		.fresh = 1,
	};
	suspects->all = calloc(suspects_ids(suspects), sizeof(struct suspect));
	return suspects->all != NULL;
}

/* Those that were never used are zero: nothing to give back. */
static void clear_windows(struct suspects *suspects)
{
	for (uint32_t id = 1; id < suspects->fresh; id++)
		window_clear(&suspects->all[id].window);
	for (uint32_t i = 0; i < suspects->hosts_fresh; i++)
		window_clear(&suspects->all[1 + suspects->lent_max + i].window);
}

void suspects_fini(struct suspects *suspects)
{
	if (suspects->all)
		clear_windows(suspects);
	free(suspects->all);
	suspects->all = NULL;
}

static void clear(struct suspect *suspect, uint8_t scope, uint32_t slot)
{
	memset(suspect, 0, sizeof(*suspect));
	suspect->scope = scope;
	suspect->slot = slot;
}

uint32_t suspects_lend(struct suspects *suspects, uint8_t scope, uint32_t slot)
{
	uint32_t id = suspects->freed;

	if (id)
		suspects->freed = suspects->all[id].slot;
	else if (suspects->fresh <= suspects->lent_max)
		id = suspects->fresh++;
	else
		return 0;
	suspects->used++;
	clear(&suspects->all[id], scope, slot);
	return id;
}

uint32_t suspects_of_host(struct suspects *suspects, uint32_t host_slot)
{
	uint32_t id = 1 + suspects->lent_max + host_slot;

	if (host_slot >= suspects->hosts_fresh)
		suspects->hosts_fresh = host_slot + 1;
	clear(&suspects->all[id], FLOW_SCOPE_HOST, host_slot);
	return id;
}

void suspects_take_back(struct suspects *suspects, uint32_t id)
{
	struct suspect *suspect = &suspects->all[id];

	suspect->scope = FLOW_SCOPES;
	if (id > suspects->lent_max)
		return;
	suspect->slot = suspects->freed;
	suspects->freed = id;
	suspects->used--;
}

static void offered_slide(struct suspect *suspect, uint64_t window_ns,
			  uint64_t now_ns)
{
	uint64_t half_ns = window_ns / 2;
	uint64_t halves = (now_ns - suspect->offered_start_ns) / half_ns;

	if (halves == 0)
		return;
	suspect->offered_pkts[2] = halves == 1   ? suspect->offered_pkts[1]
				   : halves == 2 ? suspect->offered_pkts[0]
						 : 0;
	suspect->offered_pkts[1] = halves == 1 ? suspect->offered_pkts[0] : 0;
	suspect->offered_pkts[0] = 0;
	suspect->offered_start_ns += halves * half_ns;
}

void suspect_offer(struct suspect *suspect, uint64_t window_ns, uint32_t pkts,
		   uint64_t now_ns)
{
	offered_slide(suspect, window_ns, now_ns);
	suspect->offered_pkts[0] += pkts;
}

uint32_t suspect_offered(const struct suspect *suspect, uint64_t window_ns,
			 uint64_t now_ns)
{
	struct suspect copy = { .offered_start_ns = suspect->offered_start_ns };

	memcpy(copy.offered_pkts, suspect->offered_pkts,
	       sizeof(copy.offered_pkts));
	offered_slide(&copy, window_ns, now_ns);
	return copy.offered_pkts[0] + copy.offered_pkts[1] +
	       copy.offered_pkts[2];
}
