/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_CARRIER_STATE_H
#define XEN_HOOKS_TAP_CARRIER_STATE_H

/* Internal to tap_carrier*.c. */

#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_leases.h"
#include "xen-hooks/tap_turns.h"
#include "xen-hooks/tap_waiting.h"

/* So many may be unread.  Who is shown only is not counted: there may be more
 * than the judge can read, and nobody waits for that. */
enum { TAPCARRIER_QUESTIONS = 12 };

enum talk {
	TALK_NONE,  /* there is no wire */
	TALK_BEGUN, /* nothing was heard yet */
	TALK_ON,
};

struct tapcarrier {
	struct tapcarrier_config config;
	struct tapcarrier_owner owner;
	struct tapwaiting *waiting;
	struct tapleases *leases;
	struct tapturns *turns;
	struct tapwire wire;
	struct tapinbox inbox;
	enum talk talk;
	enum tap_mode asked, allowed, mode, mode_before;
	uint32_t version;                    /* of the judge */
	uint64_t heard_ns, said_ns, told_ns; /* told: what was counted */
	uint32_t questions;                  /* since it was advanced */
	/* To the end of each that may be unread; `question` is the oldest. */
	uint64_t said_bytes, question_ends[TAPCARRIER_QUESTIONS];
	uint32_t question;
	bool more; /* was said, and not read yet */
	/* Packets that went unasked, which the judge is to hear of. */
	uint8_t unsaid[TAPMESSAGE_BYTES_MAX];
	size_t unsaid_bytes;
	uint64_t unsaid_ns; /* since when */
	struct tapcarrier_stats stats;
};

static inline void tapcarrier_count(struct tapcarrier *carrier,
				    enum tapcarrier_counter counter)
{
	carrier->stats.counter[counter]++;
}

void tapcarrier_give(struct tapcarrier *carrier, uint64_t token,
		     enum tap_verdict verdict);

/* What nobody judges. */
void tapcarrier_fail(struct tapcarrier *carrier, uint64_t token,
		     enum tapcarrier_counter why);

/* What waits for its verdict does so no more; false: it did not. */
bool tapcarrier_take(struct tapcarrier *carrier, uint64_t id,
		     struct tapwaiting_packet *ret_packet);

/* Who was only behind what has its verdict by now goes on. */
void tapcarrier_let_follow(struct tapcarrier *carrier, uint32_t lease);

/* A packet waits, or goes unasked. */
void tapcarrier_ask(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, uint64_t now_ns);

/* The judge may have read: ask him about those who wait for that. */
bool tapcarrier_is_behind(const struct tapcarrier *carrier);
void tapcarrier_take_turns(struct tapcarrier *carrier, uint64_t now_ns);

/* ------ said: 0 or -errno; -EAGAIN: the wire is full.  Any other loses the
 * judge. */

int tapcarrier_say(struct tapcarrier *carrier, const struct tapmessage *message,
		   uint64_t now_ns);
void tapcarrier_say_mode(struct tapcarrier *carrier, enum tapmessage_kind kind,
			 uint64_t now_ns);
int tapcarrier_show(struct tapcarrier *carrier,
		    const struct tapcarrier_packet *packet, enum tap_mode mode,
		    uint64_t id, uint64_t now_ns);
/* Of one that went unasked: before anything else is said, or within
 * TAP_UNSAID_NS. */
int tapcarrier_show_later(struct tapcarrier *carrier,
			  const struct tapcarrier_packet *packet,
			  uint64_t now_ns);
int tapcarrier_say_unsaid(struct tapcarrier *carrier, uint64_t now_ns);
void tapcarrier_say_what_is_due(struct tapcarrier *carrier, uint64_t now_ns);

/* ------ */

/* Tell the owner what the judge may do. */
void tapcarrier_tell_mode(struct tapcarrier *carrier);

/* It follows what the judge asked for and was allowed. */
void tapcarrier_renew_mode(struct tapcarrier *carrier, uint64_t now_ns);

/* Read the wire.  However much a judge says, packets have their turn. */
void tapcarrier_hear(struct tapcarrier *carrier, uint64_t now_ns);

#endif
