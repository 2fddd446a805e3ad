/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_leases.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_counted.h"
#include "shaper/io/fast_table.h"
#include "shaper/pump_lease.h"

enum {
	SWEEP_SLOTS = 4096,   /* for each ... */
	SWEEP_NS = 100000000, /* ... since the last time, and at most ... */
	SWEEPS_MAX = 10,
	FEW_KEYS = 1024,
	EPOCH_NS = 100000000, /* a lost packet is missed for so long */
};
#define IDLE_NS    UINT64_C(30000000000)
#define FORGET_NS  UINT64_C(60000000000)
#define CROWDED_NS UINT64_C(1000000000) /* of both */

/* What the program need not know of a slot. */
struct record {
	uint64_t noted_ns; /* pair: the last packet that came here */
	uint64_t epoch_ns; /* pair: when this one began */
	uint32_t seen;     /* pair: of the steered */
	uint32_t first;    /* pair: of its flows */
	uint32_t next;     /* flow: of its pair's */
	uint32_t host;     /* in whose share it is: pump_lease_keys() */
	uint16_t flows;
	uint16_t wait_pkts; /* pair: that come before it is leased anew */
	bool leased;        /* pair: as far as we know */
};

struct fastleases {
	struct fasttable table;
	struct record *records;
	uint32_t hand;
	uint64_t swept_ns;
	uint32_t own_taken, *taken; /* slots in use, of all engines */
	struct fastleases_stats stats;
};
_Static_assert((int)FASTLEASES_ZONES == (int)FAST_INTERFACES, "one each");

struct fastleases *fastleases_new(struct fast_slot *slots, uint32_t count,
				  uint64_t k0, uint64_t k1)
{
	struct fastleases *leases = calloc(1, sizeof(*leases));

	if (leases == NULL)
		return NULL;
	leases->taken = &leases->own_taken;
	leases->records = calloc(count, sizeof(*leases->records));
	if (fasttable_init(&leases->table, slots, count, k0, k1) &&
	    leases->records != NULL)
		return leases;
	fastleases_free(leases);
	return NULL;
}

void fastleases_free(struct fastleases *leases)
{
	if (leases == NULL)
		return;
	fasttable_fini(&leases->table);
	free(leases->records);
	free(leases);
}

void fastleases_share(struct fastleases *leases, uint32_t *taken)
{
	leases->taken = taken;
}

void fastleases_set_zones(struct fastleases *leases,
			  const uint16_t zones[FASTLEASES_ZONES])
{
	fasttable_set_zones(&leases->table, zones);
}

static struct fast_slot *slot_at(const struct fastleases *leases, uint32_t at)
{
	return &leases->table.slots[at];
}

static uint32_t find_pair(const struct fastleases *leases,
			  const struct flow_key *flow)
{
	struct flow_key key;

	flow_key_widen(flow, FLOW_SCOPE_PAIR, &key);
	return fasttable_find(&leases->table, &key);
}

/* A quarter of the table, as of the engine's. */
static bool may_add(struct fastleases *leases, struct pump *pump, uint32_t host)
{
	if (*pump_lease_keys(pump, host) < leases->table.count / 4)
		return true;
	leases->stats.beyond_share++;
	return false;
}

/* A slot was taken; false: there was none. */
static bool count_slot(struct fastleases *leases, struct pump *pump,
		       uint32_t at, uint32_t host)
{
	if (at == FASTTABLE_NONE) {
		leases->stats.full++;
		return false;
	}
	++*pump_lease_keys(pump, host);
	leases->stats.keys++;
	__atomic_fetch_add(leases->taken, 1, __ATOMIC_RELAXED);
	return true;
}

static void add_pair(struct fastleases *leases, struct pump *pump,
		     const struct pump_lease *lease, uint64_t now_ns)
{
	uint32_t at;

	if (!may_add(leases, pump, lease->host))
		return;
	at = fasttable_add_pair(&leases->table, &lease->key,
				fast_span(lease->window_ns), now_ns);
	if (count_slot(leases, pump, at, lease->host))
		leases->records[at] = (struct record){ .epoch_ns = now_ns,
						       .noted_ns = now_ns,
						       .first = FASTTABLE_NONE,
						       .host = lease->host };
}

static void release_slot(struct fastleases *leases, struct pump *pump,
			 uint32_t host)
{
	--*pump_lease_keys(pump, host);
	leases->stats.keys--;
	__atomic_fetch_sub(leases->taken, 1, __ATOMIC_RELAXED);
}

static void erase_flow(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, uint32_t flow, uint64_t now_ns)
{
	struct record *of_pair = &leases->records[pair];
	uint32_t *link = &of_pair->first;

	while (*link != flow)
		link = &leases->records[*link].next;
	*link = leases->records[flow].next;
	of_pair->flows--;
	fasttable_erase_flow(&leases->table, flow, now_ns);
	if (flow != pair)
		release_slot(leases, pump, of_pair->host);
}

