/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/rate_pace.h"

#include <assert.h>

enum { GROWTH = 2 };
#define WINDOW_NS (RATEPACE_WINDOW_US * UINT64_C(1000))

static bool is_paused(const struct ratepace *pace)
{
	return pace->limited && pace->window_bytes == 0;
}

/* As many packets, but no more than is as good as free. */
static uint32_t burst_bytes(uint32_t packet_bytes)
{
	uint32_t most = RATEPACE_LAST_BYTES / RATEPACE_BURST_PKTS;
	uint32_t bytes = RATEPACE_BURST_PKTS *
			 (packet_bytes < most ? packet_bytes : most);

	return bytes > RATEPACE_FIRST_BYTES ? bytes : RATEPACE_FIRST_BYTES;
}

enum ratepace_action ratepace_owes(struct ratepace *pace, uint32_t engine,
				   uint32_t packet_bytes, uint64_t now_ns)
{
	assert(engine < RATEPACE_ENGINES);
	if (packet_bytes > 0) {
		pace->owing |= UINT64_C(1) << engine;
		pace->packet_bytes = packet_bytes;
	} else {
		pace->owing &= ~(UINT64_C(1) << engine);
	}
	if ((pace->owing != 0) == is_paused(pace))
		return RATEPACE_NOTHING;
	pace->limited = true;
	pace->bursts = pace->owing == 0;
	pace->window_bytes = pace->owing ? 0 : burst_bytes(pace->packet_bytes);
	pace->next_ns = now_ns + WINDOW_NS;
	return RATEPACE_LIMIT;
}

uint64_t ratepace_next_ns(const struct ratepace *pace)
{
	return pace->limited && !is_paused(pace) ? pace->next_ns : UINT64_MAX;
}

enum ratepace_action ratepace_advance(struct ratepace *pace, uint64_t now_ns)
{
	if (now_ns < ratepace_next_ns(pace))
		return RATEPACE_NOTHING;
	pace->window_bytes = pace->bursts ? RATEPACE_FIRST_BYTES
					  : GROWTH * pace->window_bytes;
	pace->bursts = false;
	pace->next_ns = now_ns + WINDOW_NS;
	if (pace->window_bytes <= RATEPACE_LAST_BYTES)
		return RATEPACE_LIMIT;
	*pace = (struct ratepace){ 0 };
	return RATEPACE_FREE;
}
