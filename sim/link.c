/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/link.h"

#include "flowtable/packet.h"
#include "sim/link_frame.h"

/* As files number them: www.tcpdump.org/linktypes.html. */
enum link_type {
	LINKTYPE_NULL = 0,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_ARCNET = 7,
	LINKTYPE_PPP = 9,
	LINKTYPE_RAW_BSD = 12, /* not in files, but some wrote it */
	LINKTYPE_RAW_OPENBSD = 14,
	LINKTYPE_PPP_HDLC = 50,
	LINKTYPE_PPP_ETHER = 51,
	LINKTYPE_ATM_RFC1483 = 100,
	LINKTYPE_RAW = 101,
	LINKTYPE_C_HDLC = 104,
	LINKTYPE_WIFI = 105,
	LINKTYPE_LOOP = 108,
	LINKTYPE_ENC = 109,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_PFLOG = 117,
	LINKTYPE_PRISM = 119,
	LINKTYPE_RADIOTAP = 127,
	LINKTYPE_ARCNET_LINUX = 129,
	LINKTYPE_AVS = 163,
	LINKTYPE_PPP_PPPD = 166,
	LINKTYPE_PPI = 192,
	LINKTYPE_PPP_WITH_DIR = 204,
	LINKTYPE_IPV4 = 228,
	LINKTYPE_IPV6 = 229,
	LINKTYPE_NFLOG = 239,
	LINKTYPE_LINUX_SLL2 = 276,
};

/* AF_INET is 2 everywhere, AF_INET6 is not: Linux, Windows, NetBSD and
 * OpenBSD, FreeBSD, Darwin. */
static bool is_ip_family(uint32_t family)
{
	return family == 2 || family == 10 || family == 23 || family == 24 ||
	       family == 28 || family == 30;
}

/* The address family in the byte order of who wrote it. */
static enum link_status parse_null(struct link_frame *frame)
{
	uint32_t family;

	if (!link_has(frame, 4))
		return LINK_BAD;
	family = link_le32(frame->bytes);
	if (family > 0xffff)
		family = packet_u32(frame->bytes);
	link_skip(frame, 4);
	return is_ip_family(family) ? link_ip(frame) : LINK_NO_IP;
}

/* What was sent to all or to many, by the kernel's packet type. */
static bool is_cooked_group(uint32_t packet_type)
{
	return packet_type == 1 || packet_type == 2;
}

/* A protocol number that is none: a frame of 802.3, or LLC. */
static enum link_status parse_cooked(struct link_frame *frame,
				     uint16_t hardware, uint16_t protocol)
{
	enum { ARPHRD_OF_NETLINK = 824, PROTOCOL_LLC = 4 };

	if (hardware == ARPHRD_OF_NETLINK)
		return LINK_NO_IP;
	if (protocol == PROTOCOL_LLC)
		return link_llc(frame);
	if (protocol < 0x0600)
		return LINK_NO_IP;
	return link_ethertype(frame, protocol);
}

static enum link_status parse_sll(struct link_frame *frame)
{
	const uint8_t *at = frame->bytes;

	if (!link_skip(frame, 16))
		return LINK_BAD;
	frame->group = is_cooked_group(packet_u16(at));
	return parse_cooked(frame, packet_u16(at + 2), packet_u16(at + 14));
}

static enum link_status parse_sll2(struct link_frame *frame)
{
	const uint8_t *at = frame->bytes;

	if (!link_skip(frame, 20))
		return LINK_BAD;
	frame->group = is_cooked_group(at[10]);
	return parse_cooked(frame, packet_u16(at + 8), packet_u16(at));
}

/*
 * RFC 1201, and RFC 1051 ("old"), which has a shorter header.  `fixed_bytes`
 * come before the type.  A split packet's first part has an odd flag; the
 * others have no IP header in them.
 */
static enum link_status parse_arcnet(struct link_frame *frame,
				     uint32_t fixed_bytes)
{
	const uint8_t *at = frame->bytes;
	uint32_t flag;

	if (!link_has(frame, fixed_bytes + 1))
		return LINK_BAD;
	frame->group = at[1] == 0;
	switch (at[fixed_bytes]) {
	case 240: /* IPv4, old */
		link_skip(frame, fixed_bytes + 1);
		return link_ethertype(frame, LINK_ETHERTYPE_IPV4);
	case 212: /* IPv4 */
	case 196: /* IPv6 */
		break;
	default:
		return LINK_NO_IP;
	}
	if (!link_skip(frame, fixed_bytes + 4))
		return LINK_BAD;
	flag = at[fixed_bytes + 1];
	if (flag == 0xff && !link_skip(frame, 4)) /* padding, then again */
		return LINK_BAD;
	if (flag != 0 && (flag & 1) == 0)
		return LINK_NO_IP;
	return link_ethertype(frame, at[fixed_bytes] == 212
					     ? LINK_ETHERTYPE_IPV4
					     : LINK_ETHERTYPE_IPV6);
}

static uint32_t nflog_u16(const uint8_t *at, bool big_endian)
{
	return big_endian ? packet_u16(at) : link_le16(at);
}

/* The packet's place among the attributes. */
static bool find_nflog(const struct link_frame *frame, bool big_endian,
		       uint32_t *ret_offset, uint32_t *ret_bytes)
{
	enum { HEADER_BYTES = 4, ATTRIBUTE_BYTES = 4, PAYLOAD = 9 };
	uint32_t offset = HEADER_BYTES;

	while (link_has(frame, offset + ATTRIBUTE_BYTES)) {
		const uint8_t *at = frame->bytes + offset;
		uint32_t bytes = nflog_u16(at, big_endian);

		if (bytes < ATTRIBUTE_BYTES)
			return false;
		if (nflog_u16(at + 2, big_endian) == PAYLOAD) {
			*ret_offset = offset + ATTRIBUTE_BYTES;
			*ret_bytes = bytes - ATTRIBUTE_BYTES;
			return true;
		}
		offset += (bytes + 3) & ~(uint32_t)3;
	}
	return false;
}

