/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What S cannot see: a host that tries one target after another, a flood of
 * connections whose target answers.  Both are paced, by a second of memory:
 *
 *  - first contacts of a guarded host: the first packet, after a minute of
 *    silence, to another that never sent it anything.  contacts.h says how
 *    many; a refusal (RST) is no answer, or closed ports would be scanned at
 *    will.
 *  - new connections (TCP SYN) of a pair.  Below half the pace in flows they
 *    are not even counted, unless one is used again within its window: most
 *    pairs need no meter.
 *
 * A packet that is paced waits at the head of the FIFO in which it rests; the
 * FIFO stands in line at the host's or the pair's suspect, and asks no gate
 * meanwhile.  What has no place in the tables is judged
 * by its host's gate, as ever.
 */
#include "policy/policy.h"
#include "shaper/pump_state.h"

enum { PROTO_TCP = 6 };

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* ------ who is asked */

bool pump_is_connection(struct pump *pump, const struct packet_meta *meta,
			struct flow_entry *flow)
{
	uint32_t sent, heard;

	if (meta->ends.proto != PROTO_TCP || !evidence_opens(meta->tcp_flags))
		return false;
	if (!flow)
		return true;
	/* A SYN that is said again begins nothing.  Once anything else left,
	 * or waits to, the port is used for another connection. */
	engine_sums(&pump->engine, flow, pump->now_ns, &sent, &heard);
	return sent == 0 || !(flow->flags & FLOW_ENTRY_ASKED) || flow->parked ||
	       (flow->suspect && suspect_of(pump, flow->suspect)->first);
}

/* Who was silent for a minute begins anew. */
static bool is_first_contact(const struct pump *pump,
			     const struct engine_place *place)
{
	struct flow_entry *pair = place->pair;

	if (!pair || pair->flags & FLOW_ENTRY_HEARD)
		return false;
	if (engine_credit_began_ns(&pump->engine, pair, pump->now_ns) == 0)
		pair->flags &= (uint8_t)~FLOW_ENTRY_CONTACTED;
	return !(pair->flags & FLOW_ENTRY_CONTACTED);
}

static struct engine_host *host_of(struct pump *pump,
				   const struct engine_place *place)
{
	return &pump->engine.hosts[place->host_slot];
}

static bool may_contact(struct pump *pump, struct engine_host *host)
{
	uint32_t pace = pump->engine.policy->first_contacts_per_s;

	return pace == 0 || contacts_allow(&host->contacts, pace, pump->now_ns);
}

static bool is_used_again(struct pump *pump, struct flow_entry *flow)
{
	uint32_t sent, heard;

	if (!flow)
		return false;
	engine_sums(&pump->engine, flow, pump->now_ns, &sent, &heard);
	return sent > 0;
}

/* Whoever has few flows, each used once, has made few connections lately.
 * When it gets its meter, those count.  Pairs for which no suspect is left
 * share their host's: nobody is paced less for having used up its share. */
static uint32_t connections_pacer(struct pump *pump,
				  const struct engine_place *place, bool again)
{
	uint32_t uncounted = pump->engine.policy->connections_per_s / 2;
	struct flow_entry *pair = place->pair;
	struct suspect *suspect;
	uint32_t id;

	if (!pump->engine.policy->connections_per_s || !pair ||
	    (!pair->suspect && pair->u.below < uncounted && !again))
		return 0;
	id = engine_suspect(&pump->engine, pair, pump->now_ns);
	if (!id)
		id = engine_suspect(&pump->engine, place->host, pump->now_ns);
	suspect = suspect_of(pump, id);
	if (!suspect->is_metered) {
		suspect->is_metered = true;
		pacer_count(&suspect->connections,
			    pair->u.below < uncounted ? pair->u.below
						      : uncounted,
			    pump->now_ns);
	}
	return id;
}

static bool may_connect(struct pump *pump, uint32_t pair)
{
	return pair == 0 || pacer_allows(&suspect_of(pump, pair)->connections,
					 pump->engine.policy->connections_per_s,
					 pump->now_ns);
}

uint32_t pump_guard(struct pump *pump, const struct engine_place *place,
		    bool connection, uint8_t *ret_by)
{
	uint32_t pair;

	if (is_first_contact(pump, place) &&
	    !may_contact(pump, host_of(pump, place))) {
		*ret_by = PUMP_BY_CONTACTS;
		return engine_suspect(&pump->engine, place->host, pump->now_ns);
	}
	pair = connection ? connections_pacer(pump, place,
					      is_used_again(pump, place->flow))
			  : 0;
	if (may_connect(pump, pair))
		return 0;
	*ret_by = PUMP_BY_CONNECTIONS;
	return pair;
}

