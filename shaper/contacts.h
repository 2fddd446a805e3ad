/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CONTACTS_H
#define SHAPER_CONTACTS_H

/*
 * How many hosts one guarded host may try that have not answered: its first
 * contacts, at most `pace` in any second, whenever it begins (pacer.h).  An
 * answer takes its contact out of the count again.
 *
 * Peer-to-peer programs try a hundred at once, now and then, and are answered
 * by a quarter of them.  So who is answered by one in eight, and by eight at
 * least, has a reserve beside the pace: CONTACTS_RESERVE contacts, filled at
 * 15/16 of the pace by what the host does not use of it (a GCRA, ITU-T I.371).
 * What a scanner gains that has friends to answer it: `pace` + CONTACTS_RESERVE
 * in one second, and in the long run no more than `pace`.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/pacer.h"

enum {
	CONTACTS_RESERVE = 256,
	CONTACTS_ANSWERS_MIN = 8,
	CONTACTS_PER_ANSWER_MAX = 8,
	CONTACTS_REMEMBERED = 512, /* then both counts are halved */
};

struct contacts { /* all-zero: none yet */
	struct pacer unanswered;
	uint64_t full_ns; /* when the reserve will be full; past: it is */
	uint16_t made, answered;
};

/* `pace` 1..10000 in all.  May one more leave?  Cannot fail. */
bool contacts_allow(struct contacts *contacts, uint32_t pace, uint64_t now_ns);

/* When it may, if nothing happens until then; now_ns: at once. */
uint64_t contacts_next_ns(struct contacts *contacts, uint32_t pace,
			  uint64_t now_ns);

/* One left. */
void contacts_count(struct contacts *contacts, uint32_t pace, uint64_t now_ns);

/* One that left at `left_ns` was answered. */
void contacts_answer(struct contacts *contacts, uint32_t pace, uint64_t left_ns,
		     uint64_t now_ns);

/* Does it owe nothing, so that it may be forgotten? */
bool contacts_are_idle(struct contacts *contacts, uint64_t now_ns);

#endif
