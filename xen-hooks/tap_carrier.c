/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_carrier.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/tap_waiting.h"

enum { MESSAGES_AT_ONCE = 1024 };

enum talk {
	TALK_NONE,  /* there is no wire */
	TALK_BEGUN, /* nothing was heard yet */
	TALK_ON,
};

struct tapcarrier {
	struct tapcarrier_config config;
	struct tapcarrier_owner owner;
	struct tapwaiting *waiting;
	struct tapwire wire;
	struct tapinbox inbox;
	enum talk talk;
	enum tap_mode asked, allowed, mode;
	uint64_t heard_ns, said_ns;
	bool more; /* was said, and not read yet */
	struct tapcarrier_stats stats;
};

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

static void count(struct tapcarrier *carrier, enum tapcarrier_counter counter)
{
	carrier->stats.counter[counter]++;
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
	count(carrier, why);
	give(carrier, token, carrier->config.fail_open ? TAP_PASS : TAP_DROP);
}

static void lose(struct tapcarrier *carrier)
{
	uint64_t token;

	if (carrier->talk == TALK_NONE)
		return;
	if (carrier->talk == TALK_ON)
		count(carrier, TAPCARRIER_lost_judges);
	carrier->talk = TALK_NONE;
	carrier->wire.close(carrier->wire.self);
	while (tapwaiting_take_oldest(carrier->waiting, UINT64_MAX, &token))
		fail(carrier, token, TAPCARRIER_abandoned_pkts);
}

