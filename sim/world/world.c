/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "sim/world/world_state.h"

enum {
	RELEASES = 64,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	V4_BYTES = 20,
	V6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8, /* ICMP's, too */
	TUNNEL_PORT = 51820,
	TUNNEL_BYTES = 32, /* what WireGuard adds, below UDP */
};

#define DEFAULT_WINDOW_NS UINT64_C(1000000000)

/* ------ what senders ask for */

void world_plan(struct world *world, enum event_kind kind, uint32_t who,
		uint32_t which, uint64_t at_ns)
{
	struct event event = { .at_ns = at_ns,
			       .who = who,
			       .which = (uint16_t)which,
			       .kind = (uint8_t)kind };

	if (at_ns < world->ends_ns && !events_push(&world->events, &event))
		world->failed = true;
}

void world_wake_at(struct agent *agent, uint32_t timer, uint64_t at_ns)
{
	struct agent_timer *own = &agent->timers[timer];

	own->at_ns = at_ns;
	if (at_ns >= own->planned_ns)
		return;
	own->planned_ns = at_ns;
	world_plan(agent->world, EVENT_TIMER, agent->place, timer, at_ns);
}

static uint32_t ip_bytes(const uint8_t address[16])
{
	return address_is_v4(address) ? V4_BYTES : V6_BYTES;
}

/* All that is seen of it: one UDP conversation. */
static void wrap(const struct agent *agent, struct parcel *parcel)
{
	const struct scenario_sender *sender = agent->sender;
	struct packet_ends *ends = &parcel->ends;

	memcpy(parcel->outward ? ends->dst : ends->src, sender->tunnel,
	       sizeof(ends->src));
	ends->src_port = ends->dst_port = TUNNEL_PORT;
	ends->proto = PROTO_UDP;
	parcel->header_bytes = ip_bytes(sender->tunnel) + UDP_BYTES;
	parcel->bytes += parcel->header_bytes + TUNNEL_BYTES;
	parcel->tcp_flags = 0;
	parcel->tcp_seq = parcel->tcp_ack = 0;
	parcel->rtp_ssrc = parcel->rtp_seq = 0;
	parcel->mss = 0;
}

void world_fill(const struct agent *agent, bool outward, uint8_t proto,
		uint32_t bytes, struct parcel *ret_parcel)
{
	const struct scenario_sender *sender = agent->sender;
	struct packet_ends *ends = &ret_parcel->ends;

	*ret_parcel = (struct parcel){
		.bytes = bytes,
		.header_bytes = ip_bytes(sender->from) +
				(proto == PROTO_TCP ? TCP_BYTES : UDP_BYTES),
		.outward = outward,
		.sender = agent->place,
		.sent_ns = agent->world->now_ns,
	};
	if (bytes < ret_parcel->header_bytes)
		ret_parcel->bytes = ret_parcel->header_bytes;
	memcpy(outward ? ends->src : ends->dst, sender->from,
	       sizeof(ends->src));
	memcpy(outward ? ends->dst : ends->src, sender->to.addr,
	       sizeof(ends->dst));
	ends->src_port = outward ? sender->from_port : sender->to_port;
	ends->dst_port = outward ? sender->to_port : sender->from_port;
	ends->proto = proto;
}

void world_send(struct agent *agent, const struct parcel *parcel)
{
	struct world *world = agent->world;
	const struct scenario *scenario = world->scenario;
	struct parcel copy = *parcel;
	struct wire *wire = copy.outward ? &world->hosts[agent->host]
					 : &world->back;
	uint64_t at_ns;
	uint32_t id;

	if (agent->sender->tunnelled)
		wrap(agent, &copy);
	if (!wire_send(wire, copy.outward ? &scenario->host : &scenario->back,
		       copy.bytes, world->now_ns, &at_ns))
		return;
	id = parcels_add(&world->parcels, &copy);
	if (id == UINT32_MAX) {
		world->failed = true;
		return;
	}
	if (copy.outward)
		world_plan(world, EVENT_GATEWAY_OUT, id, 0, at_ns);
	else
		world_plan(world,
			   agent->sender->bypasses ? EVENT_HOST
						   : EVENT_GATEWAY_IN,
			   id, 0, at_ns + agent->sender->delay_ns);
}

/* ------ at the gateway */

