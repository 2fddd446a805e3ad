/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_LINK_H
#define SIM_LINK_H

/*
 * From a captured frame of any link type to the one packet parser: finds the
 * layer 3 packet (or the Ethernet frame) in it and hands it on.  Past label
 * stacks (MPLS) and LLC, too, which a gateway's parser has no need to know.
 */

#include <stdint.h>

#include "flowtable/packet_meta.h"

enum link_status {
	LINK_PARSED,  /* *ret_error says what the packet parser said */
	LINK_NO_IP,   /* readable, but it carries no IP: management frames,
		       * encrypted 802.11, LCP, ... */
	LINK_BAD,     /* shorter than its link header, contradicts itself, or
		       * the card says that its checksum is wrong */
	LINK_UNKNOWN, /* a link type that is not known here */
};

/*
 * *ret_meta is written when LINK_PARSED is returned, under the same terms as
 * packet_parse writes it, but that link_group is told by what other links than
 * Ethernet say as well.  Cannot fail otherwise.
 */
enum link_status link_parse(uint32_t link_type, const uint8_t *bytes,
			    uint32_t captured_bytes, uint32_t wire_bytes,
			    struct packet_meta *ret_meta,
			    enum packet_error *ret_error);

/* "EN10MB", "LINUX_SLL2", ...; NULL: not known. */
const char *link_type_name(uint32_t link_type);

#endif
