/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/frame.h"

#include <string.h>

#include "sim/link.h"

enum { LINKTYPE_ETHERNET = 1, MAC_BYTES = 6, ETHERNET_BYTES = 14 };

void frame_parse(const struct capture_packet *packet, struct frame *ret_frame)
{
	enum packet_error error = PACKET_OK;

	ret_frame->status = (uint8_t)link_parse(
		packet->link_type, packet->bytes, packet->captured_bytes,
		packet->wire_bytes, &ret_frame->meta, &error);
	ret_frame->error = (uint8_t)error;
	ret_frame->time_ns = packet->time_ns;
	ret_frame->has_time = packet->has_time;
	ret_frame->link_type = packet->link_type;
	ret_frame->has_mac = packet->link_type == LINKTYPE_ETHERNET &&
			     packet->captured_bytes >= ETHERNET_BYTES;
	if (ret_frame->has_mac)
		memcpy(ret_frame->mac, packet->bytes + MAC_BYTES, MAC_BYTES);
}
