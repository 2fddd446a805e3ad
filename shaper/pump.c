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
	PROTO_TCP = 6,
	PROBE_TCP = 512,  /* super-packets until the segment size is learnt */
	PROBE_OTHER = 64, /* anew */
	USUAL_SEGMENT_BYTES = 1448,
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
	if (!engine_init(engine, config->policy, config->zones, config->seed) ||
	    !tokens_init(&pump->tokens,
			 unbound ? TOKENS_UNBOUND
				 : limits->held_packets + TOKENS_SPARE,
			 unbound) ||
	    !deadlines_init(&pump->deadlines, suspects_ids(&engine->suspects)))
		goto fail;
	pump->host_links =
		calloc(engine->hosts_count, sizeof(*pump->host_links));
	if (pump->host_links)
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
	free(pump);
}

/* ------ classes that S never holds */

/* Its place is made here if it sent nothing else: what hosts without a place
 * share, one of them would use up. */
static struct engine_host *sender_of(struct pump *pump,
				     const struct pump_packet *packet)
{
	struct flow_key key = { .zone = packet->src_zone,
				.scope = FLOW_SCOPE_HOST };
	struct engine_place place;

	memcpy(key.inside, packet->meta.ends.src, sizeof(key.inside));
	engine_place_of_key(&pump->engine, &key, pump->now_ns, &place);
	return &pump->engine.hosts[place.host_slot];
}

/* A plain rate for what guarded hosts send of a class. */
static enum pump_verdict limit_class(struct pump *pump,
				     const struct pump_packet *packet,
				     uint64_t *state_ns, uint32_t pkts_per_s,
				     enum stats_counter dropped)
{
	uint32_t pkts = packet->wire_pkts ? packet->wire_pkts : 1;

	if (engine_allows(state_ns, pkts_per_s, pkts, pump->now_ns))
		return PUMP_PASS;
	pump->engine.stats.counter[dropped] += pkts;
	return pump_holds(pump) ? PUMP_DROP : PUMP_PASS;
}

/* An error from outside is no reply, but explains why none comes. */
static void attribute_error(struct pump *pump, const struct pump_packet *packet)
{
	struct engine *engine = &pump->engine;
	const struct flowtable *pairs = &engine->tables[FLOW_SCOPE_PAIR];
	struct packet_meta quoted = { .ends = packet->meta.quoted };
	struct flow_key flow, key;
	struct flow_entry *pair;
	uint32_t slot;

	if (quoted.ends.proto == 0 ||
	    !policy_is_inside(engine->policy, quoted.ends.src))
		return;
	flow_key_of(&quoted, FLOW_OUT, packet->dst_zone, &flow);
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &key);
	slot = flowtable_find(pairs, &key, flowtable_hash(pairs, &key));
	if (slot == FLOWTABLE_NONE)
		return;
	pair = flowtable_entry(pairs, slot);
	if (pair->suspect)
		suspects_get(&engine->suspects, pair->suspect)->icmp_errors++;
}

static enum pump_verdict offer_class(struct pump *pump,
				     const struct pump_packet *packet)
{
	const struct policy *policy = pump->engine.policy;
	uint64_t *counter = pump->engine.stats.counter;
	bool out = !packet->from_shard &&
		   policy_is_inside(policy, packet->meta.ends.src);
	struct engine_host *host = out ? sender_of(pump, packet) : NULL;

	switch ((enum packet_kind)packet->meta.kind) {
	case PACKET_UNICAST:
		break;
	case PACKET_MULTICAST:
		counter[STATS_multicast_pkts]++;
		if (out)
			return limit_class(pump, packet, &host->multicast_ns,
					   policy->multicast_pkts_per_s,
					   STATS_multicast_dropped);
		break;
	case PACKET_ICMP_ERROR:
		counter[STATS_icmp_error_pkts]++;
		attribute_error(pump, packet);
		if (out)
			return limit_class(pump, packet, &host->icmp_error_ns,
					   policy->icmp_error_pkts_per_s,
					   STATS_icmp_error_dropped);
		break;
	case PACKET_NEIGHBOUR:
		counter[STATS_neighbour_pkts]++;
		break;
	case PACKET_DHCP:
		counter[STATS_dhcp_pkts]++;
		if (out)
			return limit_class(pump, packet, &host->dhcp_ns,
					   policy->dhcp_pkts_per_s,
					   STATS_dhcp_dropped);
		break;
	}
	return PUMP_PASS;
}

