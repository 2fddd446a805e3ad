/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The far end of a transfer, and what the way back makes of its ACKs. */
#include "sim/world/bulk.h"

enum { TCP_ACK = 16, ACK_BYTES = 52, THIN_NS = 10000000 };

static bool has_come(const struct bulk *bulk, uint64_t number)
{
	return number < bulk->expected ||
	       (number < bulk->highest &&
		bulk->came[number & (BULK_SEGMENTS - 1)]);
}

static void add_range(struct bulk *bulk, struct parcel *ack, uint64_t inside)
{
	struct parcel_range range = { inside, inside + 1 };

	while (range.first > bulk->expected && has_come(bulk, range.first - 1))
		range.first--;
	while (has_come(bulk, range.end))
		range.end++;
	ack->sacks[ack->sacks_count++] = range;
}

/* RFC 2018: the latest first, then others that are ahead. */
static void add_ranges(struct bulk *bulk, struct parcel *ack)
{
	if (bulk->highest == bulk->expected)
		return;
	if (bulk->latest >= bulk->expected && has_come(bulk, bulk->latest))
		add_range(bulk, ack, bulk->latest);
	for (uint64_t i = bulk->expected;
	     i < bulk->highest && ack->sacks_count < PARCEL_SACKS; i++) {
		if (!has_come(bulk, i))
			continue;
		add_range(bulk, ack, i);
		i = ack->sacks[ack->sacks_count - 1].end;
	}
}

void bulk_unthin(struct agent *agent)
{
	struct bulk *bulk = agent->self;

	if (bulk->thinned_count == 0)
		return;
	bulk->thinned_count = 0;
	world_wake_at(agent, BULK_TIMER_THIN, NS_NEVER);
	world_send(agent, &bulk->thinned);
}

/* A router that thins keeps the newest ACK, and lets one go in so many, or
 * after a while. */
static void thin(struct agent *agent, const struct parcel *ack)
{
	struct bulk *bulk = agent->self;

	bulk->thinned = *ack;
	if (++bulk->thinned_count >= agent->sender->thin)
		bulk_unthin(agent);
	else if (bulk->thinned_count == 1)
		world_wake_at(agent, BULK_TIMER_THIN,
			      agent->world->now_ns + THIN_NS);
}

void bulk_answer(struct agent *agent)
{
	struct bulk *bulk = agent->self;
	struct parcel ack;

	world_fill(agent, false, bulk_proto(agent->sender), ACK_BYTES, &ack);
	ack.what = PARCEL_ACK;
	ack.acked = bulk->expected;
	ack.echo_ns = bulk->echo_ns;
	if (agent->sender->kind == SCENARIO_TCP) {
		ack.header_bytes = ACK_BYTES;
		ack.tcp_flags = TCP_ACK;
		ack.tcp_seq = 1;
		ack.tcp_ack = (uint32_t)(1 + bulk->expected *
						     bulk_payload_bytes(agent));
	}
	add_ranges(bulk, &ack);
	bulk->unanswered = 0;
	bulk->echo_ns = 0;
	world_wake_at(agent, BULK_TIMER_ACK, NS_NEVER);
	thin(agent, &ack);
}

/* false: it was there already, or nobody could have sent it yet. */
static bool note(struct bulk *bulk, uint64_t number)
{
	if (has_come(bulk, number) || number - bulk->expected >= BULK_SEGMENTS)
		return false;
	for (; bulk->highest <= number; bulk->highest++)
		bulk->came[bulk->highest & (BULK_SEGMENTS - 1)] = false;
	bulk->came[number & (BULK_SEGMENTS - 1)] = true;
	while (bulk->expected < bulk->highest &&
	       bulk->came[bulk->expected & (BULK_SEGMENTS - 1)])
		bulk->expected++;
	return true;
}

void bulk_received(struct agent *agent, const struct parcel *data)
{
	const struct scenario_sender *sender = agent->sender;
	struct bulk *bulk = agent->self;
	uint32_t every = bulk->received < sender->ack_first_pkts
				 ? sender->ack_every_first
				 : sender->ack_every;
	bool in_order = data->number == bulk->expected &&
			bulk->highest == bulk->expected;

	note(bulk, data->number);
	bulk->received++;
	bulk->latest = data->number;
	bulk->unanswered++;
	if (bulk->echo_ns == 0)
		bulk->echo_ns = data->sent_ns;
	/* RFC 5681 4.2: at once when something is missing. */
	if (!in_order || bulk->unanswered >= every)
		bulk_answer(agent);
	else if (bulk->unanswered == 1)
		world_wake_at(agent, BULK_TIMER_ACK,
			      agent->world->now_ns + sender->ack_delay_ns);
}
