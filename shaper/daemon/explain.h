/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_EXPLAIN_H
#define SHAPER_DAEMON_EXPLAIN_H

/*
 * Why a key is held, in numbers and in sentences.  Here, and not on the packet
 * path, S is a logarithm.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"

struct snapshot_row;
struct toplist_row;

enum {
	EXPLAIN_ADDRESS_BYTES = 46,
	EXPLAIN_SENTENCE_BYTES = 512,
};

/* S = log2((out + 1) / (in + 1)) of the last window. */
double explain_s(uint32_t out_pkts, uint32_t in_pkts);
double explain_threshold(uint32_t ratio_q16);

/*
 * Replies that, heard within one window and with nothing more sent, would
 * bring S down to the threshold; 0: it is not above.
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
	EXPLAIN_EXEMPT,  /* would be over, but is never held */
	EXPLAIN_COUNTED, /* over, but nothing of it is held: see the mode, or
			  * its scope is not enforced */
	EXPLAIN_OVER,    /* over: its next packet would wait */
	EXPLAIN_HELD,    /* packets wait */
};
enum explain_state explain_state(const struct snapshot_row *row,
				 enum explain_mode mode);
/* "quiet", "exempt", "counted", "over", "held" */
const char *explain_state_name(enum explain_state state);

/* One or two sentences on one key. */
void explain_row(const struct toplist_row *row, enum explain_mode mode,
		 uint64_t now_ns, char ret_sentence[EXPLAIN_SENTENCE_BYTES]);

/*
 * One sentence on all `count` rows of `address`, the worst first: is it held,
 * and by how many of its keys.
 */
void explain_summary(const uint8_t address[16], const struct toplist_row *rows,
		     size_t count, enum explain_mode mode,
		     char ret_sentence[EXPLAIN_SENTENCE_BYTES]);

#endif
