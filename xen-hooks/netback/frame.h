/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_NETBACK_FRAME_H
#define XEN_HOOKS_NETBACK_FRAME_H

/*
 * May a guest send this frame, and is it one that S can hold?  Who it says it
 * comes from, in its Ethernet header, IP, ARP and neighbour discovery, must be
 * its vif.  Pure; also compiled for the kernel.
 *
 * Link-local addresses and the unspecified one (DHCP, duplicate address
 * detection) are anybody's, but nobody may claim one with another's MAC.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_meta.h"

enum { FRAME_PREFIXES_MOST = 64 };

struct frame_prefix {
	uint8_t addr[16];    /* IPv4 as ::ffff:a.b.c.d */
	uint8_t length_bits; /* of all 128 */
};

/* Whose the vif is. */
struct frame_source {
	uint8_t mac[6];
	bool has_mac;
	bool overwrites; /* another's MAC in the Ethernet header becomes ours */
	uint8_t prefixes_count; /* 0: any address */
	struct frame_prefix prefixes[FRAME_PREFIXES_MOST];
};

enum frame_class {
	FRAME_JUDGED, /* by S */
	FRAME_OTHER,  /* what never answers, or is no IP */
	FRAME_SHORT,  /* more bytes are needed than are there */
	FRAME_UNREAD, /* makes no sense: whose it is cannot be said */
	FRAME_FORGED_MAC,
	FRAME_FORGED_ADDRESS,
	FRAME_FORGED_NEIGHBOUR,
};

/*
 * `bytes` are there, from the Ethernet header on, of `wire_bytes`.  *ret_meta
 * is always written.  *ret_stamp: its Ethernet source is to be overwritten.
 */
enum frame_class frame_judge(const struct frame_source *source,
			     const uint8_t *frame, uint32_t bytes,
			     uint32_t wire_bytes, struct packet_meta *ret_meta,
			     bool *ret_stamp);

#endif
