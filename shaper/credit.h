/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CREDIT_H
#define SHAPER_CREDIT_H

/*
 * What a pair may send although its gate, or one of its flows', is closed:
 * one packet for each packet in its purse.  The purse has two parts.
 *
 * Patience: who was silent for a minute, or is new, cannot have been answered
 * yet.  It is given `patience_pkts`, good for the first second from its first
 * packet on; after that second the rest lapses, and there is no more before
 * another minute of silence.  What an attacker gains: that many packets, once
 * a minute and destination, in one second; none in any other.
 *
 * A stream (media.h) has another patience instead: its packets, CREDIT_STREAM_*
 * a second for three seconds.  A voice call has 50.  What an attacker gains who
 * writes RTP headers: 64 packets in any of those seconds, of its first minute.
 *
 * Credit: receivers acknowledge less often than S asks for (QUIC: RFC 9000
 * 13.2.2; RTP: RFC 3550 6.2; tunnels as their load does), and calls have phases
 * in which one side says nothing.  Each packet heard that is evidence earns
 * `earned_pkts`, CREDIT_MAX_PKTS at most, which lapse after a minute without
 * such a packet.  They are good once the pair was answered CREDIT_ANSWERS times
 * in turn.  What an attacker gains: a peer that sends one packet buys
 * 2^T + earned_pkts packets, 16 as shipped; CREDIT_MAX_PKTS at once when it
 * saved for it.  A target that does not answer gives none.
 *
 * Times are in ticks of about a millisecond, compared modulo 2^32: 52 days, a
 * pair is forgotten after a minute.
 */

#include <stdbool.h>
#include <stdint.h>

#include "policy/credit_params.h"

enum {
	CREDIT_MAX_PKTS = 2048,
	CREDIT_ANSWERS = 3,
	CREDIT_TICK_SHIFT = 20,
	CREDIT_SECOND_TICKS = 953,   /* of 2^20 ns: just below a second */
	CREDIT_MINUTE_TICKS = 57221, /* just above a minute */
	CREDIT_STREAM_TICKS = 2861,  /* three seconds */
	CREDIT_STREAM_PKTS_PER_S = 50,
	CREDIT_STREAM_BURST_PKTS = 2,
};

enum credit_state {
	CREDIT_ANSWERED = 3, /* this part counts to CREDIT_ANSWERS */
	CREDIT_BEGAN = 4,    /* it has sent; began_ticks and sent_ticks hold */
	CREDIT_ASKED = 8,    /* its latest packet is not answered */
	CREDIT_STREAM = 16,  /* its patience is that of a stream */
	CREDIT_MET = 32,     /* engine_credit_meet */
};

struct credit {                /* all-zero: nothing is known */
	uint32_t began_ticks;  /* first packet after a silence */
	uint32_t sent_ticks;   /* latest packet */
	uint32_t heard_ticks;  /* latest evidence */
	uint16_t earned_pkts;  /* unspent */
	uint8_t patience_pkts; /* unspent; CREDIT_STREAM: spent */
	uint8_t state; /* enum credit_state, and how often it was answered in
			* turn */
};
_Static_assert(sizeof(struct credit) == 16, "four of them in a line");

/* `pkts` packets leave.  `known_silent`: if nothing is remembered of this pair
 * then because it sent nothing for a minute.  Cannot fail. */
void credit_sent(struct credit *credit, const struct credit_params *params,
		 bool known_silent, uint64_t now_ns);

/* So many packets that are evidence came in. */
void credit_heard(struct credit *credit, const struct credit_params *params,
		  uint32_t pkts, uint64_t now_ns);

/* Somebody else counted this pair, which was sending and answered, and heard
 * `pkts` meanwhile: no patience is due to it. */
void credit_resume(struct credit *credit, const struct credit_params *params,
		   uint32_t pkts, uint64_t now_ns);

/* Pay for `pkts` packets.  false: there are not so many in the purse, and none
 * is taken.  Call credit_sent first. */
bool credit_pay(struct credit *credit, uint32_t pkts, uint64_t now_ns);

/* The same for a packet of a stream, as long as nothing else of the pair's
 * patience was spent.  `params` tells whether there is patience at all. */
bool credit_pay_stream(struct credit *credit,
		       const struct credit_params *params, uint64_t now_ns);

/* Either: a single packet of a stream by that, if it can be, all else, and any
 * other packet, by the purse. */
bool credit_pay_for(struct credit *credit, const struct credit_params *params,
		    uint32_t pkts, bool is_stream, uint64_t now_ns);

/* What is in the purse: patience and what was earned. */
void credit_purse(const struct credit *credit, uint64_t now_ns,
		  uint32_t *ret_patience_pkts, uint32_t *ret_earned_pkts);

/* When it began to send, or up to a tick before; 0: it has not within the last
 * minute. */
uint64_t credit_began_ns(const struct credit *credit, uint64_t now_ns);

/* Has it sent within the last minute?  Then it would be given patience once
 * more if it were forgotten. */
bool credit_must_stay(const struct credit *credit, uint64_t now_ns);

/*
 * May a pair be forgotten, as far as its purse goes?  `contacts_count`: it
 * would be taken for a first contact once more.  `crowded`: others need its
 * place; then also if it sent within the last minute, unless it spent of its
 * patience: *ret_early, nobody who is new is known to have been silent for the
 * next minute.
 */
bool credit_may_forget(const struct credit *credit,
		       const struct credit_params *params, bool contacts_count,
		       bool crowded, uint64_t now_ns, bool *ret_early);

#endif
