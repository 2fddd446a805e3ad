/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_CAPTURE_H
#define SIM_CAPTURE_H

/*
 * A capture file as a sequence of packets: pcap (either byte order, micro- or
 * nanoseconds, modified) and pcapng (any number of sections and interfaces),
 * plain or compressed with gzip, zstd or xz; "-" is standard input.  Memory
 * does not grow with the file.
 *
 * The reader is our own, over a block that is filled by large reads: libpcap
 * refuses pcapng files whose interfaces differ, and takes 55 ns for a packet
 * of headers only, this 16 ns.  A test reads whatever libpcap can read beside
 * it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;

enum capture_status {
	CAPTURE_PACKET,  /* here is one */
	CAPTURE_END,     /* no more, all was well */
	CAPTURE_DAMAGED, /* no more; see capture_error, capture_offset */
};

struct capture_packet {
	const uint8_t *bytes; /* borrowed until the next capture_next */
	uint32_t captured_bytes;
	uint32_t wire_bytes; /* at least captured_bytes */
	uint32_t link_type;  /* LINKTYPE_..., as in the file */
	uint32_t interface;  /* counted from 0 over the whole file */
	uint64_t time_ns;    /* since 1970, as the file says: may run back or
			      * jump */
	bool has_time;       /* pcapng simple packets have none */
};

/* NULL: ret_error says why, with errno's text where there is one.  A file
 * that is too short for its header opens, and then is damaged. */
struct capture *capture_open(const char *path, char *ret_error,
			     size_t error_size);
void capture_close(struct capture *capture);

enum capture_status capture_next(struct capture *capture,
				 struct capture_packet *ret_packet);

/* What is wrong, after CAPTURE_DAMAGED; in one line without a full stop. */
const char *capture_error(const struct capture *capture);

/* Where the last record began, in bytes of the uncompressed file. */
uint64_t capture_offset(const struct capture *capture);

/* For progress: bytes read of the file as it is stored, and its size; 0:
 * not known (a pipe). */
uint64_t capture_read_bytes(const struct capture *capture);
uint64_t capture_size_bytes(const struct capture *capture);

#endif
