/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_PARCEL_H
#define SIM_WORLD_PARCEL_H

/* A packet on its way, and what the two ends of a sender tell each other with
 * it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"

enum { PARCEL_SACKS = 3 };

enum parcel_what {
	PARCEL_DATA,
	PARCEL_ACK,
	PARCEL_OPEN,   /* SYN, QUIC's Initial */
	PARCEL_ACCEPT, /* SYN-ACK, and what answers an Initial */
	PARCEL_REPORT,
};

struct parcel {
	struct packet_ends ends; /* as the gateway sees it */
	uint32_t bytes;          /* layer 3, header included */
	uint32_t header_bytes;
	uint32_t tcp_seq, tcp_ack;
	uint32_t rtp_ssrc; /* both 0: not media */
	uint16_t rtp_seq;
	uint16_t mss;
	uint8_t tcp_flags;
	uint8_t what; /* enum parcel_what */
	bool outward;
	uint32_t sender;     /* its place in the scenario */
	uint64_t offered_ns; /* when it came to the gateway */
	uint64_t sent_ns;
	uint64_t number;  /* of a segment, a request */
	uint64_t acked;   /* all before this one have come */
	uint64_t echo_ns; /* sent_ns of what it answers; 0: of nothing */
	struct parcel_range {
		uint64_t first, end;
	} sacks[PARCEL_SACKS];
	uint8_t sacks_count;
	uint32_t next; /* free ones */
};

struct parcels { /* all-zero: none yet */
	struct parcel *all;
	uint32_t capacity, fresh;
	uint32_t freed; /* index + 1; 0: none */
};

void parcels_fini(struct parcels *parcels);

/* Keep a copy; its id, or UINT32_MAX: out of memory. */
uint32_t parcels_add(struct parcels *parcels, const struct parcel *parcel);

/* Until the next parcels_add. */
struct parcel *parcels_get(const struct parcels *parcels, uint32_t id);

void parcels_remove(struct parcels *parcels, uint32_t id);

#endif
