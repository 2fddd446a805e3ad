/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/pump_lease.h"

#include <string.h>

#include "policy/policy.h"
#include "shaper/asym.h"
#include "shaper/pump_state.h"

enum {
	UNSETTLED_FLOW = FLOW_ENTRY_EXEMPT | FLOW_ENTRY_ASIDE |
			 FLOW_ENTRY_OPENING | FLOW_ENTRY_ASIDE_IN |
			 FLOW_ENTRY_ACCEPTED,
	UNSETTLED_PAIR = FLOW_ENTRY_EXEMPT | FLOW_ENTRY_ASIDE |
			 FLOW_ENTRY_ASIDE_IN,
};

static struct suspect *suspect_of(const struct pump *pump,
				  const struct flow_entry *entry)
{
	return entry->suspect
		       ? suspects_get(&pump->engine.suspects, entry->suspect)
		       : NULL;
}

static bool owes_nothing(const struct pump *pump, const struct suspect *suspect)
{
	return !suspect_waits(suspect) && !suspect->aside_pkts &&
	       !suspect->stirs && suspect->over_since_ns == 0 &&
	       suspect->refused_until_ns <= pump->now_ns &&
	       suspect->gate.armed_ns == 0;
}

static bool is_settled(const struct pump *pump, const struct flow_entry *entry)
{
	bool is_pair = entry->key.scope == FLOW_SCOPE_PAIR;
	const struct suspect *suspect = suspect_of(pump, entry);

	if (entry->parked || (suspect && !owes_nothing(pump, suspect)))
		return false;
	/* What waits of other flows is counted here when it leaves. */
	if (is_pair)
		return pump->engine.held_below[engine_slot(&pump->engine,
							   entry)] == 0 &&
		       !(entry->flags & UNSETTLED_PAIR) &&
		       entry->flags & FLOW_ENTRY_HEARD &&
		       entry->flags & FLOW_ENTRY_CONTACTED;
	return !(entry->flags & UNSETTLED_FLOW);
}

static void add_run(struct pump_lease *lease, uint64_t start_ns,
		    uint32_t sent_pkts, uint32_t heard_pkts)
{
	lease->sent_pkts += sent_pkts;
	lease->heard_pkts += heard_pkts;
	lease->runs[lease->runs_count++] =
		(struct pump_lease_run){ start_ns, sent_pkts, heard_pkts };
}

/* The small kind is read by way of the other. */
static bool tell_window(const struct pump *pump, struct flow_entry *entry,
			struct pump_lease *lease)
{
	struct flow_entry copy = *entry;
	struct window grown;
	const struct window *window = &grown;

	if (entry->suspect)
		window = &suspect_of(pump, entry)->window;
	else
		window_grow(&grown, &copy, lease->window_ns);
	if (window->count > PUMP_LEASE_RUNS)
		return false;
	for (uint32_t i = 0; i < window->count; i++) {
		const struct window_run *run = window_run(window, i);

		add_run(lease, run->start_ns, run->sent_pkts, run->heard_pkts);
	}
	return true;
}

static void tell_evidence(const struct pump *pump,
			  const struct flow_entry *flow,
			  struct pump_lease *lease)
{
	lease->segment_bytes = (uint16_t)pump_segment_bytes(flow, FLOW_OUT);
	if (flow->suspect)
		lease->evidence = suspect_of(pump, flow)->evidence;
}

/* Who was far from its threshold gets its suspect as well: what it sent is not
 * all acknowledged yet. */
static void resume_flow(struct pump *pump, struct flow_entry *flow,
			const struct pump_lease *lease)
{
	if (pump_segment_bytes(flow, FLOW_OUT) < lease->segment_bytes)
		flow->u.segment_bytes[FLOW_OUT] = lease->segment_bytes;
	if (lease->evidence.follows &&
	    engine_suspect(&pump->engine, flow, pump->now_ns))
		suspect_of(pump, flow)->evidence = lease->evidence;
}

/* T - 3/4; it comes back above T - 1/2, where the engine's windows are exact:
 * 2^(-1/4) is 55109/65536. */
static uint32_t may_lease_q16(const struct engine_params *params)
{
	return (uint32_t)((uint64_t)params->near_q16 * 55109 >> 16);
}

/* What is counted elsewhere is not in its host's bucket. */
static bool has_rate(const struct engine *engine,
		     const struct flow_entry *entry)
{
	return engine->has_rates &&
	       rate_is_set(
		       &engine->hosts[engine_host_slot(engine, entry)].rate);
}

