/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator says: another policy, release, exempt, drain, restart. */
#include <string.h>

#include "shaper/pump_state.h"
#include "shaper/snapshot.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

static bool is_about(const struct flow_key *key, const uint8_t address[16])
{
	return memcmp(key->inside, address, 16) == 0 ||
	       (key->scope != FLOW_SCOPE_HOST &&
		memcmp(key->outside, address, 16) == 0);
}

/* Windows are emptied: S starts anew, so that what comes next is not held on
 * account of what was forgiven. */
static void forgive(struct pump *pump, uint32_t id, const uint8_t address[16])
{
	struct suspect *suspect = suspect_of(pump, id);

	if (!is_about(&engine_entry_of(&pump->engine, suspect)->key, address))
		return;
	suspect->gate = (struct gate){ 0 };
	window_clear(&suspect->window);
	pump_stir_later(pump, id);
}

/* Also from FIFOs of wider keys.  Returns how many packets. */
static size_t release_from(struct pump *pump, uint32_t id,
			   const uint8_t address[16])
{
	struct suspect *fifo = suspect_of(pump, id);
	uint32_t next = fifo->first;
	size_t released = 0;

	while (next) {
		uint32_t at = next;
		struct token *token = tokens_get(&pump->tokens, at);

		next = token->next;
		if (!is_about(&token->key, address))
			continue;
		released += token->wire_pkts;
		pump_note_sent(pump, token);
		pump_expel(pump, id, at, PUMP_PASS);
		if (fifo->first)
			pump_stir_later(pump, id);
	}
	return released;
}

size_t pump_release_address(struct pump *pump, const uint8_t address[16],
			    uint64_t now_ns)
{
	const struct suspects *suspects = &pump->engine.suspects;
	const struct flowtable *hosts = &pump->engine.tables[FLOW_SCOPE_HOST];
	size_t released = 0;

	pump_advance(pump, now_ns);
	for (uint32_t id = 1; id < suspects->fresh; id++) {
		if (suspect_of(pump, id)->scope == FLOW_SCOPES)
			continue;
		released += release_from(pump, id, address);
		forgive(pump, id, address);
	}
	for (uint32_t slot = 0; slot < hosts->fresh; slot++) {
		uint32_t id = flowtable_entry(hosts, slot)->suspect;

		if (!flowtable_in_use(hosts, slot) || !id)
			continue;
		released += release_from(pump, id, address);
		forgive(pump, id, address);
	}
	pump_tell(pump);
	return released;
}

static bool end_exemption(struct engine *engine, const uint8_t address[16])
{
	for (uint32_t i = 0; i < engine->exemptions_count; i++) {
		if (memcmp(engine->exemptions[i].address, address, 16) != 0)
			continue;
		engine->exemptions[i] =
			engine->exemptions[--engine->exemptions_count];
		return true;
	}
	return false;
}

bool pump_exempt_address(struct pump *pump, const uint8_t address[16],
			 uint64_t until_ns, uint64_t now_ns)
{
	struct engine *engine = &pump->engine;

	pump_advance(pump, now_ns);
	end_exemption(engine, address);
	if (until_ns > now_ns) {
		struct engine_exemption *next;

		if (engine->exemptions_count == ENGINE_EXEMPTIONS_MAX)
			return false;
		next = &engine->exemptions[engine->exemptions_count++];
		memcpy(next->address, address, 16);
		next->until_ns = until_ns;
		pump_release_address(pump, address, now_ns);
		if (pump->upkeep_ns == NS_NEVER)
			pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
	}
	engine_reclassify(engine);
	pump_rehome(pump);
	return true;
}

static bool gains_patience(const struct policy *before,
			   const struct policy *after)
{
	return after->evidence == POLICY_EVIDENCE_CONSENT &&
	       after->credit.patience_pkts > 0 &&
	       (before->evidence != POLICY_EVIDENCE_CONSENT ||
		before->credit.patience_pkts == 0);
}

void pump_set_policy(struct pump *pump, const struct policy *policy,
		     uint64_t now_ns)
{
	pump_advance(pump, now_ns);
	if (gains_patience(pump->engine.policy, policy))
		engine_credit_begin(&pump->engine, pump->now_ns);
	engine_set_policy(&pump->engine, policy);
	pump_rehome(pump);
}

void pump_drain(struct pump *pump, enum pump_verdict verdict, uint64_t now_ns)
{
	uint64_t *dropped = &pump->engine.stats.counter[STATS_dropped_drain];
	uint32_t host;

	pump_advance(pump, now_ns);
	while ((host = lengths_longest(&pump->busiest)) != UINT32_MAX) {
		uint32_t id = lengths_longest(&pump->engine.hosts[host].fifos);
		uint32_t at = suspect_of(pump, id)->first;
		const struct token *token = tokens_get(&pump->tokens, at);

		if (verdict == PUMP_DROP)
			*dropped += token->wire_pkts;
		else
			pump_note_sent(pump, token);
		pump_expel(pump, id, at, verdict);
	}
	pump_tell(pump);
}

/* ------ restart */

static bool export_one(struct pump *pump, struct flow_entry *entry,
		       struct pump_record *record)
{
	const struct suspect *suspect;
	uint32_t sent, heard, first;

