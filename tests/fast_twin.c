/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_twin.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "flowtable/packet.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/pump_state.h"
#include "tests/fast_ledger.h"

enum { ALONE, FRONT, SIDES, SAID_MAX = 20, RELEASED = 1 << 20 };

#define SWEEP_NS UINT64_C(20000000) /* as the daemon does */
#define END_NS   UINT64_C(600000000000)

struct side {
	struct zones *zones;
	struct pump *pump;
	struct fragments *fragments;
};

/* What waits: whose it is, and when either side let it go. */
struct waiting {
	struct ledger_key *flow, *pair;
	uint64_t left_ns[SIDES]; /* 0: not yet */
};

struct counts {
	uint32_t sent_pkts, heard_pkts;
	bool known; /* there is a place for it */
};

struct twin {
	struct twin_config config;
	struct side sides[SIDES];
	struct fastleases *leases;
	struct fast_slot *slots;
	uint32_t slots_count;
	uint64_t k0, k1;
	struct ledger *ledger;
	struct waiting *waiting; /* by id */
	size_t waiting_count, waiting_capacity;
	uint64_t released[RELEASED]; /* ids, the last ones */
	size_t released_count;
	uint64_t now_ns, sweep_ns;
	uint64_t window_ns, longest_ns;
	uint32_t said;
	struct twin_results results;
};

/* ------ life */

static void side_init(struct side *side, const struct twin_config *config)
{
	static const uint8_t SEED[16] = { 3 };
	struct pump_config pump = { .policy = config->policy,
				    .shards = 1,
				    .lift_bounds = config->exact };

	side->zones = zones_new();
	assert(side->zones &&
	       zones_id(side->zones, config->policy, "lan0", 0) == 0);
	pump.zones = side->zones;
	side->pump = pump_new(&pump, config->begin_ns);
	side->fragments = fragments_new(4096, SEED);
	assert(side->pump && side->fragments);
}

static void side_fini(struct side *side)
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
	twin->longest_ns *= FAST_BUCKETS;
	for (int i = 0; i < SIDES; i++)
		side_init(&twin->sides[i], config);
	twin->slots = fast_slots(config->fast, &twin->slots_count);
	memset(twin->slots, 0, twin->slots_count * sizeof(*twin->slots));
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

/* ------ counts */

static struct fast_slot *slot_of(const struct twin *twin,
				 const struct flow_key *key)
{
	uint32_t at = (uint32_t)fast_hash(twin->k0, twin->k1, key);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		struct fast_slot *slot =
			&twin->slots[(at + i) & (twin->slots_count - 1)];

		if (slot->span_64ns && fast_key_equal(&slot->key, key))
			return slot;
		if (!slot->passed_on)
			break;
	}
	return NULL;
}

/* NULL: it is not the program's. */
static struct fast_slot *leased(const struct twin *twin,
				const struct flow_key *key)
{
	struct flow_key of_pair;
	struct fast_slot *pair;

	flow_key_widen(key, FLOW_SCOPE_PAIR, &of_pair);
	pair = slot_of(twin, &of_pair);
	return pair && pair->state & FAST_IN_KERNEL ? slot_of(twin, key) : NULL;
}

static bool is_known(const struct twin *twin, int which,
		     const struct flow_key *key)
{
	return (which == FRONT && leased(twin, key)) ||
	       pump_entry_of(twin->sides[which].pump, key,
			     (enum flow_scope)key->scope);
}

static struct counts counts_of(struct twin *twin, int which,
			       const struct flow_key *key)
{
	struct pump *pump = twin->sides[which].pump;
	struct fast_slot *slot = which == FRONT ? leased(twin, key) : NULL;
	struct counts counts = { 0 };
	struct flow_entry *entry;

	if (slot != NULL) {
		fast_sums(slot, fast_number(slot->span_64ns, twin->now_ns),
			  &counts.sent_pkts, &counts.heard_pkts);
		counts.known = true;
		return counts;
	}
	entry = pump_entry_of(pump, key, (enum flow_scope)key->scope);
	if (entry == NULL)
		return counts;
	engine_refresh(&pump->engine, entry);
	engine_sums(&pump->engine, entry, twin->now_ns, &counts.sent_pkts,
		    &counts.heard_pkts);
	counts.known = true;
	return counts;
}

