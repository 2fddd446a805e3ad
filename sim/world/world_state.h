/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_WORLD_STATE_H
#define SIM_WORLD_WORLD_STATE_H

/*
 * The inside of a world, for the files of this folder only.
 *
 *	a sender's guarded end > host link > gateway > out link > its far end
 *	its guarded end < host's delay < gateway < back link < its far end
 */

#include "sim/world/events.h"
#include "sim/world/gateway.h"
#include "sim/world/parcel.h"
#include "sim/world/scenario.h"
#include "sim/world/wire.h"
#include "sim/world/world.h"

struct agent;
struct world;

/* A kind of sender: both of its ends.  Timers are its own to number. */
struct agent_kind {
	size_t bytes;
	uint32_t (*timers)(const struct scenario_sender *sender);
	bool (*start)(struct agent *agent); /* false: out of memory */
	void (*arrives)(struct agent *agent, const struct parcel *parcel);
	void (*wake)(struct agent *agent, uint32_t timer);
	void (*stop)(struct agent *agent); /* the world has ended */
	void (*fini)(void *self);          /* NULL: nothing beside `self` */
};

struct agent_timer {
	uint64_t at_ns;      /* NS_NEVER: it is off */
	uint64_t planned_ns; /* the earliest event for it; NS_NEVER: none */
};

struct agent {
	struct world *world;
	const struct scenario_sender *sender;
	const struct agent_kind *kind;
	void *self;
	struct agent_timer *timers;
	uint32_t place; /* in the scenario */
	uint32_t host;  /* which wire is its host's */
	uint64_t stops_ns;
	struct world_sender *result;
	struct dice dice;
};

struct world {
	const struct scenario *scenario;
	const struct policy *policy; /* NULL: without symtap */
	uint64_t now_ns, ends_ns;
	struct events events;
	struct parcels parcels;
	struct gateway gateway;
	uint64_t pump_planned_ns;
	struct wire *hosts; /* by agent.host */
	struct wire out, back;
	struct agent *agents;
	struct world_result *result;
	bool failed; /* out of memory */
};

extern const struct agent_kind bulk_kind, media_kind, request_kind, flood_kind;

/* A parcel of this sender, from one end to the other, with its addresses and
 * ports and the headers of its protocol; nothing else. */
void world_fill(const struct agent *agent, bool outward, uint8_t proto,
		uint32_t bytes, struct parcel *ret_parcel);

/* Send a copy of it. */
void world_send(struct agent *agent, const struct parcel *parcel);

/* Have `wake` called then, and not before; NS_NEVER: not at all. */
void world_wake_at(struct agent *agent, uint32_t timer, uint64_t at_ns);

/* Have that happen then. */
void world_plan(struct world *world, enum event_kind kind, uint32_t who,
		uint32_t which, uint64_t at_ns);

/* What the gateway lets go, or drops, now. */
void world_collect(struct world *world);

/* schedule.c: what happens at set times, from looks at S to restarts. */
void schedule_plan(struct world *world);
void schedule_happens(struct world *world, const struct event *event);

#endif
