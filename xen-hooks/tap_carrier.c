/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_carrier.h"

#include <assert.h>
#include <errno.h>
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
	carrier->waiting = tapwaiting_new(config->waiting_max);
	if (carrier->waiting == NULL) {
		free(carrier);
		return NULL;
	}
	return carrier;
}

static void give(struct tapcarrier *carrier, uint64_t token,
		 enum tap_verdict verdict)
{
	carrier->owner.on_verdict(carrier->owner.self, token, verdict, NULL, 0);
}

/* What nobody judges. */
static void fail(struct tapcarrier *carrier, uint64_t token,
		 enum tapcarrier_counter why)
{
	tapcarrier_count(carrier, why);
	give(carrier, token, carrier->config.fail_open ? TAP_PASS : TAP_DROP);
}

void tapcarrier_lose(struct tapcarrier *carrier)
{
	uint64_t token;

	if (carrier->talk == TALK_NONE)
		return;
	if (carrier->talk == TALK_ON)
		tapcarrier_count(carrier, TAPCARRIER_lost_judges);
	carrier->talk = TALK_NONE;
	carrier->wire.close(carrier->wire.self);
	while (tapwaiting_take_oldest(carrier->waiting, UINT64_MAX, &token))
		fail(carrier, token, TAPCARRIER_abandoned_pkts);
}