static void complain(struct twin *twin, const char *what,
		     const struct ledger_key *key, const struct counts *low,
		     const struct counts *is, const struct counts *high)
{
	const uint8_t *a = key->key.inside, *b = key->key.outside;

	if (twin->said++ >= SAID_MAX)
		return;
	printf("  %s: %s %u.%u.%u.%u:%u %u.%u.%u.%u:%u/%u at %llu: sent, heard "
	       "%u, %u not in %u, %u .. %u, %u\n",
	       what, flow_scope_name((enum flow_scope)key->key.scope), a[12],
	       a[13], a[14], a[15], key->key.inside_port, b[12], b[13], b[14],
	       b[15], key->key.outside_port, key->key.proto,
	       (unsigned long long)(twin->now_ns - twin->config.begin_ns),
	       is->sent_pkts, is->heard_pkts, low->sent_pkts, low->heard_pkts,
	       high->sent_pkts, high->heard_pkts);
}

static bool is_within(const struct counts *low, const struct counts *is,
		      const struct counts *high)
{
	return low->sent_pkts <= is->sent_pkts &&
	       is->sent_pkts <= high->sent_pkts &&
	       low->heard_pkts <= is->heard_pkts &&
	       is->heard_pkts <= high->heard_pkts;
}

static void note_more(struct twin *twin, const struct counts *alone,
		      const struct counts *front)
{
	uint32_t sent = front->sent_pkts - alone->sent_pkts;
	uint32_t heard = front->heard_pkts - alone->heard_pkts;
	uint32_t most = sent > heard ? sent : heard;

	if (most > twin->results.most_more)
		twin->results.most_more = most;
}

static void compare(struct twin *twin, struct ledger_key *key)
{
	struct counts alone = counts_of(twin, ALONE, &key->key);
	struct counts front = counts_of(twin, FRONT, &key->key);
	struct counts low, high;

	ledger_forget(key, twin->longest_ns, twin->now_ns);
	if (!alone.known || !front.known)
		return;
	ledger_sums(key, twin->window_ns, twin->now_ns, &low.sent_pkts,
		    &low.heard_pkts);
	ledger_sums(key, twin->longest_ns, twin->now_ns, &high.sent_pkts,
		    &high.heard_pkts);
	twin->results.compared++;
	if (!is_within(&low, &front, &high)) {
		twin->results.outside++;
		complain(twin, "outside", key, &low, &front, &high);
	}
	if (key->apart)
		return;
	if (!is_within(&low, &alone, &low)) {
		twin->results.misread++;
		complain(twin, "alone", key, &low, &alone, &low);
	}
	note_more(twin, &low, &front);
}

static void compare_all(struct twin *twin)
{
	struct ledger_key *key;
	size_t position = 0;

	while ((key = ledger_next(twin->ledger, &position)) != NULL)
		compare(twin, key);
}

/* ------ what waited */

static void set_apart(struct twin *twin, const struct waiting *waiting)
{
	struct ledger_key *keys[] = { waiting->flow, waiting->pair };
	uint64_t alone_ns = waiting->left_ns[ALONE];
	uint64_t front_ns = waiting->left_ns[FRONT];
	uint64_t apart_ns = alone_ns > front_ns ? alone_ns - front_ns
						: front_ns - alone_ns;

	if (apart_ns == 0)
		return;
	for (int i = 0; i < 2; i++) {
		twin->results.apart += !keys[i]->apart;
		keys[i]->apart = true;
	}
	if (alone_ns && front_ns && apart_ns > twin->results.apart_ns)
		twin->results.apart_ns = apart_ns;
}

static void leave(struct twin *twin, int which, uint64_t id, uint64_t left_ns)
{
	struct waiting *waiting = &twin->waiting[id];
	struct ledger_key *keys[] = { waiting->flow, waiting->pair };

	assert(waiting->left_ns[which] == 0);
	waiting->left_ns[which] = left_ns;
	for (int i = 0; i < 2; i++) {
		keys[i]->late_pkts[which]++;
		if (which == FRONT && is_known(twin, FRONT, &keys[i]->key))
			ledger_add(keys[i], 1, 0, left_ns);
	}
	twin->released[twin->released_count++ % RELEASED] = id;
}

static void collect(struct twin *twin, int which)
{
	struct pump_release releases[64];
	size_t count;

	while ((count = pump_collect(twin->sides[which].pump, releases, 64)) >
	       0)
		for (size_t i = 0; i < count; i++)
			if (releases[i].verdict == PUMP_PASS)
				leave(twin, which, releases[i].id,
				      releases[i].left_ns);
}

