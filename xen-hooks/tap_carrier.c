/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_carrier.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/tap_carrier_state.h"

struct tapcarrier *tapcarrier_new(const struct tapcarrier_config *config,
				  const struct tapcarrier_owner *owner)
{
	struct tapcarrier *carrier = calloc(1, sizeof(*carrier));

	assert(config->waiting_max > 0 &&
	       config->waiting_max <= TAP_WAITING_MAX);
	if (carrier == NULL)
		return NULL;
	carrier->config = *config;
	carrier->owner = *owner;
	carrier->allowed = config->most;
	carrier->waiting = tapwaiting_new(config->waiting_max, TAPLEASES_MAX);
	carrier->leases = tapleases_new(config->seed);
	carrier->turns = tapturns_new(config->waiting_max, config->seed);
	if (carrier->waiting == NULL || carrier->leases == NULL ||
	    carrier->turns == NULL) {
		tapcarrier_free(carrier);
		return NULL;
	}
	return carrier;
}

void tapcarrier_give(struct tapcarrier *carrier, uint64_t token,
		     enum tap_verdict verdict)
{
	carrier->owner.on_verdict(carrier->owner.self, token, verdict, NULL, 0);
}

void tapcarrier_fail(struct tapcarrier *carrier, uint64_t token,
		     enum tapcarrier_counter why)
{
	tapcarrier_count(carrier, why);
	tapcarrier_give(carrier, token,
			carrier->config.fail_open ? TAP_PASS : TAP_DROP);
}

static bool take_oldest(struct tapcarrier *carrier, uint64_t until_ns,
			struct tapwaiting_packet *ret_packet)
{
	if (!tapwaiting_take_oldest(carrier->waiting, until_ns, ret_packet))
		return false;
	tapleases_leave(carrier->leases, ret_packet->lease,
			ret_packet->follows);
	tapturns_leave(carrier->turns, ret_packet->place);
	return true;
}

bool tapcarrier_take(struct tapcarrier *carrier, uint64_t id,
		     struct tapwaiting_packet *ret_packet)
{
	if (!tapwaiting_take(carrier->waiting, id & ~TAPMESSAGE_MAY_LEASE,
			     ret_packet))
		return false;
	tapleases_leave(carrier->leases, ret_packet->lease, false);
	tapturns_leave(carrier->turns, ret_packet->place);
	return true;
}

void tapcarrier_let_follow(struct tapcarrier *carrier, uint32_t lease)
{
	struct tapwaiting_packet packet;

	while (tapleases_is_followed(carrier->leases, lease) &&
	       tapwaiting_take_follower(carrier->waiting, lease, &packet)) {
		tapleases_leave(carrier->leases, lease, true);
		tapcarrier_give(carrier, packet.token, TAP_PASS);
	}
}

void tapcarrier_lose(struct tapcarrier *carrier)
{
	struct tapwaiting_packet packet;

	if (carrier->talk == TALK_NONE)
		return;
	if (carrier->talk == TALK_ON)
		tapcarrier_count(carrier, TAPCARRIER_lost_judges);
	carrier->talk = TALK_NONE;
	carrier->unsaid_bytes = 0;
	carrier->wire.close(carrier->wire.self);
	tapleases_end(carrier->leases);
	while (take_oldest(carrier, UINT64_MAX, &packet))
		tapcarrier_fail(carrier, packet.token,
				TAPCARRIER_abandoned_pkts);
}

void tapcarrier_free(struct tapcarrier *carrier)
{
	if (carrier == NULL)
		return;
	tapcarrier_lose(carrier);
	tapwaiting_free(carrier->waiting);
	tapleases_free(carrier->leases);
	tapturns_free(carrier->turns);
	free(carrier);
}

bool tapcarrier_is_connected(const struct tapcarrier *carrier)
{
	return carrier->talk != TALK_NONE;
}

bool tapcarrier_is_judged(const struct tapcarrier *carrier)
{
	return carrier->talk == TALK_ON;
}

const struct tapcarrier_stats *
tapcarrier_stats(const struct tapcarrier *carrier)
{
	return &carrier->stats;
}

