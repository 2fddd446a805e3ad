/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_LEASES_H
#define XEN_HOOKS_TAP_LEASES_H

/*
 * Flows of which the judge lets some packets go without being asked: each way
 * of a conversation is one, by all that a packet of it is judged by.  What
 * begins or ends a connection, fragments, and what need not be answered are
 * always asked about.  A fixed number of places; who finds none is asked about.
 * Internal to the carrier.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/tap_message.h"

struct tapleases;

/* What is to be done with a packet. */
enum tapleases_way {
	TAPLEASES_ASK,
	TAPLEASES_FOLLOW, /* it may go when those that were asked about have */
	TAPLEASES_PASS,
	TAPLEASES_RENEW /* it may go, and the judge is asked for more */
};

enum { TAPLEASES_NONE = 0, TAPLEASES_MAX = 4096 }; /* and numbers */

/* For so long nobody is asked about a flow that is as long as it may be. */
#define TAPLEASES_REFUSED_NS UINT64_C(500000000)

/* NULL: out of memory.  `seed` keys the hash. */
struct tapleases *tapleases_new(const uint8_t seed[16]);
void tapleases_free(struct tapleases *leases); /* NULL is fine */

/* The number of a packet's flow, or TAPLEASES_NONE. */
uint32_t tapleases_find(struct tapleases *leases,
			const struct tapmessage_packet *seen,
			const uint8_t *bytes, size_t bytes_count,
			uint64_t now_ns);

/* Take so many of what it may send. */
enum tapleases_way tapleases_take(struct tapleases *leases, uint32_t number,
				  uint32_t wire_pkts, uint64_t now_ns);

/* A packet of it waits: it is asked about, or follows.  And no more. */
void tapleases_wait(struct tapleases *leases, uint32_t number, bool follows);
void tapleases_leave(struct tapleases *leases, uint32_t number, bool follows);
/* Some wait; some of these follow. */
bool tapleases_is_waiting(const struct tapleases *leases, uint32_t number);
bool tapleases_is_followed(const struct tapleases *leases, uint32_t number);

/* The judge dropped a packet of it.  If others of it wait all the same, as many
 * do as may, and until half of them have left more are refused, for a while. */
void tapleases_refuse(struct tapleases *leases, uint32_t number,
		      uint64_t now_ns);
bool tapleases_is_refused(const struct tapleases *leases, uint32_t number,
			  uint64_t now_ns);

/* The judge's word: so many more, and all that are left within TAP_LEASE_NS
 * from now on. */
void tapleases_give(struct tapleases *leases, uint32_t number,
		    uint32_t wire_pkts, uint64_t now_ns);

/* The id that a packet which goes has for the judge when he is asked for more:
 * tapmessage_has_gone(). */
uint64_t tapleases_ask(struct tapleases *leases, uint32_t number,
		       uint64_t now_ns);
/* His answer; 0: no more than there is.  false: he was not asked. */
bool tapleases_renew(struct tapleases *leases, uint64_t id, uint32_t wire_pkts,
		     uint64_t now_ns);

/* There is another judge, or none: nobody goes unasked. */
void tapleases_end(struct tapleases *leases);

#endif
