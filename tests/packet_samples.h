/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PACKET_SAMPLES_H
#define TESTS_PACKET_SAMPLES_H

/*
 * Packets written out by hand, and what the parser must say of each: rows for
 * the unit test, seeds for the fuzzer.
 */

#include <stddef.h>
#include <stdint.h>

#include "flowtable/packet.h"

enum { PACKET_SAMPLE_MAX_BYTES = 1024 };

/* Ends as text; NULL: the guarded host and its peer, by address family. */
struct packet_sample_ends {
	const char *src, *dst;
	uint16_t src_port, dst_port;
	uint8_t proto;
};

struct packet_sample {
	const char *name;
	uint16_t ethertype;  /* 0: starts with an Ethernet header */
	const char *hex;     /* blanks are skipped */
	uint32_t wire_bytes; /* 0: as many as there are */
	enum packet_error error;
	/* What follows holds for PACKET_OK, and ends' addresses whenever
	 * `addressed`. */
	uint32_t needed_bytes; /* from the start to the end of its headers */
	struct packet_sample_ends ends;
	struct packet_sample_ends quoted; /* proto 0: none */
	uint32_t fragment_id, length_bytes, header_bytes;
	uint16_t vlan[2], mss;
	uint16_t rtp_seq;
	uint32_t rtp_ssrc;
	uint16_t family; /* ethertype behind tags; 0: as ethertype */
	enum packet_kind kind;
	enum packet_fragment fragment;
	uint8_t tcp_flags;
	bool link_group, addressed;
};

extern const struct packet_sample packet_samples[];
extern const size_t packet_samples_count;

/* The bytes of one; returns how many. */
uint32_t packet_sample_bytes(const struct packet_sample *sample,
			     uint8_t ret_bytes[PACKET_SAMPLE_MAX_BYTES]);

#endif
