/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_EVIDENCE_H
#define SHAPER_EVIDENCE_H

/*
 * How much one packet from the other side consents to.  A receiver that merges
 * segments acknowledges up to 44 of them at once (GRO; RFC 9293 3.8.6.3 only
 * asks for every second): counted as one packet, a bulk upload would look like
 * a flood.  So an acknowledgement of k segments counts as k/2 replies, what
 * k/2 plain acknowledgements would.
 *
 * Only numbers that can be true count: what was sent since this flow came near
 * its threshold, and was not acknowledged before.  All else is one packet.
 * Sequence numbers are compared modulo 2^32 (RFC 9293 3.4).  Also compiled for
 * BPF.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"

enum {
	EVIDENCE_TCP_SYN = 2,
	EVIDENCE_TCP_RST = 4,
	EVIDENCE_TCP_ACK = 16,
	EVIDENCE_REPLIES_MAX = 65535, /* 190 MB in segments of 1448 */
};

/* Why a packet counts as no reply at all. */
enum evidence_refusal {
	EVIDENCE_COUNTS,
	EVIDENCE_RESET,      /* RST: "go away" is no "go on" */
	EVIDENCE_UNFINISHED, /* SYN-ACK: counts when its handshake is
			      * completed */
	EVIDENCE_REFUSALS
};

/* By its flags: does a TCP packet open a connection?  Does it go on with one
 * that was accepted? */
static inline bool evidence_opens(uint8_t tcp_flags)
{
	return (tcp_flags & (EVIDENCE_TCP_SYN | EVIDENCE_TCP_ACK)) ==
	       EVIDENCE_TCP_SYN;
}

static inline bool evidence_goes_on(uint8_t tcp_flags)
{
	return (tcp_flags & (EVIDENCE_TCP_SYN | EVIDENCE_TCP_RST |
			     EVIDENCE_TCP_ACK)) == EVIDENCE_TCP_ACK;
}

/* By the flags of a TCP packet that came in.  Cannot fail. */
enum evidence_refusal evidence_refuses(uint8_t tcp_flags);

struct evidence {          /* all-zero: nothing sent yet */
	uint32_t sent_end; /* the number after the last byte sent */
	uint32_t acked;    /* the number that the other side expects next */
	bool follows;      /* the two are known */
};

static inline uint32_t evidence_payload_bytes(const struct packet_meta *meta)
{
	return meta->length_bytes > meta->header_bytes
		       ? meta->length_bytes - meta->header_bytes
		       : 0;
}

/* A TCP packet goes out.  Cannot fail. */
static inline void evidence_sent(struct evidence *evidence,
				 const struct packet_meta *meta)
{
	uint32_t payload = evidence_payload_bytes(meta);
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

/*
 * A TCP packet came in: how many replies it stands for, 1 to
 * EVIDENCE_REPLIES_MAX.
 * `segment_bytes`: the payload of a full segment of this flow, 0: not known.
 */
static inline uint32_t evidence_replies(struct evidence *evidence,
					const struct packet_meta *meta,
					uint32_t segment_bytes)
{
	uint32_t acked_bytes = meta->tcp_ack - evidence->acked;
	uint32_t most_bytes = evidence->sent_end - evidence->acked;
	uint32_t segments;

	if (!evidence->follows || segment_bytes == 0 ||
	    (meta->tcp_flags & (EVIDENCE_TCP_ACK | EVIDENCE_TCP_RST)) !=
		    EVIDENCE_TCP_ACK ||
	    acked_bytes > most_bytes)
		return 1;
	evidence->acked = meta->tcp_ack;
	segments = acked_bytes / segment_bytes +
		   (acked_bytes % segment_bytes != 0);
	/* Who leaps ahead by 2^31, and has it acknowledged, gains no more. */
	if (segments > 2 * EVIDENCE_REPLIES_MAX)
		return EVIDENCE_REPLIES_MAX;
	return segments > 2 ? (segments + 1) / 2 : 1;
}

#endif
