/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard_paces.h"

#include "flowtable/packet_l4.h"

static void lower_until(uint64_t *until_ns, uint64_t at_ns)
{
	if (at_ns < *until_ns)
		*until_ns = at_ns;
}

/* A SYN that is said again begins nothing.  Once anything else left, or waits
 * to, the port is used for another connection. */
bool guard_begins(struct guard *guard, const struct guard_place *place,
		  const struct packet_meta *meta)
{
	struct guard_key *flow = guard_flow(guard, place);
	uint32_t sent, heard;

	if (meta->ends.proto != PACKET_PROTO_TCP ||
	    !evidence_opens(meta->tcp_flags))
		return false;
	if (!flow)
		return true;
	guard_sums(guard, flow, &sent, &heard);
	return sent == 0 || !(flow->flags & GUARD_ASKED) ||
	       flow->waiting_pkts > 0;
}

/* Who was silent for a minute begins anew. */
static bool is_first_contact(const struct guard *guard, struct guard_key *pair)
{
	if (pair->flags & GUARD_HEARD)
		return false;
	if (credit_began_ns(&pair->pair.credit, guard->now_ns) == 0)
		pair->flags &= (uint8_t)~GUARD_CONTACTED;
	return !(pair->flags & GUARD_CONTACTED);
}

static bool may_contact(struct guard *guard, struct guard_key *pair,
			uint64_t *until_ns)
{
	uint32_t pace = guard->params.first_contacts_per_s;

	if (pace == 0 || !is_first_contact(guard, pair) ||
	    contacts_allow(&guard->contacts, pace, guard->now_ns))
		return true;
	guard->paced_ns =
		contacts_next_ns(&guard->contacts, pace, guard->now_ns);
	lower_until(until_ns, guard->paced_ns);
	return false;
}

static bool may_connect(struct guard *guard, struct guard_key *pair,
			uint64_t *until_ns)
{
	uint32_t pace = guard->params.connections_per_s;

	if (pace == 0 ||
	    pacer_allows(&pair->pair.connections, pace, guard->now_ns))
		return true;
	lower_until(until_ns, pacer_next_ns(&pair->pair.connections, pace,
					    guard->now_ns));
	return false;
}

/* Who does not fit is the next to go: at that time it does. */
static bool fits_rate(struct guard *guard, const struct guard_asked *asked,
		      uint64_t *until_ns)
{
	const struct rate_params *rate = &guard->params.rate;

	if (!rate_is_set(rate))
		return true;
	if (guard->rated_ns <= guard->now_ns) {
		if (bucket_allows(&guard->bucket, rate, asked->wire_pkts,
				  asked->bytes, guard->now_ns))
			return true;
		guard->rated_ns = bucket_next_ns(&guard->bucket, rate,
						 asked->wire_pkts, asked->bytes,
						 guard->now_ns);
	}
	lower_until(until_ns, guard->rated_ns);
	return false;
}

/* A packet is counted for why it waits when it comes. */
static void note(struct guard *guard, const struct guard_asked *asked,
		 enum guard_counter counter)
{
	if (asked->is_new)
		guard->counters[counter]++;
}

bool guard_is_in_pace(struct guard *guard, const struct guard_asked *asked,
		      uint64_t *until_ns)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	bool has_pair = guard_has_pair(guard, &asked->place);

	if (has_pair && !may_contact(guard, pair, until_ns)) {
		note(guard, asked, GUARD_paced_contact_pkts);
		return false;
	}
	if (asked->connection && has_pair &&
	    !may_connect(guard, pair, until_ns)) {
		note(guard, asked, GUARD_paced_connection_pkts);
		return false;
	}
	if (!fits_rate(guard, asked, until_ns)) {
		note(guard, asked, GUARD_rated_pkts);
		return false;
	}
	return true;
}

static void note_asked(struct guard_key *flow, bool connection)
{
	if (flow && connection)
		flow->flags |= GUARD_ASKED;
	else if (flow)
		flow->flags &= (uint8_t)~GUARD_ASKED;
}

void guard_paces_sent(struct guard *guard, const struct guard_asked *asked)
{
	struct guard_key *pair = guard_pair(guard, &asked->place);
	uint32_t pace = guard->params.first_contacts_per_s;

	note_asked(guard_flow(guard, &asked->place), asked->connection);
	if (guard_has_pair(guard, &asked->place)) {
		if (pace != 0 && is_first_contact(guard, pair))
			contacts_count(&guard->contacts, pace, guard->now_ns);
		pair->flags |= GUARD_CONTACTED;
		if (asked->connection)
			pacer_count(&pair->pair.connections, 1, guard->now_ns);
	}
	if (rate_is_set(&guard->params.rate))
		bucket_take(&guard->bucket, &guard->params.rate,
			    asked->wire_pkts, asked->bytes, guard->now_ns);
}

bool guard_paces_heard(struct guard *guard, const struct guard_place *place)
{
	uint32_t pace = guard->params.first_contacts_per_s;
	struct guard_key *pair = guard_pair(guard, place);

	if (!guard_has_pair(guard, place) || pair->flags & GUARD_HEARD)
		return false;
	if (pair->flags & GUARD_CONTACTED && pace != 0)
		contacts_answer(&guard->contacts, pace,
				credit_began_ns(&pair->pair.credit,
						guard->now_ns),
				guard->now_ns);
	pair->flags |= GUARD_HEARD;
	return guard->paced_ns > guard->now_ns;
}
