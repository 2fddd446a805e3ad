/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback/frame.h"

#include "flowtable/packet.h"

enum {
	MAC_BYTES = 6,
	SOLICITATION = 135, /* RFC 4861 4.3 */
	ADVERTISEMENT = 136,
	REDIRECT = 137,
	SOURCE_OPTION = 1, /* link-layer addresses, section 4.6.1 */
	TARGET_OPTION = 2,
	OPTIONS_MOST = 16,
};

static bool is_equal(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
	return __builtin_memcmp(a, b, bytes) == 0;
}

/* ------ addresses */

static inline uint64_t half(const uint8_t *at)
{
	return (uint64_t)packet_u32(at) << 32 | packet_u32(at + 4);
}

static bool is_in(const struct frame_prefix *prefix, const uint8_t addr[16])
{
	uint64_t high = half(prefix->addr) ^ half(addr);
	uint64_t low = half(prefix->addr + 8) ^ half(addr + 8);
	uint32_t bits = prefix->length_bits;

	if (bits <= 64)
		return bits == 0 || high >> (64 - bits) == 0;
	return (high | low >> (128 - bits)) == 0;
}

static bool is_own(const struct frame_source *source, const uint8_t addr[16])
{
	for (uint32_t i = 0; i < source->prefixes_count; i++)
		if (is_in(&source->prefixes[i], addr))
			return true;
	return source->prefixes_count == 0;
}

static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* :: or 0.0.0.0 */
static bool is_nobody(const struct packet_meta *meta)
{
	const uint8_t *addr = meta->ends.src;
	uint32_t any = packet_u32(addr + 12);

	if (meta->ethertype == 0x86dd)
		any |= packet_u32(addr) | packet_u32(addr + 4) |
		       packet_u32(addr + 8);
	return any == 0;
}

static bool may_send_as(const struct frame_source *source,
			const struct packet_meta *meta)
{
	if (is_own(source, meta->ends.src))
		return true;
	if (meta->ethertype == 0x86dd && is_link_local(meta->ends.src))
		return true;
	return is_nobody(meta) && meta->kind != PACKET_UNICAST;
}

/* ------ what neighbours are told */

static bool is_own_mac(const struct frame_source *source, const uint8_t *mac)
{
	return !source->has_mac || is_equal(source->mac, mac, MAC_BYTES);
}

/* Every option that names a MAC names ours. */
static bool options_are_own(const struct frame_source *source,
			    const uint8_t *at, uint32_t bytes)
{
	for (uint32_t i = 0; i < OPTIONS_MOST && bytes > 0; i++) {
		uint32_t length = bytes >= 8 ? (uint32_t)at[1] * 8 : 0;

		if (length == 0 || length > bytes)
			return false;
		if ((at[0] == SOURCE_OPTION || at[0] == TARGET_OPTION) &&
		    !is_own_mac(source, at + 2))
			return false;
		at += length;
		bytes -= length;
	}
	return bytes == 0;
}

/* From the ICMPv6 header on. */
static bool discovery_is_own(const struct frame_source *source,
			     const uint8_t *icmp, uint32_t bytes)
{
	uint32_t fixed = icmp[0] == REDIRECT                        ? 40
			 : icmp[0] >= SOLICITATION                  ? 24
			 : icmp[0] == 133 /* router solicitation */ ? 8
								    : 16;

	if (bytes < fixed)
		return false;
	if (icmp[0] == ADVERTISEMENT && !is_own(source, icmp + 8) &&
	    !is_link_local(icmp + 8))
		return false;
	/* A redirect names the MAC of somebody else. */
	return icmp[0] == REDIRECT ||
	       options_are_own(source, icmp + fixed, bytes - fixed);
}

/* `at`: behind the Ethernet header and its tags. */
static enum frame_class judge_neighbour(const struct frame_source *source,
					const uint8_t *at, uint32_t bytes,
					const struct packet_meta *meta)
{
	uint32_t icmp_bytes;

	if (meta->ethertype == 0x0806)
		return is_own_mac(source, at + 8) ? FRAME_OTHER
						  : FRAME_FORGED_NEIGHBOUR;
	if (bytes < meta->length_bytes)
		return FRAME_SHORT;
	/* What the parser has read ends with 8 bytes of ICMP. */
	icmp_bytes = meta->length_bytes - (meta->header_bytes - 8);
	return discovery_is_own(source, at + meta->header_bytes - 8, icmp_bytes)
		       ? FRAME_OTHER
		       : FRAME_FORGED_NEIGHBOUR;
}

/* ------ frames */

/* Behind tags and PPPoE, as the parser steps over them. */
static uint32_t link_bytes(const uint8_t *frame, uint32_t bytes)
{
	struct packet_cursor cursor = { frame, bytes, 14 };
	uint16_t ethertype = packet_u16(frame + 12);
	struct packet_meta unused;

	return packet_parse_link(&cursor, &ethertype, &unused) == PACKET_OK
		       ? (uint32_t)cursor.offset_bytes
		       : bytes;
}

static enum frame_class judge_read(const struct frame_source *source,
				   const uint8_t *frame, uint32_t bytes,
				   const struct packet_meta *meta)
{
	bool is_arp = meta->ethertype == 0x0806;
	uint32_t link;

	if (!may_send_as(source, meta))
		return is_arp ? FRAME_FORGED_NEIGHBOUR : FRAME_FORGED_ADDRESS;
	if (meta->kind == PACKET_UNICAST)
		return FRAME_JUDGED;
	if (meta->kind != PACKET_NEIGHBOUR)
		return FRAME_OTHER;
	link = link_bytes(frame, bytes);
	return judge_neighbour(source, frame + link, bytes - link, meta);
}

enum frame_class frame_judge(const struct frame_source *source,
			     const uint8_t *frame, uint32_t bytes,
			     uint32_t wire_bytes, struct packet_meta *ret_meta,
			     bool *ret_stamp)
{
	enum packet_error error =
		packet_parse_ethernet(frame, bytes, wire_bytes, ret_meta);
	bool is_own = bytes >= 14 && is_own_mac(source, frame + MAC_BYTES);

	*ret_stamp = false;
	if (error == PACKET_TRUNCATED && bytes < wire_bytes)
		return FRAME_SHORT;
	if (bytes < 14)
		return FRAME_UNREAD;
	if (!is_own && !source->overwrites)
		return FRAME_FORGED_MAC;
	*ret_stamp = !is_own;
	if (error == PACKET_NOT_IP && ret_meta->ethertype == 0)
		return FRAME_OTHER;
	/* Its addresses may be known although the rest is broken. */
	if (ret_meta->ethertype == 0)
		return FRAME_UNREAD;
	if (error != PACKET_OK && ret_meta->kind == PACKET_NEIGHBOUR)
		return FRAME_UNREAD;
	return judge_read(source, frame, bytes, ret_meta);
}
