/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_PUMP_STATE_H
#define SHAPER_PUMP_STATE_H

/*
 * The inside of a pump, for the pump_*.c files and snapshot.c only.
 *
 * A packet waits once: its token rests in the FIFO of its narrowest enforced
 * key that has a gate (pump_rest.c).  A FIFO stands in line at the narrowest
 * wider gate that blocks its head (pump_wait.c), and one packet of each in line
 * goes in turn (pump_leave.c).
 */

#include "shaper/deadlines.h"
#include "shaper/engine.h"
#include "shaper/pump.h"
#include "shaper/tokens.h"

enum {
	PUMP_ASIDE_MAX = 8192, /* marks between two pump_settle */
	PUMP_REFUSALS_MAX = 4096,
	PUMP_SIDES_PERIODS = 3, /* in a row, to believe it */
};

#define PUMP_UPKEEP_NS 100000000u

/* Of one host, when others also have packets that may leave. */
enum { PUMP_QUANTUM_PKTS = 32 };

/* One key that the next pump_settle must unmark. */
struct pump_mark {
	uint8_t scope; /* of the entry; flow: FLOW_ENTRY_ASIDE */
	uint32_t slot;
};

/*
 * Do we see both directions?  In a period, TCP connections that went on after
 * their SYN must have been answered, whether we saw it or not.  Since anybody
 * can send such packets, and a flood beside them, it is not believed of a
 * gateway that heard one connection accepted lately, nor while one host in
 * ten that send is answered.
 */
struct pump_sides {
	uint64_t accepted_ns;       /* a SYN of ours was last, as we heard */
	uint64_t until_ns;          /* end of this period */
	uint32_t answered_unheard;  /* packets that say so, nothing heard */
	uint64_t out_pkts, in_pkts; /* counters when it began */
	uint32_t periods;           /* one-sided ones in a row */
	uint32_t one_sided_pct;     /* of the last period */
};

/* A super-packet that is taken apart for the size of its segments. */
struct pump_probe {
	bool under_way;
	uint8_t direction;
	uint16_t was; /* segment_bytes before */
	uint32_t flow, host_slot;
};

/* Naming the pairs to spare, before their host is refused. */
struct pump_sparing {
	uint32_t host;     /* its suspect; 0: none is under way */
	uint32_t position; /* in the table of pairs */
	uint32_t spared;
};

struct pump {
	struct engine engine;
	struct pump_config config;
	struct tokens tokens;
	struct deadlines deadlines; /* by suspect id */
	struct lengths busiest;     /* hosts, by what they hold */
	struct lengths_link *host_links;
	struct lengths *slots; /* by host: FIFOs, by those that they hold */
	struct lengths_link *slot_links;
	uint32_t held_pkts;
	uint32_t held_slots;
	uint64_t held_bytes;
	uint32_t turn_first, turn_last; /* hosts to stir, slot + 1; never left
					 * so */
	uint32_t turn_pkts; /* let out by the one whose turn it is */
	bool rate_turn;     /* who asks is the first in his host's line */
	uint32_t leaving_first, leaving_last;
	uint32_t untold; /* first leaving token not yet heard of onward */
	struct pump_mark marks[PUMP_ASIDE_MAX];
	uint32_t marks_count;
	struct pump_probe probe;
	uint64_t chance; /* of when to probe; never 0 */
	struct pump_refusal refusals[PUMP_REFUSALS_MAX];
	uint32_t refusals_first, refusals_count;
	struct pump_sparing sparing;
	uint64_t now_ns;    /* latest time seen */
	uint32_t taken;     /* packets judged by the last pump_take */
	uint64_t upkeep_ns; /* when to look after the tables next */
	struct pump_sides sides;
};

/* The keys of a packet whose gates were asked, and what they said. */
struct pump_asked {
	struct flow_entry *entry[FLOW_SCOPES];
	enum engine_answer answer[FLOW_SCOPES];
	unsigned int count;
	uint8_t by;      /* enum pump_by; meaningless when all are open */
	uint32_t bytes;  /* as the caller says */
	uint32_t guard;  /* whose pacer has no place; 0: none was asked */
	bool connection; /* as the caller says: it begins one */
	bool paid;       /* by the floor, patience or credit */
	bool by_host;    /* in the place of a key that has none, or no gate */
};

