/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IEEE 802.11, with what capturing cards put before it. */
#include "sim/link_frame.h"

enum {
	WIFI_DATA = 2,       /* of the four types */
	WIFI_NO_DATA = 0x40, /* first byte: nothing in it */
	WIFI_QOS = 0x80,     /* first byte */
	WIFI_FROM_TO_DS = 3, /* second byte: a fourth address */
	WIFI_PROTECTED = 0x40,
	WIFI_ORDER = 0x80, /* with QoS: an HT control field */
	WIFI_BYTES = 24,
	WIFI_ADDRESS_BYTES = 6,
	WIFI_QOS_BYTES = 2,
	WIFI_HT_BYTES = 4,
	QOS_AMSDU = 0x80,
};

static uint32_t header_bytes(const uint8_t *at)
{
	uint32_t bytes = WIFI_BYTES;

	if ((at[1] & WIFI_FROM_TO_DS) == WIFI_FROM_TO_DS)
		bytes += WIFI_ADDRESS_BYTES;
	if (!(at[0] & WIFI_QOS))
		return bytes;
	bytes += WIFI_QOS_BYTES;
	if (at[1] & WIFI_ORDER)
		bytes += WIFI_HT_BYTES;
	return bytes;
}

static bool is_aggregate(const uint8_t *at)
{
	uint32_t qos = WIFI_BYTES;

	if ((at[1] & WIFI_FROM_TO_DS) == WIFI_FROM_TO_DS)
		qos += WIFI_ADDRESS_BYTES;
	return (at[0] & WIFI_QOS) && (at[qos] & QOS_AMSDU);
}

/* The destination is the first address or, on its way to an access point, the
 * third. */
static bool is_group(const uint8_t *at)
{
	return ((at[1] & 1) ? at[16] : at[4]) & 1;
}

enum link_status link_wifi(struct link_frame *frame, bool padded)
{
	const uint8_t *at = frame->bytes;
	uint32_t bytes;

	if (!link_has(frame, 2))
		return LINK_BAD;
	if (((at[0] >> 2) & 3) != WIFI_DATA || (at[0] & WIFI_NO_DATA) ||
	    (at[1] & WIFI_PROTECTED))
		return LINK_NO_IP;
	bytes = header_bytes(at);
	if (!link_has(frame, bytes))
		return LINK_BAD;
	/* Several packets in one frame, or a part of one. */
	if (is_aggregate(at) || (at[22] & 0xf) != 0)
		return LINK_NO_IP;
	frame->group = is_group(at);
	if (padded)
		bytes = (bytes + 3) & ~(uint32_t)3;
	if (!link_skip(frame, bytes))
		return LINK_BAD;
	return link_llc(frame);
}

/* radiotap.org: fields in the order of their bits, aligned; the flags come
 * second. */
static uint8_t radiotap_flags(const uint8_t *at, uint32_t bytes)
{
	enum { HAS_TIME = 1, HAS_FLAGS = 2 };
	uint32_t present = link_le32(at + 4);
	uint32_t word = present;
	uint32_t offset = 8;

	while ((word & 0x80000000) && offset + 4 <= bytes) {
		word = link_le32(at + offset);
		offset += 4;
	}
	if (present & HAS_TIME)
		offset = ((offset + 7) & ~(uint32_t)7) + 8;
	if (!(present & HAS_FLAGS) || offset >= bytes)
		return 0;
	return at[offset];
}

enum link_status link_radiotap(struct link_frame *frame)
{
	enum { FLAG_PADDED = 0x20, FLAG_BAD_CHECKSUM = 0x40 };
	uint32_t bytes;
	uint8_t flags;

	if (!link_has(frame, 8))
		return LINK_BAD;
	bytes = link_le16(frame->bytes + 2);
	if (frame->bytes[0] != 0 || bytes < 8 || !link_has(frame, bytes))
		return LINK_BAD;
	flags = radiotap_flags(frame->bytes, bytes);
	if (flags & FLAG_BAD_CHECKSUM)
		return LINK_BAD;
	link_skip(frame, bytes);
	return link_wifi(frame, flags & FLAG_PADDED);
}

enum link_status link_avs(struct link_frame *frame)
{
	uint32_t bytes;

	if (!link_has(frame, 8))
		return LINK_BAD;
	bytes = packet_u32(frame->bytes + 4);
	if (packet_u32(frame->bytes) >> 12 != 0x80211 || bytes < 8 ||
	    !link_skip(frame, bytes))
		return LINK_BAD;
	return link_wifi(frame, false);
}

/* In the byte order of who wrote it; some put an AVS header there. */
enum link_status link_prism(struct link_frame *frame)
{
	enum { PRISM_MIN_BYTES = 24, PRISM_MAX_BYTES = 4096 };
	uint32_t bytes;

	if (!link_has(frame, 8))
		return LINK_BAD;
	if (packet_u32(frame->bytes) >> 12 == 0x80211)
		return link_avs(frame);
	bytes = link_le32(frame->bytes + 4);
	if (bytes > PRISM_MAX_BYTES)
		bytes = packet_u32(frame->bytes + 4);
	if (bytes < PRISM_MIN_BYTES || !link_skip(frame, bytes))
		return LINK_BAD;
	return link_wifi(frame, false);
}
