/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/announce.h"

#include <stdbool.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"

enum {
	ARP_BYTES = 60, /* the shortest frame */
	ND_BYTES = ANNOUNCE_BYTES,
	IP6_AT = 14,
	ICMP_AT = IP6_AT + 40,
	ICMP_BYTES = 32,
};

static void put(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
}

static void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_ethernet(uint8_t *frame, const char *to, const uint8_t mac[6],
			 uint16_t ethertype)
{
	put(frame, to, 6);
	put(frame + 6, mac, 6);
	put_u16(frame + 12, ethertype);
}

/* RFC 826; who sends and who is asked for are the same. */
static size_t arp(const uint8_t mac[6], const uint8_t addr[16], uint8_t *frame)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	memset(frame, 0, ARP_BYTES);
	put_ethernet(frame, "\xff\xff\xff\xff\xff\xff", mac, 0x0806);
	put(frame + 14, head, sizeof(head));
	put(frame + 22, mac, 6);
	put(frame + 28, addr + 12, 4);
	put(frame + 38, addr + 12, 4);
	return ARP_BYTES;
}

static uint32_t sum_of(const uint8_t *bytes, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* RFC 8200 section 8.1: both addresses, length and next header, which stand in
 * the header as well, and the message. */
static uint16_t checksum_of(const uint8_t *frame)
{
	uint32_t sum = sum_of(frame + IP6_AT + 8, 32) + ICMP_BYTES + 58 +
		       sum_of(frame + ICMP_AT, ICMP_BYTES);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* To all nodes, from the address itself; it overrides what they know. */
static size_t advertisement(const uint8_t mac[6], const uint8_t addr[16],
			    uint8_t *frame)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	uint8_t *ip = frame + IP6_AT, *icmp = frame + ICMP_AT;

	memset(frame, 0, ND_BYTES);
	put_ethernet(frame, "\x33\x33\x00\x00\x00\x01", mac, 0x86dd);
	ip[0] = 0x60;
	put_u16(ip + 4, ICMP_BYTES);
	ip[6] = 58;
	ip[7] = 255;
	put(ip + 8, addr, 16);
	put(ip + 24, all_nodes, 16);
	icmp[0] = 136;
	icmp[4] = 0x20; /* override */
	put(icmp + 8, addr, 16);
	icmp[24] = 2; /* target link-layer address */
	icmp[25] = 1;
	put(icmp + 26, mac, 6);
	put_u16(icmp + 2, checksum_of(frame));
	return ND_BYTES;
}

static bool is_host(const struct policy_prefix *prefix)
{
	static const uint8_t unspecified[16] = { 0 };
	const uint8_t *addr = prefix->addr;

	if (prefix->length != 128 || address_is_loopback(addr))
		return false;
	if (address_is_v4(addr))
		return addr[12] != 0 && addr[12] < 224;
	return addr[0] != 0xff &&
	       memcmp(addr, unspecified, sizeof(unspecified)) != 0;
}

size_t announce_frame(const uint8_t mac[6], const struct policy_prefix *prefix,
		      uint8_t ret_frame[ANNOUNCE_BYTES])
{
	if (!is_host(prefix))
		return 0;
	return address_is_v4(prefix->addr)
		       ? arp(mac, prefix->addr, ret_frame)
		       : advertisement(mac, prefix->addr, ret_frame);
}
