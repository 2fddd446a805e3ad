/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_leases.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/pump_lease.h"

enum {
	/* A slot is not used again before each processor has let go of it. */
	REUSE_NS = 10000000,
	SWEEP_SLOTS = 1024,
	EPOCH_NS = 100000000, /* a lost packet is missed for so long */
};
#define IDLE_NS    UINT64_C(10000000000)
#define FORGET_NS  UINT64_C(30000000000)
#define CROWDED_NS UINT64_C(1000000000) /* of both */
#define NO_SLOT    UINT32_MAX

/* What the program need not know of a slot. */
struct record {
	uint64_t free_ns;  /* when it may be used again */
	uint64_t noted_ns; /* pair: the last packet that came here */
	uint64_t seen;     /* pair: of FAST_STEERED */
	uint64_t epoch_ns; /* pair: when this one began */
	uint32_t first;    /* pair: of its flows */
	uint32_t next;     /* flow: of its pair's */
	uint32_t host;     /* in whose share it is: pump_lease_keys() */
	uint16_t flows;
	uint16_t wait_pkts; /* pair: that come before it is leased anew */
	bool leased;        /* pair: as far as we know */
};

struct fastleases {
	struct fast_slot *slots;
	struct record *records;
	uint32_t count;
	uint32_t hand;
	uint64_t k0, k1;
	struct fastleases_stats stats;
};

struct fastleases *fastleases_new(struct fast_slot *slots, uint32_t count,
				  uint64_t k0, uint64_t k1)
{
	struct fastleases *leases = calloc(1, sizeof(*leases));

	if (leases == NULL)
		return NULL;
	*leases = (struct fastleases){
		.slots = slots,
		.records = calloc(count, sizeof(*leases->records)),
		.count = count,
		.k0 = k0,
		.k1 = k1,
	};
	if (leases->records != NULL)
		return leases;
	free(leases);
	return NULL;
}

void fastleases_free(struct fastleases *leases)
{
	if (leases == NULL)
		return;
	free(leases->records);
	free(leases);
}

/* ------ slots */

static uint32_t home_of(const struct fastleases *leases,
			const struct flow_key *key)
{
	return (uint32_t)fast_hash(leases->k0, leases->k1, key) &
	       (leases->count - 1);
}

static uint32_t find(const struct fastleases *leases,
		     const struct flow_key *key)
{
	uint32_t at = home_of(leases, key);

	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t index = (at + i) & (leases->count - 1);
		const struct fast_slot *slot = &leases->slots[index];

		if (slot->span_64ns && fast_key_equal(&slot->key, key))
			return index;
		if (!slot->passed_on)
			return NO_SLOT;
	}
	return NO_SLOT;
}

/* The key is there for the program from the moment that the span is. */
static void fill(struct fastleases *leases, uint32_t index,
		 const struct pump_lease *lease, uint32_t up)
{
	struct fast_slot *slot = &leases->slots[index];

	slot->key = lease->key;
	slot->state = 0;
	slot->segment_bytes = 0;
	slot->up = up;
	slot->ratio_q16 = 0;
	memset(slot->buckets, 0, sizeof(slot->buckets));
	leases->records[index] = (struct record){ .first = NO_SLOT,
						  .next = NO_SLOT,
						  .host = lease->host };
	__atomic_store_n(&slot->span_64ns, fast_span(lease->window_ns),
			 __ATOMIC_RELEASE);
	leases->stats.keys++;
}

/* A quarter of the table, as of the engine's. */
static bool may_add(struct fastleases *leases, struct pump *pump, uint32_t host)
{
	if (*pump_lease_keys(pump, host) < leases->count / 4)
		return true;
	leases->stats.beyond_share++;
	return false;
}

/* `up`: of a flow; a pair's is 0. */
static uint32_t add(struct fastleases *leases, struct pump *pump,
		    const struct pump_lease *lease, uint32_t up,
		    uint64_t now_ns)
{
	uint32_t at = home_of(leases, &lease->key);

	if (!may_add(leases, pump, lease->host))
		return NO_SLOT;
	for (uint32_t i = 0; i < FAST_PROBES; i++) {
		uint32_t index = (at + i) & (leases->count - 1);

		if (leases->slots[index].span_64ns ||
		    leases->records[index].free_ns > now_ns)
			continue;
		fill(leases, index, lease, up);
		++*pump_lease_keys(pump, lease->host);
		while (i-- > 0)
			leases->slots[(at + i) & (leases->count - 1)]
				.passed_on++;
		return index;
	}
	leases->stats.full++;
	return NO_SLOT;
}

