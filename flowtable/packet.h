/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PACKET_H
#define FLOWTABLE_PACKET_H

/*
 * Bytes to who, whom and what: the one packet parser.  Every read is checked
 * against the bytes that are there; nothing is allocated; nothing is kept.
 * Also compiled for BPF, hence all inline.
 *
 * Who may be fewer bytes captured than were on the wire: a packet counts as
 * truncated only when its headers themselves are not there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_l3.h"
#include "flowtable/packet_meta.h"
#include "flowtable/packet_read.h"

/* Tags of a frame; priority tags (VLAN 0) among them. */
enum { PACKET_TAGS_MAX = 4 };

/*
 * Step over a PPPoE session header (RFC 2516; code 0 is a session's data) and
 * the PPP protocol, which is one odd byte when it is compressed (RFC 1661
 * section 6.5), as some senders do here as well.  Eight bytes are there.
 * 0: it carries no IP.
 */
static inline uint16_t packet_pppoe_ethertype(struct packet_cursor *cursor)
{
	const uint8_t *at = packet_at(cursor);
	uint16_t ppp = at[6];
	uint32_t bytes = 7;

	if ((at[6] & 1) == 0) {
		ppp = packet_u16(at + 6);
		bytes = 8;
	}
	cursor->offset_bytes += bytes;
	if (at[1] == 0 && ppp == 0x0021)
		return 0x0800;
	if (at[1] == 0 && ppp == 0x0057)
		return 0x86dd;
	return 0;
}

/* Step over 802.1Q and 802.1ad tags, noting the first two VLANs, and over the
 * PPPoE session header behind them. */
static inline enum packet_error packet_parse_link(struct packet_cursor *cursor,
						  uint16_t *ethertype,
						  struct packet_meta *meta)
{
	uint32_t vlans = 0;
	const uint8_t *at;

	for (uint32_t i = 0; *ethertype == 0x8100 || *ethertype == 0x88a8;
	     i++) {
		uint16_t vlan;

		if (i == PACKET_TAGS_MAX)
			return PACKET_TOO_MANY_HEADERS;
		if (!packet_has(cursor, 4))
			return PACKET_TRUNCATED;
		at = packet_at(cursor);
		vlan = packet_u16(at) & 0xfff;
		if (vlan != 0) {
			if (vlans == 2)
				return PACKET_TOO_MANY_HEADERS;
			meta->vlan[vlans++] = vlan;
		}
		*ethertype = packet_u16(at + 2);
		cursor->offset_bytes += 4;
	}
	if (*ethertype != 0x8864)
		return PACKET_OK;
	if (!packet_has(cursor, 8))
		return PACKET_TRUNCATED;
	*ethertype = packet_pppoe_ethertype(cursor);
	return PACKET_OK;
}

/* All of it, padding too, so that a meta can be compared as bytes.  In pieces:
 * gcc turns one memset of this size into `rep stos`, which costs more than all
 * the rest of the parser. */
static inline void packet_clear(struct packet_meta *meta)
{
	enum { PIECE_BYTES = 32 };
	uint8_t *bytes = (uint8_t *)meta;

	_Static_assert(sizeof(*meta) >= 3 * PIECE_BYTES &&
			       sizeof(*meta) <= 4 * PIECE_BYTES,
		       "four pieces, the last two may overlap");
	__builtin_memset(bytes, 0, PIECE_BYTES);
	__builtin_memset(bytes + PIECE_BYTES, 0, PIECE_BYTES);
	__builtin_memset(bytes + 2 * PIECE_BYTES, 0, PIECE_BYTES);
	__builtin_memset(bytes + sizeof(*meta) - PIECE_BYTES, 0, PIECE_BYTES);
}

static inline enum packet_error packet_parse_at(struct packet_cursor *cursor,
						uint16_t ethertype,
						uint32_t wire_bytes,
						struct packet_meta *meta)
{
	enum packet_error error = PACKET_OK;
	uint64_t start_bytes;

	if (ethertype != 0x0800 && ethertype != 0x86dd)
		error = packet_parse_link(cursor, &ethertype, meta);
	if (error == PACKET_OK)
		error = packet_converge(cursor, meta);
	if (error != PACKET_OK)
		return error;
	start_bytes = cursor->offset_bytes;
	if (wire_bytes < cursor->end_bytes)
		wire_bytes = (uint32_t)cursor->end_bytes;
	wire_bytes -= (uint32_t)start_bytes;
	if (ethertype == 0x0800)
		error = packet_parse_ipv4(cursor, wire_bytes, meta);
	else if (ethertype == 0x86dd)
		error = packet_parse_ipv6(cursor, wire_bytes, meta);
	else if (ethertype == 0x0806)
		error = packet_parse_arp(cursor, meta);
	else
		error = PACKET_NOT_IP;
	meta->header_bytes = (uint32_t)(cursor->offset_bytes - start_bytes);
	return error;
}

/*
 * Read a packet that starts right behind `ethertype`: 0x0800, 0x86dd, 0x0806,
 * 0x8864 (PPPoE session), 0x8100 or 0x88a8 (the tag itself).
 *
 * `wire_bytes` is its length on the wire, at least captured_bytes (else taken
 * as such); it stands in for the length of super-packets that do not fit into
 * their own length field.
 *
 * *ret_meta is always written.  Unless PACKET_OK is returned, its ports, kind
 * and fragment may be wanting, but when ethertype is not 0 the addresses, VLANs
 * and length hold: the pair can still be judged, so that a broken layer 4 is no
 * way around the limiter.
 */
static inline enum packet_error
packet_parse(uint16_t ethertype, const uint8_t *bytes, uint32_t captured_bytes,
	     uint32_t wire_bytes, struct packet_meta *ret_meta)
{
	struct packet_cursor cursor = { bytes, captured_bytes, 0 };

	packet_clear(ret_meta);
	return packet_parse_at(&cursor, ethertype, wire_bytes, ret_meta);
}

/* The same for a packet that starts with its Ethernet header. */
static inline enum packet_error
packet_parse_ethernet(const uint8_t *bytes, uint32_t captured_bytes,
		      uint32_t wire_bytes, struct packet_meta *ret_meta)
{
	struct packet_cursor cursor = { bytes, captured_bytes, 0 };

	packet_clear(ret_meta);
	if (!packet_has(&cursor, 14))
		return PACKET_TRUNCATED;
	ret_meta->link_group = bytes[0] & 1;
	cursor.offset_bytes = 14;
	return packet_parse_at(&cursor, packet_u16(bytes + 12), wire_bytes,
			       ret_meta);
}

#endif
