/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/guard_evidence.h"

#include "xen-hooks/netback/guard_gates.h"

bool guard_count_heard(struct guard *guard, const struct guard_place *place,
		       uint32_t replies, uint32_t wire_pkts)
{
	struct guard_key *pair = guard_pair(guard, place);
	struct guard_key *flow = guard_flow(guard, place);
	bool opens;

	guard_add(guard, pair, 0, replies);
	if (flow)
		guard_add(guard, flow, 0, replies);
	if (replies > 0)
		guard_purse_heard(guard, place, wire_pkts > 0 ? wire_pkts : 1);
	if (pair->waiting_pkts == 0)
		return false;
	opens = !guard_exceeds(guard, pair, 0) ||
		(flow && flow->waiting_pkts > 0 &&
		 !guard_exceeds(guard, flow, 0));
	return opens || (replies > 0 && guard_has_purse(guard, place));
}

/* A connection that is opened is consented to by who answers, but not before
 * its own side goes on. */
bool guard_finish_handshake(struct guard *guard,
			    const struct guard_packet *packet,
			    const struct guard_place *place)
{
	struct guard_key *flow = guard_flow(guard, place);

	if (!flow || !(flow->flags & GUARD_ACCEPTED) ||
	    !evidence_goes_on(packet->meta->tcp_flags))
		return false;
	flow->flags &= (uint8_t)~GUARD_ACCEPTED;
	return guard_count_heard(guard, place, 1, 0);
}

/* One that is withheld, too: nobody acknowledges it before it leaves. */
void guard_note_evidence(struct guard_key *flow,
			 const struct guard_packet *packet)
{
	if (!flow || !guard_is_tcp(packet->meta) ||
	    evidence_payload_bytes(packet->meta) == 0)
		return;
	evidence_sent(&flow->flow.evidence, packet->meta);
	if (packet->segment_bytes > flow->flow.segment_bytes)
		flow->flow.segment_bytes = packet->segment_bytes;
}

static bool is_refused(struct guard *guard, const struct guard_packet *packet,
		       struct guard_key *flow)
{
	switch (evidence_refuses(packet->meta->tcp_flags)) {
	case EVIDENCE_RESET:
		guard->counters[GUARD_refused_rst_pkts]++;
		return true;
	case EVIDENCE_UNFINISHED:
		if (!flow)
			return false;
		flow->flags |= GUARD_ACCEPTED;
		guard->counters[GUARD_refused_syn_ack_pkts]++;
		return true;
	case EVIDENCE_COUNTS:
	case EVIDENCE_REFUSALS:
		break;
	}
	return false;
}

uint32_t guard_replies_of(struct guard *guard,
			  const struct guard_packet *packet,
			  struct guard_key *flow)
{
	if (!guard->params.wants_consent || !guard_is_tcp(packet->meta))
		return packet->wire_pkts;
	if (is_refused(guard, packet, flow))
		return 0;
	if (!flow)
		return packet->wire_pkts;
	return packet->wire_pkts - 1 +
	       evidence_replies(&flow->flow.evidence, packet->meta,
				flow->flow.segment_bytes);
}