/* ------ what counts as a packet */

static uint32_t payload_bytes(const struct packet_meta *meta)
{
	return meta->length_bytes > meta->header_bytes
		       ? meta->length_bytes - meta->header_bytes
		       : 0;
}

/* Wire packets of this one; 0: its segment size is not known (any more), so
 * it is to be brought back in segments, which tell. */
static uint32_t wire_pkts_of(struct pump *pump,
			     const struct pump_packet *packet,
			     const struct engine_place *place,
			     enum flow_direction direction)
{
	struct flow_entry *flow = place->flow;
	struct engine_host *host = &pump->engine.hosts[place->host_slot];
	uint32_t probe = packet->meta.ends.proto == PROTO_TCP ? PROBE_TCP
							      : PROBE_OTHER;
	uint32_t segment, payload;

	if (!packet->super_packet)
		return 1;
	if (packet->wire_pkts > 0)
		return packet->wire_pkts;
	segment = flow ? flow->u.segment_bytes[direction] : 0;
	if (segment == 0)
		return 0;
	if (++host->supers >= probe) {
		host->supers = 0;
		flow->u.segment_bytes[direction] = 0;
		return 0;
	}
	payload = payload_bytes(&packet->meta);
	return payload <= segment ? 1 : (payload + segment - 1) / segment;
}

/* Where its segments cannot be learnt. */
static uint32_t guess_wire_pkts(const struct pump_packet *packet)
{
	return payload_bytes(&packet->meta) / USUAL_SEGMENT_BYTES + 1;
}

/* A plain packet: super-packets of this flow have no smaller segments than
 * the largest of these. */
static void learn_segment(const struct pump_packet *packet,
			  const struct engine_place *place,
			  enum flow_direction direction)
{
	uint32_t payload = payload_bytes(&packet->meta);

	if (place->flow && payload > place->flow->u.segment_bytes[direction] &&
	    payload <= UINT16_MAX)
		place->flow->u.segment_bytes[direction] = (uint16_t)payload;
}

/* ------ setting aside */

static bool mark(struct pump *pump, const struct flow_entry *entry)
{
	if (pump->marks_count == PUMP_ASIDE_MAX)
		return false;
	pump->marks[pump->marks_count++] = (struct pump_mark){
		.scope = entry->key.scope,
		.slot = engine_slot(&pump->engine, entry),
	};
	return true;
}

/* Later packets of a flow follow those that were set aside before; and a pair
 * of which some are is not forgotten. */
static bool set_aside(struct pump *pump, struct flow_entry *entry,
		      enum flow_direction direction)
{
	uint8_t flag = direction == FLOW_OUT ? FLOW_ENTRY_ASIDE
					     : FLOW_ENTRY_ASIDE_IN;

	if (entry->flags & flag)
		return true;
	if (!mark(pump, entry))
		return false;
	entry->flags |= flag;
	return true;
}

static bool set_aside_for(struct pump *pump, const struct engine_place *place,
			  struct suspect *rest, uint32_t wire_pkts)
{
	struct flow_entry *narrowest = place->flow ? place->flow : place->pair;

	if (narrowest && !set_aside(pump, narrowest, FLOW_OUT))
		return false;
	if (rest->aside_pkts == 0 &&
	    !mark(pump, engine_entry_of(&pump->engine, rest)))
		return false;
	rest->aside_pkts += wire_pkts;
	return true;
}

void pump_settle(struct pump *pump)
{
	struct engine *engine = &pump->engine;

	while (pump->marks_count > 0) {
		const struct pump_mark *last =
			&pump->marks[--pump->marks_count];
		struct flow_entry *entry = flowtable_entry(
			&engine->tables[last->scope], last->slot);

		entry->flags &=
			(uint8_t) ~(FLOW_ENTRY_ASIDE | FLOW_ENTRY_ASIDE_IN);
		if (entry->suspect)
			suspects_get(&engine->suspects, entry->suspect)
				->aside_pkts = 0;
	}
}

/* ------ out */

