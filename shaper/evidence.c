/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/evidence.h"

#include "flowtable/packet_meta.h"

enum { TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

enum evidence_refusal evidence_refuses(uint8_t tcp_flags)
{
	if (tcp_flags & TCP_RST)
		return EVIDENCE_RESET;
	if ((tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		return EVIDENCE_UNFINISHED;
	return EVIDENCE_COUNTS;
}

static uint32_t payload_bytes(const struct packet_meta *meta)
{
	return meta->length_bytes > meta->header_bytes
		       ? meta->length_bytes - meta->header_bytes
		       : 0;
}

void evidence_sent(struct evidence *evidence, const struct packet_meta *meta)
{
	uint32_t payload = payload_bytes(meta);
	uint32_t end = meta->tcp_seq + payload;

	if (payload == 0)
		return;
	if (!evidence->follows) {
		*evidence = (struct evidence){
			.sent_end = end,
			.acked = meta->tcp_seq,
			.follows = true,
		};
		return;
	}
	if ((int32_t)(end - evidence->sent_end) > 0)
		evidence->sent_end = end;
}

uint32_t evidence_replies(struct evidence *evidence,
			  const struct packet_meta *meta,
			  uint32_t segment_bytes)
{
	uint32_t acked_bytes = meta->tcp_ack - evidence->acked;
	uint32_t most_bytes = evidence->sent_end - evidence->acked;
	uint32_t segments;

	if (!evidence->follows || segment_bytes == 0 ||
	    (meta->tcp_flags & (TCP_ACK | TCP_RST)) != TCP_ACK ||
	    acked_bytes > most_bytes)
		return 1;
	evidence->acked = meta->tcp_ack;
	segments = acked_bytes / segment_bytes +
		   (acked_bytes % segment_bytes != 0);
	return segments > 2 ? (segments + 1) / 2 : 1;
}
