/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets the judge is asked about, and when. */
#include <errno.h>

#include "xen-hooks/tap_carrier_state.h"

static uint32_t wire_pkts_of(const struct tapcarrier_packet *packet)
{
	return packet->seen.wire_pkts > 0 ? packet->seen.wire_pkts : 1;
}

/* A flood must not get past its judge by being more than he can be asked about,
 * nor take others' places. */
static void make_room(struct tapcarrier *carrier)
{
	uint64_t id = tapturns_newest_of_most(carrier->turns);
	struct tapwaiting_packet packet;

	if (tapwaiting_count(carrier->waiting) < carrier->config.waiting_max ||
	    id == 0 || !tapcarrier_take(carrier, id, &packet))
		return;
	tapcarrier_count(carrier, TAPCARRIER_crowded_pkts);
	tapcarrier_give(carrier, packet.token, TAP_DROP);
	tapcarrier_let_follow(carrier, packet.lease);
}

/* Its id; 0: it does not wait, and has its verdict. */
static uint64_t wait(struct tapcarrier *carrier,
		     const struct tapwaiting_packet *packet, uint64_t now_ns)
{
	uint64_t id = tapwaiting_add(carrier->waiting, packet, now_ns);

	if (id == 0)
		tapcarrier_fail(carrier, packet->token, TAPCARRIER_full_pkts);
	else
		tapleases_wait(carrier->leases, packet->lease, packet->follows);
	return id;
}

/* The judge has said so before. */
static void pass_unasked(struct tapcarrier *carrier,
			 const struct tapcarrier_packet *packet,
			 const struct tapwaiting_packet *waits, bool renew,
			 uint64_t now_ns)
{
	int error;

	if (renew)
		error = tapcarrier_show(carrier, packet, TAP_INTERPOSE,
					tapleases_ask(carrier->leases,
						      waits->lease, now_ns),
					now_ns);
	else
		error = tapcarrier_show_later(carrier, packet, now_ns);
	if (error < 0) {
		tapcarrier_fail(carrier, packet->token, TAPCARRIER_untold_pkts);
		return;
	}
	tapcarrier_count(carrier, TAPCARRIER_observed_pkts);
	if (waits->follows)
		make_room(carrier);
	if (waits->follows &&
	    tapleases_is_waiting(carrier->leases, waits->lease))
		wait(carrier, waits, now_ns);
	else
		tapcarrier_give(carrier, packet->token, TAP_PASS);
}

/* To be asked is dear, for both ends, and what came meanwhile is to have its
 * turn: the owner reads on after so many. */
enum { QUESTIONS_AT_ONCE = 8 };

bool tapcarrier_is_behind(const struct tapcarrier *carrier)
{
	size_t unread_bytes = carrier->wire.unread_bytes(carrier->wire.self);

	return unread_bytes > 0 &&
	       carrier->question_ends[carrier->question] + unread_bytes >
		       carrier->said_bytes;
}

static bool may_ask(const struct tapcarrier *carrier)
{
	return carrier->questions < QUESTIONS_AT_ONCE &&
	       !tapcarrier_is_behind(carrier);
}

static int ask_now(struct tapcarrier *carrier,
		   const struct tapcarrier_packet *packet, uint64_t id,
		   uint64_t now_ns)
{
	int error = tapcarrier_show(carrier, packet, TAP_INTERPOSE, id, now_ns);

	if (error < 0)
		return error;
	carrier->questions++;
	carrier->question_ends[carrier->question] = carrier->said_bytes;
	carrier->question = (carrier->question + 1) % TAPCARRIER_QUESTIONS;
	tapcarrier_count(carrier, TAPCARRIER_asked_pkts);
	return 0;
}

static void refuse(struct tapcarrier *carrier, uint64_t token)
{
	tapcarrier_count(carrier, TAPCARRIER_refused_pkts);
	tapcarrier_give(carrier, token, TAP_DROP);
}

/* Whose turn it is, when his flow is refused by now. */
static void refuse_in_turn(struct tapcarrier *carrier, uint64_t id)
{
	struct tapwaiting_packet packet;

	carrier->questions++;
	tapturns_next(carrier->turns);
	if (!tapcarrier_take(carrier, id, &packet))
		return;
	refuse(carrier, packet.token);
	tapcarrier_let_follow(carrier, packet.lease);
}

void tapcarrier_take_turns(struct tapcarrier *carrier, uint64_t now_ns)
{
	struct tapcarrier_packet packet;
	uint64_t id;

	while (tapturns_first(carrier->turns, &id, &packet) &&
	       may_ask(carrier)) {
		if (tapleases_is_refused(carrier->leases,
					 tapwaiting_lease(carrier->waiting, id),
					 now_ns))
			refuse_in_turn(carrier, id);
		else if (ask_now(carrier, &packet, id, now_ns) == 0)
			tapturns_next(carrier->turns);
		else
			return;
	}
}

void tapcarrier_ask(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	struct tapwaiting_packet waits = {
		.token = packet->token,
		.lease = tapleases_find(carrier->leases, &packet->seen,
					packet->bytes, packet->bytes_count,
					now_ns),
	};
	enum tapleases_way way = tapleases_take(carrier->leases, waits.lease,
						wire_pkts_of(packet), now_ns);
	uint64_t id;

	waits.follows = way == TAPLEASES_FOLLOW;
	if (way != TAPLEASES_ASK) {
		pass_unasked(carrier, packet, &waits, way == TAPLEASES_RENEW,
			     now_ns);
		return;
	}
	if (tapleases_is_refused(carrier->leases, waits.lease, now_ns)) {
		refuse(carrier, packet->token);
		return;
	}
	make_room(carrier);
	id = wait(carrier, &waits, now_ns);
	if (id == 0)
		return;
	if (waits.lease != TAPLEASES_NONE)
		id |= TAPMESSAGE_MAY_LEASE;
	/* With the judge lost, it has its verdict. */
	if (tapturns_is_empty(carrier->turns) && may_ask(carrier) &&
	    ask_now(carrier, packet, id, now_ns) != -EAGAIN)
		return;
	tapturns_add(carrier->turns, id, packet);
}