static void note_offered(struct pump *pump, const struct engine_place *place,
			 uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };
	uint8_t enforce = pump->engine.policy->enforce;

	pump->engine.stats.counter[STATS_out_pkts] += wire_pkts;
	if ((enforce & 1u << FLOW_SCOPE_FLOW && !place->flow) ||
	    (enforce & 1u << FLOW_SCOPE_PAIR && !place->pair))
		pump->engine.stats.counter[STATS_judged_by_host] += wire_pkts;
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope] && entries[scope]->suspect)
			suspect_offer(suspects_get(&pump->engine.suspects,
						   entries[scope]->suspect),
				      engine_params(&pump->engine,
						    entries[scope])
					      ->gate.window_ns,
				      wire_pkts, pump->now_ns);
}

static void pass_exempt(struct pump *pump, const struct engine_place *place,
			uint32_t wire_pkts, enum flow_direction direction)
{
	pump->engine.stats.counter[STATS_exempt_pkts] += wire_pkts;
	if (place->flow)
		engine_count(&pump->engine, place->flow,
			     direction == FLOW_OUT ? wire_pkts : 0,
			     direction == FLOW_IN ? wire_pkts : 0,
			     pump->now_ns);
}

/* It would have to wait.  It goes, and a ghost waits for it; only behind what
 * is on its way it is brought back as well. */
static enum pump_verdict shadow(struct pump *pump,
				const struct engine_place *place, uint32_t rest,
				const struct flow_key *key,
				const struct pump_packet *packet,
				uint32_t wire_pkts, bool may_set_aside)
{
	if (may_set_aside && pump_follows(pump, place, PUMP_ASIDE))
		return PUMP_WAIT;
	note_offered(pump, place, wire_pkts);
	pump_enqueue(pump, place, rest, key, packet, wire_pkts, TOKEN_GHOST);
	return PUMP_PASS;
}

/* It may not go. */
static enum pump_verdict make_wait(struct pump *pump,
				   const struct engine_place *place,
				   const struct flow_key *key,
				   const struct pump_packet *packet,
				   uint32_t wire_pkts)
{
	uint32_t id = pump_rest(pump, place);
	struct suspect *rest = suspects_get(&pump->engine.suspects, id);

	if (!pump_holds(pump))
		return shadow(pump, place, id, key, packet, wire_pkts, true);
	if (pump_key_is_full(pump, rest) &&
	    pump->engine.policy->limits.at_bound == POLICY_BOUND_DROP) {
		pump->engine.stats.counter[STATS_dropped_key_bound] +=
			wire_pkts;
		note_offered(pump, place, wire_pkts);
		pump_refuse(pump, id);
		return PUMP_DROP;
	}
	if (!set_aside_for(pump, place, rest, wire_pkts)) {
		pump->engine.stats.counter[STATS_dropped_bound] += wire_pkts;
		return PUMP_DROP;
	}
	return PUMP_WAIT;
}

/* A super-packet of unknown segments: bring it back in them.  false: there is
 * no room to remember it. */
static bool split(struct pump *pump, const struct engine_place *place,
		  enum flow_direction direction)
{
	bool may;

	if (place->flow)
		may = set_aside(pump, place->flow, direction);
	else
		may = direction == FLOW_OUT &&
		      set_aside_for(pump, place,
				    suspects_get(&pump->engine.suspects,
						 pump_rest(pump, place)),
				    1);
	if (may)
		pump->engine.stats.counter[STATS_split_pkts]++;
	return may;
}

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

/* A connection that goes on after its SYN was answered: did we hear it? */
static void watch_handshake(struct pump *pump, const struct packet_meta *meta,
			    struct flow_entry *flow)
{
	uint8_t flags = meta->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK);
	uint32_t sent, heard;

	if (flags == TCP_SYN)
		flow->flags |= FLOW_ENTRY_OPENING;
	if (flags != TCP_ACK || !(flow->flags & FLOW_ENTRY_OPENING))
		return;
	engine_sums(&pump->engine, flow, pump->now_ns, &sent, &heard);
	if (heard == 0)
		pump->sides.answered_unheard++;
	else
		flow->flags &= (uint8_t)~FLOW_ENTRY_OPENING;
}

static struct evidence *evidence_of(const struct pump *pump,
				    const struct pump_packet *packet,
				    const struct flow_entry *flow)
{
	if (!flow || !flow->suspect || packet->meta.ends.proto != PROTO_TCP ||
	    pump->engine.policy->evidence != POLICY_EVIDENCE_CONSENT)
		return NULL;
	return &suspects_get(&pump->engine.suspects, flow->suspect)->evidence;
}

