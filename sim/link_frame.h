/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_LINK_FRAME_H
#define SIM_LINK_FRAME_H

/*
 * A frame whose headers are stepped over one by one, until something begins
 * that the packet parser reads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_read.h"
#include "sim/link.h"

struct link_frame {
	const uint8_t *bytes; /* from the next header on */
	uint32_t captured_bytes, wire_bytes;
	struct packet_meta *meta;
	enum packet_error *error;
	bool group; /* it went to a group address */
};

enum {
	LINK_ETHERTYPE_IPV4 = 0x0800,
	LINK_ETHERTYPE_IPV6 = 0x86dd,
	LINK_ETHERTYPE_MPLS = 0x8847,
	LINK_ETHERTYPE_MPLS_MULTICAST = 0x8848,
};

static inline bool link_has(const struct link_frame *frame, uint32_t count)
{
	return count <= frame->captured_bytes;
}

/* False, and nothing is done: there are fewer. */
static inline bool link_skip(struct link_frame *frame, uint32_t count)
{
	if (!link_has(frame, count))
		return false;
	frame->bytes += count;
	frame->captured_bytes -= count;
	frame->wire_bytes -= count;
	return true;
}

static inline uint16_t link_le16(const uint8_t *at)
{
	return (uint16_t)((uint32_t)at[1] << 8 | at[0]);
}

static inline uint32_t link_le32(const uint8_t *at)
{
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[1] << 8 | at[0];
}

/* What follows begins: with its Ethernet header, right behind its ethertype,
 * with an IP header of either version, a label stack, an LLC header, or as
 * IEEE 802.11 has it (padded: its header fills up to 4 bytes). */
enum link_status link_ethernet(struct link_frame *frame);
enum link_status link_ethertype(struct link_frame *frame, uint16_t ethertype);
enum link_status link_ip(struct link_frame *frame);
enum link_status link_mpls(struct link_frame *frame);
enum link_status link_llc(struct link_frame *frame);
enum link_status link_wifi(struct link_frame *frame, bool padded);

/* The same behind what the card has said of it. */
enum link_status link_radiotap(struct link_frame *frame);
enum link_status link_prism(struct link_frame *frame);
enum link_status link_avs(struct link_frame *frame);

/* Serial lines: with or without ff 03; C-HDLC among the frames. */
enum link_status link_ppp(struct link_frame *frame);
enum link_status link_ppp_serial(struct link_frame *frame);
enum link_status link_chdlc(struct link_frame *frame);

#endif
