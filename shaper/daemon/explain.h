/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_EXPLAIN_H
#define SHAPER_DAEMON_EXPLAIN_H

/*
 * Why a key is held or not, in numbers and names; sentences.h says it.  Here,
 * and not on the packet path, S is a logarithm.
 */

#include <stdbool.h>
#include <stdint.h>

struct snapshot_row;

enum { EXPLAIN_ADDRESS_BYTES = 46 };

/* S = log2((out + 1) / (in + 1)) of the last window. */
double explain_s(uint32_t out_pkts, uint32_t in_pkts);
double explain_threshold(uint32_t ratio_q16);

/*
 * Replies that, heard within one window and with nothing more sent, would
 * bring the S that decides down to the threshold; 0: it is not above.
 */
uint32_t explain_replies_needed(const struct snapshot_row *row);

/* "10.20.0.7", "2001:db8::7" */
void explain_address(const uint8_t address[16],
		     char ret_text[EXPLAIN_ADDRESS_BYTES]);
/* "tcp", "udp", ... or its number in `buffer`; "" for 0. */
const char *explain_proto(uint8_t proto, char buffer[4]);

/* Why nothing at all is held, whatever a key deserves. */
enum explain_mode {
	EXPLAIN_ENFORCES, /* no such reason */
	EXPLAIN_SHADOW,
	EXPLAIN_ONE_SIDED, /* we see one direction only */
};

enum explain_state {
	EXPLAIN_QUIET,   /* not over its threshold */
	EXPLAIN_KERNEL,  /* neither, and the kernel counts and passes it */
	EXPLAIN_EXEMPT,  /* would be over, but is never held */
	EXPLAIN_PASSES,  /* over, and passes: floor, patience, credit */
	EXPLAIN_COUNTED, /* over, but nothing of it is held: see the mode, or
			  * its scope is not enforced */
	EXPLAIN_OVER,    /* over: its next packet would wait */
	EXPLAIN_HELD,    /* packets wait */
};
enum explain_state explain_state(const struct snapshot_row *row,
				 enum explain_mode mode);
/* "quiet", "kernel", "exempt", "passes", "counted", "over", "held" */
const char *explain_state_name(enum explain_state state);

/* What decides that state. */
enum explain_reason {
	EXPLAIN_BY_S,        /* what came counts for what it is, or nearly */
	EXPLAIN_EVIDENCE,    /* it counts for more, so that it is not held */
	EXPLAIN_REFUSED,     /* some of it is no consent, so that it is */
	EXPLAIN_FLOOR,       /* too few to be worth holding */
	EXPLAIN_PATIENCE,    /* its first second */
	EXPLAIN_STREAM,      /* the first seconds of a media stream */
	EXPLAIN_CREDIT,      /* earned by answers */
	EXPLAIN_CONTACTS,    /* the pace of first contacts */
	EXPLAIN_CONNECTIONS, /* the pace of new connections */
	EXPLAIN_RATE,        /* what its host may send in all */
	EXPLAIN_SPARED,      /* a rule or an exemption */
};
enum explain_reason explain_reason(const struct snapshot_row *row);
/* "S", "evidence", "refused", "floor", "patience", "stream", "credit",
 * "first-contacts", "new-connections", "rate", "exempt" */
const char *explain_reason_name(enum explain_reason reason);

#endif
