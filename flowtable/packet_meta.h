/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PACKET_META_H
#define FLOWTABLE_PACKET_META_H

/*
 * What the parser says of a packet.  The kernel program compiles this header
 * as well: integers only.
 */

#include <stdbool.h>
#include <stdint.h>

enum packet_kind {
	PACKET_UNICAST,    /* may be answered; the only kind S can hold */
	PACKET_MULTICAST,  /* multicast or 255.255.255.255: never answers */
	PACKET_ICMP_ERROR, /* ICMP 3,4,5,11,12; ICMPv6 1-4: see `quoted` */
	PACKET_NEIGHBOUR,  /* ARP, and ICMPv6 133-137 that did not cross a
			    * router (hop limit 255, code 0, no fragment) */
	PACKET_DHCP,       /* UDP 67/68 (v4), 546/547 (v6), at both ends */
};

enum packet_fragment {
	PACKET_WHOLE,          /* also an IPv6 fragment that is the only one */
	PACKET_FIRST_FRAGMENT, /* has the ports */
	PACKET_LATER_FRAGMENT, /* has none; they come from the first */
};

/* Why a packet could not be read.  Each has a counter. */
enum packet_error {
	PACKET_OK,
	PACKET_NOT_IP,           /* an ethertype that is not ours */
	PACKET_TRUNCATED,        /* fewer bytes than its headers need */
	PACKET_BAD_VERSION,      /* ethertype and IP version disagree */
	PACKET_BAD_LENGTH,       /* a length field contradicts another */
	PACKET_TOO_MANY_HEADERS, /* tags or extension headers past our bound */
	PACKET_BAD_ADDRESS,      /* IPv6 with an IPv4-mapped address: would
				  * meet the keys of that IPv4 address */
	PACKET_ERRORS            /* how many there are */
};

struct packet_ends {
	uint8_t src[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t dst[16];
	uint16_t src_port; /* host order; 0 where the protocol has none; */
	uint16_t dst_port; /* ICMP echo: the identifier in both */
	uint8_t proto;     /* upper-layer protocol (IANA); ICMP is 1, v6 58 */
};

struct packet_meta {
	struct packet_ends ends;
	struct packet_ends quoted; /* ICMP errors: the packet complained of;
				    * proto 0 when it could not be read */
	uint32_t fragment_id;
	uint32_t length_bytes; /* layer 3, header included, as on the wire */
	uint32_t header_bytes; /* layer 3 and 4 headers */
	uint16_t vlan[2];      /* outer, inner; VLAN id, 0: untagged */
	uint32_t tcp_seq, tcp_ack; /* as in the TCP header */
	uint32_t rtp_ssrc;         /* what may be an RTP header behind UDP's; */
	uint16_t rtp_seq;          /* both 0: it is none */
	uint16_t mss;              /* from a SYN's option; 0: none */
	uint16_t ethertype;        /* 0x0800, 0x86dd or 0x0806 */
	uint8_t kind;              /* enum packet_kind */
	uint8_t fragment;          /* enum packet_fragment */
	uint8_t tcp_flags;         /* as in the TCP header; 0 for the others */
	bool link_group;           /* its frame went to a group address, so a
				    * unicast `dst` may be a subnet's broadcast;
				    * false where no Ethernet header was read */
};

/* For counters: "ok", "not_ip", "truncated", ...; "?" past the last. */
const char *packet_error_name(enum packet_error error);

#endif
