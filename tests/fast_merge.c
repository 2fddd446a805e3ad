/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_merge.h"

#include <assert.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/packet.h"

enum {
	ETHERNET_BYTES = 14,
	TCP = 6,
	UDP = 17,
	TCP_PSH = 8,
	TCP_ACK = 16,
	IPV6 = 0x86dd,
};

static uint32_t headers_of(const struct packet_meta *meta)
{
	return ETHERNET_BYTES + meta->header_bytes;
}

static uint32_t payload_of(const struct packet_meta *meta)
{
	return meta->length_bytes - meta->header_bytes;
}

/* Plain data, whose headers differ from the last one's in what is said there
 * only. */
static bool may_merge(const uint8_t *bytes, uint32_t count,
		      struct packet_meta *ret_meta)
{
	return packet_parse_ethernet(bytes, count, count, ret_meta) ==
		       PACKET_OK &&
	       ret_meta->kind == PACKET_UNICAST && !ret_meta->vlan[0] &&
	       ret_meta->fragment == PACKET_WHOLE &&
	       ret_meta->length_bytes > ret_meta->header_bytes &&
	       ETHERNET_BYTES + ret_meta->length_bytes <= count &&
	       (ret_meta->ends.proto == UDP ||
		(ret_meta->ends.proto == TCP &&
		 (ret_meta->tcp_flags & ~TCP_PSH) == TCP_ACK));
}

static bool follows(const struct merge *merge, const struct packet_meta *meta,
		    bool out)
{
	const struct twin_bytes *segment =
		&merge->frame.segments[merge->frame.wire_pkts - 1];
	struct packet_meta was;

	return !merge->last && merge->frame.out == out &&
	       merge->frame.wire_pkts < TWIN_SEGMENTS &&
	       may_merge(segment->bytes, segment->count, &was) &&
	       memcmp(&was.ends, &meta->ends, sizeof(was.ends)) == 0 &&
	       meta->header_bytes == was.header_bytes &&
	       payload_of(meta) <= merge->payload_bytes &&
	       merge->frame.whole.count + payload_of(meta) <=
		       TWIN_FRAME_BYTES &&
	       (meta->ends.proto == UDP ||
		(meta->tcp_ack == was.tcp_ack &&
		 meta->tcp_seq == was.tcp_seq + payload_of(&was)));
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void set_lengths(struct merge *merge, const struct packet_meta *meta)
{
	uint8_t *ip = merge->whole + ETHERNET_BYTES;
	uint32_t bytes = merge->frame.whole.count - ETHERNET_BYTES;

	if (meta->ethertype == IPV6)
		put16(ip + 4, bytes - 40);
	else
		put16(ip + 2, bytes);
	if (meta->ends.proto == UDP)
		put16(ip + meta->header_bytes - 4,
		      bytes - meta->header_bytes + 8);
}

static void begin(struct merge *merge, const uint8_t *bytes,
		  const struct packet_meta *meta, uint32_t count, bool out)
{
	memcpy(merge->whole, bytes, count);
	merge->headers_bytes = headers_of(meta);
	merge->payload_bytes = payload_of(meta);
	merge->frame = (struct twin_frame){
		.whole = { merge->whole, count },
		.out = out,
		.zone = merge->frame.zone,
	};
}

bool merge_add(struct merge *merge, const uint8_t *bytes, uint32_t count,
	       bool out)
{
	struct twin_frame *frame = &merge->frame;
	struct packet_meta meta;
	bool may = may_merge(bytes, count, &meta);

	assert(count <= TWIN_FRAME_BYTES);
	if (may) /* not what fills a short frame */
		count = ETHERNET_BYTES + meta.length_bytes;
	if (frame->wire_pkts > 0 && !(may && follows(merge, &meta, out)))
		return false;
	if (frame->wire_pkts == 0) {
		begin(merge, bytes, &meta, count, out);
		merge->last = !may;
	} else {
		memcpy(merge->whole + frame->whole.count,
		       bytes + merge->headers_bytes, payload_of(&meta));
		frame->whole.count += payload_of(&meta);
		frame->gso_bytes = merge->payload_bytes;
		set_lengths(merge, &meta);
	}
	if (may)
		merge->last = payload_of(&meta) < merge->payload_bytes ||
			      meta.tcp_flags & TCP_PSH;
	memcpy(merge->bytes[frame->wire_pkts], bytes, count);
	frame->segments[frame->wire_pkts] =
		(struct twin_bytes){ merge->bytes[frame->wire_pkts], count };
	frame->wire_pkts++;
	frame->gso_segs = frame->gso_bytes ? frame->wire_pkts : 0;
	return true;
}

const struct twin_frame *merge_take(struct merge *merge)
{
	static struct twin_frame taken;

	if (merge->frame.wire_pkts == 0)
		return NULL;
	taken = merge->frame;
	merge->frame.wire_pkts = 0;
	return &taken;
}