void tapcarrier_free(struct tapcarrier *carrier)
{
	if (carrier == NULL)
		return;
	tapcarrier_lose(carrier);
	tapwaiting_free(carrier->waiting);
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

/* 0 or -errno; -EAGAIN: the wire is full.  Any other loses the judge. */
static int say(struct tapcarrier *carrier, const struct tapmessage *message,
	       uint64_t now_ns)
{
	int error = tapwire_say(&carrier->wire, message);

	if (error == 0)
		carrier->said_ns = now_ns;
	else if (error != -EAGAIN)
		tapcarrier_lose(carrier);
	return error;
}

static void say_mode(struct tapcarrier *carrier, enum tapmessage_kind kind,
		     uint64_t now_ns)
{
	const struct tapmessage message = {
		.kind = kind,
		.hello = { TAPMESSAGE_VERSION, carrier->mode },
	};

	say(carrier, &message, now_ns);
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
	say_mode(carrier, TAPMESSAGE_HELLO, now_ns);
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
	uint64_t token;

	if (mode > carrier->allowed)
		mode = carrier->allowed;
	if (mode == carrier->mode || carrier->talk != TALK_ON)
		return;
	carrier->mode_before = carrier->mode;
	carrier->mode = mode;
	tapcarrier_tell_mode(carrier);
	say_mode(carrier, TAPMESSAGE_MODE, now_ns);
	/* Who only observes delays nobody. */
	while (mode == TAP_OBSERVE &&
	       tapwaiting_take_oldest(carrier->waiting, UINT64_MAX, &token)) {
		tapcarrier_count(carrier, TAPCARRIER_passed_pkts);
		give(carrier, token, TAP_PASS);
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

static int show(struct tapcarrier *carrier,
		const struct tapcarrier_packet *packet, enum tap_mode mode,
		uint64_t id, uint64_t now_ns)
{
	struct tapmessage message = {
		.kind = TAPMESSAGE_PACKET,
		.packet = packet->seen,
		.bytes = packet->bytes,
		.bytes_count = packet->bytes_count,
	};
	size_t most = mode == TAP_INTERCEPT ? TAP_PACKET_BYTES
					    : TAP_HEADERS_BYTES;

	message.packet.id = id;
	message.packet.mode = (uint8_t)mode;
	if (message.bytes_count > most)
		message.bytes_count = most;
	return say(carrier, &message, now_ns);
}

static void observe(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	enum tapcarrier_counter counter = TAPCARRIER_observed_pkts;

	if (show(carrier, packet, TAP_OBSERVE, TAPMESSAGE_SEEN, now_ns) < 0)
		counter = TAPCARRIER_untold_pkts;
	tapcarrier_count(carrier, counter);
	give(carrier, packet->token, TAP_PASS);
}

static void ask(struct tapcarrier *carrier,
		const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	uint64_t id = tapwaiting_add(carrier->waiting, packet->token, now_ns);
	uint64_t token;

	if (id == 0) {
		fail(carrier, packet->token, TAPCARRIER_full_pkts);
		return;
	}
	if (show(carrier, packet, TAP_INTERPOSE, id, now_ns) == 0)
		tapcarrier_count(carrier, TAPCARRIER_asked_pkts);
	else if (tapwaiting_take(carrier->waiting, id, &token))
		fail(carrier, token, TAPCARRIER_untold_pkts);
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
	else if (show(carrier, packet, TAP_INTERCEPT, TAPMESSAGE_SEEN, now_ns) <
		 0)
		counter = TAPCARRIER_untold_pkts;
	tapcarrier_count(carrier, counter);
	give(carrier, packet->token, TAP_DROP);
}

bool tapcarrier_has_room(const struct tapcarrier *carrier)
{
	if (carrier->talk != TALK_ON)
		return true;
	return carrier->wire.has_room(carrier->wire.self,
				      carrier->mode == TAP_INTERCEPT
					      ? TAPMESSAGE_BYTES_MAX
					      : TAPMESSAGE_HEADERS_MAX) &&
	       (carrier->mode != TAP_INTERPOSE ||
		tapwaiting_count(carrier->waiting) <
			carrier->config.waiting_max);
}

void tapcarrier_offer(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	tapcarrier_count(carrier, TAPCARRIER_offered_pkts);
	if (carrier->talk != TALK_ON) {
		fail(carrier, packet->token, TAPCARRIER_unjudged_pkts);
		return;
	}
	switch (mode_of(carrier, packet)) {
	case TAP_OBSERVE:
		observe(carrier, packet, now_ns);
		return;
	case TAP_INTERPOSE:
		ask(carrier, packet, now_ns);
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
	uint64_t token;

	if (now_ns < carrier->config.longest_ns)
		return;
	while (tapwaiting_take_oldest(
		carrier->waiting, now_ns - carrier->config.longest_ns, &token))
		fail(carrier, token, TAPCARRIER_late_pkts);
}

/* Who is to show it; a wire that is full is no reason to lose anything. */
static void tell_stats(struct tapcarrier *carrier, uint64_t now_ns)
{
	const struct tapmessage message = {
		.kind = TAPMESSAGE_STATS,
		.bytes = (const uint8_t *)&carrier->stats,
		.bytes_count = sizeof(carrier->stats),
	};

	carrier->told_ns = now_ns;
	say(carrier, &message, now_ns);
}

void tapcarrier_advance(struct tapcarrier *carrier, bool readable,
			uint64_t now_ns)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };

	if (carrier->talk == TALK_NONE)
		return;
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
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->said_ns + TAP_BEAT_NS)
		say(carrier, &beat, now_ns);
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->told_ns + TAP_STATS_NS)
		tell_stats(carrier, now_ns);
	give_up(carrier, now_ns);
}

uint64_t tapcarrier_next_ns(const struct tapcarrier *carrier)
{
	uint64_t next_ns = UINT64_MAX, oldest_ns;

	if (carrier->talk == TALK_BEGUN)
		return carrier->heard_ns + TAP_HELLO_NS;
	if (carrier->talk == TALK_NONE)
		return next_ns;
	if (carrier->more)
		return 0;
	next_ns = carrier->heard_ns + TAP_SILENCE_NS;
	if (carrier->said_ns + TAP_BEAT_NS < next_ns)
		next_ns = carrier->said_ns + TAP_BEAT_NS;
	if (carrier->told_ns + TAP_STATS_NS < next_ns)
		next_ns = carrier->told_ns + TAP_STATS_NS;
	oldest_ns = tapwaiting_oldest_ns(carrier->waiting);
	if (oldest_ns != UINT64_MAX &&
	    oldest_ns + carrier->config.longest_ns < next_ns)
		next_ns = oldest_ns + carrier->config.longest_ns;
	return next_ns;
}
