/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/tap_segments.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet_meta.h"
#include "flowtable/siphash.h"

enum { PROTO_TCP = 6, MEAN = 512 };

struct place {
	uint64_t flow;  /* 0: nobody's */
	uint32_t bytes; /* payload of a full segment; 0: not known yet */
	uint32_t left;  /* super-packets until it is asked again */
};

struct tapsegments {
	uint8_t seed[16];
	uint64_t chance;
	struct place places[TAPSEGMENTS_PLACES];
};

struct tapsegments *tapsegments_new(const uint8_t seed[16])
{
	struct tapsegments *segments = calloc(1, sizeof(*segments));

	if (segments == NULL)
		return NULL;
	memcpy(segments->seed, seed, sizeof(segments->seed));
	segments->chance = siphash13(seed, "chance", 6) | 1;
	return segments;
}

void tapsegments_free(struct tapsegments *segments)
{
	free(segments);
}

/* Never 0.  Two flows of one number are as unlikely as to guess the seed. */
static uint64_t flow_of(const struct tapsegments *segments,
			const struct packet_meta *meta)
{
	uint8_t bytes[sizeof(meta->ends.src) + sizeof(meta->ends.dst) +
		      sizeof(meta->ends.src_port) +
		      sizeof(meta->ends.dst_port) + sizeof(meta->vlan)];
	uint8_t *at = bytes;

	memcpy(at, meta->ends.src, sizeof(meta->ends.src));
	at += sizeof(meta->ends.src);
	memcpy(at, meta->ends.dst, sizeof(meta->ends.dst));
	at += sizeof(meta->ends.dst);
	memcpy(at, &meta->ends.src_port, sizeof(meta->ends.src_port));
	at += sizeof(meta->ends.src_port);
	memcpy(at, &meta->ends.dst_port, sizeof(meta->ends.dst_port));
	at += sizeof(meta->ends.dst_port);
	memcpy(at, meta->vlan, sizeof(meta->vlan));
	return siphash13(segments->seed, bytes, sizeof(bytes)) | 1;
}

/* One for all flows that have it; the last of them is whose it is. */
static struct place *place_of(struct tapsegments *segments, uint64_t flow)
{
	return &segments->places[(flow >> 1) % TAPSEGMENTS_PLACES];
}

/* xorshift64 (Marsaglia 2003, 4) */
static uint32_t take_left(struct tapsegments *segments)
{
	segments->chance ^= segments->chance << 13;
	segments->chance ^= segments->chance >> 7;
	segments->chance ^= segments->chance << 17;
	return MEAN / 2 + (uint32_t)(segments->chance >> 32) % MEAN;
}

static bool is_told(const struct packet_meta *meta)
{
	return meta->ends.proto == PROTO_TCP &&
	       meta->fragment == PACKET_WHOLE &&
	       meta->length_bytes > meta->header_bytes;
}

uint32_t tapsegments_count(struct tapsegments *segments,
			   const struct packet_meta *meta)
{
	struct place *place;
	uint32_t payload;
	uint64_t flow;

	if (!is_told(meta))
		return 0;
	flow = flow_of(segments, meta);
	place = place_of(segments, flow);
	if (place->flow != flow || place->bytes == 0 || place->left == 0) {
		*place = (struct place){ .flow = flow,
					 .left = take_left(segments) };
		return 0;
	}
	place->left--;
	payload = meta->length_bytes - meta->header_bytes;
	return (payload + place->bytes - 1) / place->bytes;
}

void tapsegments_learn(struct tapsegments *segments,
		       const struct packet_meta *meta)
{
	struct place *place;
	uint32_t payload;
	uint64_t flow;

	if (!is_told(meta))
		return;
	flow = flow_of(segments, meta);
	place = place_of(segments, flow);
	payload = meta->length_bytes - meta->header_bytes;
	if (place->flow == flow && payload > place->bytes)
		place->bytes = payload;
}
