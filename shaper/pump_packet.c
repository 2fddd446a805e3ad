/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet and its keys: may it go, is it set aside, what does it tell? */
#include "policy/policy.h"
#include "shaper/pump_state.h"

enum { PROTO_TCP = 6 };

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

	pump_probe_ends(pump);
	while (pump->marks_count > 0) {
		const struct pump_mark *last =
			&pump->marks[--pump->marks_count];
		struct flow_entry *entry = flowtable_entry(
			&engine->tables[last->scope], last->slot);

		entry->flags &=
			(uint8_t) ~(FLOW_ENTRY_ASIDE | FLOW_ENTRY_ASIDE_IN);
		if (!entry->suspect)
			continue;
		suspects_get(&engine->suspects, entry->suspect)->aside_pkts = 0;
		/* Refused for more than there was in the end? */
		pump_unrefuse(pump, entry->suspect);
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
	uint8_t flags = TOKEN_GHOST;

	if (may_set_aside && pump_follows(pump, place, PUMP_ASIDE))
		return PUMP_WAIT;
	if (pump_is_connection(pump, &packet->meta, place->flow))
		flags |= TOKEN_CONNECTION;
	note_offered(pump, place, wire_pkts);
	pump_enqueue(pump, place, rest, key, packet, wire_pkts, flags);
	return PUMP_PASS;
}

static void note_by(struct suspect *rest, uint8_t by,
		    struct pump_packet *packet)
{
	if (by != PUMP_BYS)
		rest->by = by;
	packet->by = rest->by;
}

/* It may not go, because of `by`; PUMP_BYS: of what waits before it. */
static enum pump_verdict make_wait(struct pump *pump,
				   const struct engine_place *place,
				   const struct flow_key *key,
				   struct pump_packet *packet,
				   uint32_t wire_pkts, uint8_t by)
{
	uint32_t id = pump_rest(pump, place);
	struct suspect *rest = suspects_get(&pump->engine.suspects, id);
	uint32_t slots = pump_slots_of(pump, place->host_slot, &packet->meta);

	note_by(rest, by, packet);
	packet->asked = by != PUMP_BYS;
	if (!pump_holds(pump))
		return shadow(pump, place, id, key, packet, wire_pkts, true);
	if (pump_slots_are_full(pump, rest, slots)) {
		pump->engine.stats.counter[STATS_shed_key_pkts] += wire_pkts;
		note_offered(pump, place, wire_pkts);
		return PUMP_DROP;
	}
	if (pump_key_is_full(pump, rest, slots) &&
	    pump->engine.policy->limits.at_bound == POLICY_BOUND_DROP) {
		pump->engine.stats.counter[STATS_dropped_key_bound] +=
			wire_pkts;
		note_offered(pump, place, wire_pkts);
		pump_refuse(pump, id);
		return PUMP_DROP;
	}
	if (!set_aside_for(pump, place, rest, wire_pkts)) {
		pump->engine.stats.counter[STATS_dropped_bound] += wire_pkts;
		note_offered(pump, place, wire_pkts);
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

	if (place->flow) {
		may = set_aside(pump, place->flow, direction);
		if (may)
			pump_probe_begins(pump, place, direction);
	} else {
		may = direction == FLOW_OUT &&
		      set_aside_for(pump, place,
				    suspects_get(&pump->engine.suspects,
						 pump_rest(pump, place)),
				    1);
	}
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

/*
 * Is it no consent (enum evidence_refusal)?  A connection that is opened is
 * consented to by who answers, but not before its own side goes on: until then
 * the answer may have been drawn by a scan or a flood.
 */
static enum evidence_refusal refusal_of(const struct pump *pump,
					const struct pump_packet *packet,
					struct flow_entry *flow)
{
	enum evidence_refusal refusal;

	if (packet->meta.ends.proto != PROTO_TCP ||
	    pump->engine.policy->evidence != POLICY_EVIDENCE_CONSENT)
		return EVIDENCE_COUNTS;
	refusal = evidence_refuses(packet->meta.tcp_flags);
	if (refusal == EVIDENCE_UNFINISHED && !flow)
		return EVIDENCE_COUNTS;
	if (refusal == EVIDENCE_UNFINISHED)
		flow->flags |= FLOW_ENTRY_ACCEPTED;
	return refusal;
}

/* For whoever asks why what came in does not count. */
static void note_refused(struct pump *pump, const struct engine_place *place,
			 enum evidence_refusal refusal, uint32_t wire_pkts)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	pump->engine.stats
		.counter[refusal == EVIDENCE_RESET ? STATS_refused_rst
						   : STATS_refused_syn_ack] +=
		wire_pkts;
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (entries[scope] && entries[scope]->suspect)
			suspects_get(&pump->engine.suspects,
				     entries[scope]->suspect)
				->refused_pkts[refusal] += wire_pkts;
}

/* One SYN-ACK counts after all. */
static void forgive(struct pump *pump, const struct engine_place *place)
{
	struct flow_entry *entries[] = { place->flow, place->pair,
					 place->host };

	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		struct suspect *suspect;

		if (!entries[scope] || !entries[scope]->suspect)
			continue;
		suspect = suspects_get(&pump->engine.suspects,
				       entries[scope]->suspect);
		if (suspect->refused_pkts[EVIDENCE_UNFINISHED] > 0)
			suspect->refused_pkts[EVIDENCE_UNFINISHED]--;
	}
}

