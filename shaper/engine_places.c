/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which keys have a place in the tables, and which are forgotten. */
#include "shaper/engine.h"

#include <assert.h>

#include "policy/zones.h"
#include "shaper/expected.h"

enum { REFUSED_STEPS = 8 }; /* entries looked at when a table is full */

static bool may_make(struct engine *engine, enum flow_scope scope,
		     uint32_t host_slot, enum flow_direction direction,
		     uint64_t now_ns)
{
	uint64_t *counter = engine->stats.counter;
	uint32_t inside = engine->tables[scope].used - engine->outside[scope];

	if (direction == FLOW_IN) {
		if (engine->outside[scope] < engine->outside_max[scope])
			return true;
		counter[STATS_keys_ignored_in]++;
	} else if (scope != FLOW_SCOPE_HOST &&
		   engine->hosts[host_slot].made[scope] >=
			   engine->per_host_max[scope]) {
		counter[STATS_keys_refused_quota]++;
	} else if (inside >=
		   engine->inside_max[scope] + (scope == FLOW_SCOPE_HOST)) {
		counter[STATS_keys_refused_full]++;
	} else {
		return true;
	}
	engine_sweep(engine, scope, REFUSED_STEPS, now_ns);
	return false;
}

static struct flow_entry *make(struct engine *engine,
			       const struct flow_key *key, uint64_t hash,
			       enum flow_direction direction)
{
	struct flowtable *table = &engine->tables[key->scope];
	uint32_t slot = flowtable_add(table, key, hash);
	struct flow_entry *entry;

	assert(slot != FLOWTABLE_NONE);
	entry = flowtable_entry(table, slot);
	if (direction == FLOW_IN) {
		entry->flags = FLOW_ENTRY_OUTSIDE;
		engine->outside[key->scope]++;
	}
	if (key->scope == FLOW_SCOPE_PAIR)
		engine->credits[slot] = (struct credit){ 0 };
	if (key->scope == FLOW_SCOPE_FLOW)
		engine->media[slot] = (struct media){ 0 };
	engine_classify(engine, entry);
	engine->stats.counter[STATS_keys_made]++;
	return entry;
}

static inline void meet(struct engine *engine, struct flow_entry *entry,
			enum flow_direction direction, uint64_t now_ns)
{
	if (engine->expected->count > 0 && direction == FLOW_OUT)
		engine_meet(engine, entry, now_ns);
}

/* A guarded host uses a key that only the outside had used. */
static void adopt(struct engine *engine, struct flow_entry *entry,
		  uint64_t now_ns)
{
	enum flow_scope scope = (enum flow_scope)entry->key.scope;
	struct engine_host *host =
		&engine->hosts[engine_host_slot(engine, entry)];
	uint32_t inside = engine->tables[scope].used - engine->outside[scope];

	if (inside >= engine->inside_max[scope])
		return;
	if (scope != FLOW_SCOPE_HOST) {
		if (host->made[scope] >= engine->per_host_max[scope])
			return;
		host->made[scope]++;
	}
	entry->flags &= (uint8_t)~FLOW_ENTRY_OUTSIDE;
	engine->outside[scope]--;
	meet(engine, entry, FLOW_OUT, now_ns);
}

static inline void use(struct engine *engine, struct flow_entry *entry,
		       enum flow_direction direction, uint64_t now_ns)
{
	engine_refresh(engine, entry);
	if (direction == FLOW_OUT && (entry->flags & FLOW_ENTRY_OUTSIDE))
		adopt(engine, entry, now_ns);
}

uint64_t engine_host_key(const struct engine *engine,
			 const struct flow_key *flow, struct flow_key *ret_key)
{
	struct flow_key key = { .zone = flow->zone, .scope = FLOW_SCOPE_HOST };

	policy_host_of(engine->policy, flow->inside,
		       zones_get(engine->zones, flow->zone), key.inside);
	*ret_key = key;
	return flowtable_hash(&engine->tables[FLOW_SCOPE_HOST], &key);
}

static bool comes_to(const struct engine *engine,
		     const struct flow_entry *entry)
{
	return entry && entry->suspect &&
	       suspects_get(&engine->suspects, entry->suspect)->aside_pkts;
}

/* May packets of this key, which has no place, wait in a wider one, or be on
 * their way there?  It gets none until they have left. */
static bool rests(struct engine *engine, enum flow_scope scope, uint64_t hash,
		  const struct engine_place *wider)
{
	if (!(engine->policy->enforce & ((2u << scope) - 1)))
		return false;
	return *engine_resting(engine, hash) > 0 ||
	       comes_to(engine, wider->pair) || comes_to(engine, wider->host);
}

