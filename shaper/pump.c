/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet arrives: whose is it, and may it go? */
#include "shaper/pump.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump_state.h"

enum {
	TOKENS_SPARE = 1024,    /* leaving, not yet collected */
	TOKENS_UNBOUND = 65536, /* to begin with, when the bound is lifted */
};

/* ------ life */

struct pump *pump_new(const struct pump_config *config, uint64_t now_ns)
{
	const struct policy_limits *limits = &config->policy->limits;
	bool unbound = config->lift_bounds || limits->held_packets == 0;
	struct pump *pump = calloc(1, sizeof(*pump));
	struct engine *engine;

	if (!pump)
		return NULL;
	engine = &pump->engine;
	pump->config = *config;
	pump->now_ns = now_ns;
	pump->upkeep_ns = NS_NEVER;
	memcpy(&pump->chance, config->seed, sizeof(pump->chance));
	pump->chance |= 1;
	if (!engine_init(engine, config->policy, config->zones, config->seed,
			 config->lift_bounds) ||
	    !tokens_init(&pump->tokens,
			 unbound ? TOKENS_UNBOUND
				 : limits->held_packets + TOKENS_SPARE,
			 unbound) ||
	    !deadlines_init(&pump->deadlines, suspects_ids(&engine->suspects)))
		goto fail;
	engine->meets_until_ns = config->amid ? NS_NEVER : 0;
	pump->host_links =
		calloc(engine->hosts_count, sizeof(*pump->host_links));
	pump->slots = calloc(engine->hosts_count, sizeof(*pump->slots));
	pump->slot_links = calloc(suspects_ids(&engine->suspects),
				  sizeof(*pump->slot_links));
	if (pump->host_links && pump->slots && pump->slot_links)
		return pump;
fail:
	pump_free(pump);
	return NULL;
}

void pump_free(struct pump *pump)
{
	if (!pump)
		return;
	engine_fini(&pump->engine);
	tokens_fini(&pump->tokens);
	deadlines_fini(&pump->deadlines);
	free(pump->host_links);
	free(pump->slots);
	free(pump->slot_links);
	free(pump);
}

/* ------ a batch.  A look-up reads four places, each told by the one before:
 * index, flow, pair, host.  While one packet is judged, the places of those
 * that follow it are on their way, each a step further ahead. */

enum {
	AHEAD = 8,     /* packets from one step to the next */
	LOOK_UPS = 64, /* under way; more than 4 * AHEAD; a power of two */
};

struct look_up {
	struct flow_key key;
	uint64_t hash;
	uint32_t guess, up;
	enum { LOOK_UP_NONE, LOOK_UP_OUT, LOOK_UP_IN, LOOK_UP_CLASS } what;
	bool onward; /* out, and the destination is guarded too */
};

static uint8_t shard_of_host(const struct pump *pump, const uint8_t address[16],
			     uint16_t zone)
{
	uint8_t host[16];

	if (pump->config.shards <= 1)
		return pump->config.shard;
	policy_host_of(pump->engine.policy, address,
		       zones_get(pump->engine.zones, zone), host);
	return shard_of(host, pump->config.shard_seed, pump->config.shards);
}

static void look_up(const struct pump *pump, struct pump_packet *packet,
		    struct look_up *ret)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];
	bool out, in;

	packet->shard = PUMP_HERE;
	ret->onward = false;
	if (packet->meta.kind != PACKET_UNICAST &&
	    pump_is_of_class(&packet->meta)) {
		ret->what = LOOK_UP_CLASS;
		return;
	}
	in = pump_comes_in(pump, packet);
	out = pump_goes_out(pump, packet);
	ret->what = out ? LOOK_UP_OUT : in ? LOOK_UP_IN : LOOK_UP_NONE;
	if (ret->what == LOOK_UP_NONE)
		return;
	flow_key_of(&packet->meta, out ? FLOW_OUT : FLOW_IN,
		    out ? packet->src_zone : packet->dst_zone, &ret->key);
	ret->hash = flowtable_hash(flows, &ret->key);
	flowtable_prefetch(flows, ret->hash);
	if (!out || !in)
		return;
	ret->onward = true;
	packet->shard =
		shard_of_host(pump, packet->meta.ends.dst, packet->dst_zone);
	if (packet->shard == pump->config.shard)
		packet->shard = PUMP_HERE;
}

static void look_up_flow(const struct pump *pump, struct look_up *look_up)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];

	look_up->guess = FLOWTABLE_NONE;
	if (look_up->what == LOOK_UP_OUT || look_up->what == LOOK_UP_IN)
		look_up->guess = flowtable_guess(flows, look_up->hash);
}

/* The packets in between may have made the guess wrong: then what is read
 * here is not its pair, but always a place to ask for. */