/* The guarded host goes on with a connection that was accepted: now that
 * counts. */
static void finish_handshake(struct pump *pump,
			     const struct engine_place *place,
			     const struct packet_meta *meta)
{
	if (!(place->flow->flags & FLOW_ENTRY_ACCEPTED) ||
	    !evidence_goes_on(meta->tcp_flags))
		return;
	place->flow->flags &= (uint8_t)~FLOW_ENTRY_ACCEPTED;
	forgive(pump, place);
	pump_heard(pump, place, 1, 0);
}

/* What was heard, in packets: as many as came, or what they stand for. */
static uint32_t replies_of(struct pump *pump, const struct pump_packet *packet,
			   const struct engine_place *place, uint32_t wire_pkts)
{
	struct evidence *evidence = evidence_of(pump, packet, place->flow);
	enum evidence_refusal refusal = refusal_of(pump, packet, place->flow);

	if (refusal != EVIDENCE_COUNTS) {
		note_refused(pump, place, refusal, wire_pkts);
		return 0;
	}
	if (!evidence)
		return wire_pkts;
	return wire_pkts - 1 +
	       evidence_replies(evidence, &packet->meta,
				pump_segment_bytes(place->flow, FLOW_OUT));
}

static enum pump_verdict judge_out(struct pump *pump,
				   const struct engine_place *place,
				   struct pump_packet *packet,
				   const struct flow_key *key,
				   uint32_t *ret_wire_pkts)
{
	uint32_t wire_pkts = pump_wire_pkts(pump, packet, place, FLOW_OUT);
	bool follows = pump_follows(pump, place, PUMP_RESTING | PUMP_ASIDE);
	struct pump_asked asked;

	packet->asked = false;
	if (wire_pkts == 0) {
		if (split(pump, place, FLOW_OUT))
			return PUMP_WAIT;
		wire_pkts = pump_guess_wire_pkts(packet);
	}
	*ret_wire_pkts = wire_pkts;
	if (!packet->super_packet)
		pump_learn_segment(pump, packet, place, FLOW_OUT);
	if (pump_is_exempt(pump, place, key) && !follows) {
		pass_exempt(pump, place, wire_pkts, FLOW_OUT);
		return PUMP_PASS;
	}
	asked.by = PUMP_BYS;
	asked.bytes = pump_wire_bytes(&packet->meta, wire_pkts);
	asked.connection = pump_is_connection(pump, &packet->meta, place->flow);
	if (follows || !pump_ask(pump, place, place, wire_pkts, &asked))
		return make_wait(pump, place, key, packet, wire_pkts, asked.by);
	note_offered(pump, place, wire_pkts);
	pump_sent(pump, place, &asked, wire_pkts);
	return PUMP_PASS;
}

/* Its evidence is noted last: asking may be what makes a place for it, and
 * then this is the first packet whose acknowledgement counts. */