static void erase_pair(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, uint64_t now_ns)
{
	struct record *record = &leases->records[pair];

	while (record->first != FASTTABLE_NONE)
		erase_flow(leases, pump, pair, record->first, now_ns);
	fasttable_erase_pair(&leases->table, pair, now_ns);
	release_slot(leases, pump, record->host);
}

static uint32_t state_of(const struct fast_slot *slot)
{
	return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

static bool set_state(struct fast_slot *slot, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&slot->state, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* The pair first: its flows are made beside it. */
static void take_back(struct fastleases *leases, struct pump *pump,
		      uint32_t pair, uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	struct pump_lease lease;

	fastcounted_read(&leases->table, pair, FLOW_SCOPE_PAIR, now_ns, &lease);
	pump_take_back(pump, &lease, now_ns);
	for (uint32_t flow = record->first; flow != FASTTABLE_NONE;
	     flow = leases->records[flow].next) {
		fastcounted_read(&leases->table, flow, FLOW_SCOPE_FLOW, now_ns,
				 &lease);
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
	__atomic_fetch_and(&slot_at(leases, pair)->state,
			   ~(uint32_t)FAST_IN_KERNEL, __ATOMIC_ACQ_REL);
	take_back(leases, pump, pair, now_ns);
}

void fastleases_note(struct fastleases *leases, struct pump *pump,
		     const struct flow_key *flow, uint32_t mark,
		     uint64_t now_ns)
{
	uint32_t pair = find_pair(leases, flow);
	struct record *record;
	uint32_t state;

	if (pair == FASTTABLE_NONE)
		return;
	record = &leases->records[pair];
	record->noted_ns = now_ns;
	state = state_of(slot_at(leases, pair));
	if (record->leased && !(state & FAST_IN_KERNEL))
		take_back(leases, pump, pair, now_ns);
	/* Nothing was against it: it has another way now. */
	if (record->leased && mark == FAST_MARK_STRANGER)
		end_lease(leases, pump, pair, now_ns);
	if (record->leased)
		return;
	if (record->wait_pkts > 0)
		record->wait_pkts--;
	if (mark == FAST_MARK_EPOCH + fast_epoch(state))
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
	struct flow_key key;

	while (flow != FASTTABLE_NONE) {
		uint32_t next = leases->records[flow].next;

		fasttable_key(&leases->table, flow, FLOW_SCOPE_FLOW, &key);
		if (pump_may_lease(pump, &key, &lease, now_ns))
			fastcounted_write(&leases->table, flow, FLOW_SCOPE_FLOW,
					  &lease, now_ns);
		else
			erase_flow(leases, pump, pair, flow, now_ns);
		flow = next;
	}
	return leases->records[pair].first != FASTTABLE_NONE;
}

static bool has_flow(struct fastleases *leases, struct pump *pump,
		     uint32_t pair, const struct pump_lease *lease,
		     uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	const struct fast_slot *slot = slot_at(leases, pair);
	uint32_t flow = fasttable_find(&leases->table, &lease->key);

	if (flow != FASTTABLE_NONE)
		return true;
	if (record->flows == FASTLEASES_FLOWS ||
	    fast_span(lease->window_ns) != slot->span_64ns ||
	    (slot->has_flow && !may_add(leases, pump, record->host)))
		return false;
	flow = fasttable_add_flow(&leases->table, &lease->key, pair, now_ns);
	if (flow != pair && !count_slot(leases, pump, flow, record->host))
		return false;
	leases->records[flow].next = record->first;
	record->first = flow;
	record->flows++;
	return true;
}

/* Packets that were counted and did not come: begin to count anew. */
static void begin_epoch(struct fastleases *leases, uint32_t pair,
			uint32_t state, uint64_t now_ns)
{
	uint32_t epoch = (fast_epoch(state) + 1) % FAST_EPOCHS;

	if (!set_state(slot_at(leases, pair), state, epoch << FAST_EPOCH_SHIFT))
		return;
	leases->records[pair].seen = 0;
	leases->records[pair].epoch_ns = now_ns;
	leases->stats.epochs++;
}

static void forget_windows(struct fastleases *leases, struct pump *pump,
			   uint32_t pair)
{
	struct flow_key key;

	fasttable_key(&leases->table, pair, FLOW_SCOPE_PAIR, &key);
	pump_leased(pump, &key);
	for (uint32_t flow = leases->records[pair].first;
	     flow != FASTTABLE_NONE; flow = leases->records[flow].next) {
		fasttable_key(&leases->table, flow, FLOW_SCOPE_FLOW, &key);
		pump_leased(pump, &key);
	}
}

/* Were all seen that were steered in this epoch, by one link? */
static bool has_seen_all(const struct fastleases *leases, uint32_t pair,
			 uint32_t state)
{
	uint32_t seen = leases->records[pair].seen;

	return seen != 0 &&
	       state == (fast_epoch(state) << FAST_EPOCH_SHIFT |
			 seen << FAST_STEERED_SHIFT) &&
	       fast_read(&slot_at(leases, pair)->link) != FAST_LINK_MIXED;
}

static void lease_pair(struct fastleases *leases, struct pump *pump,
		       uint32_t pair, const struct pump_lease *of_pair,
		       uint64_t now_ns)
{
	struct record *record = &leases->records[pair];
	struct fast_slot *slot = slot_at(leases, pair);
	uint32_t state = state_of(slot);

	if (!has_seen_all(leases, pair, state)) {
		if (now_ns - record->epoch_ns > EPOCH_NS)
			begin_epoch(leases, pair, state, now_ns);
		return;
	}
	if (!lease_flows(leases, pump, pair, now_ns))
		return;
	fastcounted_write(&leases->table, pair, FLOW_SCOPE_PAIR, of_pair,
			  now_ns);
	/* Fails when one more is on its way by now. */
	if (!set_state(slot, state,
		       fast_epoch(state) << FAST_EPOCH_SHIFT | FAST_IN_KERNEL))
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
	pair = fasttable_find(&leases->table, &key);
	if (pair != FASTTABLE_NONE && (leases->records[pair].leased ||
				       leases->records[pair].wait_pkts > 0))
		return;
	if (!pump_may_lease(pump, &key, &of_pair, now_ns) ||
	    !pump_may_lease(pump, flow, &of_flow, now_ns))
		return;
	if (pair == FASTTABLE_NONE)
		/* From now on those that come are counted. */
		add_pair(leases, pump, &of_pair, now_ns);
	else if (has_flow(leases, pump, pair, &of_flow, now_ns))
		lease_pair(leases, pump, pair, &of_pair, now_ns);
}

/* ------ and end */

/* Nothing in its window: then it has nothing to give back, either. */
static bool is_idle(const struct fast_slot *slot, uint64_t now_ns)
{
	return fast_bucket_age(fast_read(&slot->pair.running),
			       fast_number(slot->span_64ns, now_ns)) >
	       FAST_SPANS;
}

/* Less than a quarter is left: who is silent makes room. */
static bool is_crowded(const struct fastleases *leases)
{
	return __atomic_load_n(leases->taken, __ATOMIC_RELAXED) >
	       leases->table.count - leases->table.count / 4;
}

static void look_at(struct fastleases *leases, struct pump *pump, uint32_t at,
		    uint64_t now_ns)
{
	struct fast_slot *slot = slot_at(leases, at);
	struct record *record = &leases->records[at];
	bool crowded = is_crowded(leases);

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

bool fastleases_are_few(const struct fastleases *leases)
{
	return leases->stats.keys < FEW_KEYS &&
	       __atomic_load_n(leases->taken, __ATOMIC_RELAXED) <
		       leases->table.count / 4;
}

/* Behind the last slot that is looked at now. */
static uint32_t sweep_end(const struct fastleases *leases, uint64_t now_ns)
{
	uint64_t sweeps = (now_ns - leases->swept_ns + SWEEP_NS / 2) / SWEEP_NS;
	uint32_t left = leases->table.count - leases->hand;
	uint32_t slots;

	if (sweeps > SWEEPS_MAX)
		sweeps = SWEEPS_MAX;
	slots = SWEEP_SLOTS * (uint32_t)(sweeps > 0 ? sweeps : 1);
	return leases->hand + (slots < left ? slots : left);
}

void fastleases_sweep(struct fastleases *leases, struct pump *pump,
		      uint64_t now_ns)
{
	const struct fasttable *table = &leases->table;
	uint32_t end = sweep_end(leases, now_ns);
	uint32_t at = leases->hand;

	leases->swept_ns = now_ns;
	fasttable_advance(&leases->table, now_ns);
	if (leases->stats.keys == 0)
		return;
	while ((at = fasttable_next_pair(table, at, end)) < end)
		look_at(leases, pump, at++, now_ns);
	leases->hand = end & (table->count - 1);
}

void fastleases_recall(struct fastleases *leases, struct pump *pump,
		       uint64_t now_ns)
{
	uint32_t count = leases->table.count, at = 0;

	while ((at = fasttable_next_pair(&leases->table, at, count)) < count) {
		if (leases->records[at].leased)
			end_lease(leases, pump, at, now_ns);
		erase_pair(leases, pump, at++, now_ns);
	}
}

bool fastleases_read(const struct fastleases *leases,
		     const struct flow_key *key, uint64_t now_ns,
		     uint32_t *ret_sent_pkts, uint32_t *ret_heard_pkts)
{
	uint32_t at = fasttable_find(&leases->table, key);
	uint32_t pair = find_pair(leases, key);
	struct pump_lease lease;

	if (at == FASTTABLE_NONE || !leases->records[pair].leased)
		return false;
	fastcounted_read(&leases->table, at, (enum flow_scope)key->scope,
			 now_ns, &lease);
	*ret_sent_pkts = lease.sent_pkts;
	*ret_heard_pkts = lease.heard_pkts;
	return true;
}

const struct fastleases_stats *fastleases_stats(const struct fastleases *leases)
{
	return &leases->stats;
}
