/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an ethertype to the packet parser, past what that does not read since
 * a gateway never sees it: labels, LLC. */
#include <string.h>

#include "flowtable/packet.h"
#include "sim/link_frame.h"

enum {
	LABEL_BYTES = 4,
	LABELS_MAX = 16,
	CONTROL_WORD_BYTES = 4,
	ETHERNET_BYTES = 14,
	SNAP_BYTES = 8,
	ETHERTYPE_MIN = 0x0600, /* below, it is a length */
};

static bool is_tag(uint16_t ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8;
}

static bool is_mpls(uint16_t ethertype)
{
	return ethertype == LINK_ETHERTYPE_MPLS ||
	       ethertype == LINK_ETHERTYPE_MPLS_MULTICAST;
}

/* The parser clears what an earlier look has found. */
static enum link_status parse(struct link_frame *frame, uint16_t ethertype)
{
	uint16_t vlan[2];

	memcpy(vlan, frame->meta->vlan, sizeof(vlan));
	*frame->error = packet_parse(ethertype, frame->bytes,
				     frame->captured_bytes, frame->wire_bytes,
				     frame->meta);
	if (frame->meta->vlan[0] == 0)
		memcpy(frame->meta->vlan, vlan, sizeof(vlan));
	frame->meta->link_group |= frame->group;
	return LINK_PARSED;
}

enum link_status link_ip(struct link_frame *frame)
{
	if (!link_has(frame, 1))
		return LINK_BAD;
	if (frame->bytes[0] >> 4 == 4)
		return parse(frame, LINK_ETHERTYPE_IPV4);
	if (frame->bytes[0] >> 4 == 6)
		return parse(frame, LINK_ETHERTYPE_IPV6);
	return LINK_NO_IP;
}

/*
 * RFC 4448: an Ethernet frame behind a control word.  No label tells it from
 * other pseudowires, so all must fit: a word that begins with zeros and belongs
 * to no fragment, and a frame with IP, ARP or a tag in it.
 */
static enum link_status pseudowire(struct link_frame *frame)
{
	const uint8_t *word = frame->bytes;
	const uint8_t *ethernet = word + CONTROL_WORD_BYTES;
	uint16_t ethertype;

	if (!link_has(frame, CONTROL_WORD_BYTES + ETHERNET_BYTES + 1) ||
	    word[0] != 0 || word[1] >> 6 != 0)
		return LINK_NO_IP;
	ethertype = packet_u16(ethernet + 12);
	if (!(ethertype == LINK_ETHERTYPE_IPV4 && ethernet[14] >> 4 == 4) &&
	    !(ethertype == LINK_ETHERTYPE_IPV6 && ethernet[14] >> 4 == 6) &&
	    ethertype != 0x0806 && !is_tag(ethertype))
		return LINK_NO_IP;
	frame->group = ethernet[0] & 1;
	link_skip(frame, CONTROL_WORD_BYTES + ETHERNET_BYTES);
	return parse(frame, ethertype);
}

/* Nothing says what a label stack carries: RFC 4928 section 3 is what everybody
 * goes by. */
enum link_status link_mpls(struct link_frame *frame)
{
	bool bottom = false;

	for (uint32_t i = 0; !bottom; i++) {
		if (i == LABELS_MAX || !link_has(frame, LABEL_BYTES))
			return LINK_BAD;
		bottom = frame->bytes[2] & 1;
		link_skip(frame, LABEL_BYTES);
	}
	if (link_has(frame, 1) && frame->bytes[0] >> 4 == 0)
		return pseudowire(frame);
	return link_ip(frame);
}

/* The ethertype behind a SNAP header; 0: it is another LLC frame. */
static uint16_t snap_ethertype(struct link_frame *frame)
{
	static const uint8_t snap[6] = { 0xaa, 0xaa, 0x03 };
	uint16_t ethertype;

	if (!link_has(frame, SNAP_BYTES) ||
	    memcmp(frame->bytes, snap, sizeof(snap)) != 0)
		return 0;
	ethertype = packet_u16(frame->bytes + 6);
	link_skip(frame, SNAP_BYTES);
	return ethertype;
}

/* What the parser stopped at: past the tags that it has noted. */
static enum link_status behind_tags(struct link_frame *frame,
				    uint16_t ethertype)
{
	uint16_t inner = ethertype;
	struct link_frame rest = *frame;

	while (is_tag(inner) && link_has(&rest, 4)) {
		inner = packet_u16(rest.bytes + 2);
		link_skip(&rest, 4);
	}
	if (inner < ETHERTYPE_MIN)
		inner = snap_ethertype(&rest);
	if (is_mpls(inner))
		return link_mpls(&rest);
	if (inner == 0 || inner == ethertype)
		return LINK_PARSED;
	return parse(&rest, inner);
}

enum link_status link_ethertype(struct link_frame *frame, uint16_t ethertype)
{
	if (is_mpls(ethertype))
		return link_mpls(frame);
	parse(frame, ethertype);
	if (*frame->error != PACKET_NOT_IP)
		return LINK_PARSED;
	return behind_tags(frame, ethertype);
}

enum link_status link_ethernet(struct link_frame *frame)
{
	uint16_t ethertype;

	*frame->error = packet_parse_ethernet(frame->bytes,
					      frame->captured_bytes,
					      frame->wire_bytes, frame->meta);
	if (*frame->error != PACKET_NOT_IP)
		return LINK_PARSED;
	ethertype = packet_u16(frame->bytes + 12);
	frame->group = frame->bytes[0] & 1;
	link_skip(frame, ETHERNET_BYTES);
	return behind_tags(frame, ethertype);
}

enum link_status link_llc(struct link_frame *frame)
{
	uint16_t ethertype;

	if (!link_has(frame, 3))
		return LINK_BAD;
	ethertype = snap_ethertype(frame);
	if (ethertype == 0)
		return LINK_NO_IP;
	return link_ethertype(frame, ethertype);
}
