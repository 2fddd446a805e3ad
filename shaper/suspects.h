/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_SUSPECTS_H
#define SHAPER_SUSPECTS_H

/*
 * The pool of what a key borrows when it comes near its threshold: an exact
 * window, a gate and a place to wait.  Ids 1..lent are lent to flows and
 * pairs; above them each host has one of its own, since a host must always be
 * able to judge what has no other place.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/evidence.h"
#include "shaper/floor.h"
#include "shaper/gate.h"
#include "shaper/pacer.h"
#include "shaper/window.h"

enum { SUSPECT_SLOTS = 17 }; /* of W/16 */

enum suspect_ring { SUSPECT_RING_PAIR, SUSPECT_RING_HOST, SUSPECT_RINGS };

struct suspect { /* zeroed when it is lent */
	struct gate gate;
	uint64_t over_since_ns;    /* 0: it is not over its threshold */
	uint64_t refused_until_ns; /* the adapter was told to refuse it */
	uint64_t offered_start_ns; /* of the newest slot */
	uint32_t offered_pkts[SUSPECT_SLOTS];
	uint32_t icmp_errors;                     /* that quoted its packets */
	uint32_t refused_pkts[EVIDENCE_REFUSALS]; /* in, no consent, by why */

	uint32_t slot; /* its entry, in the table of ... */
	uint8_t scope; /* ... this scope; FLOW_SCOPES: not lent */
	uint8_t by;    /* enum pump_by: what the head of its FIFO waits for */

	uint32_t first, last; /* FIFO of tokens that rest here; 0: empty */
	uint32_t held_pkts;   /* wire packets in it */
	uint32_t aside_pkts;  /* on their way into it */
	uint32_t held_slots;  /* of a guest's ring, by them */

	uint32_t turn;    /* of those in line here, whose it is; 0: nobody */
	uint32_t waiting; /* FIFOs below that wait for this gate */
	struct {
		uint32_t of;         /* the gate waited for; 0: none */
		uint32_t next, prev; /* in its line; 0: not in line, since
				      * another gate is to open first */
	} ring[SUSPECT_RINGS];
	struct floor_log floor;           /* pair: what left of it */
	struct pacer connections;         /* pair: new ones ... */
	bool is_metered;                  /* ... are counted */
	uint32_t paced_first, paced_last; /* FIFOs in line at the pacer */
	uint32_t paced_at; /* FIFO: whose line it stands in; 0: none */
	uint32_t paced_next, paced_prev;
	uint32_t paced_number;  /* FIFO: its own in that line; pacer: ... */
	uint32_t paced_numbers; /* ... how many it has given */
	uint32_t rated_first, rated_last; /* host: FIFOs in line for its rate */
	uint32_t rated_at; /* FIFO: whose line it stands in; 0: none */
	uint32_t rated_next, rated_prev;
	uint32_t unpaid; /* pair: a flow's FIFO that found its purse empty, the
			  * latest; if it still waits there */
	uint32_t stirs_next; /* in the list of those to stir */
	bool stirs;

	struct evidence evidence; /* TCP flows */
	struct window window;
};

struct suspects {
	struct suspect *all; /* [0] is not used */
	uint32_t lent_max;   /* for flows and pairs */
	uint32_t hosts_max;
	uint32_t hosts_fresh; /* never used from here on */
	uint32_t used;        /* of lent_max */
	uint32_t fresh;       /* never used from here on; 1..lent_max + 1 */
	uint32_t freed;       /* linked by `slot`; 0: none */
	uint32_t hand;        /* where the search for one to return goes on */
};

/* false: out of memory. */
bool suspects_init(struct suspects *suspects, uint32_t lent_max,
		   uint32_t hosts_max);
void suspects_fini(struct suspects *suspects);
size_t suspects_bytes(const struct suspects *suspects);

/* How many ids there are, 0 included: for arrays by id. */
uint32_t suspects_ids(const struct suspects *suspects);

/* Zeroed but for slot and scope.  0: none left. */
uint32_t suspects_lend(struct suspects *suspects, uint8_t scope, uint32_t slot);

/* The host's own.  Cannot fail. */
uint32_t suspects_of_host(struct suspects *suspects, uint32_t host_slot);

void suspects_take_back(struct suspects *suspects, uint32_t id);

static inline struct suspect *suspects_get(const struct suspects *suspects,
					   uint32_t id)
{
	return &suspects->all[id];
}

/* Does anything wait at this gate or for it? */
static inline bool suspect_waits(const struct suspect *suspect)
{
	return suspect->first != 0 || suspect->waiting != 0 ||
	       suspect->paced_first != 0 || suspect->rated_first != 0;
}

/* Offered in the window; for display only.  They are remembered in slots of
 * W/16; of the oldest counts as large a part as is still in the window, so that
 * what is steady is told exactly. */
void suspect_offer(struct suspect *suspect, uint64_t window_ns, uint32_t pkts,
		   uint64_t now_ns);
uint32_t suspect_offered(const struct suspect *suspect, uint64_t window_ns,
			 uint64_t now_ns);

#endif
