/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_PUMP_H
#define SHAPER_PUMP_H

/*
 * The core as an adapter sees it: packets are offered, each is passed, set
 * aside or dropped, and what was set aside comes out again when its gates
 * open.  One pump per thread, nothing shared, no clock, no I/O, and no memory
 * is allocated after pump_new.
 *
 * How an adapter runs it:
 *
 *	pump_offer(batch)            each packet once, in order of arrival; may
 *	                             stop before the end of the batch
 *	  PUMP_PASS                  let it go
 *	  PUMP_DROP                  drop it; it is counted
 *	  PUMP_WAIT                  set it aside where single wire packets can
 *	                             be held (a super-packet: in its segments),
 *	                             then bring each to pump_hold
 *	pump_hold(batch)             with the adapter's id for each
 *	  PUMP_WAIT                  the pump keeps the id until it is collected
 *	  PUMP_PASS, PUMP_DROP       as above: there is no room
 *
 *	pump_settle()                all that was set aside has been brought
 *
 *	pump_collect()               ids that may leave or must be dropped, in
 *	                             the order in which to do it; after each of
 *	                             the above, and before their verdicts are
 *	                             carried out
 *
 *	pump_next_ns(), pump_advance()   the one timer
 *
 * An adapter whose packets bear their own times and can wait where they are
 * (the simulator) has pump_take in the place of offer, hold and settle.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"
#include "flowtable/packet.h"

struct policy;
struct pump;
struct zones;

#define NS_NEVER UINT64_MAX

enum pump_verdict { PUMP_PASS, PUMP_WAIT, PUMP_DROP };

/* Which end of a packet is guarded. */
enum pump_ends {
	PUMP_ENDS_BY_ADDRESS, /* as the policy's `inside` says */
	PUMP_ENDS_SRC,        /* the adapter knows: it goes out ... */
	PUMP_ENDS_DST,        /* ... it comes in ... */
	PUMP_ENDS_NONE,       /* ... neither: transit */
};

/* Whose gate a packet waits for; the narrowest, when several are closed. */
enum pump_by {
	PUMP_BY_FLOW, /* as enum flow_scope */
	PUMP_BY_PAIR,
	PUMP_BY_HOST,
	PUMP_BY_CONTACTS,    /* first contacts of its host */
	PUMP_BY_CONNECTIONS, /* new connections of its pair */
	PUMP_BY_RATE,        /* what its host may send in all */
	PUMP_BYS
};

/* pump_packet.shard: nobody else has to hear of this packet. */
enum { PUMP_HERE = 0xff };

struct pump_config {
	const struct policy *policy; /* borrowed until pump_set_policy */
	struct zones *zones;         /* borrowed for the pump's life */
	uint8_t seed[16];            /* random; keys the hash */
	uint8_t shard, shards;       /* this engine among its siblings: 0, 1 */
	uint32_t shard_seed;         /* as the rules were given it */
	bool amid;        /* others talk already (engine_credit_meet) */
	bool lift_bounds; /* the simulator: held_* bounds are 0, and
			   * every key has an exact window */
};

struct pump_packet {
	struct packet_meta meta;
	uint64_t id;         /* pump_hold, pump_take: the adapter's, to give
			      * back */
	uint64_t arrived_ns; /* pump_take: when it is to be judged */
	uint16_t src_zone;   /* where the source lives, when it is guarded */
	uint16_t dst_zone;   /* the same of the destination */
	uint16_t wire_pkts;  /* 1; what was put together on its way here: its
			      * fragments; a super-packet: its segments, or 0
			      * when only the pump can know (learnt from the
			      * flow) */
	bool super_packet;   /* GSO or GRO: more than one wire packet */
	bool from_shard;     /* only its destination is still to be told: the
			      * source's engine has let it out */
	uint8_t ends;        /* enum pump_ends */
	uint8_t shard;       /* out: engine that must hear of it next, or
			      * PUMP_HERE */
	uint8_t verdict;     /* out: enum pump_verdict */
	uint8_t by;          /* out: PUMP_WAIT, PUMP_DROP: enum pump_by */
	bool asked;          /* out, PUMP_WAIT: and that gate was asked, so it
			      * is not just behind others */
	uint32_t replies;    /* out: what came in counted for */
};