static void run_side(struct twin *twin, int which, uint64_t now_ns)
{
	struct pump *pump = twin->sides[which].pump;
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(pump)) <= now_ns) {
		pump_advance(pump, next_ns);
		collect(twin, which);
	}
	collect(twin, which);
}

/* Both to the same moment, then what either let go meanwhile is compared. */
static void run_until(struct twin *twin, uint64_t now_ns)
{
	size_t from = twin->released_count;

	run_side(twin, ALONE, now_ns);
	run_side(twin, FRONT, now_ns);
	twin->now_ns = now_ns;
	assert(twin->released_count - from <= RELEASED);
	for (; from < twin->released_count; from++)
		set_apart(twin,
			  &twin->waiting[twin->released[from % RELEASED]]);
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
		(struct waiting){ .flow = keys[0], .pair = keys[1] };
	return twin->waiting_count++;
}

/* ------ one packet */

struct offer {
	struct twin *twin;
	const struct twin_frame *frame;
	struct ledger_key *keys[2]; /* flow, pair */
	uint64_t id;                /* of its first segment */
	uint32_t waits[SIDES], goes[SIDES];
	bool unicast, told;
};

/* As the daemon reads it.  false: nothing in it that could be judged. */
static bool read_frame(struct twin *twin, int which,
		       const struct twin_bytes *frame, uint32_t wire_bytes,
		       bool out, struct pump_packet *ret_packet)
{
	struct pump_packet packet = { .wire_pkts = 1,
				      .shard = PUMP_HERE,
				      .arrived_ns = twin->now_ns };

	packet_parse_ethernet(frame->bytes, frame->count, wire_bytes,
			      &packet.meta);
	packet.ends = (uint8_t)(out ? PUMP_ENDS_SRC : PUMP_ENDS_DST);
	if (packet.meta.ethertype == 0 ||
	    packet.meta.kind == PACKET_NEIGHBOUR || packet.meta.vlan[0])
		return false;
	if (packet.meta.fragment != PACKET_WHOLE)
		fragments_resolve(twin->sides[which].fragments, &packet.meta,
				  out ? FLOW_OUT : FLOW_IN, 0, twin->now_ns);
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
			       frame->segments[i].count, frame->out, &packet))
			take_one(offer, which, &packet, offer->id + i);
	collect(offer->twin, which);
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
	if (!read_frame(offer->twin, FRONT, &bytes, event->wire_bytes, false,
			&packet))
		return;
	note(offer, FASTLEASES_MARK_NONE);
	packet.super_packet = event->wire_pkts != 1;
	packet.wire_pkts = (uint16_t)(event->wire_pkts ? event->wire_pkts : 1);
	take_one(offer, FRONT, &packet, offer->id);
	collect(offer->twin, FRONT);
}

