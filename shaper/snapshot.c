/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/snapshot.h"

#include <string.h>

#include "shaper/asym.h"
#include "shaper/pump_state.h"

static bool is_wanted(const struct snapshot_query *query,
		      const struct flow_key *key)
{
	if (!query->by_address)
		return true;
	return memcmp(key->inside, query->address, 16) == 0 ||
	       (key->scope != FLOW_SCOPE_HOST &&
		memcmp(key->outside, query->address, 16) == 0);
}

static uint32_t pace_of(const struct pump *pump, bool contacts)
{
	const struct policy *policy = pump->engine.policy;

	return contacts ? policy->first_contacts_per_s
			: policy->connections_per_s;
}

/* As a key whose pacer others ask. */
static void describe_guard(const struct pump *pump,
			   const struct suspect *suspect,
			   struct snapshot_row *row)
{
	const struct suspects *suspects = &pump->engine.suspects;
	bool is_host = suspect->scope == FLOW_SCOPE_HOST;
	struct pacer pacer =
		is_host ? pump->engine.hosts[suspect->slot].contacts.unanswered
			: suspect->connections;

	if (!is_host && !suspect->is_metered)
		return;
	row->pace_per_s = pace_of(pump, is_host);
	if (!pacer_is_idle(&pacer, pump->now_ns))
		row->paced = pacer.events;
	if (suspect->paced_first)
		row->line = suspects_get(suspects, suspect->paced_last)
				    ->paced_number -
			    suspects_get(suspects, suspect->paced_first)
				    ->paced_number +
			    1;
}

/* As a host for whose rate others wait, or as one that waits for it. */
static void describe_rate(const struct pump *pump,
			  const struct suspect *suspect,
			  struct snapshot_row *row)
{
	const struct rate_params *rate = &pump->engine.hosts[row->host].rate;

	row->rate_line = suspect->rated_first != 0;
	if (!row->rate_line && !suspect->rated_at)
		return;
	row->rate_pkts_per_s = rate->pkts_per_s;
	row->rate_bytes_per_s = rate->bytes_per_s;
}

static void describe_wait(const struct pump *pump,
			  const struct suspect *suspect,
			  struct snapshot_row *row)
{
	const struct suspects *suspects = &pump->engine.suspects;
	uint32_t first;

	row->by = suspect->by;
	row->held_since_ns =
		tokens_get(&pump->tokens, suspect->first)->arrived_ns;
	if (row->by == PUMP_BY_CONTACTS || row->by == PUMP_BY_CONNECTIONS)
		row->pace_per_s = pace_of(pump, row->by == PUMP_BY_CONTACTS);
	if (!suspect->paced_at)
		return;
	first = suspects_get(suspects, suspect->paced_at)->paced_first;
	row->before = suspect->paced_number -
		      suspects_get(suspects, first)->paced_number;
}

/* What its gate does not let go, it pays for from its pair's purse. */
static void describe_purse(const struct pump *pump,
			   const struct flow_entry *entry,
			   struct snapshot_row *row)
{
	const struct engine *engine = &pump->engine;
	const struct flow_entry *pair = entry;
	const struct credit *credit;
	uint64_t began_ns;

	if (engine->policy->evidence != POLICY_EVIDENCE_CONSENT ||
	    entry->key.scope == FLOW_SCOPE_HOST)
		return;
	if (entry->key.scope == FLOW_SCOPE_FLOW)
		pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
				       entry->up);
	credit = &engine->credits[engine_slot(engine, pair)];
	row->floor_pkts = engine->policy->credit.floor_pkts;
	row->below_floor = engine_floor_next_ns(engine, pair) <= pump->now_ns;
	row->patience_max_pkts = engine->policy->credit.patience_pkts;
	credit_purse(credit, pump->now_ns, &row->patience_pkts,
		     &row->earned_pkts);
	began_ns = credit_began_ns(credit, pump->now_ns);
	row->stream =
		began_ns && credit->state & CREDIT_STREAM &&
		(entry->key.scope == FLOW_SCOPE_PAIR ||
		 media_is_stream(&engine->media[engine_slot(engine, entry)])) &&
		pump->now_ns - began_ns < (uint64_t)CREDIT_STREAM_TICKS
						  << CREDIT_TICK_SHIFT;
}