enum pump_verdict pump_offer_out(struct pump *pump, struct pump_packet *packet,
				 const struct flow_key *key, uint64_t hash,
				 uint32_t guess, uint32_t *ret_wire_pkts)
{
	struct engine_place place;
	enum pump_verdict verdict;

	engine_place(&pump->engine, key, hash, guess, FLOW_OUT, pump->now_ns,
		     &place);
	if (place.flow && packet->meta.rtp_ssrc)
		media_sent(&pump->engine.media[engine_slot(&pump->engine,
							   place.flow)],
			   &packet->meta);
	if (place.flow && packet->meta.ends.proto == PROTO_TCP)
		finish_handshake(pump, &place, &packet->meta);
	if (place.flow && packet->meta.ends.proto == PROTO_TCP)
		watch_handshake(pump, &packet->meta, place.flow);
	if (pump->now_ns < pump->engine.meets_until_ns)
		engine_credit_meet(&pump->engine, place.flow, place.pair,
				   &packet->meta, pump->now_ns);
	verdict = judge_out(pump, &place, packet, key, ret_wire_pkts);
	note_evidence(pump, packet, place.flow);
	return verdict;
}

/* ------ in */

enum pump_verdict pump_offer_in(struct pump *pump, struct pump_packet *packet,
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
		wire_pkts = pump_wire_pkts(pump, packet, &place, FLOW_IN);
	if (wire_pkts == 0 && may_split && split(pump, &place, FLOW_IN))
		return PUMP_WAIT;
	if (!packet->super_packet)
		pump_learn_segment(pump, packet, &place, FLOW_IN);
	if (wire_pkts == 0)
		wire_pkts = pump_guess_wire_pkts(packet);
	pump->engine.stats.counter[STATS_in_pkts] += wire_pkts;
	if (packet->meta.tcp_flags & TCP_SYN && place.flow &&
	    place.flow->flags & FLOW_ENTRY_OPENING)
		pump->sides.accepted_ns = pump->now_ns;
	packet->replies = replies_of(pump, packet, &place, wire_pkts);
	if (!(packet->meta.tcp_flags & TCP_RST))
		pump_guards_heard(pump, &place);
	if (pump_is_exempt(pump, &place, key))
		pass_exempt(pump, &place, wire_pkts, FLOW_IN);
	else
		pump_heard(pump, &place, packet->replies, wire_pkts);
	return PUMP_PASS;
}

/* ------ what was set aside comes back */

static enum pump_verdict judge_held(struct pump *pump,
				    const struct engine_place *place,
				    struct pump_packet *packet,
				    const struct flow_key *key, bool onward)
{
	bool follows = pump_follows(pump, place, PUMP_RESTING);
	uint32_t wire_pkts = pump_told_pkts(packet);
	struct pump_asked asked;
	uint32_t rest;
	uint8_t flags = 0;

	if (pump_is_exempt(pump, place, key) && !follows) {
		pass_exempt(pump, place, wire_pkts, FLOW_OUT);
		return PUMP_PASS;
	}
	asked.bytes = packet->meta.length_bytes;
	asked.connection = pump_is_connection(pump, &packet->meta, place->flow);
	if (!follows && pump_ask(pump, place, place, wire_pkts, &asked)) {
		note_offered(pump, place, wire_pkts);
		pump_sent(pump, place, &asked, wire_pkts);
		return PUMP_PASS;
	}
	if (onward && packet->shard == PUMP_HERE)
		flags = TOKEN_ONWARD;
	if (asked.connection)
		flags |= TOKEN_CONNECTION;
	rest = pump_rest(pump, place);
	note_by(suspects_get(&pump->engine.suspects, rest),
		follows ? PUMP_BYS : asked.by, packet);
	if (!pump_holds(pump))
		return shadow(pump, place, rest, key, packet, wire_pkts, false);
	note_offered(pump, place, wire_pkts);
	return pump_enqueue(pump, place, rest, key, packet, wire_pkts, flags);
}

enum pump_verdict pump_hold_out(struct pump *pump, struct pump_packet *packet,
				const struct flow_key *key, uint64_t hash,
				bool onward)
{
	struct engine_place place;
	enum pump_verdict verdict;

	engine_place(&pump->engine, key, hash, FLOWTABLE_NONE, FLOW_OUT,
		     pump->now_ns, &place);
	pump_learn_segment(pump, packet, &place, FLOW_OUT);
	verdict = judge_held(pump, &place, packet, key, onward);
	note_evidence(pump, packet, place.flow);
	return verdict;
}