/* Attributes are in the byte order of who wrote them: the one that leads to a
 * packet. */
static enum link_status parse_nflog(struct link_frame *frame)
{
	enum { FAMILY_IPV4 = 2, FAMILY_IPV6 = 10 };
	uint32_t offset, bytes;

	if (!link_has(frame, 4))
		return LINK_BAD;
	if (frame->bytes[0] != FAMILY_IPV4 && frame->bytes[0] != FAMILY_IPV6)
		return LINK_NO_IP;
	if (!find_nflog(frame, false, &offset, &bytes) &&
	    !find_nflog(frame, true, &offset, &bytes))
		return LINK_BAD;
	link_skip(frame, offset);
	if (frame->captured_bytes > bytes)
		frame->captured_bytes = bytes;
	return link_ip(frame);
}

/* OpenBSD's packet filter; its header says its length, unpadded. */
static enum link_status parse_pflog(struct link_frame *frame)
{
	uint32_t bytes;

	if (!link_has(frame, 1))
		return LINK_BAD;
	bytes = ((uint32_t)frame->bytes[0] + 3) & ~(uint32_t)3;
	if (bytes < 4 || !link_skip(frame, bytes))
		return LINK_BAD;
	return link_ip(frame);
}

/* The per-packet header of CACE: what comes behind it has a type of its own. */
static bool skip_ppi(struct link_frame *frame, uint32_t *ret_link_type)
{
	const uint8_t *at = frame->bytes;
	uint32_t bytes;

	if (!link_has(frame, 8))
		return false;
	bytes = link_le16(at + 2);
	if (bytes < 8 || !link_skip(frame, bytes))
		return false;
	*ret_link_type = link_le32(at + 4);
	return true;
}

static enum link_status skip_then(struct link_frame *frame, uint32_t bytes,
				  enum link_status (*then)(struct link_frame *))
{
	if (!link_skip(frame, bytes))
		return LINK_BAD;
	return then(frame);
}

static enum link_status parse_type(struct link_frame *frame, uint32_t link_type)
{
	switch (link_type) {
	case LINKTYPE_ETHERNET:
		return link_ethernet(frame);
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		return parse_null(frame);
	case LINKTYPE_RAW:
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
		return link_ip(frame);
	case LINKTYPE_IPV4:
		return link_ethertype(frame, LINK_ETHERTYPE_IPV4);
	case LINKTYPE_IPV6:
		return link_ethertype(frame, LINK_ETHERTYPE_IPV6);
	case LINKTYPE_LINUX_SLL:
		return parse_sll(frame);
	case LINKTYPE_LINUX_SLL2:
		return parse_sll2(frame);
	case LINKTYPE_PPP:
		return link_ppp(frame);
	case LINKTYPE_PPP_HDLC:
		return link_ppp_serial(frame);
	case LINKTYPE_PPP_ETHER:
		return link_ethertype(frame, 0x8864);
	case LINKTYPE_PPP_PPPD:     /* a direction in the address's place, */
	case LINKTYPE_PPP_WITH_DIR: /* or before it */
		return skip_then(frame, link_type == LINKTYPE_PPP_PPPD ? 2 : 1,
				 link_ppp);
	case LINKTYPE_C_HDLC:
		return link_chdlc(frame);
	case LINKTYPE_ATM_RFC1483:
		return link_llc(frame);
	case LINKTYPE_WIFI:
		return link_wifi(frame, false);
	case LINKTYPE_RADIOTAP:
		return link_radiotap(frame);
	case LINKTYPE_PRISM:
		return link_prism(frame);
	case LINKTYPE_AVS:
		return link_avs(frame);
	case LINKTYPE_ARCNET:
		return parse_arcnet(frame, 2);
	case LINKTYPE_ARCNET_LINUX:
		return parse_arcnet(frame, 4);
	case LINKTYPE_NFLOG:
		return parse_nflog(frame);
	case LINKTYPE_PFLOG:
		return parse_pflog(frame);
	case LINKTYPE_ENC:
		return skip_then(frame, 12, link_ip);
	default:
		return LINK_UNKNOWN;
	}
}

static enum link_status parse_any(uint32_t link_type, const uint8_t *bytes,
				  uint32_t captured_bytes, uint32_t wire_bytes,
				  struct packet_meta *meta,
				  enum packet_error *error)
{
	struct link_frame frame = {
		.bytes = bytes,
		.captured_bytes = captured_bytes,
		.wire_bytes = wire_bytes < captured_bytes ? captured_bytes
							  : wire_bytes,
		.meta = meta,
		.error = error,
	};

	meta->vlan[0] = 0;
	meta->vlan[1] = 0;
	if (link_type == LINKTYPE_PPI && !skip_ppi(&frame, &link_type))
		return LINK_BAD;
	return parse_type(&frame, link_type);
}

enum link_status link_parse(uint32_t link_type, const uint8_t *bytes,
			    uint32_t captured_bytes, uint32_t wire_bytes,
			    struct packet_meta *ret_meta,
			    enum packet_error *ret_error)
{
	/* Nearly every frame there is: straight to the parser. */
	if (link_type == LINKTYPE_ETHERNET) {
		*ret_error = packet_parse_ethernet(bytes, captured_bytes,
						   wire_bytes, ret_meta);
		if (*ret_error != PACKET_NOT_IP)
			return LINK_PARSED;
	}
	return parse_any(link_type, bytes, captured_bytes, wire_bytes, ret_meta,
			 ret_error);
}