static void erase(struct fastleases *leases, struct pump *pump, uint32_t index,
		  uint64_t now_ns)
{
	uint32_t at = home_of(leases, &leases->slots[index].key);

	--*pump_lease_keys(pump, leases->records[index].host);
	__atomic_store_n(&leases->slots[index].span_64ns, 0, __ATOMIC_RELEASE);
	leases->records[index].free_ns = now_ns + REUSE_NS;
	for (; at != index; at = (at + 1) & (leases->count - 1))
		leases->slots[at].passed_on--;
	leases->stats.keys--;
}

/* ------ a pair and its flows */

static void erase_flow(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, uint32_t flow, uint64_t now_ns)
{
	struct record *of_pair = &leases->records[pair];
	uint32_t *link = &of_pair->first;

	while (*link != flow)
		link = &leases->records[*link].next;
	*link = leases->records[flow].next;
	of_pair->flows--;
	erase(leases, pump, flow, now_ns);
}

static void erase_pair(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, uint64_t now_ns)
{
	while (leases->records[pair].first != NO_SLOT)
		erase_flow(leases, pump, pair, leases->records[pair].first,
			   now_ns);
	erase(leases, pump, pair, now_ns);
}

enum { PROTO_TCP = 6 };

static void read_evidence(const struct fast_slot *slot,
			  struct pump_lease *lease)
{
	if (slot->key.proto != PROTO_TCP || slot->segment_bytes == 0)
		return;
	lease->segment_bytes = slot->segment_bytes;
	lease->evidence =
		(struct evidence){ slot->sent_end, slot->acked, true };
}

static void write_evidence(struct fast_slot *slot,
			   const struct pump_lease *lease)
{
	slot->segment_bytes = 0;
	if (slot->key.proto != PROTO_TCP || !lease->evidence.follows)
		return;
	slot->sent_end = lease->evidence.sent_end;
	slot->acked = lease->evidence.acked;
	slot->segment_bytes = lease->segment_bytes;
}

/* What it counted, oldest first, each bucket at its last moment: there it would
 * be counted again, should the key be leased anew. */
void fastleases_read_slot(const struct fast_slot *slot, uint64_t now_ns,
			  struct pump_lease *ret_lease)
{
	uint32_t span = slot->span_64ns;
	uint64_t number = fast_number(span, now_ns);

	*ret_lease = (struct pump_lease){ .key = slot->key };
	if (slot->key.scope == FLOW_SCOPE_PAIR)
		ret_lease->heard_all_pkts = slot->heard_pkts;
	else
		read_evidence(slot, ret_lease);
	for (uint32_t age = FAST_BUCKETS; age-- > 0;) {
		uint64_t at = number - age;
		uint64_t bucket = __atomic_load_n(
			&slot->buckets[fast_bucket_at(at)], __ATOMIC_RELAXED);
		uint64_t last_ns = ((at + 1) * span << FAST_SPAN_SHIFT) - 1;
		struct pump_lease_run run = {
			.start_ns = last_ns < now_ns ? last_ns : now_ns,
			.sent_pkts = fast_bucket_sent(bucket),
			.heard_pkts = fast_bucket_heard(bucket),
		};

		if (age > number || fast_bucket_age(bucket, number) != age ||
		    run.sent_pkts + run.heard_pkts == 0)
			continue;
		ret_lease->sent_pkts += run.sent_pkts;
		ret_lease->heard_pkts += run.heard_pkts;
		ret_lease->runs[ret_lease->runs_count++] = run;
	}
}

static void write_slot(struct fast_slot *slot, const struct pump_lease *lease,
		       uint64_t now_ns)
{
	slot->ratio_q16 = lease->ratio_q16;
	if (slot->key.scope == FLOW_SCOPE_PAIR)
		slot->heard_pkts = 0;
	else
		write_evidence(slot, lease);
	memset(slot->buckets, 0, sizeof(slot->buckets));
	for (uint32_t i = 0; i < lease->runs_count; i++) {
		const struct pump_lease_run *run = &lease->runs[i];

		fast_add(slot, fast_number(slot->span_64ns, run->start_ns),
			 run->sent_pkts, run->heard_pkts);
	}
	slot->buckets[FAST_BUCKETS] =
		fast_sum_older(slot, fast_number(slot->span_64ns, now_ns));
}