static void note_evidence(const struct pump *pump,
			  const struct pump_packet *packet,
			  const struct flow_entry *flow)
{
	struct evidence *evidence = evidence_of(pump, packet, flow);

	if (evidence)
		evidence_sent(evidence, &packet->meta);
}

/* What was heard, in packets: as many as came, or what they stand for. */
static uint32_t replies_of(const struct pump *pump,
			   const struct pump_packet *packet,
			   const struct flow_entry *flow, uint32_t wire_pkts)
{
	struct evidence *evidence = evidence_of(pump, packet, flow);

	if (!evidence)
		return wire_pkts;
	return wire_pkts - 1 +
	       evidence_replies(evidence, &packet->meta,
				flow->u.segment_bytes[FLOW_OUT]);
}

static enum pump_verdict offer_out(struct pump *pump,
				   struct pump_packet *packet,
				   const struct flow_key *key, uint64_t hash,
				   uint32_t guess, uint32_t *ret_wire_pkts)
{
	struct engine_place place;
	struct pump_asked asked;
	uint32_t wire_pkts;
	bool follows;

	engine_place(&pump->engine, key, hash, guess, FLOW_OUT, pump->now_ns,
		     &place);
	wire_pkts = wire_pkts_of(pump, packet, &place, FLOW_OUT);
	*ret_wire_pkts = wire_pkts;
	follows = pump_follows(pump, &place, PUMP_RESTING | PUMP_ASIDE);
	if (place.flow && packet->meta.ends.proto == PROTO_TCP)
		watch_handshake(pump, &packet->meta, place.flow);
	note_evidence(pump, packet, place.flow);
	if (wire_pkts == 0) {
		if (split(pump, &place, FLOW_OUT))
			return PUMP_WAIT;
		*ret_wire_pkts = wire_pkts = guess_wire_pkts(packet);
	}
	if (!packet->super_packet)
		learn_segment(packet, &place, FLOW_OUT);
	if (pump_is_exempt(pump, &place, key) && !follows) {
		pass_exempt(pump, &place, wire_pkts, FLOW_OUT);
		return PUMP_PASS;
	}
	if (follows || !pump_ask(pump, &place, wire_pkts, &asked))
		return make_wait(pump, &place, key, packet, wire_pkts);
	note_offered(pump, &place, wire_pkts);
	pump_sent(pump, &place, &asked, wire_pkts);
	return PUMP_PASS;
}

/* ------ in */

