/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_twin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "flowtable/packet.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "tests/fast_twin_state.h"

#define MARK              UINT32_C(0xab5f00ff) /* somebody else's bits, and a lie */
#define SWEEP_NS          UINT64_C(20000000) /* as the daemon does */
#define GATE_REMEMBERS_NS UINT64_C(10000000000)
#define END_NS            UINT64_C(600000000000)

/* ------ life */

static void side_init(struct twin_side *side, const struct twin_config *config)
{
	static const uint8_t SEED[16] = { 3 };
	struct pump_config pump = { .policy = config->policy,
				    .shards = 1,
				    .lift_bounds = config->exact };

	side->zones = zones_new();
	assert(side->zones &&
	       zones_id(side->zones, config->policy, "lan0", 0) == 0 &&
	       zones_id(side->zones, config->policy, "lan1", 0) == 1);
	pump.zones = side->zones;
	side->pump = pump_new(&pump, config->begin_ns);
	side->fragments = fragments_new(4096, SEED);
	assert(side->pump && side->fragments);
}

static void side_fini(struct twin_side *side)
{
	fragments_free(side->fragments);
	pump_free(side->pump);
	zones_free(side->zones);
}

struct twin *twin_new(const struct twin_config *config)
{
	struct twin *twin = calloc(1, sizeof(*twin));

	assert(twin != NULL);
	twin->config = *config;
	twin->now_ns = config->begin_ns;
	twin->window_ns = config->policy->params[0].window_ns;
	twin->longest_ns = (uint64_t)fast_span(twin->window_ns)
			   << FAST_SPAN_SHIFT;
	twin->longest_ns *= FAST_SPANS + 1;
	for (int i = 0; i < SIDES; i++)
		side_init(&twin->sides[i], config);
	twin->slots = fast_slots(config->fast, &twin->slots_count);
	memset(twin->slots, 0,
	       FAST_ELEMENTS * twin->slots_count * sizeof(*twin->slots));
	fast_hash_key(config->fast, &twin->k0, &twin->k1);
	twin->leases = fastleases_new(twin->slots, twin->slots_count, twin->k0,
				      twin->k1);
	assert(twin->leases != NULL);
	twin->ledger = ledger_new();
	return twin;
}

void twin_free(struct twin *twin)
{
	fastleases_free(twin->leases);
	ledger_free(twin->ledger);
	free(twin->waiting);
	for (int i = 0; i < SIDES; i++)
		side_fini(&twin->sides[i]);
	free(twin);
}

const struct twin_results *twin_results(const struct twin *twin)
{
	return &twin->results;
}

static uint64_t await(struct twin *twin, struct ledger_key *const keys[2])
{
	if (twin->waiting_count == twin->waiting_capacity) {
		twin->waiting_capacity = twin->waiting_capacity * 2 + 1024;
		twin->waiting =
			realloc(twin->waiting, twin->waiting_capacity *
						       sizeof(*twin->waiting));
		assert(twin->waiting != NULL);
	}
	twin->waiting[twin->waiting_count] =
		(struct twin_waiting){ .flow = keys[0], .pair = keys[1] };
	return twin->waiting_count++;
}

/* ------ one packet */

struct offer {
	struct twin *twin;
	const struct twin_frame *frame;
	struct ledger_key *keys[2]; /* flow, pair */
	uint64_t id;                /* of its first segment */
	uint32_t waits[SIDES], goes[SIDES], replies[SIDES];
	bool unicast, told;
	struct twin_before before[2];
};

/* As the daemon reads it.  false: nothing in it that could be judged. */
static bool read_frame(struct twin *twin, int which,
		       const struct twin_bytes *bytes, uint32_t wire_bytes,
		       const struct twin_frame *frame,
		       struct pump_packet *ret_packet)
{
	struct pump_packet packet = { .wire_pkts = 1,
				      .shard = PUMP_HERE,
				      .src_zone = frame->zone,
				      .dst_zone = frame->zone,
				      .arrived_ns = twin->now_ns };
	bool out = frame->out;

	packet_parse_ethernet(bytes->bytes, bytes->count, wire_bytes,
			      &packet.meta);
	packet.ends = (uint8_t)(out ? PUMP_ENDS_SRC : PUMP_ENDS_DST);
	if (packet.meta.ethertype == 0 ||
	    packet.meta.kind == PACKET_NEIGHBOUR || packet.meta.vlan[0])
		return false;
	if (packet.meta.fragment != PACKET_WHOLE)
		fragments_resolve(twin->sides[which].fragments, &packet.meta,
				  out ? FLOW_OUT : FLOW_IN, frame->zone,
				  twin->now_ns);
	*ret_packet = packet;
	return true;
}