static void through_program(struct offer *offer)
{
	struct twin *twin = offer->twin;
	const struct twin_frame *frame = offer->frame;
	struct fast_frame in = { .bytes = frame->whole.bytes,
				 .count_bytes = frame->whole.count,
				 .gso_size = frame->gso_bytes,
				 .gso_segs = frame->gso_segs,
				 .out = frame->out };
	uint32_t mark = 0;

	fast_set_time(twin->config.fast, twin->now_ns);
	assert(fast_run(twin->config.fast, &in, &mark) == 0);
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

static void compare_verdicts(struct offer *offer)
{
	struct twin_results *results = &offer->twin->results;
	const uint32_t *goes = offer->goes, *waits = offer->waits;

	results->held += offer->frame->wire_pkts - goes[FRONT];
	results->held_alone += offer->frame->wire_pkts - goes[ALONE];
	if (goes[FRONT] == goes[ALONE] && waits[FRONT] == waits[ALONE])
		return;
	if (goes[FRONT] > goes[ALONE] ||
	    (goes[FRONT] == goes[ALONE] && waits[FRONT] > waits[ALONE]))
		results->laxer++;
	else
		results->stricter++;
	for (int i = 0; i < 2; i++) {
		results->apart += !offer->keys[i]->apart;
		offer->keys[i]->apart = true;
	}
}

struct before {
	struct counts counts[SIDES];
	uint64_t late_pkts[SIDES]; /* let go in the meantime, too */
};

static void count_before(struct twin *twin, const struct ledger_key *key,
			 struct before *ret)
{
	for (int which = 0; which < SIDES; which++) {
		ret->counts[which] = counts_of(twin, which, &key->key);
		ret->late_pkts[which] = key->late_pkts[which];
	}
}

/* What this packet itself added. */
static void count_added(struct twin *twin, struct ledger_key *key,
			const struct before *before)
{
	struct counts added[SIDES];

	for (int i = 0; i < SIDES; i++) {
		added[i] = counts_of(twin, i, &key->key);
		added[i].sent_pkts -=
			before->counts[i].sent_pkts +
			(uint32_t)(key->late_pkts[i] - before->late_pkts[i]);
		added[i].heard_pkts -= before->counts[i].heard_pkts;
		key->sent_pkts[i] += added[i].sent_pkts;
		key->heard_pkts[i] += added[i].heard_pkts;
	}
	if (!is_within(&added[ALONE], &added[FRONT], &added[ALONE]) &&
	    !key->apart) {
		twin->results.unequal++;
		complain(twin, "adds", key, &added[ALONE], &added[FRONT],
			 &added[ALONE]);
	}
	ledger_add(key, added[FRONT].sent_pkts, added[FRONT].heard_pkts,
		   twin->now_ns);
}

static bool begin_offer(struct twin *twin, const struct twin_frame *frame,
			struct offer *ret)
{
	struct pump_packet packet;
	struct flow_key key = { 0 };

	*ret = (struct offer){ .twin = twin, .frame = frame };
	if (!read_frame(twin, ALONE, &frame->segments[0],
			frame->segments[0].count, frame->out, &packet))
		return false;
	ret->unicast = packet.meta.kind == PACKET_UNICAST;
	flow_key_of(&packet.meta, frame->out ? FLOW_OUT : FLOW_IN, 0, &key);
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
	struct before before[2];
	struct offer offer;

	assert(now_ns >= twin->now_ns);
	run_until(twin, now_ns);
	if (now_ns >= twin->sweep_ns) {
		fastleases_sweep(twin->leases, twin->sides[FRONT].pump, now_ns);
		twin->sweep_ns = now_ns + SWEEP_NS;
	}
	if (!begin_offer(twin, frame, &offer))
		return;
	for (int i = 0; i < 2; i++)
		count_before(twin, offer.keys[i], &before[i]);
	take_segments(&offer, ALONE);
	through_program(&offer);
	if (frame->out)
		compare_verdicts(&offer);
	*(frame->out ? &twin->results.out : &twin->results.in) +=
		frame->wire_pkts;
	for (int i = 0; i < 2 && twin->config.exact; i++) {
		count_added(twin, offer.keys[i], &before[i]);
		compare(twin, offer.keys[i]);
	}
}

/* ------ the end */

static void compare_totals(struct twin *twin)
{
	struct ledger_key *key;
	size_t position = 0;

	while ((key = ledger_next(twin->ledger, &position)) != NULL) {
		uint64_t sent[SIDES];

		for (int i = 0; i < SIDES; i++)
			sent[i] = key->sent_pkts[i] + key->late_pkts[i];
		if (sent[ALONE] == sent[FRONT] &&
		    key->heard_pkts[ALONE] == key->heard_pkts[FRONT])
			continue;
		twin->results.totals++;
		if (twin->said++ < SAID_MAX)
			printf("  %s: ever sent %llu, %llu, heard %llu, %llu\n",
			       flow_scope_name((enum flow_scope)key->key.scope),
			       (unsigned long long)sent[ALONE],
			       (unsigned long long)sent[FRONT],
			       (unsigned long long)key->heard_pkts[ALONE],
			       (unsigned long long)key->heard_pkts[FRONT]);
	}
}

void twin_end(struct twin *twin)
{
	uint64_t step_ns = twin->longest_ns / (2 * FAST_BUCKETS);

	for (int i = 0; i < 2 * FAST_BUCKETS + 2 && twin->config.exact; i++) {
		run_until(twin, twin->now_ns + step_ns);
		compare_all(twin);
	}
	run_until(twin, twin->now_ns + END_NS);
	if (twin->config.exact)
		compare_totals(twin);
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
	sum->unequal += more->unequal;
	sum->misread += more->misread;
	sum->apart += more->apart;
	sum->totals += more->totals;
	if (more->most_more > sum->most_more)
		sum->most_more = more->most_more;
	if (more->apart_ns > sum->apart_ns)
		sum->apart_ns = more->apart_ns;
}