static enum pump_verdict offer_in(struct pump *pump,
				  const struct pump_packet *packet,
				  const struct flow_key *key, uint64_t hash,
				  uint32_t guess, uint32_t wire_pkts,
				  bool may_split)
{
	struct engine_place place;

	engine_place(&pump->engine, key, hash, guess, FLOW_IN, pump->now_ns,
		     &place);
	if (may_split && place.flow && place.flow->flags & FLOW_ENTRY_ASIDE_IN)
		return PUMP_WAIT;
	if (wire_pkts == 0)
		wire_pkts = wire_pkts_of(pump, packet, &place, FLOW_IN);
	if (wire_pkts == 0 && may_split && split(pump, &place, FLOW_IN))
		return PUMP_WAIT;
	if (!packet->super_packet)
		learn_segment(packet, &place, FLOW_IN);
	if (wire_pkts == 0)
		wire_pkts = guess_wire_pkts(packet);
	pump->engine.stats.counter[STATS_in_pkts] += wire_pkts;
	if (packet->meta.tcp_flags & TCP_SYN && place.flow &&
	    place.flow->flags & FLOW_ENTRY_OPENING)
		pump->sides.accepted_ns = pump->now_ns;
	if (pump_is_exempt(pump, &place, key))
		pass_exempt(pump, &place, wire_pkts, FLOW_IN);
	else
		pump_heard(pump, &place,
			   replies_of(pump, packet, place.flow, wire_pkts));
	return PUMP_PASS;
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
	const struct policy *policy = pump->engine.policy;
	bool out, in;

	packet->shard = PUMP_HERE;
	ret->onward = false;
	if (packet->meta.kind != PACKET_UNICAST) {
		ret->what = LOOK_UP_CLASS;
		return;
	}
	in = policy_is_inside(policy, packet->meta.ends.dst);
	out = !packet->from_shard &&
	      policy_is_inside(policy, packet->meta.ends.src);
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
	if (look_up->up < pairs->capacity)
		flowtable_prefetch_entry(pairs, look_up->up);
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

static void tell_receiver(struct pump *pump, const struct pump_packet *packet,
			  uint32_t wire_pkts)
{
	const struct flowtable *flows = &pump->engine.tables[FLOW_SCOPE_FLOW];
	struct flow_key key;

	flow_key_of(&packet->meta, FLOW_IN, packet->dst_zone, &key);
	offer_in(pump, packet, &key, flowtable_hash(flows, &key),
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
		pump->engine.stats.counter[STATS_transit_pkts]++;
		return PUMP_PASS;
	case LOOK_UP_CLASS:
		return offer_class(pump, packet);
	case LOOK_UP_IN:
		return offer_in(pump, packet, &found->key, found->hash,
				found->guess, 0, true);
	case LOOK_UP_OUT:
		verdict = offer_out(pump, packet, &found->key, found->hash,
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

void pump_offer(struct pump *pump, struct pump_packet *packets, size_t count,
		uint64_t now_ns)
{
	struct look_up look_ups[LOOK_UPS];

	set_time(pump, now_ns);
	if (pump->sparing.host)
		pump_spare(pump);
	for (size_t i = 0; i < count + 4 * AHEAD; i++) {
		if (i < count)
			look_up(pump, &packets[i], &look_ups[i % LOOK_UPS]);
		if (i - AHEAD < count)
			look_up_flow(pump, &look_ups[(i - AHEAD) % LOOK_UPS]);
		if (i - 2 * AHEAD < count)
			look_up_pair(pump,
				     &look_ups[(i - 2 * AHEAD) % LOOK_UPS]);
		if (i - 3 * AHEAD < count)
			look_up_host(pump,
				     &look_ups[(i - 3 * AHEAD) % LOOK_UPS]);
		if (i - 4 * AHEAD < count)
			packets[i - 4 * AHEAD].verdict = (uint8_t)offer_one(
				pump, &packets[i - 4 * AHEAD],
				&look_ups[(i - 4 * AHEAD) % LOOK_UPS]);
	}
	pump_tell(pump);
}

/* ------ what was set aside comes back */

static enum pump_verdict hold_out(struct pump *pump, struct pump_packet *packet,
				  const struct look_up *found)
{
	struct engine_place place;
	struct pump_asked asked;
	bool follows;
	uint32_t rest;
	uint8_t flags = 0;

	engine_place(&pump->engine, &found->key, found->hash, FLOWTABLE_NONE,
		     FLOW_OUT, pump->now_ns, &place);
	learn_segment(packet, &place, FLOW_OUT);
	follows = pump_follows(pump, &place, PUMP_RESTING);
	if (pump_is_exempt(pump, &place, &found->key) && !follows) {
		pass_exempt(pump, &place, 1, FLOW_OUT);
		return PUMP_PASS;
	}
	if (!follows && pump_ask(pump, &place, 1, &asked)) {
		note_offered(pump, &place, 1);
		pump_sent(pump, &place, &asked, 1);
		return PUMP_PASS;
	}
	if (found->onward && packet->shard == PUMP_HERE)
		flags = TOKEN_ONWARD;
	rest = pump_rest(pump, &place);
	if (!pump_holds(pump))
		return shadow(pump, &place, rest, &found->key, packet, 1,
			      false);
	note_offered(pump, &place, 1);
	return pump_enqueue(pump, &place, rest, &found->key, packet, 1, flags);
}

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
		verdict = hold_out(pump, packet, &found);
		if (verdict == PUMP_PASS && found.onward &&
		    packet->shard == PUMP_HERE)
			tell_receiver(pump, packet, 1);
		break;
	case LOOK_UP_IN:
		verdict = offer_in(pump, packet, &found.key, found.hash,
				   FLOWTABLE_NONE, 1, false);
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
	       first->at_ns <= pump->now_ns)
		pump_stir(pump, first->id);
	pump_tell(pump);
	if (pump->upkeep_ns <= pump->now_ns)
		pump_upkeep(pump);
}
