/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_GUARD_EVIDENCE_H
#define XEN_HOOKS_NETBACK_GUARD_EVIDENCE_H

/* What a packet from outside consents to, for guard.c only. */

#include "flowtable/packet_l4.h"
#include "xen-hooks/netback/guard_keys.h"

static inline bool guard_is_tcp(const struct packet_meta *meta)
{
	return meta->ends.proto == PACKET_PROTO_TCP &&
	       meta->fragment == PACKET_WHOLE && meta->header_bytes > 0;
}

/* The guest sends it. */
void guard_note_evidence(struct guard_key *flow,
			 const struct guard_packet *packet);

/* The guest goes on with a connection that was accepted: now that counts.
 * true: something of it that waits may go. */
bool guard_finish_handshake(struct guard *guard,
			    const struct guard_packet *packet,
			    const struct guard_place *place);

/* How many replies a packet from outside is; 0: it is no consent.  `flow` may
 * be NULL. */
uint32_t guard_replies_of(struct guard *guard,
			  const struct guard_packet *packet,
			  struct guard_key *flow);

/* So many came, as `wire_pkts` packets.  true: something of it that waits may
 * go. */
bool guard_count_heard(struct guard *guard, const struct guard_place *place,
		       uint32_t replies, uint32_t wire_pkts);

#endif
