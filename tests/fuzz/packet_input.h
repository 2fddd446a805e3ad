/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FUZZ_PACKET_INPUT_H
#define TESTS_FUZZ_PACKET_INPUT_H

/*
 * How one fuzzer input says how to call the parser: a byte that picks the
 * ethertype, three that say how much longer than captured the packet was on
 * the wire, then the packet.
 */

#include <stdint.h>

enum { PACKET_INPUT_HEAD_BYTES = 4, PACKET_INPUT_ETHERTYPES = 7 };

/* 0: starts with an Ethernet header */
static const uint16_t packet_input_ethertypes[PACKET_INPUT_ETHERTYPES] = {
	0, 0x0800, 0x86dd, 0x0806, 0x8864, 0x8100, 0x88a8,
};

static inline uint32_t packet_input_wire_bytes(const uint8_t *head,
					       uint32_t captured_bytes)
{
	return captured_bytes +
	       (((uint32_t)head[1] << 16) | ((uint32_t)head[2] << 8) | head[3]);
}

#endif
