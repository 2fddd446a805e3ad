/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the carrier says to the judge. */
#include <errno.h>

#include "xen-hooks/tap_carrier_state.h"

/* 0 or -errno; -EAGAIN: the wire is full.  Any other loses the judge. */
static int done(struct tapcarrier *carrier, int error, uint64_t now_ns)
{
	if (error == 0)
		carrier->said_ns = now_ns;
	else if (error != -EAGAIN)
		tapcarrier_lose(carrier);
	return error;
}

int tapcarrier_say_unsaid(struct tapcarrier *carrier, uint64_t now_ns)
{
	int error;

	if (carrier->unsaid_bytes == 0)
		return 0;
	error = carrier->wire.send(carrier->wire.self, carrier->unsaid,
				   carrier->unsaid_bytes);
	if (error == 0) {
		carrier->said_bytes += carrier->unsaid_bytes;
		carrier->unsaid_bytes = 0;
	}
	/* Nobody reads; that is not for a spin. */
	carrier->unsaid_ns = now_ns;
	return done(carrier, error, now_ns);
}

int tapcarrier_say(struct tapcarrier *carrier, const struct tapmessage *message,
		   uint64_t now_ns)
{
	int error = tapcarrier_say_unsaid(carrier, now_ns);
	uint8_t bytes[TAPMESSAGE_BYTES_MAX];
	size_t count;

	if (error < 0)
		return error;
	count = tapmessage_write(message, bytes);
	error = carrier->wire.send(carrier->wire.self, bytes, count);
	if (error == 0)
		carrier->said_bytes += count;
	return done(carrier, error, now_ns);
}

/* Each wakes the judge up, so they are said together. */
static int say_later(struct tapcarrier *carrier,
		     const struct tapmessage *message, uint64_t now_ns)
{
	int error;

	if (carrier->unsaid_bytes + TAPMESSAGE_HEADERS_MAX >
	    sizeof(carrier->unsaid)) {
		error = tapcarrier_say_unsaid(carrier, now_ns);
		if (error < 0)
			return error;
	}
	if (carrier->unsaid_bytes == 0)
		carrier->unsaid_ns = now_ns;
	carrier->unsaid_bytes += tapmessage_write(
		message, carrier->unsaid + carrier->unsaid_bytes);
	return 0;
}

void tapcarrier_say_mode(struct tapcarrier *carrier, enum tapmessage_kind kind,
			 uint64_t now_ns)
{
	const struct tapmessage message = {
		.kind = kind,
		.hello = { TAPMESSAGE_VERSION, carrier->mode },
	};

	tapcarrier_say(carrier, &message, now_ns);
}

static struct tapmessage message_of(const struct tapcarrier_packet *packet,
				    enum tap_mode mode, uint64_t id)
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
	return message;
}

int tapcarrier_show(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, enum tap_mode mode,
		    uint64_t id, uint64_t now_ns)
{
	const struct tapmessage message = message_of(packet, mode, id);

	return tapcarrier_say(carrier, &message, now_ns);
}

int tapcarrier_show_later(struct tapcarrier *carrier,
			  const struct tapcarrier_packet *packet,
			  uint64_t now_ns)
{
	const struct tapmessage message =
		message_of(packet, TAP_OBSERVE, TAPMESSAGE_SEEN);

	return say_later(carrier, &message, now_ns);
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
	tapcarrier_say(carrier, &message, now_ns);
}

void tapcarrier_say_what_is_due(struct tapcarrier *carrier, uint64_t now_ns)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };

	if (carrier->talk == TALK_ON && carrier->unsaid_bytes > 0 &&
	    now_ns >= carrier->unsaid_ns + TAP_UNSAID_NS)
		tapcarrier_say_unsaid(carrier, now_ns);
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->said_ns + TAP_BEAT_NS)
		tapcarrier_say(carrier, &beat, now_ns);
	if (carrier->talk == TALK_ON &&
	    now_ns >= carrier->told_ns + TAP_STATS_NS)
		tell_stats(carrier, now_ns);
}