/* We see only one direction: what is not heard was answered all the same. */
static inline bool pump_is_one_sided(const struct pump *pump)
{
	return pump->sides.periods >= PUMP_SIDES_PERIODS;
}

/* Do packets wait (true), or only tokens of packets that went? */
static inline bool pump_holds(const struct pump *pump)
{
	const struct policy *policy = pump->engine.policy;

	return policy->mode == POLICY_ENFORCE &&
	       (policy->force_one_sided || !pump_is_one_sided(pump));
}

/* Which of its ends are guarded? */
static inline bool pump_goes_out(const struct pump *pump,
				 const struct pump_packet *packet)
{
	if (packet->from_shard)
		return false;
	if (packet->ends != PUMP_ENDS_BY_ADDRESS)
		return packet->ends == PUMP_ENDS_SRC;
	return policy_is_inside(pump->engine.policy, packet->meta.ends.src);
}

static inline bool pump_comes_in(const struct pump *pump,
				 const struct pump_packet *packet)
{
	if (packet->ends != PUMP_ENDS_BY_ADDRESS)
		return packet->ends == PUMP_ENDS_DST;
	return policy_is_inside(pump->engine.policy, packet->meta.ends.dst);
}

/* --- pump_ask.c: what it asks, and what is counted */

/* Ask every enforced key of a packet; all are asked even if one is closed.
 * ret_asked->by: the narrowest that is.  `whole`: all of its keys, also those
 * narrower than where it rests, which ask no gate. */
bool pump_ask(struct pump *pump, const struct engine_place *place,
	      const struct engine_place *whole, uint32_t wire_pkts,
	      struct pump_asked *ret_asked);

/* A packet leaves whose keys were asked: what they owed is given up.  Without
 * `asked` it only counts. */
void pump_sent(struct pump *pump, const struct engine_place *place,
	       const struct pump_asked *asked, uint32_t wire_pkts);

/* So many packets came in for these keys, which stand for so many replies; 0:
 * they are no evidence.  A reply without a packet is one that came before. */
void pump_heard(struct pump *pump, const struct engine_place *place,
		uint32_t replies, uint32_t wire_pkts);

/* --- pump_wait.c: for whom a FIFO waits */

/* The head of FIFO `id` was refused as `asked` says: who refused it will call
 * it.  Returns the narrowest closed gate; 0: it is a pacer, or the rate. */
uint32_t pump_wait(struct pump *pump, uint32_t id,
		   const struct pump_asked *asked);

/* Which of its rings those stand in who wait at this gate. */
int pump_wait_ring(const struct suspect *gate);

/* Set the timer of this gate.  Where nothing waits, what it owes lapses. */
void pump_wait_schedule(struct pump *pump, uint32_t gate);

/* The FIFO is empty: it waits for no gate any more. */
void pump_wait_ends(struct pump *pump, uint32_t id);

/* The same, but its packets come back: nothing lapses until they have. */
void pump_wait_elsewhere(struct pump *pump, uint32_t id);

/* --- pump_leave.c: how packets leave */

/* Let out what may leave at this gate, or by it, until the turn is over. */
void pump_stir_once(struct pump *pump, uint32_t id);

/* All keys that count this token, which is in `fifo`. */
void pump_place_of_token(const struct pump *pump, const struct suspect *fifo,
			 const struct token *token,
			 struct engine_place *ret_place);

/* Stir what is to be stirred and tell guarded destinations of what left; to be
 * called last. */
void pump_tell(struct pump *pump);

/* --- pump_guards.c: first contacts, new connections */

/* Does this packet begin a TCP connection?  Ask before it is counted. */
bool pump_is_connection(struct pump *pump, const struct packet_meta *meta,
			struct flow_entry *flow);

/* The suspect whose pacer has no place for this packet; 0: it may go. */
uint32_t pump_guard(struct pump *pump, const struct engine_place *place,
		    bool connection, uint8_t *ret_by);

/* It left; something came in that is an answer. */
void pump_guards_sent(struct pump *pump, const struct engine_place *place,
		      bool connection);
void pump_guards_heard(struct pump *pump, const struct engine_place *place);