/* ------ what counts */

static void note_asked(struct flow_entry *flow, bool connection)
{
	if (flow && connection)
		flow->flags |= FLOW_ENTRY_ASKED;
	else if (flow)
		flow->flags &= (uint8_t)~FLOW_ENTRY_ASKED;
}

void pump_guards_sent(struct pump *pump, const struct engine_place *place,
		      bool connection)
{
	uint32_t pace = pump->engine.policy->first_contacts_per_s;
	uint32_t pair;

	if (is_first_contact(pump, place) && pace)
		contacts_count(&host_of(pump, place)->contacts, pace,
			       pump->now_ns);
	if (place->pair)
		place->pair->flags |= FLOW_ENTRY_CONTACTED;
	note_asked(place->flow, connection);
	pair = connection ? connections_pacer(pump, place, false) : 0;
	if (pair)
		pacer_count(&suspect_of(pump, pair)->connections, 1,
			    pump->now_ns);
}

void pump_guards_heard(struct pump *pump, const struct engine_place *place)
{
	uint32_t pace = pump->engine.policy->first_contacts_per_s;
	struct flow_entry *pair = place->pair;
	uint32_t gate = place->host->suspect;

	if (!pair || pair->flags & FLOW_ENTRY_HEARD)
		return;
	if (pair->flags & FLOW_ENTRY_CONTACTED && pace)
		contacts_answer(&host_of(pump, place)->contacts, pace,
				engine_credit_began_ns(&pump->engine, pair,
						       pump->now_ns),
				pump->now_ns);
	pair->flags |= FLOW_ENTRY_HEARD;
	if (gate && suspect_of(pump, gate)->paced_first)
		pump_stir_later(pump, gate);
}

/* ------ lines */

void pump_guard_join(struct pump *pump, uint32_t gate, uint32_t id)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct suspect *fifo = suspect_of(pump, id);

	fifo->paced_at = gate;
	fifo->paced_number = wide->paced_numbers++;
	fifo->paced_next = 0;
	fifo->paced_prev = wide->paced_last;
	if (wide->paced_last)
		suspect_of(pump, wide->paced_last)->paced_next = id;
	else
		wide->paced_first = id;
	wide->paced_last = id;
}

void pump_guard_leave(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct suspect *wide;

	if (!fifo->paced_at)
		return;
	wide = suspect_of(pump, fifo->paced_at);
	if (fifo->paced_prev)
		suspect_of(pump, fifo->paced_prev)->paced_next =
			fifo->paced_next;
	else
		wide->paced_first = fifo->paced_next;
	if (fifo->paced_next)
		suspect_of(pump, fifo->paced_next)->paced_prev =
			fifo->paced_prev;
	else
		wide->paced_last = fifo->paced_prev;
	fifo->paced_at = 0;
}

/* Whom the first in line waits for.  A host's line has both. */
static struct engine_host *host_waited_for(struct pump *pump,
					   const struct suspect *gate)
{
	return gate->scope == FLOW_SCOPE_HOST &&
			       suspect_of(pump, gate->paced_first)->by !=
				       PUMP_BY_CONNECTIONS
		       ? &pump->engine.hosts[gate->slot]
		       : NULL;
}

/* The next FIFO in line, when there is a place for its head. */
uint32_t pump_guard_next(struct pump *pump, uint32_t gate)
{
	struct suspect *wide = suspect_of(pump, gate);
	uint32_t id = wide->paced_first;
	struct engine_host *host;

	if (!id)
		return 0;
	host = host_waited_for(pump, wide);
	if (!(host ? may_contact(pump, host) : may_connect(pump, gate)))
		return 0;
	pump_guard_leave(pump, id);
	return id;
}

uint64_t pump_guard_next_ns(struct pump *pump, uint32_t gate)
{
	const struct policy *policy = pump->engine.policy;
	struct suspect *wide = suspect_of(pump, gate);
	struct engine_host *host;

	if (!wide->paced_first)
		return NS_NEVER;
	host = host_waited_for(pump, wide);
	if (host ? may_contact(pump, host) : may_connect(pump, gate))
		return pump->now_ns;
	return host ? contacts_next_ns(&host->contacts,
				       policy->first_contacts_per_s,
				       pump->now_ns)
		    : pacer_next_ns(&wide->connections,
				    policy->connections_per_s, pump->now_ns);
}