bool pump_may_lease(struct pump *pump, const struct flow_key *key,
		    struct pump_lease *ret_lease, uint64_t now_ns)
{
	struct engine *engine = &pump->engine;
	struct flow_entry *entry = pump_entry_of(pump, key, key->scope);
	const struct engine_params *params;
	uint32_t sent, heard;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	if (!entry || engine->policy->enforce & 1u << FLOW_SCOPE_HOST ||
	    policy_is_inside(engine->policy, key->outside))
		return false;
	engine_refresh(engine, entry);
	if (!is_settled(pump, entry) || has_rate(engine, entry))
		return false;
	params = engine_params(engine, entry);
	engine_sums(engine, entry, pump->now_ns, &sent, &heard);
	if (sent + heard == 0 ||
	    asym_exceeds(sent, heard, may_lease_q16(params)))
		return false;
	*ret_lease = (struct pump_lease){
		.key = *key,
		.host = engine_host_slot(engine, entry),
		.ratio_q16 = params->near_q16,
		.window_ns = params->gate.window_ns,
	};
	if (key->scope == FLOW_SCOPE_FLOW)
		tell_evidence(pump, entry, ret_lease);
	return tell_window(pump, entry, ret_lease);
}

uint32_t *pump_lease_keys(struct pump *pump, uint32_t host)
{
	return &pump->engine.hosts[host].leased_keys;
}

static void empty_window(const struct pump *pump, struct flow_entry *entry)
{
	if (entry->suspect)
		window_clear(&suspect_of(pump, entry)->window);
	memset(entry->runs, 0, sizeof(entry->runs));
}

void pump_leased(struct pump *pump, const struct flow_key *key)
{
	struct flow_entry *entry = pump_entry_of(pump, key, key->scope);

	if (!entry)
		return;
	empty_window(pump, entry);
	if (key->scope == FLOW_SCOPE_PAIR)
		entry->flags |= FLOW_ENTRY_LEASED;
	if (!entry->suspect)
		return;
	/* What is acknowledged meanwhile must not count later, and what left
	 * comes back with the window. */
	suspect_of(pump, entry)->evidence = (struct evidence){ 0 };
	suspect_of(pump, entry)->floor = (struct floor_log){ 0 };
}

static void count_run(struct pump *pump, struct flow_entry *entry,
		      const struct pump_lease_run *run)
{
	uint64_t window_ns =
		engine_params(&pump->engine, entry)->gate.window_ns;

	if (run->start_ns + window_ns > pump->now_ns)
		engine_count(&pump->engine, entry, run->sent_pkts,
			     run->heard_pkts,
			     run->start_ns < pump->now_ns ? run->start_ns
							  : pump->now_ns);
}

/* Time does not run back in a window: what it knows is taken out, and both are
 * put in by time. */
static void count_runs(struct pump *pump, struct flow_entry *entry,
		       const struct pump_lease *lease)
{
	struct pump_lease own = {
		.window_ns = engine_params(&pump->engine, entry)->gate.window_ns
	};
	uint32_t i = 0, j = 0;

	if (!tell_window(pump, entry, &own))
		return;
	empty_window(pump, entry);
	while (i < own.runs_count || j < lease->runs_count) {
		bool is_own = j == lease->runs_count ||
			      (i < own.runs_count &&
			       own.runs[i].start_ns <= lease->runs[j].start_ns);

		count_run(pump, entry,
			  is_own ? &own.runs[i++] : &lease->runs[j++]);
	}
}

/* It has been talking all the while. */
static void resume_pair(struct pump *pump, const struct engine_place *place,
			const struct pump_lease *lease)
{
	place->pair->flags |= FLOW_ENTRY_HEARD | FLOW_ENTRY_CONTACTED;
	place->pair->flags &= (uint8_t)~FLOW_ENTRY_LEASED;
	engine_credit_resume(&pump->engine, place->pair, lease->heard_all_pkts,
			     pump->now_ns);
	for (uint32_t i = 0; i < lease->runs_count; i++)
		engine_floor_left(&pump->engine, place->pair,
				  lease->runs[i].sent_pkts,
				  lease->runs[i].start_ns);
	count_runs(pump, place->host, lease);
}

bool pump_take_back(struct pump *pump, const struct pump_lease *lease,
		    uint64_t now_ns)
{
	struct engine *engine = &pump->engine;
	bool is_pair = lease->key.scope == FLOW_SCOPE_PAIR;
	struct engine_place place;
	struct flow_entry *entry;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	if (!engine_place_of_key(engine, &lease->key, pump->now_ns, &place))
		return false;
	entry = is_pair ? place.pair : place.flow;
	/* Exact, when it comes back because it is near its threshold. */
	if (asym_exceeds(lease->sent_pkts, lease->heard_pkts,
			 engine_params(engine, entry)->near_q16))
		engine_suspect(engine, entry, pump->now_ns);
	count_runs(pump, entry, lease);
	if (is_pair)
		resume_pair(pump, &place, lease);
	else
		resume_flow(pump, entry, lease);
	return true;
}