static uint64_t state_of(const struct fast_slot *slot)
{
	return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

/* The pair first: its flows are made beside it. */
static void take_back(struct fastleases *leases, struct pump *pump,
		      uint32_t pair, uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	struct pump_lease lease;

	fastleases_read_slot(&leases->slots[pair], now_ns, &lease);
	pump_take_back(pump, &lease, now_ns);
	for (uint32_t flow = record->first; flow != NO_SLOT;
	     flow = leases->records[flow].next) {
		fastleases_read_slot(&leases->slots[flow], now_ns, &lease);
		if (lease.runs_count > 0)
			pump_take_back(pump, &lease, now_ns);
	}
	record->leased = false;
	record->seen = 0;
	record->wait_pkts = FASTLEASES_WAIT_PKTS;
	record->epoch_ns = now_ns;
	leases->stats.leased--;
	leases->stats.taken_back++;
}

/* It is the engine's from now on, whoever says so first; what the program has
 * steered already is on its way here. */
static void end_lease(struct fastleases *leases, struct pump *pump,
		      uint32_t pair, uint64_t now_ns)
{
	__atomic_fetch_and(&leases->slots[pair].state, ~FAST_IN_KERNEL,
			   __ATOMIC_ACQ_REL);
	take_back(leases, pump, pair, now_ns);
}

void fastleases_note(struct fastleases *leases, struct pump *pump,
		     const struct flow_key *flow, uint32_t mark,
		     uint64_t now_ns)
{
	struct flow_key key = *flow;
	struct record *record;
	uint64_t state;
	uint32_t pair;

	flow_key_widen(flow, FLOW_SCOPE_PAIR, &key);
	pair = find(leases, &key);
	if (pair == NO_SLOT)
		return;
	record = &leases->records[pair];
	record->noted_ns = now_ns;
	state = state_of(&leases->slots[pair]);
	if (record->leased && !(state & FAST_IN_KERNEL))
		take_back(leases, pump, pair, now_ns);
	if (record->leased)
		return;
	if (record->wait_pkts > 0)
		record->wait_pkts--;
	if (mark == FAST_MARK_EPOCH +
			    (uint32_t)(state >> FAST_EPOCH_SHIFT) % FAST_EPOCHS)
		record->seen++;
}

/* ------ leases are made */

/* The windows of all its flows; those that the engine knows no more are
 * forgotten.  false: one of them must be judged. */
static bool lease_flows(struct fastleases *leases, struct pump *pump,
			uint32_t pair, uint64_t now_ns)
{
	uint32_t flow = leases->records[pair].first;
	struct pump_lease lease;

	while (flow != NO_SLOT) {
		uint32_t next = leases->records[flow].next;

		if (pump_may_lease(pump, &leases->slots[flow].key, &lease,
				   now_ns))
			write_slot(&leases->slots[flow], &lease, now_ns);
		else
			erase_flow(leases, pump, pair, flow, now_ns);
		flow = next;
	}
	return leases->records[pair].first != NO_SLOT;
}

static bool has_flow(struct fastleases *leases, struct pump *pump,
		     uint32_t pair, const struct pump_lease *lease,
		     uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	uint32_t flow = find(leases, &lease->key);

	if (flow != NO_SLOT)
		return true;
	if (record->flows == FASTLEASES_FLOWS)
		return false;
	flow = add(leases, pump, lease, pair, now_ns);
	if (flow == NO_SLOT)
		return false;
	leases->records[flow].next = record->first;
	record->first = flow;
	record->flows++;
	return true;
}

/* Packets that were counted and did not come: begin to count anew. */
static void begin_epoch(struct fastleases *leases, uint32_t pair,
			uint64_t state, uint64_t now_ns)
{
	uint64_t epoch = ((state >> FAST_EPOCH_SHIFT) + 1) % FAST_EPOCHS;

	if (!__atomic_compare_exchange_n(&leases->slots[pair].state, &state,
					 epoch << FAST_EPOCH_SHIFT, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	leases->records[pair].seen = 0;
	leases->records[pair].epoch_ns = now_ns;
	leases->stats.epochs++;
}

static void forget_windows(struct fastleases *leases, struct pump *pump,
			   uint32_t pair)
{
	pump_leased(pump, &leases->slots[pair].key);
	for (uint32_t flow = leases->records[pair].first; flow != NO_SLOT;
	     flow = leases->records[flow].next)
		pump_leased(pump, &leases->slots[flow].key);
}

static void lease_pair(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, const struct pump_lease *of_pair,
		       uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	struct fast_slot *slot = &leases->slots[pair];
	uint64_t state = state_of(slot);

	if ((state & FAST_STEERED) != record->seen || record->seen == 0) {
		if (now_ns - record->epoch_ns > EPOCH_NS)
			begin_epoch(leases, pair, state, now_ns);
		return;
	}
	if (!lease_flows(leases, pump, pair, now_ns))
		return;
	write_slot(slot, of_pair, now_ns);
	/* Fails when one more is on its way by now. */
	if (!__atomic_compare_exchange_n(
		    &slot->state, &state,
		    (state & ~FAST_STEERED) | FAST_IN_KERNEL, false,
		    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	forget_windows(leases, pump, pair);
	record->leased = true;
	leases->stats.leased++;
	leases->stats.made++;
}

void fastleases_offer(struct fastleases *leases, struct pump *pump,
		      const struct flow_key *flow, uint64_t now_ns)
{
	struct pump_lease of_pair, of_flow;
	struct flow_key key;
	uint32_t pair;

	flow_key_widen(flow, FLOW_SCOPE_PAIR, &key);
	pair = find(leases, &key);
	if (pair != NO_SLOT && (leases->records[pair].leased ||
				leases->records[pair].wait_pkts > 0))
		return;
	if (!pump_may_lease(pump, &key, &of_pair, now_ns) ||
	    !pump_may_lease(pump, flow, &of_flow, now_ns))
		return;
	if (pair == NO_SLOT) {
		/* From now on those that come are counted. */
		pair = add(leases, pump, &of_pair, 0, now_ns);
		if (pair == NO_SLOT)
			return;
		leases->records[pair].epoch_ns = now_ns;
		leases->records[pair].noted_ns = now_ns;
		return;
	}
	if (has_flow(leases, pump, pair, &of_flow, now_ns))
		lease_pair(leases, pump, pair, &of_pair, now_ns);
}

/* ------ and end */

/* Nothing in its window: then it has nothing to give back, either. */
static bool is_idle(struct fast_slot *slot, uint64_t now_ns)
{
	uint32_t sent, heard;

	fast_sums(slot, fast_number(slot->span_64ns, now_ns), &sent, &heard);
	return sent + heard == 0;
}

/* Less than a quarter is left: who is silent makes room. */
static bool is_crowded(const struct fastleases *leases)
{
	return leases->stats.keys > leases->count - leases->count / 4;
}

static void look_at(struct fastleases *leases, struct pump *pump, uint32_t at,
		    uint64_t now_ns)
{
	struct fast_slot *slot = &leases->slots[at];
	struct record *record = &leases->records[at];
	bool crowded = is_crowded(leases);

	if (!slot->span_64ns || slot->key.scope != FLOW_SCOPE_PAIR)
		return;
	if (record->leased && !(state_of(slot) & FAST_IN_KERNEL))
		take_back(leases, pump, at, now_ns);
	if (record->leased && !is_idle(slot, now_ns))
		record->noted_ns = now_ns;
	if (record->leased &&
	    now_ns - record->noted_ns > (crowded ? CROWDED_NS : IDLE_NS)) {
		end_lease(leases, pump, at, now_ns);
		record->wait_pkts = 0;
	}
	if (!record->leased &&
	    now_ns - record->noted_ns > (crowded ? CROWDED_NS : FORGET_NS))
		erase_pair(leases, pump, at, now_ns);
}

void fastleases_sweep(struct fastleases *leases, struct pump *pump,
		      uint64_t now_ns)
{
	uint32_t steps = leases->count < SWEEP_SLOTS ? leases->count
						     : SWEEP_SLOTS;

	while (steps-- > 0) {
		look_at(leases, pump, leases->hand, now_ns);
		leases->hand = (leases->hand + 1) & (leases->count - 1);
	}
}

void fastleases_recall(struct fastleases *leases, struct pump *pump,
		       uint64_t now_ns)
{
	for (uint32_t at = 0; at < leases->count; at++) {
		if (!leases->slots[at].span_64ns ||
		    leases->slots[at].key.scope != FLOW_SCOPE_PAIR)
			continue;
		if (leases->records[at].leased)
			end_lease(leases, pump, at, now_ns);
		erase_pair(leases, pump, at, now_ns);
	}
}

bool fastleases_read(const struct fastleases *leases,
		     const struct flow_key *key, uint64_t now_ns,
		     uint32_t *ret_sent_pkts, uint32_t *ret_heard_pkts)
{
	uint32_t at = find(leases, key), pair = at;
	struct pump_lease lease;

	if (at == NO_SLOT)
		return false;
	if (key->scope == FLOW_SCOPE_FLOW)
		pair = leases->slots[at].up;
	if (!leases->records[pair].leased)
		return false;
	fastleases_read_slot(&leases->slots[at], now_ns, &lease);
	*ret_sent_pkts = lease.sent_pkts;
	*ret_heard_pkts = lease.heard_pkts;
	return true;
}

const struct fastleases_stats *fastleases_stats(const struct fastleases *leases)
{
	return &leases->stats;
}
