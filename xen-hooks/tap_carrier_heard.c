/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judge says to the carrier. */
#include "xen-hooks/tap_carrier_state.h"

enum { MESSAGES_AT_ONCE = 1024 };

static void carry_out(struct tapcarrier *carrier,
		      const struct tapmessage *message, uint64_t now_ns)
{
	static const enum tapcarrier_counter counters[TAP_VERDICTS] = {
		TAPCARRIER_passed_pkts, TAPCARRIER_dropped_pkts,
		TAPCARRIER_replaced_pkts
	};
	enum tap_verdict verdict = message->verdict.verdict;
	struct tapwaiting_packet packet;

	if (tapmessage_has_gone(message->verdict.id)) {
		if (!tapleases_renew(carrier->leases, message->verdict.id,
				     message->verdict.lease_pkts, now_ns))
			tapcarrier_count(carrier, TAPCARRIER_stale_verdicts);
		return;
	}
	if (!tapcarrier_take(carrier, message->verdict.id, &packet)) {
		tapcarrier_count(carrier, TAPCARRIER_stale_verdicts);
		return;
	}
	tapcarrier_count(carrier, counters[verdict]);
	carrier->owner.on_verdict(carrier->owner.self, packet.token, verdict,
				  message->bytes, message->bytes_count);
	if (verdict == TAP_DROP)
		tapleases_refuse(carrier->leases, packet.lease, now_ns);
	if (message->verdict.lease_pkts > 0)
		tapleases_give(carrier->leases, packet.lease,
			       message->verdict.lease_pkts, now_ns);
	tapcarrier_let_follow(carrier, packet.lease);
}

static void put_out(struct tapcarrier *carrier,
		    const struct tapmessage *message)
{
	if (carrier->mode != TAP_INTERCEPT) {
		tapcarrier_count(carrier, TAPCARRIER_refused_frames);
		return;
	}
	tapcarrier_count(carrier, TAPCARRIER_frames);
	carrier->owner.on_frame(carrier->owner.self, message->frame.interface,
				message->bytes, message->bytes_count);
}

static void greet(struct tapcarrier *carrier, const struct tapmessage *message,
		  uint64_t now_ns)
{
	carrier->talk = TALK_ON;
	tapcarrier_count(carrier, TAPCARRIER_judges);
	carrier->asked = message->hello.mode;
	carrier->version = message->hello.version;
	tapcarrier_tell_mode(carrier);
	tapcarrier_renew_mode(carrier, now_ns);
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
		tapcarrier_renew_mode(carrier, now_ns);
		return true;
	case TAPMESSAGE_VERDICT:
		carry_out(carrier, message, now_ns);
		return true;
	case TAPMESSAGE_FRAME:
		put_out(carrier, message);
		return true;
	case TAPMESSAGE_BEAT:
		return true;
	case TAPMESSAGE_PACKET:
	case TAPMESSAGE_STATS:
	case TAPMESSAGE_KINDS:
		return false;
	}
	return false;
}

void tapcarrier_hear(struct tapcarrier *carrier, uint64_t now_ns)
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
			tapcarrier_lose(carrier);
			return;
		}
	}
	if (got < 0)
		tapcarrier_lose(carrier);
}