void tapcarrier_connect(struct tapcarrier *carrier, const struct tapwire *wire,
			uint64_t now_ns)
{
	assert(carrier->talk == TALK_NONE);
	carrier->wire = *wire;
	carrier->inbox.from = 0;
	carrier->inbox.end = 0;
	carrier->talk = TALK_BEGUN;
	carrier->heard_ns = now_ns;
	carrier->mode = TAP_OBSERVE;
	carrier->mode_before = TAP_OBSERVE;
	carrier->said_bytes = 0;
	tapcarrier_say_mode(carrier, TAPMESSAGE_HELLO, now_ns);
	for (int i = 0; i < TAPCARRIER_QUESTIONS; i++)
		carrier->question_ends[i] = carrier->said_bytes;
}

void tapcarrier_tell_mode(struct tapcarrier *carrier)
{
	/* Who ends packets, or puts others in their place, has each. */
	bool super_packets = carrier->version > TAPMESSAGE_VERSION_FIRST &&
			     carrier->mode != TAP_INTERCEPT;

	carrier->owner.on_mode(carrier->owner.self, carrier->mode,
			       super_packets);
}

void tapcarrier_renew_mode(struct tapcarrier *carrier, uint64_t now_ns)
{
	enum tap_mode mode = carrier->asked;
	struct tapwaiting_packet packet;

	if (mode > carrier->allowed)
		mode = carrier->allowed;
	if (mode == carrier->mode || carrier->talk != TALK_ON)
		return;
	carrier->mode_before = carrier->mode;
	carrier->mode = mode;
	tapcarrier_tell_mode(carrier);
	tapcarrier_say_mode(carrier, TAPMESSAGE_MODE, now_ns);
	/* Who only observes delays nobody. */
	while (mode == TAP_OBSERVE &&
	       take_oldest(carrier, UINT64_MAX, &packet)) {
		tapcarrier_count(carrier, TAPCARRIER_passed_pkts);
		tapcarrier_give(carrier, packet.token, TAP_PASS);
	}
}

void tapcarrier_allow(struct tapcarrier *carrier, enum tap_mode mode,
		      uint64_t now_ns)
{
	if (mode > carrier->config.most)
		mode = carrier->config.most;
	carrier->allowed = mode;
	tapcarrier_renew_mode(carrier, now_ns);
}

/* ------ a packet */

static void observe(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	enum tapcarrier_counter counter = TAPCARRIER_observed_pkts;

	if (tapcarrier_show(carrier, packet, TAP_OBSERVE, TAPMESSAGE_SEEN,
			    now_ns) < 0)
		counter = TAPCARRIER_untold_pkts;
	tapcarrier_count(carrier, counter);
	tapcarrier_give(carrier, packet->token, TAP_PASS);
}

static bool is_cut(const struct tapcarrier_packet *packet)
{
	return packet->bytes_count < packet->seen.wire_bytes ||
	       packet->bytes_count > TAP_PACKET_BYTES;
}

/* Of what came before it was to come whole, there are headers: it goes the way
 * of those before it. */
static enum tap_mode mode_of(const struct tapcarrier *carrier,
			     const struct tapcarrier_packet *packet)
{
	if (carrier->mode == TAP_INTERCEPT && is_cut(packet) &&
	    packet->seen.wire_bytes <= TAP_PACKET_BYTES)
		return carrier->mode_before;
	return carrier->mode;
}

static void intercept(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	enum tapcarrier_counter counter = TAPCARRIER_intercepted_pkts;

	if (is_cut(packet))
		counter = TAPCARRIER_cut_pkts;
	else if (tapcarrier_show(carrier, packet, TAP_INTERCEPT,
				 TAPMESSAGE_SEEN, now_ns) < 0)
		counter = TAPCARRIER_untold_pkts;
	tapcarrier_count(carrier, counter);
	tapcarrier_give(carrier, packet->token, TAP_DROP);
}

short tapcarrier_events(const struct tapcarrier *carrier)
{
	if (carrier->talk == TALK_NONE || tapturns_is_empty(carrier->turns))
		return POLLIN;
	return (short)(POLLIN | carrier->wire.room_events);
}

