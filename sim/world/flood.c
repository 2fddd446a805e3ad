/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One who sends on whether anybody answers or not, and who may have a friend
 * at the far end. */
#include <string.h>

#include "sim/world/world_state.h"

enum { TIMER_SEND, TIMER_REPLY, TIMERS };

enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	TCP_SYN = 2,
	TCP_ACK = 16,
	SYN_BYTES = 60,
	REPLY_BYTES = 60,
	PORTS_FIRST = 1024,
	PORTS = 64512,
	TOO_FAR_BYTES = 1 << 24, /* nothing so far was sent */
};

struct flood {
	uint64_t sent;        /* packets, those of handshakes aside */
	uint32_t in_burst;    /* of these, in this burst */
	uint64_t destination; /* its number in the prefix */
	bool opened;          /* SCENARIO_DATA */
	uint64_t came, replied;
	uint32_t expects; /* the number that the far end acknowledges */
	struct packet_ends latest; /* as the far end last saw it */
};

static uint32_t timers(const struct scenario_sender *sender)
{
	(void)sender;
	return TIMERS;
}

static bool start(struct agent *agent)
{
	uint64_t at_ns = WORLD_START_NS + agent->sender->start_ns;
	struct flood *flood = agent->self;

	flood->expects = 1;
	world_wake_at(agent, TIMER_SEND, at_ns);
	if (agent->sender->replies_per_s > 0)
		world_wake_at(agent, TIMER_REPLY, at_ns);
	return true;
}

static uint8_t proto_of(const struct scenario_sender *sender)
{
	switch (sender->proto) {
	case SCENARIO_SYN:
	case SCENARIO_DATA:
		return PROTO_TCP;
	case SCENARIO_ICMP:
		return PROTO_ICMP;
	case SCENARIO_UDP:
		break;
	}
	return PROTO_UDP;
}

/* ------ where to */

static uint64_t pick(struct agent *agent, enum scenario_pick how,
		     uint64_t number, uint64_t of)
{
	switch (how) {
	case SCENARIO_SAME:
		break;
	case SCENARIO_NEXT:
		return number % of;
	case SCENARIO_RANDOM:
		return dice_roll(&agent->dice) % of;
	}
	return 0;
}

static void add_to_address(uint8_t address[16], uint64_t number)
{
	for (int i = 15; i >= 12; i--) {
		number += address[i];
		address[i] = (uint8_t)number;
		number >>= 8;
	}
}

/* The so-manyth address of the prefix, as far as 32 bits go; the network's
 * own address is left out. */
static void set_destination(struct agent *agent, uint8_t address[16])
{
	const struct scenario_sender *sender = agent->sender;
	struct flood *flood = agent->self;
	unsigned int bits = 128u - sender->to.length;
	uint64_t addresses = UINT64_C(1) << (bits < 32 ? bits : 32);

	if (addresses == 1)
		return;
	if (flood->sent % sender->each_pkts == 0)
		flood->destination = 1 + pick(agent, sender->pick,
					      flood->sent / sender->each_pkts,
					      addresses - 1);
	add_to_address(address, flood->destination);
}

static void set_source(const struct agent *agent, uint8_t address[16])
{
	const struct scenario_sender *sender = agent->sender;
	const struct flood *flood = agent->self;
	uint32_t each = sender->burst_pkts > 0 ? sender->burst_pkts
					       : sender->each_pkts;

	add_to_address(address, flood->sent / each % sender->sources);
}

static void set_ports(struct agent *agent, struct packet_ends *ends)
{
	const struct scenario_sender *sender = agent->sender;
	const struct flood *flood = agent->self;

	if (sender->ports != SCENARIO_SAME)
		ends->dst_port =
			(uint16_t)(PORTS_FIRST + pick(agent, sender->ports,
						      flood->sent, PORTS));
	if (sender->from_ports != SCENARIO_SAME)
		ends->src_port =
			(uint16_t)(PORTS_FIRST + pick(agent, sender->from_ports,
						      flood->sent, PORTS));
	if (sender->proto == SCENARIO_ICMP)
		ends->dst_port = ends->src_port;
}

/* ------ the guarded end */

static void set_headers(struct agent *agent, struct parcel *parcel)
{
	const struct flood *flood = agent->self;
	bool opens = agent->sender->proto == SCENARIO_SYN || !flood->opened;

	if (agent->sender->looks_like_media) {
		parcel->rtp_ssrc = agent->place + 1;
		parcel->rtp_seq = (uint16_t)flood->sent;
	}
	if (parcel->ends.proto != PROTO_TCP)
		return;
	if (opens) {
		parcel->what = PARCEL_OPEN;
		parcel->tcp_flags = TCP_SYN;
		parcel->bytes = parcel->header_bytes = SYN_BYTES;
		return;
	}
	parcel->tcp_flags = TCP_ACK;
	parcel->tcp_ack = 1;
	parcel->tcp_seq = (uint32_t)(1 + flood->sent * (parcel->bytes -
							parcel->header_bytes));
}

static void plan_next(struct agent *agent)
{
	const struct scenario_sender *sender = agent->sender;
	struct flood *flood = agent->self;
	uint64_t wait_ns = UINT64_C(1000000000) / sender->packets_per_s;

	flood->in_burst++;
	if (sender->burst_pkts > 0 && flood->in_burst >= sender->burst_pkts) {
		flood->in_burst = 0;
		wait_ns = sender->pause_ns;
	}
	world_wake_at(agent, TIMER_SEND, agent->world->now_ns + wait_ns);
}