static void describe_suspect(const struct pump *pump,
			     const struct suspect *suspect,
			     const struct gate_params *params,
			     struct snapshot_row *row)
{
	uint32_t offered =
		suspect_offered(suspect, params->window_ns, pump->now_ns);

	if (offered > row->offered_pkts)
		row->offered_pkts = offered;
	row->held_pkts = suspect->held_pkts;
	if (suspect->scope != FLOW_SCOPE_HOST)
		row->held_slots = suspect->held_slots;
	row->icmp_errors = suspect->icmp_errors;
	row->refused_rst = suspect->refused_pkts[EVIDENCE_RESET];
	row->refused_syn_ack = suspect->refused_pkts[EVIDENCE_UNFINISHED];
	row->releases = suspect->gate.releases;
	row->armed_ns = suspect->gate.armed_ns;
	row->over_since_ns = suspect->over_since_ns;
	if (suspect->gate.armed_ns)
		row->delay_ns = gate_delay_ns(params, suspect->gate.releases);
	describe_guard(pump, suspect, row);
	describe_rate(pump, suspect, row);
	if (suspect->first)
		describe_wait(pump, suspect, row);
}

/* Something was counted of it, here or perhaps elsewhere. */
static bool is_seen(const struct snapshot_query *query,
		    const struct flow_entry *entry,
		    const struct snapshot_row *row)
{
	if (query->only_over)
		return row->over || row->held_pkts || row->line ||
		       row->rate_line;
	if (query->leased &&
	    (row->leased ||
	     (entry->key.scope == FLOW_SCOPE_HOST && entry->u.below)))
		return true;
	return row->offered_pkts || row->heard_pkts || row->held_pkts ||
	       row->line;
}

static bool describe(struct pump *pump, struct flow_entry *entry,
		     const struct snapshot_query *query,
		     struct snapshot_row *row)
{
	const struct engine *engine = &pump->engine;
	const struct gate_params *params = &engine_params(engine, entry)->gate;
	uint32_t sent, replies;

	engine_sums(&pump->engine, entry, pump->now_ns, &sent, &replies);
	*row = (struct snapshot_row){
		.key = entry->key,
		.offered_pkts = sent,
		.sent_pkts = sent,
		.heard_pkts =
			engine_heard_pkts(&pump->engine, entry, pump->now_ns),
		.replies = replies,
		.by = PUMP_BYS,
		.window_ns = params->window_ns,
		.ratio_q16 = params->ratio_q16,
		.host = engine_host_slot(engine, entry),
		.leased = engine_is_leased(engine, entry),
		.over = asym_exceeds(sent, replies, params->ratio_q16),
		.exempt = entry->flags & FLOW_ENTRY_EXEMPT,
		.enforced = engine_enforces(engine, entry),
	};
	if (entry->key.scope == FLOW_SCOPE_HOST)
		row->held_slots = engine->hosts[row->host].held_slots;
	describe_purse(pump, entry, row);
	if (entry->suspect)
		describe_suspect(
			pump, suspects_get(&engine->suspects, entry->suspect),
			params, row);
	return is_seen(query, entry, row);
}

struct flow_entry *pump_step(const struct pump *pump,
			     struct snapshot_cursor *cursor,
			     unsigned int scopes)
{
	const struct flowtable *table = &pump->engine.tables[cursor->scope];
	uint32_t slot = cursor->position++;

	if (slot >= table->fresh || !(scopes >> cursor->scope & 1)) {
		cursor->position = 0;
		cursor->ended = ++cursor->scope == FLOW_SCOPES;
		return NULL;
	}
	return flowtable_in_use(table, slot) ? flowtable_entry(table, slot)
					     : NULL;
}

