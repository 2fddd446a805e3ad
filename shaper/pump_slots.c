/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places in a guest's ring.  On its way through netback a packet keeps its
 * places until it leaves, unless it is short and was copied.  When a ring is
 * full its guest waits with all that it sends, the innocent too.  So what waits
 * may take a share of it for each key, and for the vif.
 *
 * `at_slots: shed` drops what is above: of the key, or of the one that has the
 * most.  `wait` drops nothing.  A ring is a queue of all keys, so nothing else
 * can be done here than to go on reading: once it is full the guest waits, and
 * that bounds what waits here as well.
 *
 * A super-packet comes here in its segments, each of which counts for one
 * place.  They have its pages together, which are fewer; but these are given
 * back with the last of them only: of the one at the head of a FIFO up to 17
 * places are taken when fewer segments are left.
 */
#include "policy/policy.h"
#include "shaper/pump_state.h"

enum {
	COPIED_BYTES = 128, /* as long as netback copies whole */
	ETHERNET_BYTES = 14,
	PAGE_BYTES = 4096,
};

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

static struct engine_host *host_of(const struct pump *pump,
				   const struct suspect *fifo)
{
	return &pump->engine.hosts[engine_host_slot(
		&pump->engine, engine_entry_of(&pump->engine, fifo))];
}

uint32_t pump_slots_of(const struct pump *pump, uint32_t host_slot,
		       const struct packet_meta *meta)
{
	uint32_t bytes = meta->length_bytes + ETHERNET_BYTES;

	if (!pump->engine.hosts[host_slot].holds_slots || bytes <= COPIED_BYTES)
		return 0;
	return (bytes - 1) / PAGE_BYTES + 1;
}

static bool sheds(const struct pump *pump)
{
	return pump->engine.policy->xen.at_slots == POLICY_SLOTS_SHED;
}

bool pump_slots_are_unbound(const struct pump *pump, uint32_t slots)
{
	return slots > 0 && !sheds(pump);
}

void pump_slots_account(struct pump *pump, uint32_t id, int32_t slots)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct engine_host *host = host_of(pump, fifo);

	if (slots == 0)
		return;
	fifo->held_slots += (uint32_t)slots;
	host->held_slots += (uint32_t)slots;
	pump->held_slots += (uint32_t)slots;
	lengths_set(&pump->slots[host - pump->engine.hosts], pump->slot_links,
		    id, fifo->held_slots);
}

/* The newest of this FIFO that has a place; there is one. */
static void shed_newest(struct pump *pump, uint32_t id)
{
	uint32_t token = suspect_of(pump, id)->last;

	while (tokens_get(&pump->tokens, token)->slots == 0)
		token = tokens_get(&pump->tokens, token)->prev;
	pump->engine.stats.counter[STATS_shed_vif_pkts] +=
		tokens_get(&pump->tokens, token)->wire_pkts;
	pump_expel(pump, id, token, PUMP_DROP);
}

bool pump_slots_are_full(const struct pump *pump, const struct suspect *fifo,
			 uint32_t slots)
{
	return slots > 0 && sheds(pump) &&
	       fifo->held_slots + fifo->aside_pkts + slots >
		       pump->engine.policy->xen.held_slots_per_key;
}

static bool make_room_of_vif(struct pump *pump, uint32_t id, uint32_t slots)
{
	uint32_t most = pump->engine.policy->xen.held_slots_per_vif;
	struct suspect *fifo = suspect_of(pump, id);
	struct engine_host *host = host_of(pump, fifo);

	while (host->held_slots + slots > most) {
		uint32_t longest = lengths_longest(
			&pump->slots[host - pump->engine.hosts]);

		if (longest == UINT32_MAX || longest == id ||
		    suspect_of(pump, longest)->held_slots <
			    fifo->held_slots + slots)
			return false;
		shed_newest(pump, longest);
	}
	return true;
}

bool pump_slots_make_room(struct pump *pump, uint32_t id, uint32_t pkts,
			  uint32_t slots)
{
	uint64_t *counter = pump->engine.stats.counter;
	const struct policy_xen *xen = &pump->engine.policy->xen;
	bool full = suspect_of(pump, id)->held_slots + slots >
		    xen->held_slots_per_key;

	if (slots == 0)
		return true;
	if (!sheds(pump)) {
		counter[STATS_slots_over_pkts] += full ? pkts : 0;
		return true;
	}
	if (full) {
		counter[STATS_shed_key_pkts] += pkts;
		return false;
	}
	if (make_room_of_vif(pump, id, slots))
		return true;
	counter[STATS_shed_vif_pkts] += pkts;
	return false;
}
