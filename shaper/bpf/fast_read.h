/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_FAST_READ_H
#define SHAPER_BPF_FAST_READ_H

/*
 * What nearly every packet is, read where it stands: TCP or UDP, whole, right
 * behind IPv4 without options or IPv6 without extension headers.  For all else
 * there is flowtable/packet.h, and of what this reads it says the same.  Only
 * compiled for BPF.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/packet_l4.h"
#include "shaper/bpf/fast_key.h"
#include "shaper/bpf/fast_maps.h"

/* All that is asked of a packet. */
struct fast_packet {
	struct fast_key key;
	uint64_t to; /* MAC */
	uint64_t link;
	uint32_t payload_bytes;
	uint32_t tcp_seq, tcp_ack;
	uint8_t tcp_flags;
	bool plain;  /* nothing of it needs a closer look */
	bool tagged; /* inside the frame */
};

enum {
	FAST_ETHERNET_BYTES = 14,
	FAST_LINK_SHIFT = 48,
	FAST_TCP_OPENS_OR_RESETS = 2 | 4,
};

/* As the packet has them.  The compiler would load them byte by byte, which
 * nobody asks for in the kernel: an IP header stands where words of its may, as
 * NET_IP_ALIGN has it.  In tests it stands anywhere. */
#ifdef __bpf__
#define FAST_STANDS may_alias
#else
#define FAST_STANDS may_alias, aligned(1)
#endif
typedef uint16_t __attribute__((FAST_STANDS)) fast_word16;
typedef uint32_t __attribute__((FAST_STANDS)) fast_word32;
typedef uint64_t __attribute__((FAST_STANDS)) fast_word64;

static __always_inline uint16_t fast_load16(const uint8_t *at)
{
	return *(const fast_word16 *)at;
}

static __always_inline uint32_t fast_load32(const uint8_t *at)
{
	return *(const fast_word32 *)at;
}

static __always_inline void fast_load128(const uint8_t *at, uint64_t ret[2])
{
	ret[0] = *(const fast_word64 *)at;
	ret[1] = *(const fast_word64 *)(at + 8);
}

static __always_inline uint16_t fast_net16(uint16_t word)
{
	return __builtin_bswap16(word);
}

static __always_inline uint64_t fast_mac(const uint8_t *mac)
{
	return fast_load32(mac) | (uint64_t)fast_load16(mac + 4) << 32;
}

/* A frame's sender. */
static __always_inline uint64_t fast_link(const uint8_t *mac, uint32_t ifindex)
{
	return fast_mac(mac) | (uint64_t)ifindex << FAST_LINK_SHIFT;
}

/* `src` and `dst` in host order, here and there. */
static __always_inline uint32_t fast_ports(uint32_t in_packet,
					   enum flow_direction direction)
{
	uint32_t ports = __builtin_bswap32(in_packet);

	return direction == FLOW_OUT ? ports >> 16 | ports << 16 : ports;
}

/* Is it none of DHCP's, as packet_is_dhcp has it? */
static __always_inline bool fast_is_dhcp(uint32_t ports, uint16_t low)
{
	return (uint16_t)(ports - low) <= 1 &&
	       (uint16_t)((ports >> 16) - low) <= 1;
}

/* `l4_bytes`: of layer 4, as layer 3 says. */
static __always_inline bool fast_read_l4(const uint8_t *at, const uint8_t *end,
					 uint32_t l4_bytes, uint16_t dhcp,
					 enum flow_direction direction,
					 struct fast_packet *ret)
{
	uint32_t bytes;

