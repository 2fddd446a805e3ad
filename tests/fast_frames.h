/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_FRAMES_H
#define TESTS_FAST_FRAMES_H

/* Ethernet frames of one conversation, byte by byte. */

#include <stdbool.h>
#include <stdint.h>

enum {
	FRAMES_BYTES = 2048,
	FRAMES_ICMP = 1,
	FRAMES_TCP = 6,
	FRAMES_UDP = 17,
	FRAMES_FIN = 1,
	FRAMES_SYN = 2,
	FRAMES_RST = 4,
	FRAMES_PSH = 8,
	FRAMES_ACK = 16,
};

/* 10.0.0.HOST or 2001:db8::HOST talks to 192.0.2.REMOTE or 2001:db8:ff::. */
struct frames_talk {
	uint8_t host, remote;
	uint8_t proto;
	bool v6;
	uint16_t port; /* the host's; the other one is 53 */
};

struct frames_packet {
	bool out;
	uint8_t flags;
	uint32_t seq, ack;
	uint32_t payload_bytes;
	uint16_t vlan[2]; /* outer, inner; 0: none */
	/* of a fragment; all 0: it is none */
	uint16_t offset_bytes; /* of eight; then there is no layer 4 header */
	uint16_t id;
	bool more;
	bool error; /* ICMP: unreachable, which quotes the host's packet */
};

/* How long it is. */
uint32_t frames_make(const struct frames_talk *talk,
		     const struct frames_packet *packet,
		     uint8_t ret_bytes[FRAMES_BYTES]);

#endif
