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

static void offered_slide(struct suspect *suspect, uint64_t slot_ns,
			  uint64_t now_ns)
{
	uint64_t slots = (now_ns - suspect->offered_start_ns) / slot_ns;
	uint64_t kept = slots < SUSPECT_SLOTS ? SUSPECT_SLOTS - slots : 0;

	if (slots == 0)
		return;
	memmove(suspect->offered_pkts + (SUSPECT_SLOTS - kept),
		suspect->offered_pkts, kept * sizeof(uint32_t));
	memset(suspect->offered_pkts, 0,
	       (SUSPECT_SLOTS - kept) * sizeof(uint32_t));
	suspect->offered_start_ns += slots * slot_ns;
}

void suspect_offer(struct suspect *suspect, uint64_t window_ns, uint32_t pkts,
		   uint64_t now_ns)
{
	offered_slide(suspect, window_ns / (SUSPECT_SLOTS - 1), now_ns);
	suspect->offered_pkts[0] += pkts;
}

uint32_t suspect_offered(const struct suspect *suspect, uint64_t window_ns,
			 uint64_t now_ns)
{
	struct suspect copy = { .offered_start_ns = suspect->offered_start_ns };
	uint64_t slot_ns = window_ns / (SUSPECT_SLOTS - 1);
	uint64_t left_ns, pkts;

	memcpy(copy.offered_pkts, suspect->offered_pkts,
	       sizeof(copy.offered_pkts));
	offered_slide(&copy, slot_ns, now_ns);
	left_ns = slot_ns - (now_ns - copy.offered_start_ns);
	pkts = copy.offered_pkts[SUSPECT_SLOTS - 1] * left_ns / slot_ns;
	for (int i = 0; i + 1 < SUSPECT_SLOTS; i++)
		pkts += copy.offered_pkts[i];
	return pkts < UINT32_MAX ? (uint32_t)pkts : UINT32_MAX;
}