static struct flow_entry *place_host(struct engine *engine,
				     const struct flow_key *flow,
				     enum flow_direction direction,
				     uint64_t now_ns)
{
	struct flowtable *hosts = &engine->tables[FLOW_SCOPE_HOST];
	const struct engine_place shared = {
		.host = flowtable_entry(hosts, ENGINE_HOST_SHARED),
	};
	struct flow_entry *entry;
	struct flow_key key;
	uint64_t hash = engine_host_key(engine, flow, &key);
	uint32_t slot = flowtable_find(hosts, &key, hash);

	if (slot != FLOWTABLE_NONE) {
		entry = flowtable_entry(hosts, slot);
		use(engine, entry, direction, now_ns);
		return entry;
	}
	if (!rests(engine, FLOW_SCOPE_HOST, hash, &shared) &&
	    may_make(engine, FLOW_SCOPE_HOST, 0, direction, now_ns)) {
		entry = make(engine, &key, hash, direction);
		meet(engine, entry, direction, now_ns);
		return entry;
	}
	engine->stats.counter[STATS_hosts_refused]++;
	return shared.host;
}

static struct flow_entry *make_below(struct engine *engine,
				     struct flow_entry *up, uint32_t host_slot,
				     const struct flow_key *key, uint64_t hash,
				     enum flow_direction direction,
				     uint64_t now_ns)
{
	struct flow_entry *entry = make(engine, key, hash, direction);

	entry->up = engine_slot(engine, up);
	up->u.below++;
	if (direction == FLOW_OUT)
		engine->hosts[host_slot].made[key->scope]++;
	meet(engine, entry, direction, now_ns);
	return entry;
}

static void place_pair(struct engine *engine, const struct flow_key *flow,
		       enum flow_direction direction, uint64_t now_ns,
		       struct engine_place *place)
{
	struct flowtable *pairs = &engine->tables[FLOW_SCOPE_PAIR];
	struct flow_key key;
	uint64_t hash;
	uint32_t slot;

	flow_key_widen(flow, FLOW_SCOPE_PAIR, &key);
	hash = flowtable_hash(pairs, &key);
	slot = flowtable_find(pairs, &key, hash);
	if (slot != FLOWTABLE_NONE) {
		place->pair = flowtable_entry(pairs, slot);
		place->host_slot = place->pair->up;
		place->host = flowtable_entry(&engine->tables[FLOW_SCOPE_HOST],
					      place->host_slot);
		use(engine, place->pair, direction, now_ns);
		use(engine, place->host, direction, now_ns);
		return;
	}
	place->host = place_host(engine, flow, direction, now_ns);
	place->host_slot = engine_slot(engine, place->host);
	if (direction == FLOW_IN && place->host_slot == ENGINE_HOST_SHARED) {
		engine->stats.counter[STATS_keys_ignored_in]++;
		return;
	}
	if (rests(engine, FLOW_SCOPE_PAIR, hash, place) ||
	    !may_make(engine, FLOW_SCOPE_PAIR, place->host_slot, direction,
		      now_ns))
		return;
	place->pair = make_below(engine, place->host, place->host_slot, &key,
				 hash, direction, now_ns);
}

void engine_place(struct engine *engine, const struct flow_key *key,
		  uint64_t hash, uint32_t guess, enum flow_direction direction,
		  uint64_t now_ns, struct engine_place *ret_place)
{
	struct flowtable *flows = &engine->tables[FLOW_SCOPE_FLOW];
	struct engine_place place = { 0 };
	uint32_t slot = guess;

	if (slot == FLOWTABLE_NONE ||
	    !flow_key_equal(&flowtable_entry(flows, slot)->key, key))
		slot = flowtable_find(flows, key, hash);
	if (slot != FLOWTABLE_NONE) {
		place.flow = flowtable_entry(flows, slot);
		place.pair = flowtable_entry(&engine->tables[FLOW_SCOPE_PAIR],
					     place.flow->up);
		place.host_slot = place.pair->up;
		place.host = flowtable_entry(&engine->tables[FLOW_SCOPE_HOST],
					     place.host_slot);
		use(engine, place.host, direction, now_ns);
		use(engine, place.pair, direction, now_ns);
		use(engine, place.flow, direction, now_ns);
		*ret_place = place;
		return;
	}
	place_pair(engine, key, direction, now_ns, &place);
	if (place.pair && !rests(engine, FLOW_SCOPE_FLOW, hash, &place) &&
	    may_make(engine, FLOW_SCOPE_FLOW, place.host_slot, direction,
		     now_ns))
		place.flow = make_below(engine, place.pair, place.host_slot,
					key, hash, direction, now_ns);
	*ret_place = place;
}

bool engine_place_of_key(struct engine *engine, const struct flow_key *key,
			 uint64_t now_ns, struct engine_place *ret_place)
{
	struct engine_place place = { 0 };
	uint64_t hash;

	switch ((enum flow_scope)key->scope) {
	case FLOW_SCOPE_FLOW:
		hash = flowtable_hash(&engine->tables[FLOW_SCOPE_FLOW], key);
		engine_place(engine, key, hash, FLOWTABLE_NONE, FLOW_OUT,
			     now_ns, &place);
		*ret_place = place;
		return place.flow != NULL;
	case FLOW_SCOPE_PAIR:
		place_pair(engine, key, FLOW_OUT, now_ns, &place);
		*ret_place = place;
		return place.pair != NULL;
	case FLOW_SCOPE_HOST:
		place.host = place_host(engine, key, FLOW_OUT, now_ns);
		place.host_slot = engine_slot(engine, place.host);
		*ret_place = place;
		return place.host_slot != ENGINE_HOST_SHARED;
	case FLOW_SCOPES:
		break;
	}
	return false;
}

