/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_FLOW_H
#define FLOWTABLE_FLOW_H

/*
 * What packets are counted together: the guarded end first, whichever way the
 * packet went, so that a packet and its answer have the same key.  Also
 * compiled for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

struct packet_meta;

enum flow_scope {
	FLOW_SCOPE_FLOW, /* five-tuple */
	FLOW_SCOPE_PAIR, /* guarded host, remote host */
	FLOW_SCOPE_HOST, /* guarded host */
	FLOW_SCOPES
};

enum flow_direction {
	FLOW_OUT, /* leaves the guarded side */
	FLOW_IN,  /* comes back to it */
};

/*
 * Hashed and compared as bytes: no holes.  `pair` leaves ports and proto 0,
 * `host` the outside address too.
 */
struct flow_key {
	uint8_t inside[16];
	uint8_t outside[16];
	uint16_t inside_port; /* host order */
	uint16_t outside_port;
	uint16_t zone; /* where the guarded end lives; see policy/zones.h */
	uint8_t proto;
	uint8_t scope; /* enum flow_scope */
};
_Static_assert(sizeof(struct flow_key) == 40, "flow_key has holes");

/*
 * The five-tuple key of a packet seen in `direction`.  ICMP echo has the
 * identifier as inside port and 0 outside; protocols without ports (ESP, AH,
 * GRE, anything unknown) have 0 and 0.  Cannot fail.
 */
void flow_key_of(const struct packet_meta *meta, enum flow_direction direction,
		 uint16_t zone, struct flow_key *ret_key);

/* The wider key that `flow` belongs to.  Cannot fail. */
void flow_key_widen(const struct flow_key *flow, enum flow_scope scope,
		    struct flow_key *ret_key);

/* The same conversation as its other end sees it.  Cannot fail. */
void flow_key_reverse(const struct flow_key *flow, uint16_t zone,
		      struct flow_key *ret_key);

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b);

/* "flow", "pair", "host" */
const char *flow_scope_name(enum flow_scope scope);

#endif
