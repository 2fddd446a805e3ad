/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_LEDGER_H
#define TESTS_FAST_LEDGER_H

/*
 * Every packet of every key, with its time: what no window forgets early or
 * late.  Time does not run back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"

struct ledger;

struct ledger_event {
	uint64_t at_ns;
	uint32_t sent_pkts, heard_pkts;
};

struct ledger_key {
	struct flow_key key;
	struct ledger_event *events; /* those that may still count */
	uint32_t first, count, capacity;
	/* ever, as two count it; late: of what had to wait */
	uint64_t sent_pkts[2], late_pkts[2], heard_pkts[2];
	bool apart;  /* the two let something go at different times, or heard
		      * it differently */
	bool leased; /* is or was */
	uint64_t unlike_ns; /* when the two last were not the same */
};

/* Out of memory, or full, ends the program. */
struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger);

/* Made on first sight; stays where it is. */
struct ledger_key *ledger_find(struct ledger *ledger,
			       const struct flow_key *key);

/* All keys, one after the other, from position 0 on; NULL: no more. */
struct ledger_key *ledger_next(const struct ledger *ledger, size_t *position);

void ledger_add(struct ledger_key *key, uint32_t sent_pkts, uint32_t heard_pkts,
		uint64_t at_ns);

/* In (now_ns - window_ns, now_ns]. */
void ledger_sums(const struct ledger_key *key, uint64_t window_ns,
		 uint64_t now_ns, uint32_t *ret_sent_pkts,
		 uint32_t *ret_heard_pkts);

/* Nobody asks for what is older than this any more. */
void ledger_forget(struct ledger_key *key, uint64_t window_ns, uint64_t now_ns);

#endif