static void look_up_pair(const struct pump *pump, struct look_up *look_up)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];
	const struct flowtable *pairs = &pump->engine.tables[FLOW_SCOPE_PAIR];

	look_up->up = FLOWTABLE_NONE;
	if (look_up->guess == FLOWTABLE_NONE)
		return;
	look_up->up = flowtable_entry(flows, look_up->guess)->up;
	if (look_up->up < pairs->capacity) {
		flowtable_prefetch_entry(pairs, look_up->up);
		__builtin_prefetch(&pump->engine.credits[look_up->up], 1);
	}
}

static void look_up_host(const struct pump *pump, const struct look_up *look_up)
{
	const struct flowtable *pairs = &pump->engine.tables[FLOW_SCOPE_PAIR];
	const struct flowtable *hosts = &pump->engine.tables[FLOW_SCOPE_HOST];
	uint32_t up;

	if (look_up->up >= pairs->capacity)
		return;
	up = flowtable_entry(pairs, look_up->up)->up;
	if (up < hosts->capacity)
		flowtable_prefetch_entry(hosts, up);
}

static void tell_receiver(struct pump *pump, struct pump_packet *packet,
			  uint32_t wire_pkts)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];
	struct flow_key key;

	flow_key_of(&packet->meta, FLOW_IN, packet->dst_zone, &key);
	pump_offer_in(pump, packet, &key, flowtable_hash(flows, &key),
		      FLOWTABLE_NONE, wire_pkts, false);
}

static enum pump_verdict offer_one(struct pump *pump,
				   struct pump_packet *packet,
				   const struct look_up *found)
{
	enum pump_verdict verdict = PUMP_PASS;
	uint32_t wire_pkts = 0;

	switch (found->what) {
	case LOOK_UP_NONE:
		pump->engine.stats.counter[STATS_transit_pkts] +=
			pump_told_pkts(packet);
		return PUMP_PASS;
	case LOOK_UP_CLASS:
		return pump_offer_class(pump, packet);
	case LOOK_UP_IN:
		return pump_offer_in(pump, packet, &found->key, found->hash,
				     found->guess, 0, true);
	case LOOK_UP_OUT:
		verdict = pump_offer_out(pump, packet, &found->key, found->hash,
					 found->guess, &wire_pkts);
		break;
	}
	if (verdict == PUMP_PASS && found->onward && packet->shard == PUMP_HERE)
		tell_receiver(pump, packet, wire_pkts);
	return verdict;
}

static void set_time(struct pump *pump, uint64_t now_ns)
{
	if (now_ns < pump->now_ns)
		pump->engine.stats.counter[STATS_time_ran_back]++;
	else
		pump->now_ns = now_ns;
	if (pump->upkeep_ns == NS_NEVER)
		pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
	if (pump_next_ns(pump) <= pump->now_ns)
		pump_advance(pump, pump->now_ns);
}

/* Behind a super-packet that comes back in its segments the others wait to be
 * judged: else all that follow it would have to come back, too. */
static bool offer_here(struct pump *pump, struct pump_packet *packet,
		       const struct look_up *found)
{
	packet->verdict = (uint8_t)offer_one(pump, packet, found);
	return packet->verdict != PUMP_WAIT || !packet->super_packet;
}

/* `judge` is known where this is compiled: inlined, and so is `judge`.  It
 * says whether to go on; returns how many were judged. */
static inline __attribute__((always_inline)) size_t
judge_all(struct pump *pump, struct pump_packet *packets, size_t count,
	  bool (*judge)(struct pump *, struct pump_packet *,
			const struct look_up *))
{
	struct look_up look_ups[LOOK_UPS];
	/* A few are soon judged: steps in between would only cost. */
	const size_t ahead = count <= AHEAD ? 1 : AHEAD;

	for (size_t i = 0; i < count + 4 * ahead; i++) {
		if (i < count)
			look_up(pump, &packets[i], &look_ups[i % LOOK_UPS]);
		if (i - ahead < count)
			look_up_flow(pump, &look_ups[(i - ahead) % LOOK_UPS]);
		if (i - 2 * ahead < count)
			look_up_pair(pump,
				     &look_ups[(i - 2 * ahead) % LOOK_UPS]);
		if (i - 3 * ahead < count)
			look_up_host(pump,
				     &look_ups[(i - 3 * ahead) % LOOK_UPS]);
		if (i - 4 * ahead < count &&
		    !judge(pump, &packets[i - 4 * ahead],
			   &look_ups[(i - 4 * ahead) % LOOK_UPS]))
			return i - 4 * ahead + 1;
	}
	return count;
}