struct pump_release {
	uint64_t id;
	uint8_t verdict; /* PUMP_PASS or PUMP_DROP */
	uint8_t shard;   /* as in pump_packet */
	uint32_t after;  /* packets of the last pump_take judged before it */
	uint64_t left_ns;
};

/*
 * More of this key than may wait comes in: the adapter may refuse it before
 * it costs anything, until `until_ns` or until it is lifted.  A host is
 * refused but for its spared pairs.
 */
enum pump_refusal_kind { PUMP_REFUSE, PUMP_SPARE, PUMP_LIFT };

struct pump_refusal {
	struct flow_key key; /* scope flow, pair or host */
	uint64_t until_ns;
	uint8_t kind; /* enum pump_refusal_kind */
};

/* NULL: out of memory.  What `limits` asks for is reserved here. */
struct pump *pump_new(const struct pump_config *config, uint64_t now_ns);

/* Ids still kept are forgotten: drain first (pump_drain, pump_collect). */
void pump_free(struct pump *pump);

/*
 * Judge up to `count` packets in order; sets verdict and shard of each.
 * Returns how many: it stops behind a super-packet that is to be set aside.
 * Bring that to pump_hold and settle before the rest is offered: they need not
 * be set aside to stay behind it, then.
 */
size_t pump_offer(struct pump *pump, struct pump_packet *packets, size_t count,
		  uint64_t now_ns);

/* Bring packets that pump_offer set aside.  Each is a single wire packet, or
 * says by wire_pkts that it was put together: that leaves whole, when the last
 * of its fragments may. */
void pump_hold(struct pump *pump, struct pump_packet *packets, size_t count,
	       uint64_t now_ns);

/* Everything set aside so far was brought, or is lost. */
void pump_settle(struct pump *pump);

/*
 * Judge `count` packets in order, each at its own arrived_ns, after the timers
 * that are due by then, each at its time.  A super-packet needs wire_pkts.
 * PUMP_WAIT: the pump keeps the id until it is collected.
 */
void pump_take(struct pump *pump, struct pump_packet *packets, size_t count);

/* Up to `max` ids that leave now.  Returns how many; call until 0. */
size_t pump_collect(struct pump *pump, struct pump_release *ret_releases,
		    size_t max);

/* Up to `max` refusals to carry out.  May be ignored.  Returns how many. */
size_t pump_refusals(struct pump *pump, struct pump_refusal *ret_refusals,
		     size_t max);

/* When pump_advance has something to do; NS_NEVER when nothing waits. */
uint64_t pump_next_ns(const struct pump *pump);

/* Slide windows and fire timers that are due. */
void pump_advance(struct pump *pump, uint64_t now_ns);

/*
 * From now on judge by `policy`, which must outlive its use here.  Windows,
 * penalties and held packets stay; limits that size memory stay as they were.
 */
void pump_set_policy(struct pump *pump, const struct policy *policy,
		     uint64_t now_ns);

/*
 * The operator's word.  Let out all that waits of keys with `address` at
 * either end and forget their penalties; returns how many packets.
 */
size_t pump_release_address(struct pump *pump, const uint8_t address[16],
			    uint64_t now_ns);

/* Hold nothing of keys with `address` at either end until `until_ns` (0: end
 * such an exemption).  false: too many exemptions (PUMP_EXEMPTIONS_MAX). */
enum { PUMP_EXEMPTIONS_MAX = 256 };
bool pump_exempt_address(struct pump *pump, const uint8_t address[16],
			 uint64_t until_ns, uint64_t now_ns);

/*
 * What must survive a restart, one key a record: counts in the window and the
 * penalty.  Ages, not times, so that another clock can take them up again.
 */
