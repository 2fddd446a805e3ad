/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_CAPTURE_FORMAT_H
#define SIM_CAPTURE_FORMAT_H

/*
 * What the two file formats share: the stream, the byte order of the file, and
 * how an end is told from damage.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sim/capture.h"
#include "sim/capture_stream.h"

/* Of one record; as libpcap has it. */
enum { CAPTURE_PACKET_MAX_BYTES = 1 << 18 };

struct capture_pcap {
	uint32_t link_type;
	uint32_t header_bytes; /* of a record */
	uint32_t fraction_ns;  /* what a time stamp's second half counts */
	bool lengths_swapped;  /* always, */
	bool lengths_doubtful; /* or where that makes sense of them */
};

/* How a time stamp of an interface becomes nanoseconds. */
enum capture_clock {
	CAPTURE_CLOCK_MULTIPLY, /* 10^-9 s or coarser: times `factor` */
	CAPTURE_CLOCK_DIVIDE,   /* finer: by `factor` */
	CAPTURE_CLOCK_BINARY,   /* 2^-factor s */
};

struct capture_interface {
	uint64_t factor;
	int64_t offset_s;
	uint32_t link_type;
	uint32_t snap_bytes; /* 0: no limit */
	enum capture_clock clock;
};

struct capture_pcapng {
	struct capture_interface *interfaces; /* of this section */
	uint32_t count, room;
	uint32_t before; /* interfaces of earlier sections */
};

struct capture {
	struct capture_stream stream;
	enum capture_status (*next)(struct capture *capture,
				    struct capture_packet *ret_packet);
	enum capture_status status; /* PACKET: more may come */
	bool swapped;               /* the file's byte order is not ours */
	uint64_t record_offset;
	struct capture_pcap pcap;
	struct capture_pcapng pcapng;
	char error[160];
};

static inline uint32_t capture_u32(const struct capture *capture,
				   const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap32(value) : value;
}

static inline uint16_t capture_u16(const struct capture *capture,
				   const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap16(value) : value;
}

static inline uint64_t capture_u64(const struct capture *capture,
				   const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return capture->swapped ? __builtin_bswap64(value) : value;
}

/* False: with this header it can not be read; `error` says why. */
bool capture_pcap_start(struct capture *capture, const uint8_t header[24]);
enum capture_status capture_pcap_next(struct capture *capture,
				      struct capture_packet *ret_packet);
/* Is that the magic of one of its kinds, in either byte order? */
bool capture_pcap_is_magic(uint32_t magic);
enum { CAPTURE_PCAP_HEADER_BYTES = 24 };

/* Whatever begins with this, in either byte order. */
enum { CAPTURE_PCAPNG_MAGIC = 0x0a0d0d0a };
enum capture_status capture_pcapng_next(struct capture *capture,
					struct capture_packet *ret_packet);

/* Both say CAPTURE_DAMAGED. */
enum capture_status capture_fail(struct capture *capture, const char *format,
				 ...) __attribute__((format(printf, 2, 3)));
/* The stream ended where more was due. */
enum capture_status capture_cut(struct capture *capture);

/* The stream has ended between two records: as it should, or is it broken? */
enum capture_status capture_ended(struct capture *capture);

#endif
