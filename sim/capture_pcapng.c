/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks, as draft-ietf-opsawg-pcapng has them.  libpcap has a reader, which
 * refuses a file whose interfaces differ in their link type or snap length.
 */
#include <stdlib.h>

#include "sim/capture_format.h"

enum {
	BLOCK_SECTION = CAPTURE_PCAPNG_MAGIC,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, but still to be read */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
};

enum {
	OPTION_END = 0,
	OPTION_RESOLUTION = 9,
	OPTION_OFFSET = 14,
};

enum {
	BLOCK_MIN_BYTES = 12, /* type, length, length */
	TRAILER_BYTES = 4,
	SECTION_MIN_BYTES = 28,
	INTERFACE_HEADER_BYTES = 16,
	PACKET_HEADER_BYTES = 28,
	SIMPLE_HEADER_BYTES = 12,
	INTERFACES_MAX = 1 << 16, /* of one section */
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define NS_PER_S         ((uint64_t)1000000000)

static uint64_t multiply(uint64_t a, uint64_t b)
{
	return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* 34 bits of the fraction are finer than a nanosecond, and times 10^9 they
 * still fit. */
static uint64_t binary_ns(uint64_t ticks, uint64_t bits)
{
	const uint64_t kept = 34;
	uint64_t seconds = bits < 64 ? ticks >> bits : 0;
	uint64_t fraction = bits < 64 ? ticks & ((UINT64_C(1) << bits) - 1)
				      : ticks;

	if (bits > kept) {
		fraction = bits - kept < 64 ? fraction >> (bits - kept) : 0;
		bits = kept;
	}
	return add(multiply(seconds, NS_PER_S), fraction * NS_PER_S >> bits);
}

/* Saturates: past the year 2554, and before 1970. */
static uint64_t time_ns(const struct capture_interface *interface,
			uint64_t ticks)
{
	uint64_t offset_ns, ns = 0;

	switch (interface->clock) {
	case CAPTURE_CLOCK_MULTIPLY:
		ns = multiply(ticks, interface->factor);
		break;
	case CAPTURE_CLOCK_DIVIDE:
		ns = ticks / interface->factor;
		break;
	case CAPTURE_CLOCK_BINARY:
		ns = binary_ns(ticks, interface->factor);
		break;
	}
	if (interface->offset_s >= 0)
		return add(ns,
			   multiply((uint64_t)interface->offset_s, NS_PER_S));
	offset_ns = multiply(0 - (uint64_t)interface->offset_s, NS_PER_S);
	return ns > offset_ns ? ns - offset_ns : 0;
}

static void set_resolution(struct capture_interface *interface, uint8_t value)
{
	unsigned int exponent = value & 0x7f;

	interface->factor = 1;
	if (value & 0x80) {
		interface->clock = CAPTURE_CLOCK_BINARY;
		interface->factor = exponent;
	} else if (exponent <= 9) {
		interface->clock = CAPTURE_CLOCK_MULTIPLY;
		for (unsigned int i = exponent; i < 9; i++)
			interface->factor *= 10;
	} else {
		interface->clock = CAPTURE_CLOCK_DIVIDE;
		for (unsigned int i = 9; i < exponent; i++)
			interface->factor = multiply(interface->factor, 10);
	}
}

static bool read_options(const struct capture *capture, const uint8_t *at,
			 uint32_t bytes, struct capture_interface *interface)
{
	while (bytes >= 4) {
		uint16_t code = capture_u16(capture, at);
		uint32_t value_bytes = capture_u16(capture, at + 2);
		uint32_t padded_bytes = (value_bytes + 3) & ~(uint32_t)3;

		at += 4;
		bytes -= 4;
		if (code == OPTION_END)
			return true;
		if (padded_bytes > bytes)
			return false;
		if (code == OPTION_RESOLUTION && value_bytes == 1)
			set_resolution(interface, at[0]);
		if (code == OPTION_OFFSET && value_bytes == 8)
			interface->offset_s = (int64_t)capture_u64(capture, at);
		at += padded_bytes;
		bytes -= padded_bytes;
	}
	return true;
}

static enum capture_status bad_block(struct capture *capture, uint32_t bytes)
{
	return capture_fail(capture, "a block that says it has %u bytes",
			    bytes);
}

/* All of a block that has to lie in one piece, its two lengths compared.
 * NULL: *ret_status says why. */
static const uint8_t *whole_block(struct capture *capture, uint32_t bytes,
				  uint32_t min_bytes,
				  enum capture_status *ret_status)
{
	const uint8_t *at;

	if (bytes < min_bytes + TRAILER_BYTES ||
	    bytes > CAPTURE_STREAM_PIECE_BYTES) {
		*ret_status = bad_block(capture, bytes);
		return NULL;
	}
	at = capture_stream_peek(&capture->stream, bytes);
	if (!at) {
		*ret_status = capture_cut(capture);
		return NULL;
	}
	if (capture_u32(capture, at + bytes - TRAILER_BYTES) != bytes) {
		*ret_status = bad_block(capture, bytes);
		return NULL;
	}
	capture_stream_use(&capture->stream, bytes);
	return at;
}

/* One that nobody here reads may be of any size. */
static enum capture_status skip_block(struct capture *capture, uint32_t bytes)
{
	struct capture_stream *stream = &capture->stream;
	const uint8_t *at;

	if (!capture_stream_skip(stream, bytes - TRAILER_BYTES))
		return capture_cut(capture);
	at = capture_stream_peek(stream, TRAILER_BYTES);
	if (!at)
		return capture_cut(capture);
	if (capture_u32(capture, at) != bytes)
		return bad_block(capture, bytes);
	capture_stream_use(stream, TRAILER_BYTES);
	return CAPTURE_PACKET;
}

static enum capture_status read_section(struct capture *capture, uint32_t bytes)
{
	struct capture_pcapng *pcapng = &capture->pcapng;
	const uint8_t *at =
		capture_stream_peek(&capture->stream, SECTION_MIN_BYTES);

	if (!at)
		return capture_cut(capture);
	if (bytes < SECTION_MIN_BYTES)
		return bad_block(capture, bytes);
	if (capture_u16(capture, at + 12) != 1)
		return capture_fail(capture, "a pcapng section of version %u",
				    capture_u16(capture, at + 12));
	pcapng->before += pcapng->count;
	pcapng->count = 0;
	return skip_block(capture, bytes);
}

static enum capture_status add_interface(struct capture_pcapng *pcapng,
					 const struct capture_interface *added,
					 struct capture *capture)
{
	if (pcapng->count == INTERFACES_MAX)
		return capture_fail(capture, "more than %u interfaces",
				    INTERFACES_MAX);
	if (pcapng->count == pcapng->room) {
		uint32_t room = pcapng->room ? pcapng->room * 2 : 8;
		struct capture_interface *grown =
			realloc(pcapng->interfaces, room * sizeof(*grown));

		if (!grown)
			return capture_fail(capture, "out of memory");
		pcapng->interfaces = grown;
		pcapng->room = room;
	}
	pcapng->interfaces[pcapng->count++] = *added;
	return CAPTURE_PACKET;
}

static enum capture_status read_interface(struct capture *capture,
					  uint32_t bytes)
{
	struct capture_interface interface = {
		.clock = CAPTURE_CLOCK_MULTIPLY,
		.factor = 1000,
	};
	enum capture_status status;
	const uint8_t *at =
		whole_block(capture, bytes, INTERFACE_HEADER_BYTES, &status);

	if (!at)
		return status;
	interface.link_type = capture_u16(capture, at + 8);
	interface.snap_bytes = capture_u32(capture, at + 12);
	if (!read_options(capture, at + INTERFACE_HEADER_BYTES,
			  bytes - INTERFACE_HEADER_BYTES - TRAILER_BYTES,
			  &interface))
		return capture_fail(capture, "an interface's options");
	return add_interface(&capture->pcapng, &interface, capture);
}

/* What is there of a packet, against what its block has room for. */
static enum capture_status set_bytes(struct capture *capture, const uint8_t *at,
				     uint32_t captured_bytes,
				     uint32_t wire_bytes, uint32_t room_bytes,
				     struct capture_packet *packet)
{
	if (captured_bytes > CAPTURE_PACKET_MAX_BYTES ||
	    captured_bytes > room_bytes)
		return capture_fail(capture, "a packet of %u bytes",
				    captured_bytes);
	packet->bytes = at;
	packet->captured_bytes = captured_bytes;
	packet->wire_bytes = wire_bytes < captured_bytes ? captured_bytes
							 : wire_bytes;
	return CAPTURE_PACKET;
}

static const struct capture_interface *
find_interface(struct capture *capture, uint32_t index,
	       struct capture_packet *packet)
{
	const struct capture_pcapng *pcapng = &capture->pcapng;

	if (index >= pcapng->count) {
		capture_fail(capture, "interface %u is not described", index);
		return NULL;
	}
	packet->interface = pcapng->before + index;
	packet->link_type = pcapng->interfaces[index].link_type;
	return &pcapng->interfaces[index];
}

/* An enhanced block, or the obsolete one that came before: they differ in the
 * interface's width. */
static enum capture_status read_packet(struct capture *capture, uint32_t type,
				       uint32_t bytes,
				       struct capture_packet *packet)
{
	const struct capture_interface *interface;
	enum capture_status status;
	const uint8_t *at =
		whole_block(capture, bytes, PACKET_HEADER_BYTES, &status);
	uint64_t ticks;

	if (!at)
		return status;
	interface = find_interface(capture,
				   type == BLOCK_ENHANCED
					   ? capture_u32(capture, at + 8)
					   : capture_u16(capture, at + 8),
				   packet);
	if (!interface)
		return CAPTURE_DAMAGED;
	ticks = (uint64_t)capture_u32(capture, at + 12) << 32 |
		capture_u32(capture, at + 16);
	packet->time_ns = time_ns(interface, ticks);
	packet->has_time = true;
	return set_bytes(capture, at + PACKET_HEADER_BYTES,
			 capture_u32(capture, at + 20),
			 capture_u32(capture, at + 24),
			 bytes - PACKET_HEADER_BYTES - TRAILER_BYTES, packet);
}

/* It belongs to the section's first interface, whose snap length says how much
 * of it is there. */
static enum capture_status read_simple(struct capture *capture, uint32_t bytes,
				       struct capture_packet *packet)
{
	const struct capture_interface *interface;
	enum capture_status status;
	const uint8_t *at =
		whole_block(capture, bytes, SIMPLE_HEADER_BYTES, &status);
	uint32_t wire_bytes, captured_bytes;

	if (!at)
		return status;
	interface = find_interface(capture, 0, packet);
	if (!interface)
		return CAPTURE_DAMAGED;
	wire_bytes = capture_u32(capture, at + 8);
	captured_bytes = wire_bytes;
	if (interface->snap_bytes != 0 &&
	    interface->snap_bytes < captured_bytes)
		captured_bytes = interface->snap_bytes;
	packet->time_ns = 0;
	packet->has_time = false;
	return set_bytes(capture, at + SIMPLE_HEADER_BYTES, captured_bytes,
			 wire_bytes,
			 bytes - SIMPLE_HEADER_BYTES - TRAILER_BYTES, packet);
}

/* The next block's type and length, with the byte order that a section's
 * first block decides. */
static enum capture_status read_header(struct capture *capture,
				       uint32_t *ret_type, uint32_t *ret_bytes)
{
	struct capture_stream *stream = &capture->stream;
	const uint8_t *at = capture_stream_peek(stream, BLOCK_MIN_BYTES);
	uint32_t order, bytes;

	capture->record_offset = stream->used_bytes;
	if (!at)
		return capture_ended(capture);
	*ret_type = capture_u32(capture, at);
	if (*ret_type == BLOCK_SECTION) {
		memcpy(&order, at + 8, sizeof(order));
		capture->swapped = order != BYTE_ORDER_MAGIC;
		if (capture_u32(capture, at + 8) != BYTE_ORDER_MAGIC)
			return capture_fail(capture,
					    "a section of no byte order");
	}
	bytes = capture_u32(capture, at + 4);
	if (bytes < BLOCK_MIN_BYTES || bytes % 4 != 0)
		return bad_block(capture, bytes);
	*ret_bytes = bytes;
	return CAPTURE_PACKET;
}

enum capture_status capture_pcapng_next(struct capture *capture,
					struct capture_packet *ret_packet)
{
	enum capture_status status;
	uint32_t type = 0, bytes = 0;

	do {
		status = read_header(capture, &type, &bytes);
		if (status != CAPTURE_PACKET)
			return status;
		switch (type) {
		case BLOCK_ENHANCED:
		case BLOCK_PACKET:
			return read_packet(capture, type, bytes, ret_packet);
		case BLOCK_SIMPLE:
			return read_simple(capture, bytes, ret_packet);
		case BLOCK_SECTION:
			status = read_section(capture, bytes);
			break;
		case BLOCK_INTERFACE:
			status = read_interface(capture, bytes);
			break;
		default:
			status = skip_block(capture, bytes);
			break;
		}
	} while (status == CAPTURE_PACKET);
	return status;
}
