/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The purse of a pair: who pays when a gate is closed. */
#include "shaper/engine.h"

#include "shaper/asym.h"

enum {
	FLOWS_TO_WAKE = 8, /* all at once, for one that may leave */
	PROTO_TCP = 6,
};

#define MINUTE_NS UINT64_C(60000000000)
#define MEETS_NS  UINT64_C(1000000000)

static struct credit_params params_of(const struct engine *engine)
{
	return engine->policy->evidence == POLICY_EVIDENCE_CONSENT
		       ? engine->policy->credit
		       : (struct credit_params){ 0 };
}

static struct credit *credit_of(const struct engine *engine,
				const struct flow_entry *pair)
{
	return &engine->credits[engine_slot(engine, pair)];
}

void engine_credit_sent(struct engine *engine, const struct flow_entry *pair,
			uint64_t now_ns)
{
	const struct engine_host *host = &engine->hosts[pair->up];
	const struct credit_params params = params_of(engine);
	struct credit *credit = credit_of(engine, pair);

	/* The host's line is read for pairs that begin only: in a big table
	 * it is far away. */
	credit_sent(credit, &params,
		    !credit_must_stay(credit, now_ns) &&
			    host->forgot_until_ns <= now_ns &&
			    engine->patience_from_ns <= now_ns,
		    now_ns);
}

void engine_credit_heard(struct engine *engine, const struct flow_entry *pair,
			 uint32_t pkts, uint64_t now_ns)
{
	const struct credit_params params = params_of(engine);

	credit_heard(credit_of(engine, pair), &params, pkts, now_ns);
}

/* How many of `wire_pkts` does the gate of `entry` not let go by itself? */
static uint32_t beyond(struct engine *engine, struct flow_entry *entry,
		       uint32_t wire_pkts, uint64_t now_ns)
{
	uint32_t ratio_q16 = engine_params(engine, entry)->gate.ratio_q16;
	uint32_t sent, heard;

	if (!engine_enforces(engine, entry))
		return 0;
	engine_sums(engine, entry, now_ns, &sent, &heard);
	return asym_beyond(sent, heard, wire_pkts, ratio_q16);
}

/* A gate that was armed for the packet that is paid for is not: it did not
 * wait. */
static void disarm(struct engine *engine, const struct flow_entry *entry,
		   uint64_t now_ns)
{
	const struct gate_params *params = &engine_params(engine, entry)->gate;
	struct suspect *suspect;

	if (!entry->suspect)
		return;
	suspect = suspects_get(&engine->suspects, entry->suspect);
	if (!suspect_waits(suspect))
		gate_unask(&suspect->gate, params, now_ns);
}

static struct suspect *suspect_of(const struct engine *engine,
				  const struct flow_entry *entry)
{
	return entry && entry->suspect
		       ? suspects_get(&engine->suspects, entry->suspect)
		       : NULL;
}

void engine_floor_left(struct engine *engine, const struct flow_entry *pair,
		       uint32_t wire_pkts, uint64_t now_ns)
{
	struct suspect *suspect = suspect_of(engine, pair);

	if (suspect)
		floor_left(&suspect->floor, wire_pkts, now_ns);
}

static uint64_t floor_of_pair_ns(const struct engine *engine,
				 const struct flow_entry *pair,
				 uint32_t wire_pkts)
{
	const struct suspect *suspect = suspect_of(engine, pair);

	return suspect ? floor_next_ns(
				 &suspect->floor, params_of(engine).floor_pkts,
				 wire_pkts,
				 engine_params(engine, pair)->gate.window_ns)
		       : UINT64_MAX;
}

uint64_t engine_floor_next_ns(const struct engine *engine,
			      const struct flow_entry *entry)
{
	const struct flow_entry *pair = entry;

	if (entry->key.scope == FLOW_SCOPE_HOST)
		return UINT64_MAX;
	if (entry->key.scope == FLOW_SCOPE_FLOW) {
		pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
				       entry->up);
		if (pair->u.below > FLOWS_TO_WAKE)
			return UINT64_MAX;
	}
	return floor_of_pair_ns(engine, pair, 1);
}

static void waive(struct engine *engine, const struct flow_entry *entry,
		  uint32_t pkts)
{
	struct suspect *suspect = suspect_of(engine, entry);

	if (suspect)
		gate_waive(&suspect->gate, floor_releases(pkts));
}

