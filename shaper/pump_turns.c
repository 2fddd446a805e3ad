/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose packets leave first, when those of several guarded hosts may: each
 * host that has any takes its turn, and lets out a quantum.  So one with
 * thousands delays another's by a quantum, not by thousands.
 */
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

static struct engine_host *host_at(const struct pump *pump, uint32_t turn)
{
	return &pump->engine.hosts[turn - 1];
}

static void line_up(struct pump *pump, uint32_t turn)
{
	host_at(pump, turn)->has_turn = true;
	host_at(pump, turn)->turn_next = 0;
	if (pump->turn_last)
		host_at(pump, pump->turn_last)->turn_next = turn;
	else
		pump->turn_first = turn;
	pump->turn_last = turn;
}

void pump_stir_later(struct pump *pump, uint32_t id)
{
	struct suspect *suspect = suspect_of(pump, id);
	uint32_t turn;
	struct engine_host *host;

	if (suspect->stirs)
		return;
	turn = 1 + engine_host_slot(&pump->engine,
				    engine_entry_of(&pump->engine, suspect));
	host = host_at(pump, turn);
	suspect->stirs = true;
	suspect->stirs_next = 0;
	if (host->stir_last)
		suspect_of(pump, host->stir_last)->stirs_next = id;
	else
		host->stir_first = id;
	host->stir_last = id;
	if (!host->has_turn)
		line_up(pump, turn);
}

static void take_turn(struct pump *pump, struct engine_host *host)
{
	pump->turn_pkts = 0;
	while (host->stir_first && !pump_turn_is_over(pump)) {
		uint32_t id = host->stir_first;
		struct suspect *suspect = suspect_of(pump, id);

		host->stir_first = suspect->stirs_next;
		if (!host->stir_first)
			host->stir_last = 0;
		suspect->stirs = false;
		pump_stir_once(pump, id);
	}
}

void pump_stir_all(struct pump *pump)
{
	while (pump->turn_first) {
		uint32_t turn = pump->turn_first;
		struct engine_host *host = host_at(pump, turn);

		take_turn(pump, host);
		pump->turn_first = host->turn_next;
		if (!pump->turn_first)
			pump->turn_last = 0;
		host->has_turn = false;
		if (host->stir_first)
			line_up(pump, turn);
	}
}

void pump_stir(struct pump *pump, uint32_t id)
{
	pump_stir_later(pump, id);
	pump_stir_all(pump);
}
