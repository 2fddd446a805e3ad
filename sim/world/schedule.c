/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/world_state.h"

static void plan_looks(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	for (uint32_t i = 0; i < scenario->expect_count; i++) {
		const struct scenario_expect *expect = &scenario->expect[i];

		if (expect->measure == MEASURE_S &&
		    expect->sender < scenario->senders_count)
			world_plan(world, EVENT_LOOK, expect->sender, i,
				   WORLD_START_NS + expect->at_ns);
	}
}

/* A forwarder has no state to lose. */
static void plan_again(struct world *world, enum event_kind kind,
		       uint64_t every_ns)
{
	if (every_ns > 0 && world->policy)
		world_plan(world, kind, 0, 0, world->now_ns + every_ns);
}

void schedule_plan(struct world *world)
{
	plan_looks(world);
	plan_again(world, EVENT_RELOAD, world->scenario->reload_ns);
	plan_again(world, EVENT_RESTART, world->scenario->restart_ns);
}

static void look(struct world *world, const struct event *event)
{
	world->result->looks[event->which] = ledger_s(
		&world->agents[event->who].result->ledger, world->now_ns);
}

static void reload(struct world *world)
{
	gateway_reload(&world->gateway, world->policy, world->now_ns);
	world_collect(world);
	plan_again(world, EVENT_RELOAD, world->scenario->reload_ns);
}

static void restart(struct world *world)
{
	gateway_drain(&world->gateway, world->now_ns);
	world_collect(world);
	if (!gateway_restart(&world->gateway, world->policy,
			     world->scenario->seed, world->now_ns))
		world->failed = true;
	plan_again(world, EVENT_RESTART, world->scenario->restart_ns);
}

void schedule_happens(struct world *world, const struct event *event)
{
	if (event->kind == EVENT_LOOK)
		look(world, event);
	else if (event->kind == EVENT_RELOAD)
		reload(world);
	else
		restart(world);
}
