/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/pacer.h"

static uint16_t *slot_of(struct pacer *pacer, uint64_t slot)
{
	return &pacer->slots[slot % PACER_SLOTS];
}

/* Forget what is older than a second. */
static void slide(struct pacer *pacer, uint64_t now_ns)
{
	uint64_t now = now_ns / PACER_SLOT_NS;
	uint64_t gone;

	if (now <= pacer->slot)
		return;
	gone = now - pacer->slot;
	if (gone > PACER_SLOTS)
		gone = PACER_SLOTS;
	for (uint64_t i = 1; i <= gone; i++) {
		uint16_t *slot = slot_of(pacer, pacer->slot + i);

		pacer->events -= *slot;
		*slot = 0;
	}
	pacer->slot = now;
}

bool pacer_allows(struct pacer *pacer, uint32_t pace, uint64_t now_ns)
{
	slide(pacer, now_ns);
	return pacer->events < pace;
}

void pacer_count(struct pacer *pacer, uint32_t events, uint64_t now_ns)
{
	uint16_t *slot;

	slide(pacer, now_ns);
	slot = slot_of(pacer, pacer->slot);
	if (events > (uint32_t)(UINT16_MAX - *slot))
		events = (uint32_t)(UINT16_MAX - *slot);
	*slot = (uint16_t)(*slot + events);
	pacer->events += events;
}

void pacer_give_back(struct pacer *pacer, uint64_t counted_ns, uint64_t now_ns)
{
	uint64_t counted = counted_ns / PACER_SLOT_NS;

	slide(pacer, now_ns);
	for (uint64_t i = counted; i <= counted + 1; i++) {
		uint16_t *slot = slot_of(pacer, i);

		if (i > pacer->slot || pacer->slot - i >= PACER_SLOTS ||
		    *slot == 0)
			continue;
		*slot = (uint16_t)(*slot - 1);
		pacer->events--;
		return;
	}
}

uint64_t pacer_next_ns(struct pacer *pacer, uint32_t pace, uint64_t now_ns)
{
	uint32_t events;

	if (pacer_allows(pacer, pace, now_ns))
		return now_ns;
	events = pacer->events;
	for (uint64_t i = 1; i < PACER_SLOTS; i++) {
		events -= *slot_of(pacer, pacer->slot + i);
		if (events < pace)
			return (pacer->slot + i) * PACER_SLOT_NS;
	}
	return (pacer->slot + PACER_SLOTS) * PACER_SLOT_NS;
}

bool pacer_is_idle(struct pacer *pacer, uint64_t now_ns)
{
	slide(pacer, now_ns);
	return pacer->events == 0;
}