void tapcarrier_free(struct tapcarrier *carrier)
{
	if (carrier == NULL)
		return;
	lose(carrier);
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

enum tap_mode tapcarrier_mode(const struct tapcarrier *carrier)
{
	return carrier->mode;
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
		lose(carrier);
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
	say_mode(carrier, TAPMESSAGE_HELLO, now_ns);
}

static void renew_mode(struct tapcarrier *carrier, uint64_t now_ns)
{
	enum tap_mode mode = carrier->asked;
	uint64_t token;

	if (mode > carrier->allowed)
		mode = carrier->allowed;
	if (mode == carrier->mode || carrier->talk != TALK_ON)
		return;
	carrier->mode = mode;
	carrier->owner.on_mode(carrier->owner.self, mode);
	say_mode(carrier, TAPMESSAGE_MODE, now_ns);
	/* Who only observes delays nobody. */
	while (mode == TAP_OBSERVE &&
	       tapwaiting_take_oldest(carrier->waiting, UINT64_MAX, &token)) {
		count(carrier, TAPCARRIER_passed_pkts);
		give(carrier, token, TAP_PASS);
	}
}

void tapcarrier_allow(struct tapcarrier *carrier, enum tap_mode mode,
		      uint64_t now_ns)
{
	if (mode > carrier->config.most)
		mode = carrier->config.most;
	carrier->allowed = mode;
	renew_mode(carrier, now_ns);
}

/* ------ a packet */

static int show(struct tapcarrier *carrier,
		const struct tapcarrier_packet *packet, uint64_t id,
		uint64_t now_ns)
{
	struct tapmessage message = {
		.kind = TAPMESSAGE_PACKET,
		.packet = packet->seen,
		.bytes = packet->bytes,
		.bytes_count = packet->bytes_count,
	};
	size_t most = carrier->mode == TAP_INTERCEPT ? TAP_PACKET_BYTES
						     : TAP_HEADERS_BYTES;

	message.packet.id = id;
	message.packet.mode = (uint8_t)carrier->mode;
	if (message.bytes_count > most)
		message.bytes_count = most;
	return say(carrier, &message, now_ns);
}

static void observe(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	enum tapcarrier_counter counter = TAPCARRIER_observed_pkts;

	if (show(carrier, packet, TAPMESSAGE_SEEN, now_ns) < 0)
		counter = TAPCARRIER_untold_pkts;
	count(carrier, counter);
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
	if (show(carrier, packet, id, now_ns) == 0)
		count(carrier, TAPCARRIER_asked_pkts);
	else if (tapwaiting_take(carrier->waiting, id, &token))
		fail(carrier, token, TAPCARRIER_untold_pkts);
}

static void intercept(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	enum tapcarrier_counter counter = TAPCARRIER_intercepted_pkts;

	if (packet->bytes_count < packet->seen.wire_bytes ||
	    packet->bytes_count > TAP_PACKET_BYTES)
		counter = TAPCARRIER_cut_pkts;
	else if (show(carrier, packet, TAPMESSAGE_SEEN, now_ns) < 0)
		counter = TAPCARRIER_untold_pkts;
	count(carrier, counter);
	give(carrier, packet->token, TAP_DROP);
}

bool tapcarrier_has_room(const struct tapcarrier *carrier)
{
	if (carrier->talk != TALK_ON)
		return true;
	return carrier->wire.has_room(carrier->wire.self) &&
	       (carrier->mode != TAP_INTERPOSE ||
		tapwaiting_count(carrier->waiting) <
			carrier->config.waiting_max);
}

void tapcarrier_offer(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns)
{
	count(carrier, TAPCARRIER_offered_pkts);
	if (carrier->talk != TALK_ON) {
		fail(carrier, packet->token, TAPCARRIER_unjudged_pkts);
		return;
	}
	switch (carrier->mode) {
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

/* ------ what the judge says */

static void carry_out(struct tapcarrier *carrier,
		      const struct tapmessage *message)
{
	static const enum tapcarrier_counter counters[TAP_VERDICTS] = {
		TAPCARRIER_passed_pkts, TAPCARRIER_dropped_pkts,
		TAPCARRIER_replaced_pkts
	};
	enum tap_verdict verdict = message->verdict.verdict;
	uint64_t token;

	if (!tapwaiting_take(carrier->waiting, message->verdict.id, &token)) {
		count(carrier, TAPCARRIER_stale_verdicts);
		return;
	}
	count(carrier, counters[verdict]);
	carrier->owner.on_verdict(carrier->owner.self, token, verdict,
				  message->bytes, message->bytes_count);
}

static void put_out(struct tapcarrier *carrier,
		    const struct tapmessage *message)
{
	if (carrier->mode != TAP_INTERCEPT) {
		count(carrier, TAPCARRIER_refused_frames);
		return;
	}
	count(carrier, TAPCARRIER_frames);
	carrier->owner.on_frame(carrier->owner.self, message->frame.interface,
				message->bytes, message->bytes_count);
}

static void greet(struct tapcarrier *carrier, const struct tapmessage *message,
		  uint64_t now_ns)
{
	carrier->talk = TALK_ON;
	count(carrier, TAPCARRIER_judges);
	carrier->asked = message->hello.mode;
	carrier->owner.on_mode(carrier->owner.self, carrier->mode);
	renew_mode(carrier, now_ns);
}

/* false: what a judge does not say, or not now. */
static bool hear(struct tapcarrier *carrier, const struct tapmessage *message,
		 uint64_t now_ns)
{
	if ((carrier->talk == TALK_BEGUN) !=
	    (message->kind == TAPMESSAGE_HELLO))
		return false;
	switch (message->kind) {
	case TAPMESSAGE_HELLO:
		greet(carrier, message, now_ns);
		return true;
	case TAPMESSAGE_MODE:
		carrier->asked = message->hello.mode;
		renew_mode(carrier, now_ns);
		return true;
	case TAPMESSAGE_VERDICT:
		carry_out(carrier, message);
		return true;
	case TAPMESSAGE_FRAME:
		put_out(carrier, message);
		return true;
	case TAPMESSAGE_BEAT:
		return true;
	case TAPMESSAGE_PACKET:
	case TAPMESSAGE_KINDS:
		return false;
	}
	return false;
}

/* However much a judge says, packets have their turn. */
static void read_wire(struct tapcarrier *carrier, uint64_t now_ns)
{
	struct tapmessage message;
	int got = 0;

	carrier->more = false;
	for (int i = 0; carrier->talk != TALK_NONE; i++) {
		if (i == MESSAGES_AT_ONCE) {
			carrier->more = true;
			return;
		}
		got = tapinbox_next(&carrier->inbox, &carrier->wire, &message);
		if (got <= 0)
			break;
		carrier->heard_ns = now_ns;
		if (!hear(carrier, &message, now_ns)) {
			lose(carrier);
			return;
		}
	}
	if (got < 0)
		lose(carrier);
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

void tapcarrier_advance(struct tapcarrier *carrier, bool readable,
			uint64_t now_ns)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };

	if (carrier->talk == TALK_NONE)
		return;
	if (readable)
		carrier->wire.wake(carrier->wire.self);
	read_wire(carrier, now_ns);
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->heard_ns + TAP_SILENCE_NS)
		lose(carrier);
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->said_ns + TAP_BEAT_NS)
		say(carrier, &beat, now_ns);
	give_up(carrier, now_ns);
}

uint64_t tapcarrier_next_ns(const struct tapcarrier *carrier)
{
	uint64_t next_ns = UINT64_MAX, oldest_ns;

	if (carrier->talk != TALK_ON)
		return next_ns;
	if (carrier->more)
		return 0;
	next_ns = carrier->heard_ns + TAP_SILENCE_NS;
	if (carrier->said_ns + TAP_BEAT_NS < next_ns)
		next_ns = carrier->said_ns + TAP_BEAT_NS;
	oldest_ns = tapwaiting_oldest_ns(carrier->waiting);
	if (oldest_ns != UINT64_MAX &&
	    oldest_ns + carrier->config.longest_ns < next_ns)
		next_ns = oldest_ns + carrier->config.longest_ns;
	return next_ns;
}
