/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A full batch: through the pump, and what became of it. */
#include <string.h>

#include "flowtable/fragments.h"
#include "sim/replay_state.h"

/* ------ telling */

static void tell(const struct replay *replay, const struct replay_event *event)
{
	for (size_t i = 0; i < replay->config.observers_count; i++) {
		const struct replay_observer *observer =
			&replay->config.observers[i];

		observer->packet(observer->self, event);
	}
}

/* The same packet as it comes in for its receiver. */
static void tell_again(const struct replay *replay, struct replay_event event,
		       uint16_t dst_zone)
{
	struct flow_key flow;

	flow_key_reverse(&event.flow, dst_zone, &flow);
	event.flow = flow;
	event.direction = FLOW_IN;
	event.arrived_ns = event.left_ns;
	event.fate = REPLAY_PASSED;
	event.again = true;
	tell(replay, &event);
}

/* All but its flow. */
static void describe(const struct pump_packet *packet,
		     const struct replay_ends *ends,
		     struct replay_event *ret_event)
{
	bool out = ends->ends == PUMP_ENDS_SRC;

	/* One by one: gcc clears a struct of this size by `rep stos`, which
	 * takes longer than all the rest. */
	ret_event->ends = packet->meta.ends;
	ret_event->arrived_ns = packet->arrived_ns - REPLAY_START_NS;
	ret_event->left_ns = 0;
	ret_event->wire_pkts = packet->wire_pkts;
	ret_event->replies = 0;
	ret_event->direction = out ? FLOW_OUT : FLOW_IN;
	ret_event->kind = packet->meta.kind;
	ret_event->fate = 0;
	ret_event->by = 0;
	ret_event->again = false;
}

static void name_flow(const struct pump_packet *packet,
		      const struct replay_ends *ends,
		      struct replay_event *event)
{
	if (ends->ends == PUMP_ENDS_NONE)
		memset(&event->flow, 0, sizeof(event->flow));
	else
		flow_key_of(&packet->meta,
			    (enum flow_direction)event->direction,
			    packet->src_zone, &event->flow);
}

static bool wants_captured(const struct replay *replay)
{
	for (size_t i = 0; i < replay->config.observers_count; i++)
		if (replay->config.observers[i].captured)
			return true;
	return false;
}

static void pass_on_captured(const struct replay *replay,
			     const struct replay_event *event)
{
	for (size_t i = 0; i < replay->config.observers_count; i++) {
		const struct replay_observer *observer =
			&replay->config.observers[i];

		if (observer->captured)
			observer->captured(observer->self, event);
	}
}

static void tell_captured(const struct replay *replay,
			  const struct pump_packet *packet,
			  const struct replay_ends *ends)
{
	struct replay_event event;
	struct flow_key flow;

	if (ends->ends == PUMP_ENDS_NONE)
		return;
	describe(packet, ends, &event);
	if (!replay->counts_only)
		name_flow(packet, ends, &event);
	pass_on_captured(replay, &event);
	if (!ends->onward)
		return;
	if (!replay->counts_only) {
		flow_key_reverse(&event.flow, packet->dst_zone, &flow);
		event.flow = flow;
	}
	event.direction = FLOW_IN;
	event.again = true;
	pass_on_captured(replay, &event);
}

static enum replay_fate fate_of(const struct pump_packet *packet,
				const struct replay_ends *ends)
{
	if (ends->ends == PUMP_ENDS_NONE)
		return REPLAY_TRANSIT;
	return packet->verdict == PUMP_DROP ? REPLAY_DROPPED : REPLAY_PASSED;
}

