/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial lines: PPP (RFC 1661, RFC 1662) and Cisco's HDLC. */
#include "sim/link_frame.h"

/* RFC 1662 section 3.1; a line may leave both out, and then the protocol
 * begins: none begins with ff. */
static bool has_address(const struct link_frame *frame)
{
	return link_has(frame, 2) && frame->bytes[0] == 0xff &&
	       frame->bytes[1] == 0x03;
}

enum link_status link_ppp(struct link_frame *frame)
{
	uint32_t bytes = 1;
	uint32_t protocol;

	if (has_address(frame))
		link_skip(frame, 2);
	if (!link_has(frame, 1))
		return LINK_BAD;
	/* Section 6.5: an odd first byte is all of it. */
	protocol = frame->bytes[0];
	if ((protocol & 1) == 0) {
		if (!link_has(frame, 2))
			return LINK_BAD;
		protocol = packet_u16(frame->bytes);
		bytes = 2;
	}
	link_skip(frame, bytes);
	switch (protocol) {
	case 0x0021:
		return link_ethertype(frame, LINK_ETHERTYPE_IPV4);
	case 0x0057:
		return link_ethertype(frame, LINK_ETHERTYPE_IPV6);
	case 0x0281:
	case 0x0283:
		return link_mpls(frame);
	default:
		return LINK_NO_IP;
	}
}

/* Address, control, ethertype. */
enum link_status link_chdlc(struct link_frame *frame)
{
	uint16_t ethertype;

	if (!link_has(frame, 4))
		return LINK_BAD;
	ethertype = packet_u16(frame->bytes + 2);
	link_skip(frame, 4);
	return link_ethertype(frame, ethertype);
}

enum link_status link_ppp_serial(struct link_frame *frame)
{
	enum { CHDLC_UNICAST = 0x0f, CHDLC_MULTICAST = 0x8f };

	if (!link_has(frame, 1))
		return LINK_BAD;
	if (frame->bytes[0] == CHDLC_UNICAST ||
	    frame->bytes[0] == CHDLC_MULTICAST)
		return link_chdlc(frame);
	return link_ppp(frame);
}