bool tapcarrier_has_room(const struct tapcarrier *carrier)
{
	if (carrier->talk != TALK_ON)
		return true;
	return carrier->wire.has_room(
		       carrier->wire.self,
		       carrier->unsaid_bytes +
			       (carrier->mode == TAP_INTERCEPT
					? TAPMESSAGE_BYTES_MAX
					: TAPMESSAGE_HEADERS_MAX)) &&
	       (carrier->mode != TAP_INTERPOSE ||
		tapwaiting_count(carrier->waiting) <
			carrier->config.waiting_max ||
		!tapturns_is_empty(carrier->turns));
}

void tapcarrier_offer(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	tapcarrier_count(carrier, TAPCARRIER_offered_pkts);
	if (carrier->talk != TALK_ON) {
		tapcarrier_fail(carrier, packet->token,
				TAPCARRIER_unjudged_pkts);
		return;
	}
	switch (mode_of(carrier, packet)) {
	case TAP_OBSERVE:
		observe(carrier, packet, now_ns);
		return;
	case TAP_INTERPOSE:
		tapcarrier_ask(carrier, packet, now_ns);
		return;
	case TAP_INTERCEPT:
		intercept(carrier, packet, now_ns);
		return;
	case TAP_MODES:
		return;
	}
}

/* ------ time */

static void give_up(struct tapcarrier *carrier, uint64_t now_ns)
{
	struct tapwaiting_packet packet;

	if (now_ns < carrier->config.longest_ns)
		return;
	while (take_oldest(carrier, now_ns - carrier->config.longest_ns,
			   &packet)) {
		tapcarrier_fail(carrier, packet.token, TAPCARRIER_late_pkts);
		tapcarrier_let_follow(carrier, packet.lease);
	}
}

void tapcarrier_advance(struct tapcarrier *carrier, bool readable,
			uint64_t now_ns)
{
	if (carrier->talk == TALK_NONE)
		return;
	carrier->questions = 0;
	if (readable)
		carrier->wire.wake(carrier->wire.self);
	tapcarrier_hear(carrier, now_ns);
	if (carrier->talk == TALK_BEGUN &&
	    !carrier->wire.has_other(carrier->wire.self))
		carrier->heard_ns = now_ns;
	if (now_ns >= carrier->heard_ns + (carrier->talk == TALK_BEGUN
						   ? TAP_HELLO_NS
						   : TAP_SILENCE_NS))
		tapcarrier_lose(carrier);
	tapcarrier_say_what_is_due(carrier, now_ns);
	give_up(carrier, now_ns);
	tapcarrier_take_turns(carrier, now_ns);
}

uint64_t tapcarrier_next_ns(const struct tapcarrier *carrier)
{
	uint64_t next_ns = UINT64_MAX, oldest_ns;

	if (carrier->talk == TALK_BEGUN)
		return carrier->heard_ns + TAP_HELLO_NS;
	if (carrier->talk == TALK_NONE)
		return next_ns;
	if (carrier->more || (!tapturns_is_empty(carrier->turns) &&
			      !tapcarrier_is_behind(carrier)))
		return 0;
	next_ns = carrier->heard_ns + TAP_SILENCE_NS;
	if (carrier->said_ns + TAP_BEAT_NS < next_ns)
		next_ns = carrier->said_ns + TAP_BEAT_NS;
	if (carrier->told_ns + TAP_STATS_NS < next_ns)
		next_ns = carrier->told_ns + TAP_STATS_NS;
	if (carrier->unsaid_bytes > 0 &&
	    carrier->unsaid_ns + TAP_UNSAID_NS < next_ns)
		next_ns = carrier->unsaid_ns + TAP_UNSAID_NS;
	oldest_ns = tapwaiting_oldest_ns(carrier->waiting);
	if (oldest_ns != UINT64_MAX &&
	    oldest_ns + carrier->config.longest_ns < next_ns)
		next_ns = oldest_ns + carrier->config.longest_ns;
	return next_ns;
}
