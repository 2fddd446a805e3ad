/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/bulk.h"

#include <string.h>

enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	TCP_SYN = 2,
	TCP_ACK = 16,
	SYN_BYTES = 60,
	REQUEST_BYTES = 200,
	INITIAL_BYTES = 1228,
};

uint8_t bulk_proto(const struct scenario_sender *sender)
{
	return sender->kind == SCENARIO_TCP ? PROTO_TCP : PROTO_UDP;
}

uint32_t bulk_payload_bytes(const struct agent *agent)
{
	struct parcel parcel;

	world_fill(agent, true, bulk_proto(agent->sender),
		   agent->sender->size_bytes, &parcel);
	return parcel.bytes - parcel.header_bytes;
}

/* ------ opening */

static void send_handshake(struct agent *agent, bool outward,
			   enum parcel_what what)
{
	bool tcp = agent->sender->kind == SCENARIO_TCP;
	struct parcel parcel;

	world_fill(agent, outward, bulk_proto(agent->sender),
		   tcp ? SYN_BYTES : INITIAL_BYTES, &parcel);
	parcel.what = (uint8_t)what;
	if (tcp) {
		parcel.tcp_flags = what == PARCEL_OPEN ? TCP_SYN
						       : TCP_SYN | TCP_ACK;
		parcel.tcp_ack = what == PARCEL_ACCEPT;
		parcel.header_bytes = SYN_BYTES;
		parcel.mss = (uint16_t)bulk_payload_bytes(agent);
	}
	world_send(agent, &parcel);
}

static void open_it(struct agent *agent)
{
	struct bulk *bulk = agent->self;

	send_handshake(agent, !agent->sender->opened_outside, PARCEL_OPEN);
	world_wake_at(agent, BULK_TIMER_OPEN,
		      agent->world->now_ns +
			      (UINT64_C(1000000000) << bulk->open_tries));
	if (bulk->open_tries < 6)
		bulk->open_tries++;
}

/* The last of the handshake, which whoever opened it sends; the far end asks
 * for the data with it. */
static void confirm(struct agent *agent, bool outward)
{
	struct parcel parcel;

	world_fill(agent, outward, bulk_proto(agent->sender),
		   outward ? 0 : REQUEST_BYTES, &parcel);
	parcel.what = PARCEL_ACK;
	if (agent->sender->kind == SCENARIO_TCP) {
		parcel.tcp_flags = TCP_ACK;
		parcel.tcp_seq = parcel.tcp_ack = 1;
	}
	world_send(agent, &parcel);
}

static void begin_piece(struct agent *agent)
{
	const struct scenario_sender *sender = agent->sender;
	struct bulk *bulk = agent->self;
	uint32_t payload = bulk_payload_bytes(agent);

	if (agent->world->now_ns >= agent->stops_ns)
		return;
	if (sender->bytes == 0)
		bulk->end = UINT64_MAX;
	else
		bulk->end =
			bulk->next + (sender->bytes + payload - 1) / payload;
	bulk->busy_since_ns = agent->world->now_ns;
	bulk_fill(agent);
}

static void opened(struct agent *agent)
{
	struct bulk *bulk = agent->self;

	if (bulk->opened)
		return;
	bulk->opened = true;
	world_wake_at(agent, BULK_TIMER_OPEN, NS_NEVER);
	begin_piece(agent);
}

/* RFC 5681 4.1: after a pause the window is the first one again; what many
 * applications and systems do is to keep it. */
void bulk_piece_ends(struct agent *agent)
{
	const struct scenario_sender *sender = agent->sender;
	struct bulk *bulk = agent->self;

	agent->result->busy_ns += agent->world->now_ns - bulk->busy_since_ns;
	bulk->busy_since_ns = 0;
	if (!sender->keeps_window && sender->pause_ns > 0 &&
	    bulk->congestion.window_pkts > CONGESTION_FIRST_PKTS)
		bulk->congestion.window_pkts = CONGESTION_FIRST_PKTS;
	world_wake_at(agent, BULK_TIMER_PIECE,
		      agent->world->now_ns + sender->pause_ns);
}

/* ------ what a sender is told */

static uint32_t timers(const struct scenario_sender *sender)
{
	(void)sender;
	return BULK_TIMERS;
}

static bool start(struct agent *agent)
{
	struct bulk *bulk = agent->self;

	congestion_init(&bulk->congestion, agent->sender->congestion);
	world_wake_at(agent, BULK_TIMER_OPEN,
		      WORLD_START_NS + agent->sender->start_ns);
	return true;
}

static void arrives(struct agent *agent, const struct parcel *parcel)
{
	struct bulk *bulk = agent->self;

	switch ((enum parcel_what)parcel->what) {
	case PARCEL_OPEN:
		send_handshake(agent, !parcel->outward, PARCEL_ACCEPT);
		break;
	case PARCEL_ACCEPT:
		confirm(agent, !parcel->outward);
		if (!parcel->outward)
			opened(agent);
		break;
	case PARCEL_ACK:
		if (parcel->outward)
			break;
		if (!bulk->opened)
			opened(agent);
		else
			bulk_acked(agent, parcel);
		break;
	case PARCEL_DATA:
		bulk_received(agent, parcel);
		break;
	case PARCEL_REPORT:
		break;
	}
}

static void wake(struct agent *agent, uint32_t timer)
{
	switch ((enum bulk_timer)timer) {
	case BULK_TIMER_OPEN:
		open_it(agent);
		break;
	case BULK_TIMER_TIMEOUT:
		bulk_timed_out(agent);
		break;
	case BULK_TIMER_PIECE:
		begin_piece(agent);
		break;
	case BULK_TIMER_ACK:
		bulk_answer(agent);
		break;
	case BULK_TIMER_THIN:
		bulk_unthin(agent);
		break;
	case BULK_TIMERS:
		break;
	}
}

static void stop(struct agent *agent)
{
	struct bulk *bulk = agent->self;
	uint64_t begins_ns = WORLD_START_NS + agent->sender->start_ns;
	uint64_t ends_ns = agent->world->ends_ns;

	if (bulk->busy_since_ns > 0)
		agent->result->busy_ns += ends_ns - bulk->busy_since_ns;
	else if (!bulk->opened && ends_ns > begins_ns)
		agent->result->busy_ns = ends_ns - begins_ns;
	agent->result->good_bytes = bulk->expected * bulk_payload_bytes(agent);
}

const struct agent_kind bulk_kind = {
	.bytes = sizeof(struct bulk),
	.timers = timers,
	.start = start,
	.arrives = arrives,
	.wake = wake,
	.stop = stop,
};