/* It was judged: it has left, or waits from now on. */
static void settle(struct replay *replay, size_t at)
{
	const struct pump_packet *packet = &replay->batch[at];
	const struct replay_ends *ends = &replay->ends[at];
	struct replay_event event;

	if (replay->counts_only && packet->verdict != PUMP_WAIT &&
	    fate_of(packet, ends) == REPLAY_PASSED)
		return;
	describe(packet, ends, &event);
	name_flow(packet, ends, &event);
	if (packet->verdict == PUMP_WAIT) {
		event.by = packet->by;
		replay->held.all[packet->id] = (struct held_packet){
			.event = event,
			.dst_zone = packet->dst_zone,
			.onward = ends->onward,
		};
		replay->spares[at] = held_take(&replay->held);
		return;
	}
	event.left_ns = event.arrived_ns;
	event.fate = (uint8_t)fate_of(packet, ends);
	if (event.fate == REPLAY_DROPPED)
		event.by = packet->meta.kind == PACKET_UNICAST ? packet->by
							       : PUMP_BYS;
	if (event.direction == FLOW_IN)
		event.replies = packet->replies;
	tell(replay, &event);
	if (ends->onward && event.fate == REPLAY_PASSED)
		tell_again(replay, event, packet->dst_zone);
}

static void release(struct replay *replay, const struct pump_release *left)
{
	const struct held_packet held = replay->held.all[left->id];
	struct replay_event event = held.event;

	held_give_back(&replay->held, (uint32_t)left->id);
	event.left_ns = left->left_ns - REPLAY_START_NS;
	if (left->verdict == PUMP_DROP)
		event.fate = REPLAY_DROPPED;
	else
		event.fate = event.left_ns > event.arrived_ns ? REPLAY_DELAYED
							      : REPLAY_PASSED;
	tell(replay, &event);
	if (held.onward && event.fate != REPLAY_DROPPED)
		tell_again(replay, event, held.dst_zone);
}

/* ------ a batch */

/* Tell of the packets of the batch before `end`, from `*next` on. */
static void settle_up_to(struct replay *replay, size_t *next, size_t end)
{
	while (*next < end && *next < replay->count)
		settle(replay, (*next)++);
}

static void collect(struct replay *replay, size_t *next)
{
	struct pump_release releases[REPLAY_BATCH];
	size_t count;

	while ((count = pump_collect(replay->pump, releases, REPLAY_BATCH)) >
	       0) {
		for (size_t i = 0; i < count; i++) {
			settle_up_to(replay, next, releases[i].after);
			release(replay, &releases[i]);
		}
	}
}

void replay_collect(struct replay *replay)
{
	size_t next = replay->count;

	collect(replay, &next);
}

static void follow_first(struct replay *replay, struct pump_packet *packet)
{
	bool out = packet->ends == PUMP_ENDS_SRC;

	fragments_resolve(replay->fragments, &packet->meta,
			  out ? FLOW_OUT : FLOW_IN, packet->src_zone,
			  packet->arrived_ns);
}

void replay_look(struct replay *replay)
{
	snapshot_totals(replay->pump, &replay->totals);
	replay->was_one_sided |= replay->totals.one_sided;
}

void replay_flush(struct replay *replay)
{
	size_t next = 0;

	if (!held_reserve(&replay->held, REPLAY_BATCH)) {
		replay->counts.unjudged += replay->count;
		replay->count = 0;
	}
	for (size_t i = 0; i < replay->count; i++) {
		struct pump_packet *packet = &replay->batch[i];

		replay_find_ends(replay, packet, &replay->ends[i]);
		packet->ends = replay->ends[i].ends;
		packet->id = replay->spares[i];
		if (packet->meta.fragment != PACKET_WHOLE)
			follow_first(replay, packet);
	}
	if (wants_captured(replay))
		for (size_t i = 0; i < replay->count; i++)
			tell_captured(replay, &replay->batch[i],
				      &replay->ends[i]);
	pump_take(replay->pump, replay->batch, replay->count);
	collect(replay, &next);
	settle_up_to(replay, &next, replay->count);
	replay->count = 0;
	replay_look(replay);
}

void replay_tell_forged(struct replay *replay, const struct pump_packet *packet)
{
	struct replay_event event = {
		.ends = packet->meta.ends,
		.arrived_ns = packet->arrived_ns - REPLAY_START_NS,
		.left_ns = packet->arrived_ns - REPLAY_START_NS,
		.wire_pkts = packet->wire_pkts,
		.kind = packet->meta.kind,
		.fate = REPLAY_FORGED,
	};

	replay_flush(replay);
	tell(replay, &event);
}