size_t snapshot_rows(struct pump *pump, const struct snapshot_query *query,
		     struct snapshot_cursor *cursor, size_t steps,
		     struct snapshot_row *ret_rows, size_t max, uint64_t now_ns)
{
	size_t count = 0;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	for (; steps > 0 && count < max && !cursor->ended; steps--) {
		struct flow_entry *entry =
			pump_step(pump, cursor, query->scopes);

		if (entry && entry->key.zone != UINT16_MAX &&
		    is_wanted(query, &entry->key) &&
		    describe(pump, entry, query, &ret_rows[count]))
			count++;
	}
	return count;
}

/* The suspect behind `id`; 0: there are no more. */
static uint32_t next_suspect(const struct suspects *suspects, uint32_t id)
{
	if (++id < suspects->fresh)
		return id;
	if (id <= suspects->lent_max)
		id = suspects->lent_max + 1;
	return id <= suspects->lent_max + suspects->hosts_fresh ? id : 0;
}

size_t snapshot_suspects(struct pump *pump, struct snapshot_cursor *cursor,
			 size_t steps, struct snapshot_row *ret_rows,
			 size_t max, uint64_t now_ns)
{
	static const struct snapshot_query any = { 0 };
	const struct engine *engine = &pump->engine;
	size_t count = 0;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	for (; steps > 0 && count < max && !cursor->ended; steps--) {
		const struct suspect *suspect;
		struct flow_entry *entry;

		cursor->position =
			next_suspect(&engine->suspects, cursor->position);
		cursor->ended = cursor->position == 0;
		suspect = suspects_get(&engine->suspects, cursor->position);
		if (cursor->ended || suspect->scope >= FLOW_SCOPES)
			continue;
		entry = flowtable_entry(&engine->tables[suspect->scope],
					suspect->slot);
		if (entry->suspect == cursor->position &&
		    entry->key.zone != UINT16_MAX &&
		    describe(pump, entry, &any, &ret_rows[count]))
			count++;
	}
	return count;
}

static uint64_t pump_bytes(const struct pump *pump)
{
	const struct engine *engine = &pump->engine;

	return sizeof(*pump) + engine_bytes(engine) +
	       pump->tokens.capacity * sizeof(*pump->tokens.all) +
	       pump->deadlines.capacity * (sizeof(*pump->deadlines.heap) +
					   sizeof(*pump->deadlines.place)) +
	       engine->hosts_count *
		       (sizeof(*pump->host_links) + sizeof(*pump->slots)) +
	       suspects_ids(&engine->suspects) * sizeof(*pump->slot_links);
}

void snapshot_totals(const struct pump *pump, struct snapshot_totals *ret)
{
	const struct engine *engine = &pump->engine;

	*ret = (struct snapshot_totals){
		.stats = engine->stats,
		.pairs = engine->tables[FLOW_SCOPE_PAIR].used,
		.flows = engine->tables[FLOW_SCOPE_FLOW].used,
		.hosts = engine->tables[FLOW_SCOPE_HOST].used - 1,
		.suspects = engine->suspects.used,
		.pairs_max = engine->inside_max[FLOW_SCOPE_PAIR],
		.flows_max = engine->inside_max[FLOW_SCOPE_FLOW],
		.hosts_max = engine->inside_max[FLOW_SCOPE_HOST],
		.suspects_max = engine->suspects.lent_max,
		.hosts_places = engine->hosts_count,
		.held_pkts = pump->held_pkts,
		.held_bytes = pump->held_bytes,
		.held_slots = pump->held_slots,
		.penalties = engine->penalties,
		.one_sided_pct = pump->sides.one_sided_pct,
		.one_sided = pump_is_one_sided(pump),
		.memory_bytes = pump_bytes(pump),
	};
}