/* A pair below the shared host, found again, might be below another one: not
 * while packets of it may wait at the shared one. */
static bool keeps_its_host(const struct engine *engine,
			   const struct flow_entry *entry)
{
	const struct flow_entry *shared = flowtable_entry(
		&engine->tables[FLOW_SCOPE_HOST], ENGINE_HOST_SHARED);

	return entry->key.scope == FLOW_SCOPE_PAIR &&
	       entry->up == ENGINE_HOST_SHARED && shared->suspect &&
	       suspects_get(&engine->suspects, shared->suspect)->first;
}

/* Its plain limits would begin with a fresh burst. */
static bool is_in_use(struct engine_host *host, uint64_t now_ns)
{
	return host->held_pkts || host->leased_keys > 0 ||
	       host->forgot_until_ns > now_ns || host->multicast_ns > now_ns ||
	       host->dhcp_ns > now_ns || host->icmp_error_ns > now_ns ||
	       host->bucket.at_ns + host->rate.burst_ns > now_ns ||
	       !contacts_are_idle(&host->contacts, now_ns);
}

/* Less than a quarter is left: of the table, or of its host's share. */
static bool is_crowded(const struct engine *engine,
		       const struct flow_entry *pair)
{
	uint32_t all = engine->tables[FLOW_SCOPE_PAIR].used;
	uint32_t most = engine->inside_max[FLOW_SCOPE_PAIR];
	uint32_t made = engine->hosts[pair->up].made[FLOW_SCOPE_PAIR];
	uint32_t share = engine->per_host_max[FLOW_SCOPE_PAIR];

	return all > most - most / 4 || made > share - share / 4;
}

static bool owes_nothing(struct engine *engine, struct flow_entry *entry,
			 uint32_t slot, uint64_t now_ns)
{
	engine_refresh(engine, entry);
	if (entry->suspect)
		engine_absolve(engine, entry->suspect, now_ns);
	if (entry->suspect ||
	    entry->flags & (FLOW_ENTRY_ASIDE | FLOW_ENTRY_ASIDE_IN) ||
	    entry->parked)
		return false;
	if (entry->key.scope != FLOW_SCOPE_FLOW && entry->u.below)
		return false;
	/* What is away keeps its place, and so do its flows. */
	if (keeps_its_host(engine, entry) || engine_is_leased(engine, entry))
		return false;
	if (entry->key.scope == FLOW_SCOPE_HOST &&
	    (slot == ENGINE_HOST_SHARED ||
	     is_in_use(&engine->hosts[slot], now_ns)))
		return false;
	window_small_slide(entry, engine_params(engine, entry)->gate.window_ns,
			   now_ns);
	if (entry->runs[0] != 0)
		return false;
	return entry->key.scope != FLOW_SCOPE_PAIR ||
	       engine_credit_forgets(engine, entry, is_crowded(engine, entry),
				     now_ns);
}

static void forget(struct engine *engine, struct flow_entry *entry,
		   uint32_t slot)
{
	enum flow_scope scope = (enum flow_scope)entry->key.scope;

	if (entry->flags & FLOW_ENTRY_OUTSIDE)
		engine->outside[scope]--;
	else if (scope != FLOW_SCOPE_HOST)
		engine->hosts[engine_host_slot(engine, entry)].made[scope]--;
	if (scope == FLOW_SCOPE_HOST)
		engine->hosts[slot] = (struct engine_host){ 0 };
	else
		flowtable_entry(&engine->tables[scope + 1], entry->up)
			->u.below--;
	flowtable_remove(&engine->tables[scope], slot);
	engine->stats.counter[STATS_keys_aged]++;
}

void engine_sweep(struct engine *engine, enum flow_scope scope, uint32_t steps,
		  uint64_t now_ns)
{
	struct flowtable *table = &engine->tables[scope];

	for (; steps > 0 && table->fresh > 0; steps--) {
		uint32_t slot = engine->hands[scope]++;
		struct flow_entry *entry;

		if (slot >= table->fresh) {
			engine->hands[scope] = 0;
			engine->oldest[scope] = engine->begun[scope];
			engine->begun[scope] = engine->generation;
			continue;
		}
		entry = flowtable_entry(table, slot);
		if (!flowtable_in_use(table, slot))
			continue;
		if (owes_nothing(engine, entry, slot, now_ns))
			forget(engine, entry, slot);
		else
			engine_refresh(engine, entry);
	}
}