static void send_next(struct agent *agent)
{
	struct flood *flood = agent->self;
	struct parcel parcel;

	if (agent->world->now_ns >= agent->stops_ns)
		return;
	world_fill(agent, true, proto_of(agent->sender),
		   agent->sender->size_bytes, &parcel);
	set_source(agent, parcel.ends.src);
	set_destination(agent, parcel.ends.dst);
	set_ports(agent, &parcel.ends);
	set_headers(agent, &parcel);
	world_send(agent, &parcel);
	if (agent->sender->proto == SCENARIO_DATA && !flood->opened) {
		world_wake_at(agent, TIMER_SEND,
			      agent->world->now_ns + UINT64_C(1000000000));
		return;
	}
	flood->sent++;
	plan_next(agent);
}

/* What comes back to it matters only while it opens a connection. */
static void heard(struct agent *agent, const struct parcel *parcel)
{
	struct flood *flood = agent->self;
	struct parcel confirm;

	if (parcel->what != PARCEL_ACCEPT)
		return;
	if (agent->sender->proto == SCENARIO_DATA && !flood->opened) {
		flood->opened = true;
		world_wake_at(agent, TIMER_SEND, agent->world->now_ns);
	} else if (!agent->sender->completes) {
		return;
	}
	world_fill(agent, true, PROTO_TCP, 0, &confirm);
	confirm.ends = parcel->ends;
	memcpy(confirm.ends.src, parcel->ends.dst, sizeof(confirm.ends.src));
	memcpy(confirm.ends.dst, parcel->ends.src, sizeof(confirm.ends.dst));
	confirm.ends.src_port = parcel->ends.dst_port;
	confirm.ends.dst_port = parcel->ends.src_port;
	confirm.what = PARCEL_ACK;
	confirm.tcp_flags = TCP_ACK;
	confirm.tcp_seq = confirm.tcp_ack = 1;
	world_send(agent, &confirm);
}

/* ------ the far end */

static uint32_t acknowledged(const struct agent *agent)
{
	const struct flood *flood = agent->self;

	switch (agent->sender->acks) {
	case SCENARIO_ACKS_CAME:
		break;
	case SCENARIO_ACKS_NOTHING:
		return 1;
	case SCENARIO_ACKS_MORE:
		return flood->expects + TOO_FAR_BYTES;
	}
	return flood->expects;
}

static void reply(struct agent *agent, const struct packet_ends *to,
		  enum parcel_what what)
{
	struct flood *flood = agent->self;
	struct parcel parcel;

	world_fill(agent, false, to->proto, REPLY_BYTES, &parcel);
	memcpy(parcel.ends.src, to->dst, sizeof(parcel.ends.src));
	memcpy(parcel.ends.dst, to->src, sizeof(parcel.ends.dst));
	parcel.ends.src_port = to->dst_port;
	parcel.ends.dst_port = to->src_port;
	parcel.what = (uint8_t)what;
	if (to->proto == PROTO_TCP) {
		parcel.header_bytes = REPLY_BYTES;
		parcel.tcp_flags = what == PARCEL_ACCEPT ? TCP_SYN | TCP_ACK
							 : TCP_ACK;
		parcel.tcp_seq = what != PARCEL_ACCEPT;
		parcel.tcp_ack = acknowledged(agent);
	}
	flood->replied++;
	world_send(agent, &parcel);
}

static void received(struct agent *agent, const struct parcel *parcel)
{
	const struct scenario_sender *sender = agent->sender;
	struct flood *flood = agent->self;
	uint32_t payload = parcel->bytes - parcel->header_bytes;

	flood->latest = parcel->ends;
	if (parcel->what == PARCEL_ACK)
		return;
	if (parcel->what == PARCEL_OPEN) {
		if (sender->answered || sender->proto == SCENARIO_DATA)
			reply(agent, &parcel->ends, PARCEL_ACCEPT);
		return;
	}
	if (parcel->tcp_seq + payload - flood->expects < UINT32_MAX / 2)
		flood->expects = parcel->tcp_seq + payload;
	flood->came++;
	if (sender->reply_pkts > 0 && flood->replied >= sender->reply_pkts)
		return;
	if (sender->answered ||
	    (sender->reply_every > 0 && flood->came % sender->reply_every == 0))
		reply(agent, &parcel->ends, PARCEL_ACK);
}

static void reply_unasked(struct agent *agent)
{
	struct flood *flood = agent->self;

	if (flood->latest.proto != 0)
		reply(agent, &flood->latest, PARCEL_ACK);
	world_wake_at(agent, TIMER_REPLY,
		      agent->world->now_ns +
			      UINT64_C(1000000000) /
				      agent->sender->replies_per_s);
}

/* ------ what a sender is told */

static void arrives(struct agent *agent, const struct parcel *parcel)
{
	if (parcel->outward)
		received(agent, parcel);
	else
		heard(agent, parcel);
}

static void wake(struct agent *agent, uint32_t timer)
{
	if (timer == TIMER_SEND)
		send_next(agent);
	else
		reply_unasked(agent);
}

/* Nobody has a use for what it sends. */
static void stop(struct agent *agent)
{
	(void)agent;
}

const struct agent_kind flood_kind = {
	.bytes = sizeof(struct flood),
	.timers = timers,
	.start = start,
	.arrives = arrives,
	.wake = wake,
	.stop = stop,
};