static void take_one(struct offer *offer, int which, struct pump_packet *packet,
		     uint64_t id)
{
	packet->id = id;
	pump_take(offer->twin->sides[which].pump, packet, 1);
	offer->goes[which] += packet->verdict == PUMP_PASS;
	offer->waits[which] += packet->verdict == PUMP_WAIT;
	offer->replies[which] += packet->replies;
	if (packet->verdict == PUMP_PASS)
		offer->twin->waiting[id].left_ns[which] = offer->twin->now_ns;
}

/* What the daemon would take apart. */
static void take_segments(struct offer *offer, int which)
{
	const struct twin_frame *frame = offer->frame;
	struct pump_packet packet;

	for (uint32_t i = 0; i < frame->wire_pkts; i++)
		if (read_frame(offer->twin, which, &frame->segments[i],
			       frame->segments[i].count, frame, &packet))
			take_one(offer, which, &packet, offer->id + i);
	twin_collect(offer->twin, which);
}

static void note(struct offer *offer, uint32_t mark)
{
	struct twin *twin = offer->twin;

	if (offer->unicast)
		fastleases_note(twin->leases, twin->sides[FRONT].pump,
				&offer->keys[0]->key, mark, twin->now_ns);
}

static void on_event(void *self, const struct fast_event *event)
{
	struct twin_bytes bytes = { event->bytes, event->captured_bytes };
	struct offer *offer = self;
	struct pump_packet packet;

	assert(!offer->frame->out && !offer->told);
	offer->told = true;
	if (!read_frame(offer->twin, FRONT, &bytes, event->wire_bytes,
			offer->frame, &packet))
		return;
	note(offer, FASTLEASES_MARK_NONE);
	packet.super_packet = event->wire_pkts != 1;
	packet.wire_pkts = (uint16_t)(event->wire_pkts ? event->wire_pkts : 1);
	take_one(offer, FRONT, &packet, offer->id);
	twin_collect(offer->twin, FRONT);
}

static void through_program(struct offer *offer)
{
	struct twin *twin = offer->twin;
	const struct twin_frame *frame = offer->frame;
	struct fast_frame in = { .bytes = frame->whole.bytes,
				 .count_bytes = frame->whole.count,
				 .gso_size = frame->gso_bytes,
				 .gso_segs = frame->gso_segs,
				 .mark = MARK,
				 .out = frame->out };
	uint32_t mark = 0;

	fast_set_time(twin->config.fast, twin->now_ns);
	fast_set_test_zone(twin->config.fast, frame->zone);
	assert(fast_run(twin->config.fast, &in, &mark) == 0);
	/* Bits that are not ours stay; packets in keep all of them. */
	assert(frame->out ? (mark & ~TWIN_MARK_MASK) == (MARK & ~TWIN_MARK_MASK)
			  : mark == MARK);
	mark = fast_mark(twin->config.fast, mark);
	fast_receive(twin->config.fast, on_event, offer);
	if (!frame->out) {
		twin->results.counted += !offer->told * frame->wire_pkts;
		return;
	}
	if (mark == FAST_MARK_PASSED) {
		offer->goes[FRONT] = frame->wire_pkts;
		twin->results.passed += frame->wire_pkts;
		return;
	}
	note(offer, mark);
	take_segments(offer, FRONT);
	if (offer->unicast && offer->goes[FRONT] == frame->wire_pkts)
		fastleases_offer(twin->leases, twin->sides[FRONT].pump,
				 &offer->keys[0]->key, twin->now_ns);
}

/* What a pair may send over its threshold depends on what it sent so. */
static bool has_purse(const struct policy *policy)
{
	return policy->evidence == POLICY_EVIDENCE_CONSENT &&
	       (policy->credit.floor_pkts || policy->credit.patience_pkts ||
		policy->credit.earned_pkts);
}

static bool is_alike(const struct twin_counts counts[SIDES])
{
	return counts[ALONE].sent_pkts == counts[FRONT].sent_pkts &&
	       counts[ALONE].heard_pkts == counts[FRONT].heard_pkts;
}

/* Where they may differ: with the program before it, what came is forgotten up
 * to W/14 late, and gates remember for how long they were closed. */
static bool is_explained(const struct offer *offer)
{
	const struct twin *twin = offer->twin;

	for (int i = 0; i < 2; i++) {
		const struct ledger_key *key = offer->keys[i];
		const struct twin_counts *counts = offer->before[i].counts;
		uint64_t until_ns = key->unlike_ns + 2 * twin->longest_ns +
				    GATE_REMEMBERS_NS;

		if (key->apart)
			return true;
		if (!key->leased)
			continue;
		if (has_purse(twin->config.policy) || !is_alike(counts) ||
		    (key->unlike_ns > 0 && twin->now_ns <= until_ns))
			return true;
	}
	return false;
}

