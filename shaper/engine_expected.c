/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys that come back: what was known of them is theirs again. */
#include "shaper/engine.h"

#include "shaper/expected.h"

#define MINUTE_NS UINT64_C(60000000000)

static uint64_t newest_ns(const struct engine *engine,
			  const struct flow_entry *entry)
{
	return entry->suspect
		       ? window_newest_ns(&suspects_get(&engine->suspects,
							entry->suspect)
						   ->window)
		       : window_small_newest_ns(entry);
}

/*
 * Oldest first, nothing older than the clock, nor than what this key has seen
 * since: so what it sent here counts for as many of those that are told, and
 * what is told as heard is left out once it was heard here.  Nothing that is
 * told may make S fall below 0.
 */
static void remember_window(struct engine *engine, struct flow_entry *entry,
			    const struct pump_record *record, uint64_t now_ns)
{
	uint64_t window_ns = engine_params(engine, entry)->gate.window_ns;
	uint64_t last_ns = newest_ns(engine, entry);
	uint32_t known, heard, may_hear = 0;

	engine_sums(engine, entry, now_ns, &known, &heard);
	for (uint32_t i = 0; i < record->runs_count && !known && !heard; i++)
		may_hear += record->runs[i].sent_pkts;
	for (uint32_t i = 0; i < record->runs_count; i++) {
		const struct pump_record_run *run = &record->runs[i];
		uint32_t sent = run->sent_pkts;
		uint32_t skip = sent < known ? sent : known;
		uint64_t start_ns;

		if (run->age_ns >= window_ns || run->age_ns >= now_ns)
			continue;
		start_ns = now_ns - run->age_ns;
		if (start_ns < last_ns)
			start_ns = last_ns;
		last_ns = start_ns;
		known -= skip;
		sent -= skip;
		heard = run->heard_pkts < may_hear ? run->heard_pkts : may_hear;
		may_hear -= heard;
		engine_count(engine, entry, sent, heard, start_ns);
		if (entry->key.scope == FLOW_SCOPE_PAIR && sent > 0)
			engine_floor_left(engine, entry, sent, start_ns);
	}
}

void engine_remember(struct engine *engine, struct flow_entry *entry,
		     const struct pump_record *record, uint64_t now_ns)
{
	uint64_t armed_ns = now_ns + record->armed_in_ns;
	struct gate *gate;
	uint32_t id;

	id = record->releases ? engine_suspect(engine, entry, now_ns) : 0;
	if (id) {
		gate = &suspects_get(&engine->suspects, id)->gate;
		if (gate->releases < record->releases)
			gate->releases = record->releases;
		if (record->armed_in_ns > 0 && gate->armed_ns < armed_ns) {
			gate->armed_ns = armed_ns;
			gate->owes = false;
		}
	}
	remember_window(engine, entry, record, now_ns);
	/* It was held, so it has had its patience. */
	if (record->releases)
		engine->hosts[engine_host_slot(engine, entry)].forgot_until_ns =
			now_ns + MINUTE_NS;
}

void engine_meet(struct engine *engine, struct flow_entry *entry,
		 uint64_t now_ns)
{
	const struct flowtable *table = &engine->tables[entry->key.scope];
	struct expected_key *found =
		expected_find(engine->expected, &entry->key,
			      flowtable_hash(table, &entry->key), now_ns);

	if (found == NULL)
		return;
	engine_remember(engine, entry, &found->record, now_ns);
	expected_remove(engine->expected, found);
	engine->stats.counter[STATS_keys_returned]++;
}