static bool pass_below_floor(struct engine *engine, struct flow_entry *flow,
			     struct flow_entry *pair, uint32_t wire_pkts,
			     uint64_t now_ns)
{
	uint32_t pkts;

	if (params_of(engine).floor_pkts > 0)
		engine_suspect(engine, pair, now_ns);
	if (floor_of_pair_ns(engine, pair, wire_pkts) > now_ns)
		return false;
	engine_floor_left(engine, pair, wire_pkts, now_ns);
	pkts = floor_pkts(&suspect_of(engine, pair)->floor,
			  engine_params(engine, pair)->gate.window_ns, now_ns);
	engine->stats.counter[STATS_floor_pkts] += wire_pkts;
	waive(engine, pair, pkts);
	waive(engine, flow, pkts);
	return true;
}

static bool is_stream(const struct engine *engine,
		      const struct flow_entry *flow)
{
	return flow &&
	       media_is_stream(&engine->media[engine_slot(engine, flow)]);
}

static bool is_penalised(const struct engine *engine,
			 const struct flow_entry *entry)
{
	const struct suspect *suspect = suspect_of(engine, entry);

	return suspect && suspect->gate.releases > 0;
}

void engine_credit_meet(struct engine *engine, const struct flow_entry *flow,
			const struct flow_entry *pair,
			const struct packet_meta *meta, uint64_t now_ns)
{
	if (engine->meets_until_ns == UINT64_MAX)
		engine->meets_until_ns = now_ns + MEETS_NS;
	if (flow && pair && meta->ends.proto == PROTO_TCP &&
	    evidence_goes_on(meta->tcp_flags) &&
	    evidence_payload_bytes(meta) > 0 &&
	    params_of(engine).earned_pkts > 0 && !is_penalised(engine, flow) &&
	    !is_penalised(engine, pair))
		credit_of(engine, pair)->state |= CREDIT_MET;
}

static bool is_met(const struct engine *engine, const struct flow_entry *pair,
		   uint64_t now_ns)
{
	return now_ns < engine->meets_until_ns &&
	       credit_of(engine, pair)->state & CREDIT_MET;
}

bool engine_credit_pay(struct engine *engine, struct flow_entry *flow,
		       struct flow_entry *pair, uint32_t wire_pkts,
		       uint64_t now_ns)
{
	const struct credit_params params = params_of(engine);
	uint32_t pkts, pkts_of_flow = 0;

	if (is_met(engine, pair, now_ns)) {
		engine->stats.counter[STATS_met_pkts] += wire_pkts;
		disarm(engine, pair, now_ns);
		if (flow)
			disarm(engine, flow, now_ns);
		return true;
	}
	if (pass_below_floor(engine, flow, pair, wire_pkts, now_ns))
		return true;
	if (params.patience_pkts == 0 && params.earned_pkts == 0)
		return false;
	engine_credit_sent(engine, pair, now_ns);
	pkts = beyond(engine, pair, wire_pkts, now_ns);
	if (flow)
		pkts_of_flow = beyond(engine, flow, wire_pkts, now_ns);
	if (pkts_of_flow > pkts)
		pkts = pkts_of_flow;
	if (!credit_pay_for(credit_of(engine, pair), &params, pkts,
			    is_stream(engine, flow), now_ns))
		return false;
	engine->stats.counter[STATS_paid_pkts] += pkts;
	disarm(engine, pair, now_ns);
	if (flow)
		disarm(engine, flow, now_ns);
	return true;
}

void engine_credit_begin(struct engine *engine, uint64_t now_ns)
{
	engine->patience_from_ns = now_ns + MINUTE_NS;
}

void engine_credit_resume(struct engine *engine, const struct flow_entry *pair,
			  uint32_t heard_pkts, uint64_t now_ns)
{
	const struct credit_params params = params_of(engine);

	credit_resume(credit_of(engine, pair), &params, heard_pkts, now_ns);
}

uint64_t engine_credit_began_ns(const struct engine *engine,
				const struct flow_entry *pair, uint64_t now_ns)
{
	return credit_began_ns(credit_of(engine, pair), now_ns);
}

bool engine_credit_forgets(struct engine *engine, const struct flow_entry *pair,
			   bool crowded, uint64_t now_ns)
{
	const struct credit_params params = params_of(engine);
	bool early;

	if (!credit_may_forget(credit_of(engine, pair), &params,
			       engine->policy->first_contacts_per_s > 0,
			       crowded, now_ns, &early))
		return false;
	if (early)
		engine->hosts[pair->up].forgot_until_ns = now_ns + MINUTE_NS;
	return true;
}