/* FIFO `id`, which stands in none, joins this pacer's line; leaves its line.
 * Cannot fail. */
void pump_guard_join(struct pump *pump, uint32_t gate, uint32_t id);
void pump_guard_leave(struct pump *pump, uint32_t id);

/* Who is next in its line, taken out of it; 0: nobody, or there is no place.
 * When to ask again. */
uint32_t pump_guard_next(struct pump *pump, uint32_t gate);
uint64_t pump_guard_next_ns(struct pump *pump, uint32_t gate);

/* --- pump_rate.c: what a host may send in all.  Only where it may be asked:
 * engine.has_rates */

/* The suspect of the host that may not send this much now; 0: it may. */
uint32_t pump_rate(struct pump *pump, const struct engine_place *place,
		   uint32_t wire_pkts, uint32_t bytes);
void pump_rate_sent(struct pump *pump, const struct engine_place *place,
		    uint32_t wire_pkts, uint32_t bytes);

/* FIFO `id`, which stands in no such line, joins the host's; leaves it. */
void pump_rate_join(struct pump *pump, uint32_t gate, uint32_t id);
void pump_rate_leave(struct pump *pump, uint32_t id);

/* When the first in line may go; NS_NEVER: nobody stands there. */
uint64_t pump_rate_next_ns(struct pump *pump, uint32_t gate);

/* What the next packet of this token weighs. */
uint32_t pump_rate_bytes(const struct token *token);

/* The same of one that arrives: a super-packet's headers are repeated. */
static inline uint32_t pump_wire_bytes(const struct packet_meta *meta,
				       uint32_t wire_pkts)
{
	return meta->length_bytes + (wire_pkts - 1) * meta->header_bytes;
}

/* --- pump_slots.c: places in a guest's ring */

/* How many a packet of this host keeps while it waits. */
uint32_t pump_slots_of(const struct pump *pump, uint32_t host_slot,
		       const struct packet_meta *meta);

/* May one more with so many rest in FIFO `id`?  Others may be dropped for it;
 * false: it is to be dropped itself, and is counted. */
bool pump_slots_make_room(struct pump *pump, uint32_t id, uint32_t pkts,
			  uint32_t slots);

/* The same before it is set aside; nothing is dropped or counted. */
bool pump_slots_are_full(const struct pump *pump, const struct suspect *fifo,
			 uint32_t slots);

/* The guest's ring is the only bound of what has so many. */
bool pump_slots_are_unbound(const struct pump *pump, uint32_t slots);

/* So many more (or fewer) are held by this FIFO. */
void pump_slots_account(struct pump *pump, uint32_t id, int32_t slots);

/* --- pump_turns.c: hosts take turns */

/* Has the host whose turn it is let out its quantum? */
static inline bool pump_turn_is_over(const struct pump *pump)
{
	return pump->turn_pkts >= PUMP_QUANTUM_PKTS;
}

/* Something changed at this gate or in its FIFO: let out what may leave. */
void pump_stir(struct pump *pump, uint32_t id);

/* The same, once what is under way is done; pump_tell sees to it. */
void pump_stir_later(struct pump *pump, uint32_t id);

/* All of those. */
void pump_stir_all(struct pump *pump);

/* --- pump_rest.c: where a packet rests */

/* The suspect in whose FIFO it belongs.  Never 0. */
uint32_t pump_rest(struct pump *pump, const struct engine_place *place);

/* Packets that rest in a FIFO, and those on their way there. */
enum pump_where { PUMP_RESTING = 1, PUMP_ASIDE = 2 };

/* Are there such, that may be of this flow? */
bool pump_follows(const struct pump *pump, const struct engine_place *place,
		  unsigned int where);

bool pump_is_exempt(const struct pump *pump, const struct engine_place *place,
		    const struct flow_key *key);

/* A token of `packet` into the FIFO of suspect `rest`.  PUMP_WAIT, or what the
 * bounds say instead. */
enum pump_verdict pump_enqueue(struct pump *pump,
			       const struct engine_place *place, uint32_t rest,
			       const struct flow_key *key,
			       const struct pump_packet *packet,
			       uint32_t wire_pkts, uint8_t flags);

/* Take a token out of its FIFO and let it leave.  Whoever takes the first one
 * has the next one stirred. */
