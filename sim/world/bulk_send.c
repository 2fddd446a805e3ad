/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guarded end of a transfer. */
#include "sim/world/bulk.h"

enum {
	TCP_ACK = 16,
	/* What came so many transmissions later says that it is lost; RFC 9002
	 * 6.1.1, and TCP's duplicate ACKs in effect. */
	REORDERING = 3,
};

static struct bulk_segment *segment_of(struct bulk *bulk, uint64_t number)
{
	return &bulk->segments[number & (BULK_SEGMENTS - 1)];
}

static void send_segment(struct agent *agent, uint64_t number)
{
	struct bulk *bulk = agent->self;
	struct bulk_segment *segment = segment_of(bulk, number);
	struct parcel parcel;

	world_fill(agent, true, bulk_proto(agent->sender),
		   agent->sender->size_bytes, &parcel);
	parcel.what = PARCEL_DATA;
	parcel.number = number;
	if (agent->sender->kind == SCENARIO_TCP) {
		parcel.tcp_flags = TCP_ACK;
		parcel.tcp_seq = (uint32_t)(1 + number * (parcel.bytes -
							  parcel.header_bytes));
		parcel.tcp_ack = 1;
	}
	*segment = (struct bulk_segment){ .order = bulk->orders++ };
	bulk->under_way++;
	world_send(agent, &parcel);
}

static void set_timeout(struct agent *agent)
{
	struct bulk *bulk = agent->self;
	bool waits = bulk->first_unacked < bulk->next;

	world_wake_at(agent, BULK_TIMER_TIMEOUT,
		      waits ? agent->world->now_ns + rtt_timeout_ns(&bulk->rtt)
			    : NS_NEVER);
}

/* The first that was lost goes before anything new. */
static bool send_lost(struct agent *agent, uint64_t *from)
{
	struct bulk *bulk = agent->self;

	while (*from < bulk->next && !segment_of(bulk, *from)->lost)
		(*from)++;
	if (*from == bulk->next)
		return false;
	bulk->lost--;
	send_segment(agent, *from);
	return true;
}

void bulk_fill(struct agent *agent)
{
	struct bulk *bulk = agent->self;
	uint32_t window = agent->sender->window_pkts;
	uint64_t from = bulk->first_unacked;
	bool sent = false;

	while (bulk->under_way < (uint32_t)bulk->congestion.window_pkts) {
		if (bulk->lost > 0 && send_lost(agent, &from)) {
			sent = true;
			continue;
		}
		if (bulk->next >= bulk->end ||
		    bulk->next - bulk->first_unacked >= window ||
		    agent->world->now_ns >= agent->stops_ns)
			break;
		send_segment(agent, bulk->next++);
		sent = true;
	}
	if (sent)
		set_timeout(agent);
}

static uint32_t note_acked(struct bulk *bulk, uint64_t first, uint64_t end)
{
	uint32_t acked = 0;

	if (first < bulk->first_unacked)
		first = bulk->first_unacked;
	for (uint64_t i = first; i < end && i < bulk->next; i++) {
		struct bulk_segment *segment = segment_of(bulk, i);

		if (segment->acked)
			continue;
		segment->acked = true;
		acked++;
		bulk->acked_ahead++;
		if (segment->lost)
			bulk->lost--;
		else
			bulk->under_way--;
		segment->lost = false;
		if (segment->order + 1 > bulk->latest_acked)
			bulk->latest_acked = segment->order + 1;
	}
	return acked;
}

static void find_losses(struct bulk *bulk)
{
	for (uint64_t i = bulk->first_unacked;
	     i < bulk->next && bulk->acked_ahead > 0; i++) {
		struct bulk_segment *segment = segment_of(bulk, i);

		if (segment->acked || segment->lost ||
		    segment->order + REORDERING >= bulk->latest_acked)
			continue;
		segment->lost = true;
		bulk->lost++;
		bulk->under_way--;
		if (segment->order < bulk->recovers_until)
			continue;
		bulk->recovers_until = bulk->orders;
		congestion_lost(&bulk->congestion);
	}
}

/* The window grows only while it is what holds the sender back. */
static bool uses_window(const struct bulk *bulk, uint32_t acked)
{
	return bulk->under_way + acked + 1 >=
	       (uint32_t)bulk->congestion.window_pkts;
}

void bulk_acked(struct agent *agent, const struct parcel *ack)
{
	struct bulk *bulk = agent->self;
	uint64_t now_ns = agent->world->now_ns;
	uint32_t acked = note_acked(bulk, bulk->first_unacked, ack->acked);

	for (uint8_t i = 0; i < ack->sacks_count; i++)
		acked += note_acked(bulk, ack->sacks[i].first,
				    ack->sacks[i].end);
	while (bulk->first_unacked < bulk->next &&
	       segment_of(bulk, bulk->first_unacked)->acked) {
		bulk->first_unacked++;
		bulk->acked_ahead--;
	}
	if (acked == 0)
		return;
	if (ack->echo_ns > 0)
		rtt_measured(&bulk->rtt, now_ns - ack->echo_ns);
	find_losses(bulk);
	if (bulk->latest_acked > bulk->recovers_until &&
	    uses_window(bulk, acked))
		congestion_acked(&bulk->congestion, acked, bulk->rtt.smooth_ns,
				 now_ns);
	set_timeout(agent);
	if (bulk->first_unacked == bulk->end)
		bulk_piece_ends(agent);
	else
		bulk_fill(agent);
}

/* RFC 6298 5.4 to 5.6; all that is under way counts as lost. */
void bulk_timed_out(struct agent *agent)
{
	struct bulk *bulk = agent->self;

	if (bulk->first_unacked == bulk->next)
		return;
	for (uint64_t i = bulk->first_unacked; i < bulk->next; i++) {
		struct bulk_segment *segment = segment_of(bulk, i);

		if (segment->acked || segment->lost)
			continue;
		segment->lost = true;
		bulk->lost++;
	}
	bulk->under_way = 0;
	bulk->recovers_until = bulk->orders;
	congestion_timed_out(&bulk->congestion);
	rtt_timed_out(&bulk->rtt);
	bulk_fill(agent);
}
