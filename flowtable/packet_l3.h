/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PACKET_L3_H
#define FLOWTABLE_PACKET_L3_H

/*
 * The parser's first half: addresses, fragments, and the chain of headers down
 * to the upper-layer protocol.  Also compiled for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_l4.h"
#include "flowtable/packet_meta.h"
#include "flowtable/packet_read.h"

/* As many as RFC 8200 section 4.1 has a place for, before the upper layer. */
enum { PACKET_EXTENSIONS_MAX = 6 };

enum packet_extension {
	PACKET_EXT_HOP_BY_HOP = 0,
	PACKET_EXT_ROUTING = 43,
	PACKET_EXT_FRAGMENT = 44,
	PACKET_EXT_AUTHENTICATION = 51,
	PACKET_EXT_DESTINATION = 60,
};

/* `mapped` is all-zero before. */
static inline void packet_map_ipv4(const uint8_t *at, uint8_t mapped[16])
{
	mapped[10] = 0xff;
	mapped[11] = 0xff;
	__builtin_memcpy(mapped + 12, at, 4);
}

static inline bool packet_is_mapped(const uint8_t addr[16])
{
	return (packet_u32(addr) | packet_u32(addr + 4)) == 0 &&
	       packet_u32(addr + 8) == 0xffff;
}

static inline enum packet_fragment packet_fragment_of(bool more,
						      bool has_offset)
{
	if (has_offset)
		return PACKET_LATER_FRAGMENT;
	return more ? PACKET_FIRST_FRAGMENT : PACKET_WHOLE;
}

/*
 * Step over IPv6 extension headers.  On return `ends->proto` is the first
 * header that is none of them, or where reading stopped.  Of a later fragment
 * it is what its fragment header says, which may be an extension header.
 */
static inline enum packet_error packet_walk_ipv6(struct packet_cursor *cursor,
						 struct packet_ends *ends,
						 uint8_t *ret_fragment,
						 uint32_t *ret_fragment_id)
{
	bool fragmented = false;
	enum packet_error error;

	for (uint32_t i = 0; i <= PACKET_EXTENSIONS_MAX; i++) {
		const uint8_t *at = packet_at(cursor);
		uint32_t bytes = 8;

		if (ends->proto != PACKET_EXT_HOP_BY_HOP &&
		    ends->proto != PACKET_EXT_ROUTING &&
		    ends->proto != PACKET_EXT_FRAGMENT &&
		    ends->proto != PACKET_EXT_AUTHENTICATION &&
		    ends->proto != PACKET_EXT_DESTINATION)
			return PACKET_OK;
		if (i == PACKET_EXTENSIONS_MAX)
			break;
		if (!packet_has(cursor, 8))
			return PACKET_TRUNCATED;
		if (ends->proto == PACKET_EXT_FRAGMENT) {
			if (fragmented)
				break;
			fragmented = true;
			*ret_fragment = (uint8_t)packet_fragment_of(
				at[3] & 1, at[2] | at[3] >> 3);
			if (*ret_fragment != PACKET_WHOLE)
				*ret_fragment_id = packet_u32(at + 4);
		} else if (ends->proto == PACKET_EXT_AUTHENTICATION) {
			bytes = ((uint32_t)at[1] + 2) * 4;
		} else {
			bytes = ((uint32_t)at[1] + 1) * 8;
		}
		error = packet_skip(cursor, bytes);
		if (error != PACKET_OK)
			return error;
		ends->proto = at[0];
		if (*ret_fragment == PACKET_LATER_FRAGMENT)
			return PACKET_OK;
	}
	return PACKET_TOO_MANY_HEADERS;
}

/* The packet that an ICMP error complains of; `quoted` is all-zero before and
 * stays so unless its addresses can be read. */
static inline void packet_quote_ipv4(struct packet_cursor *cursor,
				     struct packet_ends *quoted)
{
	const uint8_t *ip = packet_at(cursor);
	uint32_t ip_bytes;

	if (!packet_has(cursor, 20) || ip[0] >> 4 != 4)
		return;
	ip_bytes = (uint32_t)(ip[0] & 0xf) * 4;
	if (ip_bytes < 20)
		return;
	packet_map_ipv4(ip + 12, quoted->src);
	packet_map_ipv4(ip + 16, quoted->dst);
	quoted->proto = ip[9];
	if (packet_skip(cursor, ip_bytes) == PACKET_OK &&
	    (packet_u16(ip + 6) & 0x1fff) == 0)
		packet_quote_l4(cursor, quoted);
}

