/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_FRAME_H
#define SIM_FRAME_H

/* A captured packet, parsed: what is left of it once its bytes are gone. */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"
#include "sim/capture.h"

struct frame {
	struct packet_meta meta; /* LINK_PARSED: as link_parse writes it */
	uint64_t time_ns;
	uint32_t link_type;
	uint8_t mac[6]; /* who sent it */
	bool has_mac;   /* where that is told: Ethernet */
	bool has_time;
	uint8_t status; /* enum link_status */
	uint8_t error;  /* enum packet_error, when that is LINK_PARSED */
};

/* Cannot fail: what is wrong is in it. */
void frame_parse(const struct capture_packet *packet, struct frame *ret_frame);

#endif
