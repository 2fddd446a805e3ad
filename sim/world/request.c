/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One asks, the other answers: DNS, and whatever works like it. */
#include <stdlib.h>

#include "sim/world/world_state.h"

enum { PROTO_UDP = 17, ANSWER_BYTES = 500, FIRST_RANDOM_PORT = 32768 };

/* Asked again after this long. */
#define RETRY_NS UINT64_C(5000000000)

/* Timers: of each slot to ask, then of each to answer. */
struct slot {
	uint64_t asked_ns; /* first; 0: it pauses */
	uint64_t number;   /* tells old answers from new */
	uint64_t answering;
	uint32_t answers;
	uint16_t port;
};

struct request {
	struct slot *slots;
	uint64_t numbers;
};

static uint32_t timers(const struct scenario_sender *sender)
{
	return 2 * sender->at_once;
}

static bool start(struct agent *agent)
{
	struct request *request = agent->self;
	uint32_t count = agent->sender->at_once;

	request->slots = calloc(count, sizeof(*request->slots));
	for (uint32_t i = 0; request->slots && i < count; i++)
		world_wake_at(agent, i,
			      WORLD_START_NS + agent->sender->start_ns);
	return request->slots != NULL;
}

static void fini(void *self)
{
	free(((struct request *)self)->slots);
}

/* RFC 5452: a port of its own for each question. */
static uint16_t port_of(struct agent *agent)
{
	switch (agent->sender->from_ports) {
	case SCENARIO_SAME:
		break;
	case SCENARIO_NEXT:
		return (uint16_t)(FIRST_RANDOM_PORT +
				  ((struct request *)agent->self)->numbers %
					  FIRST_RANDOM_PORT);
	case SCENARIO_RANDOM:
		return (uint16_t)(FIRST_RANDOM_PORT +
				  dice_roll(&agent->dice) % FIRST_RANDOM_PORT);
	}
	return agent->sender->from_port;
}

static void ask(struct agent *agent, uint32_t place)
{
	struct request *request = agent->self;
	struct slot *slot = &request->slots[place];
	uint64_t now_ns = agent->world->now_ns;
	struct parcel parcel;

	if (now_ns >= agent->stops_ns)
		return;
	if (slot->asked_ns == 0) {
		slot->asked_ns = now_ns;
		slot->number =
			request->numbers++ * agent->sender->at_once + place;
		slot->port = port_of(agent);
	}
	slot->answers = 0;
	world_fill(agent, true, PROTO_UDP, agent->sender->size_bytes, &parcel);
	parcel.ends.src_port = slot->port;
	parcel.number = slot->number;
	world_send(agent, &parcel);
	world_wake_at(agent, place, now_ns + RETRY_NS);
}

static void answer(struct agent *agent, uint32_t place)
{
	const struct slot *slot =
		&((struct request *)agent->self)->slots[place];
	struct parcel parcel;

	world_fill(agent, false, PROTO_UDP, ANSWER_BYTES, &parcel);
	parcel.ends.dst_port = slot->port;
	parcel.number = slot->answering;
	for (uint32_t i = 0; i < agent->sender->answer_pkts; i++)
		world_send(agent, &parcel);
}

static void answered(struct agent *agent, uint32_t place)
{
	const struct scenario_sender *sender = agent->sender;
	struct slot *slot = &((struct request *)agent->self)->slots[place];
	uint64_t now_ns = agent->world->now_ns;

	if (++slot->answers < sender->answer_pkts)
		return;
	agent->result->good_bytes +=
		sender->size_bytes + sender->answer_pkts * ANSWER_BYTES;
	agent->result->busy_ns += now_ns - slot->asked_ns;
	slot->asked_ns = 0;
	world_wake_at(agent, place, now_ns + sender->pause_ns);
}

static void arrives(struct agent *agent, const struct parcel *parcel)
{
	struct request *request = agent->self;
	uint32_t place = (uint32_t)(parcel->number % agent->sender->at_once);
	struct slot *slot = &request->slots[place];

	if (parcel->outward) {
		slot->answering = parcel->number;
		world_wake_at(agent, agent->sender->at_once + place,
			      agent->world->now_ns + agent->sender->answer_ns);
	} else if (slot->asked_ns > 0 && parcel->number == slot->number) {
		answered(agent, place);
	}
}

static void wake(struct agent *agent, uint32_t timer)
{
	if (timer < agent->sender->at_once)
		ask(agent, timer);
	else
		answer(agent, timer - agent->sender->at_once);
}

static void stop(struct agent *agent)
{
	const struct request *request = agent->self;

	for (uint32_t i = 0; i < agent->sender->at_once; i++)
		if (request->slots[i].asked_ns > 0)
			agent->result->busy_ns += agent->world->ends_ns -
						  request->slots[i].asked_ns;
}

const struct agent_kind request_kind = {
	.bytes = sizeof(struct request),
	.timers = timers,
	.start = start,
	.arrives = arrives,
	.wake = wake,
	.stop = stop,
	.fini = fini,
};