static inline void packet_quote_ipv6(struct packet_cursor *cursor,
				     struct packet_ends *quoted)
{
	const uint8_t *ip = packet_at(cursor);
	uint8_t fragment = PACKET_WHOLE;
	uint32_t fragment_id = 0;

	if (!packet_has(cursor, 40) || ip[0] >> 4 != 6 ||
	    packet_is_mapped(ip + 8) || packet_is_mapped(ip + 24))
		return;
	__builtin_memcpy(quoted->src, ip + 8, 16);
	__builtin_memcpy(quoted->dst, ip + 24, 16);
	quoted->proto = ip[6];
	if (packet_skip(cursor, 40) == PACKET_OK &&
	    packet_walk_ipv6(cursor, quoted, &fragment, &fragment_id) ==
		    PACKET_OK &&
	    fragment != PACKET_LATER_FRAGMENT)
		packet_quote_l4(cursor, quoted);
}

/* `hop_limit` as it arrived. */
static inline enum packet_error packet_parse_icmp(struct packet_cursor *cursor,
						  uint8_t hop_limit,
						  struct packet_meta *meta)
{
	const uint8_t *icmp = packet_at(cursor);
	bool v6 = meta->ethertype == 0x86dd;
	struct packet_cursor quote;
	enum packet_error error;

	error = packet_skip(cursor, 8);
	if (error != PACKET_OK)
		return error;
	if (packet_icmp_has_id(v6, icmp[0])) {
		meta->ends.src_port = packet_u16(icmp + 4);
		meta->ends.dst_port = meta->ends.src_port;
		return PACKET_OK;
	}
	/* RFC 4861 7.1 and RFC 6980: else no host would listen to it. */
	if (v6 && icmp[0] >= 133 && icmp[0] <= 137) {
		if (icmp[1] == 0 && hop_limit == 255 &&
		    meta->fragment == PACKET_WHOLE)
			meta->kind = PACKET_NEIGHBOUR;
		return PACKET_OK;
	}
	if (!packet_icmp_is_error(v6, icmp[0]))
		return PACKET_OK;
	if (meta->kind == PACKET_UNICAST)
		meta->kind = PACKET_ICMP_ERROR;
	quote = *cursor;
	if (v6)
		packet_quote_ipv6(&quote, &meta->quoted);
	else
		packet_quote_ipv4(&quote, &meta->quoted);
	return PACKET_OK;
}

static inline enum packet_error packet_parse_l4(struct packet_cursor *cursor,
						uint8_t hop_limit,
						struct packet_meta *meta)
{
	enum packet_error error = packet_converge(cursor, meta);

	if (error != PACKET_OK || meta->fragment == PACKET_LATER_FRAGMENT)
		return error;
	if (meta->ends.proto == PACKET_PROTO_TCP)
		return packet_parse_tcp(cursor, meta);
	if (meta->ends.proto == PACKET_PROTO_UDP)
		return packet_parse_udp(cursor, meta);
	if (meta->ends.proto == PACKET_PROTO_SCTP)
		return packet_parse_sctp(cursor, meta);
	if (meta->ends.proto == (meta->ethertype == 0x0800
					 ? PACKET_PROTO_ICMP
					 : PACKET_PROTO_ICMPV6))
		return packet_parse_icmp(cursor, hop_limit, meta);
	return PACKET_OK;
}

/* Padding behind the packet is not part of it. */
static inline void packet_end_at(struct packet_cursor *cursor,
				 uint32_t length_bytes)
{
	if (cursor->end_bytes - cursor->offset_bytes > length_bytes)
		cursor->end_bytes = cursor->offset_bytes + length_bytes;
}

/* `wire_bytes` from the cursor on. */
static inline enum packet_error packet_parse_ipv4(struct packet_cursor *cursor,
						  uint32_t wire_bytes,
						  struct packet_meta *meta)
{
	const uint8_t *ip = packet_at(cursor);
	uint32_t ip_bytes, length_bytes;
	uint16_t fragment;
	enum packet_error error;

	if (!packet_has(cursor, 20))
		return PACKET_TRUNCATED;
	if (ip[0] >> 4 != 4)
		return PACKET_BAD_VERSION;
	ip_bytes = (uint32_t)(ip[0] & 0xf) * 4;
	length_bytes = packet_u16(ip + 2);
	if (length_bytes == 0) /* a super-packet past 65,535 bytes */
		length_bytes = wire_bytes;
	if (ip_bytes < 20 || length_bytes < ip_bytes ||
	    length_bytes > wire_bytes)
		return PACKET_BAD_LENGTH;

