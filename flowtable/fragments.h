/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_FRAGMENTS_H
#define FLOWTABLE_FRAGMENTS_H

/*
 * Later fragments carry no ports: they follow their first fragment, by way of
 * a bounded table of first fragments seen lately.
 *
 * The table is cut into sets of 16 places, 8 for each direction, and a secret
 * hash of (addresses, id, protocol, zone, direction) picks the set.  A place is
 * charged to the guarded end: its IPv4 address or IPv6 /64, and its zone.
 * Nobody has more than two of the eight, and in a full set a newcomer takes the
 * oldest place of whoever would then have most, itself included.  So, whatever
 * is sprayed:
 *
 *  - packets from outside never displace what guarded hosts made, nor the
 *    other way round;
 *  - one guarded host, or everybody who writes to it, never holds more than a
 *    quarter of the places of its direction; and a host's only entry in a set
 *    is displaced only when eight other hosts want a place there;
 *  - spraying from outside to eight or more guarded addresses does orphan
 *    fragments that come in: it takes about as many first fragments as half the
 *    table has places, between a first fragment and its followers.  Orphans are
 *    still judged by their pair and host.
 *
 * What is kept of a key is its 64-bit keyed hash: a packet follows a stranger
 * with a chance of 2^-61.
 */

#include <stddef.h>
#include <stdint.h>

#include "flowtable/flow.h"

struct packet_meta;
struct fragments;

#define FRAGMENTS_TIMEOUT_NS UINT64_C(30000000000) /* as Linux reassembles */

enum fragments_result {
	FRAGMENTS_WHOLE,    /* not a fragment */
	FRAGMENTS_FIRST,    /* noted; its followers will be known */
	FRAGMENTS_FOLLOWED, /* a later one; meta was completed */
	FRAGMENTS_ORPHANED, /* a later one whose first is not known: no ports */
};

struct fragments_stats {
	uint64_t first, followed, orphaned;
	uint64_t evicted; /* displaced before their time, by a full set */
};

/* `entries` first fragments at least, rounded up to a power of two from 16
 * on; `seed` is random and secret.  NULL: out of memory. */
struct fragments *fragments_new(uint32_t entries, const uint8_t seed[16]);
void fragments_free(struct fragments *fragments);

/*
 * Note a first fragment, or give a later one the ports, kind and upper-layer
 * protocol of its first.  `direction` and `zone` say which end is guarded and
 * where it lives, as in flow_key_of.  Call it for every packet that could be
 * parsed, in order of arrival.  Cannot fail.
 */
enum fragments_result fragments_resolve(struct fragments *fragments,
					struct packet_meta *meta,
					enum flow_direction direction,
					uint16_t zone, uint64_t now_ns);

/* Borrowed; counts up. */
const struct fragments_stats *
fragments_stats(const struct fragments *fragments);

/*
 * How many wire packets a packet was that came by an interface of this MTU, was
 * put together since and shows no trace of it: 1 if it fits, else as many
 * fragments as whoever fills each of them makes of it (without IP options or
 * extension headers).  `length_bytes` is its layer 3, header included; an MTU
 * of 0 is not known.
 */
uint16_t fragments_count(uint16_t ethertype, uint32_t length_bytes,
			 uint32_t mtu_bytes);

#endif
