/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PACKET_L4_H
#define FLOWTABLE_PACKET_L4_H

/*
 * The parser's second half: ports, flags, echo identifiers and what kind of
 * packet it is.  Also compiled for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"
#include "flowtable/packet_read.h"

enum packet_proto {
	PACKET_PROTO_ICMP = 1,
	PACKET_PROTO_TCP = 6,
	PACKET_PROTO_UDP = 17,
	PACKET_PROTO_ICMPV6 = 58,
	PACKET_PROTO_SCTP = 132,
};

enum {
	PACKET_TCP_SYN = 0x02,
	PACKET_TCP_OPTIONS_MAX_BYTES = 40,
	PACKET_TCP_OPTIONS_MAX = 10, /* looked at; the usual MSS is the first */
};

static inline void packet_take_ports(const uint8_t *at,
				     struct packet_ends *ends)
{
	ends->src_port = packet_u16(at);
	ends->dst_port = packet_u16(at + 2);
}

/* The MSS option (RFC 9293 3.2); 0: none, or options that make no sense. */
static inline uint16_t packet_tcp_mss(const uint8_t *options, uint32_t bytes)
{
	uint64_t at = 0; /* as wide as BPF's registers: bounds are kept */

	for (uint32_t i = 0; i < PACKET_TCP_OPTIONS_MAX; i++) {
		if (at > PACKET_TCP_OPTIONS_MAX_BYTES - 4 || at + 4 > bytes ||
		    options[at] == 0)
			return 0;
		if (options[at] == 1) {
			at++;
			continue;
		}
		if (options[at] == 2)
			return options[at + 1] == 4
				       ? packet_u16(options + at + 2)
				       : 0;
		if (options[at + 1] < 2)
			return 0;
		at += options[at + 1];
	}
	return 0;
}

static inline enum packet_error packet_parse_tcp(struct packet_cursor *cursor,
						 struct packet_meta *meta)
{
	const uint8_t *tcp = packet_at(cursor);
	uint32_t tcp_bytes;
	enum packet_error error;

	if (!packet_has(cursor, 20))
		return PACKET_TRUNCATED;
	tcp_bytes = (uint32_t)(tcp[12] >> 4) * 4;
	if (tcp_bytes < 20)
		return PACKET_BAD_LENGTH;
	error = packet_skip(cursor, tcp_bytes);
	if (error != PACKET_OK)
		return error;
	packet_take_ports(tcp, &meta->ends);
	meta->tcp_seq = packet_u32(tcp + 4);
	meta->tcp_ack = packet_u32(tcp + 8);
	meta->tcp_flags = tcp[13];
	if (tcp[13] & PACKET_TCP_SYN)
		meta->mss = packet_tcp_mss(tcp + 20, tcp_bytes - 20);
	return PACKET_OK;
}

/* Clients, servers and relays: 68 and 67, or 546 and 547, at both ends. */
static inline bool packet_is_dhcp(const struct packet_meta *meta)
{
	uint16_t low = meta->ethertype == 0x0800 ? 67 : 546;

	return (uint16_t)(meta->ends.src_port - low) <= 1 &&
	       (uint16_t)(meta->ends.dst_port - low) <= 1;
}

/* What looks like an RTP header (RFC 3550 5.1), and not like RTCP on the same
 * port (RFC 5761 section 4). */
static inline void packet_note_rtp(const struct packet_cursor *cursor,
				   struct packet_meta *meta)
{
	const uint8_t *rtp = packet_at(cursor);
	uint8_t type;

	if (!packet_has(cursor, 12) || (rtp[0] & 0xc0) != 0x80)
		return;
	type = rtp[1] & 0x7f;
	if (type >= 64 && type <= 95)
		return;
	meta->rtp_seq = packet_u16(rtp + 2);
	meta->rtp_ssrc = packet_u32(rtp + 8);
}

static inline enum packet_error packet_parse_udp(struct packet_cursor *cursor,
						 struct packet_meta *meta)
{
	const uint8_t *udp = packet_at(cursor);
	uint16_t udp_bytes;
	enum packet_error error;

	if (!packet_has(cursor, 8))
		return PACKET_TRUNCATED;
	udp_bytes = packet_u16(udp + 4);
	if (udp_bytes < 8 && udp_bytes != 0) /* 0: RFC 2675 section 4 */
		return PACKET_BAD_LENGTH;
	error = packet_skip(cursor, 8);
	if (error != PACKET_OK)
		return error;
	packet_take_ports(udp, &meta->ends);
	if (packet_is_dhcp(meta))
		meta->kind = PACKET_DHCP;
	packet_note_rtp(cursor, meta);
	return PACKET_OK;
}

static inline enum packet_error packet_parse_sctp(struct packet_cursor *cursor,
						  struct packet_meta *meta)
{
	const uint8_t *sctp = packet_at(cursor);
	enum packet_error error = packet_skip(cursor, 12);

	if (error != PACKET_OK)
		return error;
	packet_take_ports(sctp, &meta->ends);
	return PACKET_OK;
}

/* Questions and answers that carry an identifier: echo, timestamp,
 * information, address mask and extended echo (RFC 792, 950, 8335). */
static inline bool packet_icmp_has_id(bool v6, uint8_t type)
{
	if (v6)
		return type == 128 || type == 129 || type == 160 || type == 161;
	return type == 0 || type == 8 || (type >= 13 && type <= 18) ||
	       type == 42 || type == 43;
}

static inline bool packet_icmp_is_error(bool v6, uint8_t type)
{
	if (v6)
		return type >= 1 && type <= 4;
	return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

/*
 * The ports of a packet that an ICMP error quotes.  An error need quote no
 * more than 8 bytes of it (RFC 792); with less, its ports stay 0.
 */
static inline void packet_quote_l4(const struct packet_cursor *cursor,
				   struct packet_ends *quoted)
{
	const uint8_t *l4 = packet_at(cursor);
	bool v6 = quoted->proto == PACKET_PROTO_ICMPV6;

	if (!packet_has(cursor, 8))
		return;
	if (quoted->proto == PACKET_PROTO_TCP ||
	    quoted->proto == PACKET_PROTO_UDP ||
	    quoted->proto == PACKET_PROTO_SCTP) {
		packet_take_ports(l4, quoted);
		return;
	}
	if ((v6 || quoted->proto == PACKET_PROTO_ICMP) &&
	    packet_icmp_has_id(v6, l4[0])) {
		quoted->src_port = packet_u16(l4 + 4);
		quoted->dst_port = quoted->src_port;
	}
}

#endif
