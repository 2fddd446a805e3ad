/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_list FILE: what the parser says of each packet that can be judged, a
 * line each, for the model that the simulator is compared with:
 *
 *	time_ns kind proto src sport dst dport fragment fragment_id
 */
#include <inttypes.h>
#include <stdio.h>

#include "flowtable/packet_meta.h"
#include "policy/address.h"
#include "sim/capture.h"
#include "sim/link.h"

static void print(const struct capture_packet *packet)
{
	char src[ADDRESS_TEXT_SIZE], dst[ADDRESS_TEXT_SIZE];
	enum packet_error error = PACKET_OK;
	struct packet_meta meta;

	if (link_parse(packet->link_type, packet->bytes, packet->captured_bytes,
		       packet->wire_bytes, &meta, &error) != LINK_PARSED ||
	    (error != PACKET_OK && meta.ethertype == 0))
		return;
	address_print(meta.ends.src, src);
	address_print(meta.ends.dst, dst);
	printf("%" PRIu64 " %u %u %s %u %s %u %u %" PRIu32 "\n",
	       packet->has_time ? packet->time_ns : 0, meta.kind,
	       meta.ends.proto, src, meta.ends.src_port, dst,
	       meta.ends.dst_port, meta.fragment, meta.fragment_id);
}

int main(int argc, char **argv)
{
	char why[256];
	struct capture *capture =
		argc == 2 ? capture_open(argv[1], why, sizeof(why)) : NULL;
	struct capture_packet packet;

	if (!capture)
		return 1;
	while (capture_next(capture, &packet) == CAPTURE_PACKET)
		print(&packet);
	capture_close(capture);
	return 0;
}
