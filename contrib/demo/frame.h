/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEMO_FRAME_H
#define DEMO_FRAME_H

/* Ethernet frames as a host of ill will makes them: any source it likes. */

#include <stddef.h>
#include <stdint.h>

enum { FRAME_MAX_BYTES = 1514 };

struct frame {
	uint8_t src_mac[6], dst_mac[6];
	uint8_t family;  /* 4 or 6 */
	uint8_t proto;   /* 17: UDP with a payload; 6: a bare TCP SYN */
	uint8_t src[16]; /* network order; the first 4 bytes for IPv4 */
	uint8_t dst[16];
	uint16_t src_port, dst_port; /* host order */
	uint16_t payload_bytes;      /* UDP only; the frame must fit */
};

/* Returns the bytes written to `ret_bytes` (at least FRAME_MAX_BYTES), or 0
 * when the frame would not fit. */
size_t frame_build(const struct frame *frame, uint8_t *ret_bytes);

#endif