static void compare_verdicts(struct offer *offer)
{
	struct twin_results *results = &offer->twin->results;
	const uint32_t *goes = offer->goes, *waits = offer->waits;

	results->held += offer->frame->wire_pkts - goes[FRONT];
	results->held_alone += offer->frame->wire_pkts - goes[ALONE];
	if (goes[FRONT] == goes[ALONE] && waits[FRONT] == waits[ALONE])
		return;
	results->unexplained += !is_explained(offer);
	if (goes[FRONT] > goes[ALONE] ||
	    (goes[FRONT] == goes[ALONE] && waits[FRONT] > waits[ALONE]))
		results->laxer++;
	else
		results->stricter++;
	for (int i = 0; i < 2; i++)
		twin_set_apart(offer->twin, offer->keys[i]);
}

static bool begin_offer(struct twin *twin, const struct twin_frame *frame,
			struct offer *ret)
{
	struct pump_packet packet;
	struct flow_key key = { 0 };

	*ret = (struct offer){ .twin = twin, .frame = frame };
	if (!read_frame(twin, ALONE, &frame->segments[0],
			frame->segments[0].count, frame, &packet))
		return false;
	ret->unicast = packet.meta.kind == PACKET_UNICAST;
	flow_key_of(&packet.meta, frame->out ? FLOW_OUT : FLOW_IN, frame->zone,
		    &key);
	ret->keys[0] = ledger_find(twin->ledger, &key);
	flow_key_widen(&key, FLOW_SCOPE_PAIR, &key);
	ret->keys[1] = ledger_find(twin->ledger, &key);
	ret->id = await(twin, ret->keys);
	for (uint32_t i = 1; i < frame->wire_pkts; i++)
		await(twin, ret->keys);
	return true;
}

void twin_offer(struct twin *twin, const struct twin_frame *frame,
		uint64_t now_ns)
{
	struct offer offer;
	size_t released;

	assert(now_ns >= twin->now_ns);
	twin_run_until(twin, now_ns);
	if (now_ns >= twin->sweep_ns) {
		fastleases_sweep(twin->leases, twin->sides[FRONT].pump, now_ns);
		twin->sweep_ns = now_ns + SWEEP_NS;
	}
	if (!begin_offer(twin, frame, &offer))
		return;
	for (int i = 0; i < 2; i++)
		twin_count_before(twin, offer.keys[i], &offer.before[i]);
	offer.keys[0]->leased |= offer.keys[1]->leased;
	released = twin->released_count;
	take_segments(&offer, ALONE);
	through_program(&offer);
	twin_compare_released(twin, released);
	if (frame->out)
		compare_verdicts(&offer);
	*(frame->out ? &twin->results.out : &twin->results.in) +=
		frame->wire_pkts;
	for (int i = 0; i < 2 && twin->config.exact; i++) {
		offer.before[i].out = frame->out;
		offer.before[i].went_pkts = frame->out ? offer.goes[FRONT] : 0;
		offer.before[i].replies = offer.replies[FRONT];
		twin_count_added(twin, offer.keys[i], &offer.before[i]);
		twin_compare(twin, offer.keys[i]);
	}
}

/* ------ the end */

void twin_end(struct twin *twin)
{
	uint64_t step_ns = twin->longest_ns / (2 * (FAST_SPANS + 1));

	for (int i = 0; i < 2 * FAST_SPANS + 4 && twin->config.exact; i++) {
		twin_run_until(twin, twin->now_ns + step_ns);
		twin_compare_all(twin);
	}
	twin_run_until(twin, twin->now_ns + END_NS);
	if (twin->config.exact)
		twin_compare_totals(twin);
}

void twin_add_results(struct twin_results *sum, const struct twin_results *more)
{
	sum->out += more->out;
	sum->in += more->in;
	sum->passed += more->passed;
	sum->counted += more->counted;
	sum->held += more->held;
	sum->held_alone += more->held_alone;
	sum->stricter += more->stricter;
	sum->laxer += more->laxer;
	sum->compared += more->compared;
	sum->outside += more->outside;
	sum->unexplained += more->unexplained;
	sum->worth += more->worth;
	sum->unequal += more->unequal;
	sum->misread += more->misread;
	sum->apart += more->apart;
	sum->totals += more->totals;
	if (more->most_more > sum->most_more)
		sum->most_more = more->most_more;
	if (more->apart_ns > sum->apart_ns)
		sum->apart_ns = more->apart_ns;
}