size_t pump_offer(struct pump *pump, struct pump_packet *packets, size_t count,
		  uint64_t now_ns)
{
	size_t judged;

	set_time(pump, now_ns);
	if (pump->sparing.host)
		pump_spare(pump);
	judged = judge_all(pump, packets, count, offer_here);
	pump_tell(pump);
	return judged;
}

/* ------ what was set aside comes back */

/* What passes leaves with what waited and was let out meanwhile, in order:
 * packets of its flow may be among those, before or after it. */
static enum pump_verdict pass_in_turn(struct pump *pump,
				      const struct pump_packet *packet)
{
	uint32_t id = tokens_take(&pump->tokens);

	if (!id)
		return PUMP_PASS;
	*tokens_get(&pump->tokens, id) = (struct token){
		.id = packet->id,
		.shard = packet->shard,
	};
	pump_let_go(pump, id, PUMP_PASS);
	return PUMP_WAIT;
}

static enum pump_verdict hold_one(struct pump *pump, struct pump_packet *packet)
{
	enum pump_verdict verdict = PUMP_PASS;
	struct look_up found;

	look_up(pump, packet, &found);
	switch (found.what) {
	case LOOK_UP_OUT:
		verdict = pump_hold_out(pump, packet, &found.key, found.hash,
					found.onward);
		if (verdict == PUMP_PASS && found.onward &&
		    packet->shard == PUMP_HERE)
			tell_receiver(pump, packet, pump_told_pkts(packet));
		break;
	case LOOK_UP_IN:
		verdict = pump_offer_in(pump, packet, &found.key, found.hash,
					FLOWTABLE_NONE, pump_told_pkts(packet),
					false);
		break;
	case LOOK_UP_CLASS:
	case LOOK_UP_NONE:
		break;
	}
	return verdict == PUMP_PASS ? pass_in_turn(pump, packet) : verdict;
}

void pump_hold(struct pump *pump, struct pump_packet *packets, size_t count,
	       uint64_t now_ns)
{
	set_time(pump, now_ns);
	for (size_t i = 0; i < count; i++)
		packets[i].verdict = (uint8_t)hold_one(pump, &packets[i]);
	pump_tell(pump);
}

/* ------ packets that bear their time */

static void run_until(struct pump *pump, uint64_t now_ns)
{
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(pump)) <= now_ns)
		pump_advance(pump, next_ns);
	set_time(pump, now_ns);
}

static bool take_here(struct pump *pump, struct pump_packet *packet,
		      const struct look_up *found)
{
	run_until(pump, packet->arrived_ns);
	packet->verdict = (uint8_t)offer_one(pump, packet, found);
	pump->taken++;
	if (packet->verdict == PUMP_WAIT) {
		packet->verdict = (uint8_t)hold_one(pump, packet);
		pump_settle(pump);
	}
	pump_tell(pump);
	return true;
}

void pump_take(struct pump *pump, struct pump_packet *packets, size_t count)
{
	pump->taken = 0;
	judge_all(pump, packets, count, take_here);
}

size_t pump_collect(struct pump *pump, struct pump_release *ret_releases,
		    size_t max)
{
	size_t count = 0;

	while (count < max && pump->leaving_first) {
		uint32_t id = pump->leaving_first;
		const struct token *token = tokens_get(&pump->tokens, id);

		if (!(token->flags & TOKEN_GHOST))
			ret_releases[count++] = (struct pump_release){
				.id = token->id,
				.verdict = token->verdict,
				.shard = token->shard,
				.after = token->after,
				.left_ns = token->left_ns,
			};
		tokens_unlink(&pump->tokens, &pump->leaving_first,
			      &pump->leaving_last, id);
		tokens_give_back(&pump->tokens, id);
	}
	return count;
}

/* ------ time */

uint64_t pump_next_ns(const struct pump *pump)
{
	const struct deadline *first = deadlines_first(&pump->deadlines);
	uint64_t next_ns = pump->upkeep_ns;

	if (first && first->at_ns < next_ns)
		next_ns = first->at_ns;
	return next_ns;
}

void pump_advance(struct pump *pump, uint64_t now_ns)
{
	const struct deadline *first;

	if (now_ns > pump->now_ns)
		pump->now_ns = now_ns;
	while ((first = deadlines_first(&pump->deadlines)) != NULL &&
	       first->at_ns <= pump->now_ns) {
		do {
			uint32_t id = first->id;

			deadlines_clear(&pump->deadlines, id);
			pump_stir_later(pump, id);
			first = deadlines_first(&pump->deadlines);
		} while (first && first->at_ns <= pump->now_ns);
		pump_stir_all(pump);
	}
	pump_tell(pump);
	if (pump->upkeep_ns <= pump->now_ns)
		pump_upkeep(pump);
}
