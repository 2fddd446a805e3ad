/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a pump knows, out of it and into another: a restart of the daemon, a
 * guest that leaves and comes back. */
#include <limits.h>

#include "flowtable/shard.h"
#include "policy/address.h"
#include "shaper/expected.h"
#include "shaper/pump_state.h"
#include "shaper/snapshot.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* ------ out */

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
		struct flow_entry *entry = pump_step(pump, cursor, UINT_MAX);

		if (entry && export_one(pump, entry, &ret_records[count]))
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

/* ------ in */

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

/* ------ a guest */

bool pump_is_of_guest(const struct pump_guest *guest,
		      const struct flow_key *key)
{
	if (guest->count == 0)
		return key->zone == guest->zone;
	for (size_t i = 0; i < guest->count; i++)
		if (address_is_in(key->inside, &guest->addresses[i]))
			return true;
	return false;
}

static size_t export_held_of(struct pump *pump, const struct pump_guest *guest,
			     struct pump_guest_cursor *cursor, size_t steps,
			     struct pump_record *ret_records, size_t max)
{
	const uint32_t ids = suspects_ids(&pump->engine.suspects);
	size_t count = 0;

	for (; steps > 0 && count < max; steps--) {
		const struct suspect *suspect;
		struct flow_entry *entry;

		if (++cursor->position >= ids) {
			cursor->position = 0;
			cursor->held_told = true;
			break;
		}
		suspect = suspect_of(pump, cursor->position);
		if (suspect->scope >= FLOW_SCOPES ||
		    suspect->gate.releases == 0)
			continue;
		entry = engine_entry_of(&pump->engine, suspect);
		if (pump_is_of_guest(guest, &entry->key) &&
		    export_one(pump, entry, &ret_records[count]))
			count++;
	}
	return count;
}

static size_t export_expected_of(struct pump *pump,
				 const struct pump_guest *guest,
				 struct pump_guest_cursor *cursor,
				 struct pump_record *ret_records, size_t max,
				 bool take)
{
	struct expected *expected = pump->engine.expected;
	size_t count = 0;

	while (count < max) {
		struct expected_key *key;

		if (++cursor->position > expected->fresh) {
			cursor->position = 0;
			cursor->expected_told = true;
			break;
		}
		key = &expected->keys[cursor->position];
		if (!key->used || !pump_is_of_guest(guest, &key->record.key))
			continue;
		ret_records[count++] = key->record;
		if (take)
			expected_remove(expected, key);
	}
	return count;
}

static size_t export_rest_of(struct pump *pump, const struct pump_guest *guest,
			     struct pump_guest_cursor *cursor, size_t steps,
			     struct pump_record *ret_records, size_t max)
{
	size_t count = 0;

	for (; steps > 0 && count < max && !cursor->ended; steps--) {
		const struct flowtable *table =
			&pump->engine.tables[cursor->scope];
		uint32_t slot = cursor->position++;
		struct flow_entry *entry;

		if (slot >= table->fresh) {
			cursor->position = 0;
			cursor->ended = ++cursor->scope == FLOW_SCOPES;
			continue;
		}
		entry = flowtable_entry(table, slot);
		if (flowtable_in_use(table, slot) &&
		    pump_is_of_guest(guest, &entry->key) &&
		    export_one(pump, entry, &ret_records[count]) &&
		    ret_records[count].releases == 0)
			count++;
	}
	return count;
}

size_t pump_export_guest(struct pump *pump, const struct pump_guest *guest,
			 struct pump_guest_cursor *cursor, size_t steps,
			 struct pump_record *ret_records, size_t max, bool take,
			 uint64_t now_ns)
{
	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	if (!cursor->held_told)
		return export_held_of(pump, guest, cursor, steps, ret_records,
				      max);
	if (!cursor->expected_told)
		return export_expected_of(pump, guest, cursor, ret_records, max,
					  take);
	return export_rest_of(pump, guest, cursor, steps, ret_records, max);
}

/* Used by its host already, so that no packet would bring it back. */
static struct flow_entry *in_use(const struct pump *pump,
				 const struct flow_key *key, uint64_t hash)
{
	const struct flowtable *table = &pump->engine.tables[key->scope];
	uint32_t slot = flowtable_find(table, key, hash);
	struct flow_entry *entry;

	if (slot == FLOWTABLE_NONE)
		return NULL;
	entry = flowtable_entry(table, slot);
	return entry->flags & FLOW_ENTRY_OUTSIDE ? NULL : entry;
}

static bool is_mine(const struct pump *pump, const struct flow_key *key)
{
	const struct pump_config *config = &pump->config;
	struct flow_key host;

	engine_host_key(&pump->engine, key, &host);
	return shard_of(host.inside, config->shard_seed, config->shards) ==
	       config->shard;
}

enum pump_expected pump_expect(struct pump *pump,
			       const struct pump_record *record,
			       uint64_t until_ns, uint64_t now_ns)
{
	struct engine *engine = &pump->engine;
	struct flow_entry *entry;
	uint64_t hash;

	if (!is_plausible(record))
		return PUMP_EXPECTED_NOT;
	if (!is_mine(pump, &record->key))
		return PUMP_EXPECTED_ELSEWHERE;
	pump_advance(pump, now_ns);
	hash = flowtable_hash(&engine->tables[record->key.scope], &record->key);
	entry = in_use(pump, &record->key, hash);
	if (entry == NULL)
		return expected_add(engine->expected, record, hash, until_ns,
				    pump->now_ns)
			       ? PUMP_EXPECTED
			       : PUMP_EXPECTED_NOT;
	engine_refresh(engine, entry);
	engine_remember(engine, entry, record, pump->now_ns);
	if (entry->suspect) {
		pump_stir_later(pump, entry->suspect);
		pump_tell(pump);
	}
	return PUMP_EXPECTED;
}