enum { PUMP_RECORD_RUNS = 16 };
struct pump_record {
	struct flow_key key; /* zone: by name, beside the record */
	uint32_t releases;
	uint64_t armed_in_ns; /* from now; 0: not armed */
	uint32_t runs_count;
	struct pump_record_run {
		uint64_t age_ns;
		uint32_t sent_pkts, heard_pkts;
	} runs[PUMP_RECORD_RUNS];
};
struct snapshot_cursor;
size_t pump_export(struct pump *pump, struct snapshot_cursor *cursor,
		   size_t steps, struct pump_record *ret_records, size_t max,
		   uint64_t now_ns);
/* The same of keys that are held back alone, a bounded number: to be told
 * often, in case of a sudden end.  `position` begins as 0; the end is reached
 * when it is 0 again. */
size_t pump_export_held(struct pump *pump, uint32_t *position, size_t steps,
			struct pump_record *ret_records, size_t max,
			uint64_t now_ns);
/* Before anything of a former life is given back: who was silent before that is
 * not known, and gets no patience for a while.  pump_import does so itself. */
void pump_resume(struct pump *pump, uint64_t now_ns);
/* false: no place, or the record makes no sense.  `down_ns`: how long ago it
 * was exported. */
bool pump_import(struct pump *pump, const struct pump_record *record,
		 uint64_t down_ns, uint64_t now_ns);

/* ret_used[id] becomes true for each zone that a key is of, here or expected;
 * the others stay as they are.  ZONES_MAX of them. */
void pump_zones(const struct pump *pump, bool *ret_used);

/* A guest, by its addresses; without any, by the zone it lives in. */
struct policy_prefix;
struct pump_guest {
	const struct policy_prefix *addresses;
	size_t count;
	uint16_t zone;
};
bool pump_is_of_guest(const struct pump_guest *guest,
		      const struct flow_key *key);

/* pump_release_address of all that is the guest's own: what others send to it
 * goes on waiting. */
size_t pump_release_guest(struct pump *pump, const struct pump_guest *guest,
			  uint64_t now_ns);
/* Let out what waits of it; its penalties stay.  Returns how many packets. */
size_t pump_let_go_guest(struct pump *pump, const struct pump_guest *guest,
			 uint64_t now_ns);

/*
 * pump_export of a guest's keys: first those that are held back, then those
 * that are still expected, which `take` takes away, then the others.  Once
 * `held_told` is set, pump_release_guest makes nobody forget.
 */
struct pump_guest_cursor { /* all-zero: at the beginning */
	uint32_t position;
	uint8_t scope;
	bool held_told, expected_told, ended;
};
size_t pump_export_guest(struct pump *pump, const struct pump_guest *guest,
			 struct pump_guest_cursor *cursor, size_t steps,
			 struct pump_record *ret_records, size_t max, bool take,
			 uint64_t now_ns);

/*
 * A record of a guest that comes.  A key that is here takes it up at once, and
 * keeps the stricter of both; any other does when its host first uses it, as if
 * no time had passed until then, or never, after `until_ns`.
 */
enum pump_expected {
	PUMP_EXPECTED,
	PUMP_EXPECTED_ELSEWHERE, /* it is another shard's */
	PUMP_EXPECTED_NOT,       /* no place, or it makes no sense */
};
enum pump_expected pump_expect(struct pump *pump,
			       const struct pump_record *record,
			       uint64_t until_ns, uint64_t now_ns);

/*
 * What waits and `is_lost` is gone: it is collected as dropped, and its place
 * is free.  Penalties stay.  `is_lost` is asked of each id that waits.  Returns
 * how many packets.
 */
struct pump_lost {
	bool (*is_lost)(void *self, uint64_t id);
	void *self;
};
size_t pump_forget(struct pump *pump, const struct pump_lost *lost,
		   uint64_t now_ns);

/* Let out (or drop) everything that waits: the pump is going away. */
void pump_drain(struct pump *pump, enum pump_verdict verdict, uint64_t now_ns);

#endif