void pump_expel(struct pump *pump, uint32_t id, uint32_t token,
		enum pump_verdict verdict);

/* It goes without having been asked for. */
static inline void pump_note_sent(struct pump *pump, const struct token *token)
{
	pump->engine.stats.counter[STATS_sent_pkts] += token->wire_pkts;
}

/* A token that is in no FIFO leaves, after those that left before. */
void pump_let_go(struct pump *pump, uint32_t token, enum pump_verdict verdict);

/* So many more (or fewer) rest in this FIFO. */
void pump_account(struct pump *pump, uint32_t id, int32_t pkts, int64_t bytes);

/* Is the key's FIFO as long as one key's may be, for one that has so many slots
 * of a ring? */
bool pump_key_is_full(const struct pump *pump, const struct suspect *rest,
		      uint32_t slots);

/* The entry of this scope that a flow belongs to; NULL: it has no place. */
struct flow_entry *pump_entry_of(const struct pump *pump,
				 const struct flow_key *flow,
				 enum flow_scope scope);

/* Rules, mode or exemptions have changed: all that rests finds its place
 * anew, or leaves. */
void pump_rehome(struct pump *pump);

/* --- pump_packet.c: one packet, whose key is known */

/* `guess` is flowtable_guess's answer; *ret_wire_pkts: 0 when it has to be
 * brought back to know. */
enum pump_verdict pump_offer_out(struct pump *pump, struct pump_packet *packet,
				 const struct flow_key *key, uint64_t hash,
				 uint32_t guess, uint32_t *ret_wire_pkts);
enum pump_verdict pump_offer_in(struct pump *pump, struct pump_packet *packet,
				const struct flow_key *key, uint64_t hash,
				uint32_t guess, uint32_t wire_pkts,
				bool may_split);

/* One that was set aside comes back.  `onward`: its receiver, too, is to hear
 * of it. */
enum pump_verdict pump_hold_out(struct pump *pump, struct pump_packet *packet,
				const struct flow_key *key, uint64_t hash,
				bool onward);

/* --- pump_classes.c */

/* Is it of those, and none that is judged like any other? */
bool pump_is_of_class(const struct packet_meta *meta);

/* Multicast, errors, neighbour discovery, DHCP. */
enum pump_verdict pump_offer_class(struct pump *pump,
				   const struct pump_packet *packet);

/* --- pump_segments.c */

/* Wire packets of this one; 0: its segment size is not known (for sure, any
 * more), so it is to be brought back in segments, which tell. */
uint32_t pump_wire_pkts(struct pump *pump, const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction);

/* The same where its segments cannot be learnt. */
uint32_t pump_guess_wire_pkts(const struct pump_packet *packet);

/* Wire packets as the adapter tells; it may leave out that it is one. */
static inline uint32_t pump_told_pkts(const struct pump_packet *packet)
{
	return packet->wire_pkts > 0 ? packet->wire_pkts : 1;
}

/* A single wire packet, perhaps a segment of what is taken apart. */
void pump_learn_segment(const struct pump *pump,
			const struct pump_packet *packet,
			const struct engine_place *place,
			enum flow_direction direction);

/* Payload of a full segment as far as is known; 0: it is not. */
uint32_t pump_segment_bytes(const struct flow_entry *flow,
			    enum flow_direction direction);

/* It goes to be taken apart, and it has come back. */
void pump_probe_begins(struct pump *pump, const struct engine_place *place,
		       enum flow_direction direction);
void pump_probe_ends(struct pump *pump);

/* --- pump_refuse.c */

void pump_refuse(struct pump *pump, uint32_t rest);
/* The next step, when one is under way. */
void pump_spare(struct pump *pump);
void pump_unrefuse(struct pump *pump, uint32_t rest);

/* --- snapshot.c */

struct snapshot_cursor;

/* The key that the cursor stands at, which goes on to the next place, and past
 * scopes that are not among `scopes` (a bit each).  NULL: there is none. */
struct flow_entry *pump_step(const struct pump *pump,
			     struct snapshot_cursor *cursor,
			     unsigned int scopes);

/* --- pump_upkeep.c: tables, suspects, one-sidedness, exemptions */

void pump_upkeep(struct pump *pump);

#endif
