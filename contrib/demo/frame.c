/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "contrib/demo/frame.h"

#include <string.h>

enum {
	ETHER_BYTES = 14,
	IP4_BYTES = 20,
	IP6_BYTES = 40,
	UDP_BYTES = 8,
	TCP_BYTES = 20,
	PROTO_TCP = 6,
	TCP_SYN = 0x02,
	HOPS = 64,
};

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071; `sum` carries what was added before. */
static uint32_t sum16(const uint8_t *bytes, size_t count, uint32_t sum)
{
	for (size_t i = 0; i + 1 < count; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (count % 2 != 0)
		sum += (uint32_t)(bytes[count - 1] << 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_ip4(const struct frame *frame, size_t upper_bytes, uint8_t *at)
{
	memset(at, 0, IP4_BYTES);
	at[0] = 0x45;
	put16(at + 2, IP4_BYTES + upper_bytes);
	at[6] = 0x40; /* do not fragment */
	at[8] = HOPS;
	at[9] = frame->proto;
	memcpy(at + 12, frame->src, 4);
	memcpy(at + 16, frame->dst, 4);
	put16(at + 10, fold(sum16(at, IP4_BYTES, 0)));
}

static void put_ip6(const struct frame *frame, size_t upper_bytes, uint8_t *at)
{
	memset(at, 0, IP6_BYTES);
	at[0] = 0x60;
	put16(at + 4, upper_bytes);
	at[6] = frame->proto;
	at[7] = HOPS;
	memcpy(at + 8, frame->src, 16);
	memcpy(at + 24, frame->dst, 16);
}

static void put_upper(const struct frame *frame, size_t upper_bytes,
		      uint8_t *at)
{
	size_t address_bytes = frame->family == 4 ? 4 : 16;
	size_t checksum_at = frame->proto == PROTO_TCP ? 16 : 6;
	uint32_t sum = frame->proto + (uint32_t)upper_bytes;
	uint16_t checksum;

	memset(at, 0, upper_bytes);
	put16(at, frame->src_port);
	put16(at + 2, frame->dst_port);
	if (frame->proto == PROTO_TCP) {
		at[12] = TCP_BYTES / 4 << 4;
		at[13] = TCP_SYN;
		put16(at + 14, 64240);
	} else {
		put16(at + 4, upper_bytes);
	}
	sum = sum16(frame->src, address_bytes, sum);
	sum = sum16(frame->dst, address_bytes, sum);
	checksum = fold(sum16(at, upper_bytes, sum));
	put16(at + checksum_at, checksum == 0 ? 0xffff : checksum);
}

size_t frame_build(const struct frame *frame, uint8_t *ret_bytes)
{
	size_t ip_bytes = frame->family == 4 ? IP4_BYTES : IP6_BYTES;
	size_t upper_bytes = frame->proto == PROTO_TCP
				     ? (size_t)TCP_BYTES
				     : (size_t)UDP_BYTES + frame->payload_bytes;
	size_t frame_bytes = ETHER_BYTES + ip_bytes + upper_bytes;

	if (frame_bytes > FRAME_MAX_BYTES)
		return 0;
	memcpy(ret_bytes, frame->dst_mac, 6);
	memcpy(ret_bytes + 6, frame->src_mac, 6);
	put16(ret_bytes + 12, frame->family == 4 ? 0x0800 : 0x86dd);
	if (frame->family == 4)
		put_ip4(frame, upper_bytes, ret_bytes + ETHER_BYTES);
	else
		put_ip6(frame, upper_bytes, ret_bytes + ETHER_BYTES);
	put_upper(frame, upper_bytes, ret_bytes + ETHER_BYTES + ip_bytes);
	return frame_bytes;
}
