/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classic format: a header, then records. */
#include "sim/capture_format.h"

/* As the first four bytes of a file in our byte order.  Kuznetzov's puts
 * eight more bytes into each record's header. */
#define PCAP_MICROSECONDS 0xa1b2c3d4
#define PCAP_NANOSECONDS  0xa1b23c4d
#define PCAP_MODIFIED     0xa1b2cd34

enum { RECORD_BYTES = 16, MODIFIED_RECORD_BYTES = 24 };

/* Above the link type: whether and how many bytes of frame check sequence
 * are kept. */
static const uint32_t link_type_mask = 0x03ffffff;

static bool is_native(uint32_t magic)
{
	return magic == PCAP_MICROSECONDS || magic == PCAP_NANOSECONDS ||
	       magic == PCAP_MODIFIED;
}

bool capture_pcap_is_magic(uint32_t magic)
{
	return is_native(magic) || is_native(__builtin_bswap32(magic));
}

bool capture_pcap_start(struct capture *capture, const uint8_t header[24])
{
	struct capture_pcap *pcap = &capture->pcap;
	uint16_t major, minor;
	uint32_t magic;

	memcpy(&magic, header, sizeof(magic));
	capture->swapped = !is_native(magic);
	magic = capture_u32(capture, header);
	major = capture_u16(capture, header + 4);
	minor = capture_u16(capture, header + 6);
	/* 543.0 is what DG/UX's tcpdump writes. */
	if (major != 2 && major != 543) {
		capture_fail(capture, "is a pcap file of version %u.%u", major,
			     minor);
		return false;
	}
	pcap->header_bytes = magic == PCAP_MODIFIED ? MODIFIED_RECORD_BYTES
						    : RECORD_BYTES;
	pcap->fraction_ns = magic == PCAP_NANOSECONDS ? 1 : 1000;
	pcap->link_type = capture_u32(capture, header + 20) & link_type_mask;
	/* Before 2.3 the lengths came in the other order, and some wrote
	 * them so and called it 2.3. */
	pcap->lengths_swapped = major == 543 || minor < 3;
	pcap->lengths_doubtful = major == 2 && minor == 3;
	return true;
}

enum capture_status capture_pcap_next(struct capture *capture,
				      struct capture_packet *ret_packet)
{
	const struct capture_pcap *pcap = &capture->pcap;
	struct capture_stream *stream = &capture->stream;
	const uint32_t header_bytes = pcap->header_bytes;
	const uint8_t *at = capture_stream_peek(stream, header_bytes);
	uint32_t captured_bytes, wire_bytes;

	capture->record_offset = stream->used_bytes;
	if (!at)
		return capture_ended(capture);
	captured_bytes = capture_u32(capture, at + 8);
	wire_bytes = capture_u32(capture, at + 12);
	if (pcap->lengths_swapped ||
	    (pcap->lengths_doubtful && captured_bytes > wire_bytes)) {
		wire_bytes = captured_bytes;
		captured_bytes = capture_u32(capture, at + 12);
	}
	if (captured_bytes > CAPTURE_PACKET_MAX_BYTES)
		return capture_fail(capture, "a packet of %u bytes",
				    captured_bytes);
	at = capture_stream_peek(stream, header_bytes + captured_bytes);
	if (!at)
		return capture_cut(capture);
	capture_stream_use(stream, header_bytes + captured_bytes);

	ret_packet->bytes = at + header_bytes;
	ret_packet->captured_bytes = captured_bytes;
	ret_packet->wire_bytes = wire_bytes < captured_bytes ? captured_bytes
							     : wire_bytes;
	ret_packet->link_type = pcap->link_type;
	ret_packet->interface = 0;
	ret_packet->time_ns =
		(uint64_t)capture_u32(capture, at) * 1000000000 +
		(uint64_t)capture_u32(capture, at + 4) * pcap->fraction_ns;
	ret_packet->has_time = true;
	return CAPTURE_PACKET;
}
