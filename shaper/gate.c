/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/gate.h"

uint64_t gate_delay_ns(const struct gate_params *params, uint32_t n)
{
	uint64_t delay_ns = params->first_delay_ns;

	for (uint32_t i = 1; i < n && delay_ns < params->max_delay_ns; i++)
		delay_ns *= 2;
	return delay_ns < params->max_delay_ns ? delay_ns
					       : params->max_delay_ns;
}

enum gate_answer gate_ask(struct gate *gate, const struct gate_params *params,
			  uint32_t sent_pkts, uint32_t heard_pkts,
			  uint64_t now_ns)
{
	if (gate_is_open(gate, params, sent_pkts, heard_pkts))
		return GATE_OPEN;
	if (gate->owes)
		return GATE_OWES;
	if (gate->armed_ns == 0) {
		if (gate->releases < UINT32_MAX)
			gate->releases++;
		gate->armed_ns = now_ns + gate_delay_ns(params, gate->releases);
	}
	return GATE_CLOSED;
}

void gate_fire(struct gate *gate, bool waits, uint64_t now_ns)
{
	if (gate->armed_ns == 0 || gate->armed_ns > now_ns)
		return;
	gate->armed_ns = 0;
	gate->owes = waits;
}

void gate_unask(struct gate *gate, const struct gate_params *params,
		uint64_t now_ns)
{
	if (gate->releases == 0 ||
	    gate->armed_ns != now_ns + gate_delay_ns(params, gate->releases))
		return;
	gate->armed_ns = 0;
	gate->releases--;
}

void gate_waive(struct gate *gate, uint32_t releases)
{
	gate->armed_ns = 0;
	if (gate->releases < releases)
		gate->releases = releases;
}