	packet_map_ipv4(ip + 12, meta->ends.src);
	packet_map_ipv4(ip + 16, meta->ends.dst);
	meta->ends.proto = ip[9];
	meta->ethertype = 0x0800;
	meta->length_bytes = length_bytes;
	if (ip[16] >> 4 == 0xe || packet_u32(ip + 16) == 0xffffffff)
		meta->kind = PACKET_MULTICAST;
	fragment = packet_u16(ip + 6);
	meta->fragment = (uint8_t)packet_fragment_of(fragment & 0x2000,
						     fragment & 0x1fff);
	if (meta->fragment != PACKET_WHOLE)
		meta->fragment_id = packet_u16(ip + 4);

	packet_end_at(cursor, length_bytes);
	error = packet_skip(cursor, ip_bytes);
	if (error != PACKET_OK)
		return error;
	return packet_parse_l4(cursor, ip[8], meta);
}

/*
 * RFC 2675: a packet past 65,535 bytes says 0 and starts with the jumbo option
 * (so does a kernel's super-packet, or it says 0 and nothing else).  0: the
 * fields contradict each other.
 */
static inline uint32_t packet_ipv6_length(const struct packet_cursor *cursor,
					  uint32_t wire_bytes)
{
	const uint8_t *ip = packet_at(cursor);
	uint16_t payload_bytes = packet_u16(ip + 4);

	if (payload_bytes != 0)
		return (uint32_t)payload_bytes + 40;
	if (ip[6] == PACKET_EXT_HOP_BY_HOP) {
		if (packet_has(cursor, 44) && (ip[42] != 0xc2 || ip[43] != 4))
			return 0;
		return wire_bytes;
	}
	return wire_bytes > 40 + 65535 ? wire_bytes : 40;
}

static inline enum packet_error packet_parse_ipv6(struct packet_cursor *cursor,
						  uint32_t wire_bytes,
						  struct packet_meta *meta)
{
	const uint8_t *ip = packet_at(cursor);
	uint32_t length_bytes;
	enum packet_error error;

	if (!packet_has(cursor, 40))
		return PACKET_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return PACKET_BAD_VERSION;
	if (packet_is_mapped(ip + 8) || packet_is_mapped(ip + 24))
		return PACKET_BAD_ADDRESS;
	length_bytes = packet_ipv6_length(cursor, wire_bytes);
	if (length_bytes == 0 || length_bytes > wire_bytes)
		return PACKET_BAD_LENGTH;

	__builtin_memcpy(meta->ends.src, ip + 8, 16);
	__builtin_memcpy(meta->ends.dst, ip + 24, 16);
	meta->ends.proto = ip[6];
	meta->ethertype = 0x86dd;
	meta->length_bytes = length_bytes;
	if (ip[24] == 0xff)
		meta->kind = PACKET_MULTICAST;

	packet_end_at(cursor, length_bytes);
	error = packet_skip(cursor, 40);
	if (error != PACKET_OK)
		return error;
	error = packet_walk_ipv6(cursor, &meta->ends, &meta->fragment,
				 &meta->fragment_id);
	if (error != PACKET_OK)
		return error;
	return packet_parse_l4(cursor, ip[7], meta);
}

/* RFC 826 for IPv4 over Ethernet; the sender's address is `src`. */
static inline enum packet_error packet_parse_arp(struct packet_cursor *cursor,
						 struct packet_meta *meta)
{
	const uint8_t *arp = packet_at(cursor);

	if (!packet_has(cursor, 8))
		return PACKET_TRUNCATED;
	if (packet_u16(arp) != 1 || packet_u16(arp + 2) != 0x0800)
		return PACKET_NOT_IP;
	if (arp[4] != 6 || arp[5] != 4)
		return PACKET_BAD_LENGTH;
	if (!packet_has(cursor, 28))
		return PACKET_TRUNCATED;
	packet_map_ipv4(arp + 14, meta->ends.src);
	packet_map_ipv4(arp + 24, meta->ends.dst);
	meta->ethertype = 0x0806;
	meta->kind = PACKET_NEIGHBOUR;
	meta->length_bytes = 28;
	return packet_skip(cursor, 28);
}

#endif