	engine_sums(&pump->engine, entry, pump->now_ns, &sent, &heard);
	if (sent == 0 && heard == 0)
		return false;
	*record = (struct pump_record){ .key = entry->key };
	if (!entry->suspect) {
		record->runs_count = 1;
		record->runs[0] = (struct pump_record_run){
			.age_ns = pump->now_ns - window_small_newest_ns(entry),
			.sent_pkts = sent,
			.heard_pkts = heard,
		};
		return true;
	}
	suspect = suspect_of(pump, entry->suspect);
	record->releases = suspect->gate.releases;
	if (suspect->gate.armed_ns > pump->now_ns)
		record->armed_in_ns = suspect->gate.armed_ns - pump->now_ns;
	first = suspect->window.count > PUMP_RECORD_RUNS
			? suspect->window.count - PUMP_RECORD_RUNS
			: 0;
	for (uint32_t i = 0; i < suspect->window.count; i++) {
		const struct window_run *run = window_run(&suspect->window, i);
		struct pump_record_run *to =
			&record->runs[i > first ? i - first : 0];

		/* Too many: the oldest are told as one, at the latest time. */
		to->age_ns = pump->now_ns - run->start_ns;
		to->sent_pkts += run->sent_pkts;
		to->heard_pkts += run->heard_pkts;
	}
	record->runs_count = suspect->window.count - first;
	return true;
}

size_t pump_export(struct pump *pump, struct snapshot_cursor *cursor,
		   size_t steps, struct pump_record *ret_records, size_t max,
		   uint64_t now_ns)
{
	size_t count = 0;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	for (; steps > 0 && count < max && !cursor->ended; steps--) {
		const struct flowtable *table =
			&pump->engine.tables[cursor->scope];
		uint32_t slot = cursor->position++;

		if (slot >= table->fresh) {
			cursor->position = 0;
			cursor->ended = ++cursor->scope == FLOW_SCOPES;
			continue;
		}
		if (flowtable_in_use(table, slot) &&
		    export_one(pump, flowtable_entry(table, slot),
			       &ret_records[count]))
			count++;
	}
	return count;
}

size_t pump_export_held(struct pump *pump, uint32_t *position, size_t steps,
			struct pump_record *ret_records, size_t max,
			uint64_t now_ns)
{
	const uint32_t ids = suspects_ids(&pump->engine.suspects);
	size_t count = 0;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	for (; steps > 0 && count < max; steps--) {
		const struct suspect *suspect;

		if (++*position >= ids) {
			*position = 0;
			break;
		}
		suspect = suspect_of(pump, *position);
		if (suspect->scope < FLOW_SCOPES &&
		    suspect->gate.releases > 0 &&
		    export_one(pump, engine_entry_of(&pump->engine, suspect),
			       &ret_records[count]))
			count++;
	}
	return count;
}

static bool is_plausible(const struct pump_record *record)
{
	const uint64_t most_ns = 60000000000u; /* the longest window */

	if (record->key.scope >= FLOW_SCOPES || record->runs_count == 0 ||
	    record->runs_count > PUMP_RECORD_RUNS ||
	    record->armed_in_ns > most_ns)
		return false;
	for (uint32_t i = 0; i < record->runs_count; i++)
		if (record->runs[i].age_ns > most_ns ||
		    record->runs[i].sent_pkts > 1u << 26 ||
		    record->runs[i].heard_pkts > 1u << 26)
			return false;
	return true;
}

/* Oldest first, as they were told; nothing older than the clock, nor than what
 * this key has seen since. */
static void import_window(struct pump *pump, struct flow_entry *entry,
			  const struct pump_record *record, uint64_t down_ns)
{
	uint64_t window_ns =
		engine_params(&pump->engine, entry)->gate.window_ns;
	uint64_t last_ns =
		entry->suspect
			? window_newest_ns(
				  &suspect_of(pump, entry->suspect)->window)
			: window_small_newest_ns(entry);

	for (uint32_t i = 0; i < record->runs_count; i++) {
		const struct pump_record_run *run = &record->runs[i];
		uint64_t age_ns = run->age_ns + down_ns;
		uint64_t start_ns;

		if (age_ns >= window_ns || age_ns >= pump->now_ns)
			continue;
		start_ns = pump->now_ns - age_ns;
		if (start_ns < last_ns)
			start_ns = last_ns;
		last_ns = start_ns;
		engine_count(&pump->engine, entry, run->sent_pkts,
			     run->heard_pkts, start_ns);
	}
}

void pump_resume(struct pump *pump, uint64_t now_ns)
{
	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	if (pump->upkeep_ns == NS_NEVER)
		pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
	if (pump->engine.patience_from_ns == 0)
		engine_credit_begin(&pump->engine, pump->now_ns);
}

bool pump_import(struct pump *pump, const struct pump_record *record,
		 uint64_t down_ns, uint64_t now_ns)
{
	struct engine *engine = &pump->engine;
	struct engine_place place;
	struct flow_entry *entry;
	struct suspect *suspect;
	uint32_t id;

	if (!is_plausible(record))
		return false;
	pump_resume(pump, now_ns);
	if (!engine_place_of_key(engine, &record->key, pump->now_ns, &place))
		return false;
	entry = record->key.scope == FLOW_SCOPE_FLOW   ? place.flow
		: record->key.scope == FLOW_SCOPE_PAIR ? place.pair
						       : place.host;
	if (record->releases) {
		id = engine_suspect(engine, entry, pump->now_ns);
		if (id) {
			suspect = suspect_of(pump, id);
			suspect->gate.releases = record->releases;
			if (record->armed_in_ns > down_ns)
				suspect->gate.armed_ns = pump->now_ns +
							 record->armed_in_ns -
							 down_ns;
		}
	}
	import_window(pump, entry, record, down_ns);
	return true;
}