static void leave(struct world *world, uint32_t id, uint8_t verdict)
{
	struct parcel *parcel = parcels_get(&world->parcels, id);
	struct agent *agent = &world->agents[parcel->sender];
	uint64_t at_ns;

	if (verdict == PUMP_DROP) {
		ledger_dropped(&agent->result->ledger);
		parcels_remove(&world->parcels, id);
		return;
	}
	ledger_let_out(&agent->result->ledger, parcel, world->now_ns);
	if (wire_send(&world->out, &world->scenario->out, parcel->bytes,
		      world->now_ns, &at_ns))
		world_plan(world, EVENT_REMOTE, id, 0,
			   at_ns + agent->sender->delay_ns);
	else
		parcels_remove(&world->parcels, id);
}

void world_collect(struct world *world)
{
	struct pump_release releases[RELEASES];
	uint64_t next_ns;
	size_t count;

	while ((count = gateway_collect(&world->gateway, releases, RELEASES)) >
	       0)
		for (size_t i = 0; i < count; i++)
			leave(world, (uint32_t)releases[i].id,
			      releases[i].verdict);
	next_ns = gateway_next_ns(&world->gateway);
	if (next_ns >= world->pump_planned_ns)
		return;
	world->pump_planned_ns = next_ns;
	world_plan(world, EVENT_PUMP, 0, 0, next_ns);
}

static void arrive_outward(struct world *world, uint32_t id)
{
	struct parcel *parcel = parcels_get(&world->parcels, id);
	enum pump_verdict verdict;

	parcel->offered_ns = world->now_ns;
	ledger_offered(&world->agents[parcel->sender].result->ledger,
		       world->now_ns);
	verdict = gateway_offer(&world->gateway, parcel, id, world->now_ns);
	world_collect(world);
	if (verdict != PUMP_WAIT)
		leave(world, id, (uint8_t)verdict);
}

static void arrive_inward(struct world *world, uint32_t id)
{
	const struct parcel *parcel = parcels_get(&world->parcels, id);

	ledger_heard(&world->agents[parcel->sender].result->ledger,
		     world->now_ns);
	gateway_offer(&world->gateway, parcel, id, world->now_ns);
	world_collect(world);
	world_plan(world, EVENT_HOST, id, 0,
		   world->now_ns + world->scenario->host.delay_ns);
}

/* ------ what happens */

static void deliver(struct world *world, uint32_t id)
{
	struct parcel parcel = *parcels_get(&world->parcels, id);
	struct agent *agent = &world->agents[parcel.sender];

	parcels_remove(&world->parcels, id);
	agent->kind->arrives(agent, &parcel);
}

static void fire(struct world *world, const struct event *event)
{
	struct agent *agent = &world->agents[event->who];
	struct agent_timer *timer = &agent->timers[event->which];

	/* An earlier one took its place. */
	if (event->at_ns != timer->planned_ns)
		return;
	timer->planned_ns = NS_NEVER;
	if (timer->at_ns > world->now_ns) {
		world_wake_at(agent, event->which, timer->at_ns);
		return;
	}
	timer->at_ns = NS_NEVER;
	agent->kind->wake(agent, event->which);
}

static void advance_gateway(struct world *world, const struct event *event)
{
	if (event->at_ns != world->pump_planned_ns)
		return;
	world->pump_planned_ns = NS_NEVER;
	if (gateway_next_ns(&world->gateway) <= world->now_ns)
		gateway_advance(&world->gateway, world->now_ns);
	world_collect(world);
}

static void handle(struct world *world, const struct event *event)
{
	switch ((enum event_kind)event->kind) {
	case EVENT_GATEWAY_OUT:
		arrive_outward(world, event->who);
		break;
	case EVENT_GATEWAY_IN:
		arrive_inward(world, event->who);
		break;
	case EVENT_REMOTE:
	case EVENT_HOST:
		deliver(world, event->who);
		break;
	case EVENT_TIMER:
		fire(world, event);
		break;
	case EVENT_PUMP:
		advance_gateway(world, event);
		break;
	case EVENT_LOOK:
	case EVENT_RELOAD:
	case EVENT_RESTART:
		schedule_happens(world, event);
		break;
	}
}

/* ------ life */

static const struct agent_kind *const kinds[SCENARIO_KINDS] = {
	[SCENARIO_TCP] = &bulk_kind,    [SCENARIO_QUIC] = &bulk_kind,
	[SCENARIO_RTP] = &media_kind,   [SCENARIO_REQUEST] = &request_kind,
	[SCENARIO_FLOOD] = &flood_kind,
};

/* Senders of one host share its link. */
static uint32_t host_of(const struct scenario *scenario, uint32_t place)
{
	uint32_t i = 0;

	while (memcmp(scenario->senders[i].from, scenario->senders[place].from,
		      sizeof(scenario->senders[i].from)) != 0)
		i++;
	return i;
}