	if (at + 8 > end)
		return false;
	ret->key.ports = fast_ports(fast_load32(at), direction);
	if (ret->key.proto == PACKET_PROTO_UDP) {
		bytes = fast_net16(fast_load16(at + 4));
		ret->plain = l4_bytes >= 8 && bytes >= 8;
		return ret->plain && !fast_is_dhcp(ret->key.ports, dhcp);
	}
	if (ret->key.proto != PACKET_PROTO_TCP || at + 20 > end)
		return false;
	bytes = (uint32_t)(at[12] >> 4) * 4;
	ret->tcp_flags = at[13];
	if (bytes < 20 || bytes > l4_bytes ||
	    ret->tcp_flags & FAST_TCP_OPENS_OR_RESETS)
		return false;
	ret->tcp_seq = __builtin_bswap32(fast_load32(at + 4));
	ret->tcp_ack = __builtin_bswap32(fast_load32(at + 8));
	ret->payload_bytes = l4_bytes - bytes;
	ret->plain = true;
	return true;
}

static __always_inline uint64_t fast_mapped(const uint8_t *ipv4)
{
	return UINT64_C(0xffff0000) | (uint64_t)fast_load32(ipv4) << 32;
}

static __always_inline bool
fast_read_ipv4(const uint8_t *ip, const uint8_t *end, uint32_t most_bytes,
	       enum flow_direction direction, struct fast_packet *ret)
{
	bool out = direction == FLOW_OUT;
	uint16_t bytes;

	if (ip + 20 > end)
		return false;
	bytes = fast_net16(fast_load16(ip + 2));
	if (ip[0] != 0x45 || fast_load16(ip + 6) & fast_net16(0x3fff) ||
	    bytes < 20 || bytes > most_bytes || ip[16] >= 0xe0)
		return false;
	ret->key.inside[0] = ret->key.outside[0] = 0;
	ret->key.inside[1] = fast_mapped(out ? ip + 12 : ip + 16);
	ret->key.outside[1] = fast_mapped(out ? ip + 16 : ip + 12);
	ret->key.proto = ip[9];
	return fast_read_l4(ip + 20, end, bytes - 20u, 67, direction, ret);
}

static __always_inline bool fast_is_mapped(const uint64_t address[2])
{
	return address[0] == 0 && (uint32_t)address[1] == 0xffff0000;
}

static __always_inline bool
fast_read_ipv6(const uint8_t *ip, const uint8_t *end, uint32_t most_bytes,
	       enum flow_direction direction, struct fast_packet *ret)
{
	bool out = direction == FLOW_OUT;
	uint16_t bytes;

	if (ip + 40 > end)
		return false;
	bytes = fast_net16(fast_load16(ip + 4));
	if (ip[0] >> 4 != 6 || bytes == 0 || bytes + 40u > most_bytes ||
	    ip[24] == 0xff)
		return false;
	fast_load128(out ? ip + 8 : ip + 24, ret->key.inside);
	fast_load128(out ? ip + 24 : ip + 8, ret->key.outside);
	if (fast_is_mapped(ret->key.inside) || fast_is_mapped(ret->key.outside))
		return false;
	ret->key.proto = ip[6];
	return fast_read_l4(ip + 40, end, bytes, 546, direction, ret);
}

/* false: it wants the parser.  *ret's zone is the caller's. */
static __always_inline bool fast_read_frame(const struct __sk_buff *skb,
					    enum flow_direction direction,
					    struct fast_packet *ret)
{
	const uint8_t *frame = (const uint8_t *)(long)skb->data;
	const uint8_t *end = (const uint8_t *)(long)skb->data_end;
	uint32_t bytes = skb->len - FAST_ETHERNET_BYTES;
	uint16_t ethertype;

	if (frame + FAST_ETHERNET_BYTES > end)
		return false;
	ret->to = fast_mac(frame);
	ret->link = fast_link(frame + 6, skb->ifindex);
	ethertype = fast_load16(frame + 12);
	if (ethertype == fast_net16(0x0800))
		return fast_read_ipv4(frame + FAST_ETHERNET_BYTES, end, bytes,
				      direction, ret);
	if (ethertype == fast_net16(0x86dd))
		return fast_read_ipv6(frame + FAST_ETHERNET_BYTES, end, bytes,
				      direction, ret);
	return false;
}

#endif
