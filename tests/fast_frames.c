/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_frames.h"

#include <assert.h>
#include <string.h>

enum { REMOTE_PORT = 53, IP_BYTES = 20, IPV6_BYTES = 40, UNREACHABLE = 3 };

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static bool is_fragment(const struct frames_packet *packet)
{
	return packet->more || packet->offset_bytes != 0;
}

/* Returns where what follows begins. */
static uint8_t *put_link(const struct frames_talk *talk,
			 const struct frames_packet *packet, uint8_t *at)
{
	at += 12;
	for (int i = 0; i < 2; i++) {
		if (packet->vlan[i] == 0)
			continue;
		put16(at, 0x8100);
		put16(at + 2, packet->vlan[i]);
		at += 4;
	}
	put16(at, talk->v6 ? 0x86dd : 0x0800);
	return at + 2;
}

static void put_addresses4(const struct frames_talk *talk, bool out,
			   uint8_t *src)
{
	const uint8_t host[4] = { 10, 0, 0, talk->host };
	const uint8_t remote[4] = { 192, 0, 2, talk->remote };

	memcpy(src, out ? host : remote, 4);
	memcpy(src + 4, out ? remote : host, 4);
}

static uint8_t *put_ipv4(const struct frames_talk *talk,
			 const struct frames_packet *packet, uint32_t bytes,
			 uint8_t *at)
{
	at[0] = 0x45;
	put16(at + 2, IP_BYTES + bytes);
	put16(at + 4, packet->id);
	put16(at + 6, packet->offset_bytes / 8u | (packet->more ? 0x2000u : 0));
	at[8] = 64;
	at[9] = talk->proto;
	put_addresses4(talk, packet->out, at + 12);
	return at + IP_BYTES;
}

static uint8_t *put_ipv6(const struct frames_talk *talk,
			 const struct frames_packet *packet, uint32_t bytes,
			 uint8_t *at)
{
	uint8_t proto = talk->proto == FRAMES_ICMP ? 58 : talk->proto;
	uint8_t *src = at + 8, *dst = at + 24;
	uint32_t before = is_fragment(packet) ? 8 : 0;

	at[0] = 0x60;
	put16(at + 4, bytes + before);
	at[6] = before ? 44 : proto;
	at[7] = 64;
	for (uint8_t *each = src; each <= dst; each += 16)
		put32(each, 0x20010db8);
	(packet->out ? src : dst)[15] = talk->host;
	(packet->out ? dst : src)[4] = 0xff;
	(packet->out ? dst : src)[15] = talk->remote;
	at += IPV6_BYTES;
	if (before == 0)
		return at;
	at[0] = proto;
	put16(at + 2, packet->offset_bytes | packet->more);
	put32(at + 4, packet->id);
	return at + 8;
}

static uint32_t l4_bytes(const struct frames_talk *talk,
			 const struct frames_packet *packet)
{
	if (packet->offset_bytes != 0)
		return 0;
	return talk->proto == FRAMES_TCP ? 20 : 8;
}

static void put_tcp(const struct frames_packet *packet, uint8_t *at)
{
	put32(at + 4, packet->seq);
	put32(at + 8, packet->ack);
	at[12] = 0x50;
	at[13] = packet->flags;
}

static void put_icmp(const struct frames_talk *talk,
		     const struct frames_packet *packet, uint8_t *at)
{
	at[0] = talk->v6 ? (packet->out ? 128 : 129) : (packet->out ? 8 : 0);
	put16(at + 4, talk->port);
}

/* The other side complains of a UDP packet of the host's. */
static void put_error(const struct frames_talk *talk, uint8_t *at)
{
	uint8_t *quoted = at + 8;

	at[0] = UNREACHABLE;
	at[1] = UNREACHABLE;
	quoted[0] = 0x45;
	put16(quoted + 2, IP_BYTES + 8);
	quoted[8] = 64;
	quoted[9] = FRAMES_UDP;
	put_addresses4(talk, true, quoted + 12);
	put16(quoted + IP_BYTES, talk->port);
	put16(quoted + IP_BYTES + 2, REMOTE_PORT);
}

static void put_l4(const struct frames_talk *talk,
		   const struct frames_packet *packet, uint32_t bytes,
		   uint8_t *at)
{
	if (packet->error) {
		put_error(talk, at);
		return;
	}
	if (talk->proto == FRAMES_ICMP) {
		put_icmp(talk, packet, at);
		return;
	}
	put16(at + (packet->out ? 0 : 2), talk->port);
	put16(at + (packet->out ? 2 : 0), REMOTE_PORT);
	if (talk->proto == FRAMES_TCP)
		put_tcp(packet, at);
	else
		put16(at + 4, bytes);
}

uint32_t frames_make(const struct frames_talk *talk,
		     const struct frames_packet *packet,
		     uint8_t ret_bytes[FRAMES_BYTES])
{
	uint32_t bytes = l4_bytes(talk, packet) + packet->payload_bytes;
	uint8_t *at;

	assert(bytes <= 1500 && packet->offset_bytes % 8 == 0);
	memset(ret_bytes, 0, FRAMES_BYTES);
	at = put_link(talk, packet, ret_bytes);
	at = talk->v6 ? put_ipv6(talk, packet, bytes, at)
		      : put_ipv4(talk, packet, bytes, at);
	if (packet->offset_bytes == 0)
		put_l4(talk, packet, bytes, at);
	return (uint32_t)(at - ret_bytes) + bytes;
}