static bool make_agent(struct world *world, uint32_t place, uint64_t window_ns)
{
	const struct scenario_sender *sender = &world->scenario->senders[place];
	struct agent *agent = &world->agents[place];
	uint32_t timers = kinds[sender->kind]->timers(sender);

	*agent = (struct agent){
		.world = world,
		.sender = sender,
		.kind = kinds[sender->kind],
		.place = place,
		.host = host_of(world->scenario, place),
		.stops_ns = sender->stop_ns > 0
				    ? WORLD_START_NS + sender->stop_ns
				    : world->ends_ns,
		.result = &world->result->senders[place],
		.dice = { world->scenario->seed << 32 | (place + 1) },
	};
	ledger_init(&agent->result->ledger, window_ns, WORLD_START_NS,
		    world->ends_ns);
	agent->self = calloc(1, agent->kind->bytes);
	agent->timers = calloc(timers, sizeof(*agent->timers));
	if (!agent->self || !agent->timers)
		return false;
	for (uint32_t i = 0; i < timers; i++)
		agent->timers[i] = (struct agent_timer){ NS_NEVER, NS_NEVER };
	return agent->kind->start(agent);
}

static bool make(struct world *world, const struct policy *policy)
{
	const struct scenario *scenario = world->scenario;
	struct world_result *result = world->result;
	uint32_t count = scenario->senders_count;

	result->senders = calloc(count, sizeof(*result->senders));
	result->looks = calloc(SCENARIO_EXPECT_MAX, sizeof(*result->looks));
	world->agents = calloc(count, sizeof(*world->agents));
	world->hosts = calloc(count, sizeof(*world->hosts));
	if (!result->senders || !result->looks || !world->agents ||
	    !world->hosts ||
	    !gateway_init(&world->gateway, policy, scenario->seed,
			  world->now_ns))
		return false;
	result->senders_count = count;
	world->out.dice.state = scenario->seed << 32 | 0xffff0001u;
	world->back.dice.state = scenario->seed << 32 | 0xffff0002u;
	for (uint32_t i = 0; i < count; i++) {
		world->hosts[i].dice.state = scenario->seed << 32 |
					     (0xfffe0000u + i);
		if (!make_agent(world, i,
				policy ? policy->params[0].window_ns
				       : DEFAULT_WINDOW_NS))
			return false;
	}
	schedule_plan(world);
	return !world->failed;
}

static void run(struct world *world)
{
	struct event event;

	while (!world->failed && events_pop(&world->events, &event)) {
		assert(event.at_ns >= world->now_ns);
		world->now_ns = event.at_ns;
		handle(world, &event);
		world->result->events++;
	}
	world->now_ns = world->ends_ns;
}

static void sum_up(struct world *world)
{
	for (uint32_t i = 0; i < world->scenario->senders_count; i++) {
		struct agent *agent = &world->agents[i];
		struct world_sender *result = agent->result;

		agent->kind->stop(agent);
		ledger_close(&result->ledger);
		ledger_totals(&result->ledger,
			      WORLD_START_NS + agent->sender->start_ns,
			      &result->totals);
		if (result->busy_ns > 0)
			result->goodput_bits_per_s =
				(double)result->good_bytes * 8e9 /
				(double)result->busy_ns;
		world->failed |= result->ledger.failed;
	}
	gateway_stats(&world->gateway, &world->result->stats);
}

static void unmake(struct world *world)
{
	for (uint32_t i = 0;
	     world->agents && i < world->scenario->senders_count; i++) {
		struct agent *agent = &world->agents[i];

		if (agent->self && agent->kind->fini)
			agent->kind->fini(agent->self);
		free(agent->self);
		free(agent->timers);
	}
	free(world->agents);
	free(world->hosts);
	gateway_fini(&world->gateway);
	parcels_fini(&world->parcels);
	events_fini(&world->events);
}

bool world_run(const struct scenario *scenario, const struct policy *policy,
	       struct world_result *ret_result)
{
	struct world world = {
		.scenario = scenario,
		.policy = policy,
		.now_ns = WORLD_START_NS,
		.ends_ns = WORLD_START_NS + scenario->duration_ns,
		.pump_planned_ns = NS_NEVER,
		.result = ret_result,
	};
	bool good;

	*ret_result = (struct world_result){ 0 };
	good = make(&world, policy);
	if (good) {
		run(&world);
		sum_up(&world);
		good = !world.failed;
	}
	unmake(&world);
	if (!good)
		world_result_fini(ret_result);
	return good;
}

void world_result_fini(struct world_result *result)
{
	for (uint32_t i = 0; i < result->senders_count; i++)
		ledger_fini(&result->senders[i].ledger);
	free(result->senders);
	free(result->looks);
	*result = (struct world_result){ 0 };
}
