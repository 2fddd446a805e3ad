/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CAPTURE_SAMPLES_H
#define TESTS_CAPTURE_SAMPLES_H

/*
 * Small capture files written out by code, and what must be read from them:
 * rows for the unit test, seeds for the fuzzer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/capture.h"

enum { CAPTURE_SAMPLE_MAX_BYTES = 4096, CAPTURE_SAMPLE_MAX_PACKETS = 8 };
enum { CAPTURE_SAMPLE_MAX_BORDERS = 32 };

/* A file that is being written. */
struct capture_file {
	uint8_t bytes[CAPTURE_SAMPLE_MAX_BYTES];
	size_t count;
	bool big_endian;
	/* Where it may end without being damaged. */
	size_t borders[CAPTURE_SAMPLE_MAX_BORDERS];
	size_t borders_count;
	/* Its packets; `bytes` is an offset's worth of ours. */
	struct capture_packet packets[CAPTURE_SAMPLE_MAX_PACKETS];
	size_t packets_end[CAPTURE_SAMPLE_MAX_PACKETS];
	size_t packets_count;
};

struct capture_sample {
	const char *name;
	void (*write)(struct capture_file *file);
	bool damaged; /* at its end */
};

extern const struct capture_sample capture_samples[];
extern const size_t capture_samples_count;

/* The parts that samples are made of, for tests with more to try. */
void capture_file_u16(struct capture_file *file, uint16_t value);
void capture_file_u32(struct capture_file *file, uint32_t value);
void capture_file_pcap(struct capture_file *file, bool big_endian,
		       uint32_t magic, uint32_t link_type);
void capture_file_section(struct capture_file *file, bool big_endian);
/* `options` as they stand in the file, of this byte order. */
void capture_file_interface(struct capture_file *file, uint16_t link_type,
			    uint32_t snap_bytes, const uint8_t *options,
			    size_t options_count);
void capture_file_enhanced(struct capture_file *file, uint32_t interface,
			   uint64_t ticks, uint32_t captured_bytes,
			   uint32_t wire_bytes);

/* The file in memory, by a path of its own until *ret_fd is closed. */
struct capture *capture_file_open(const uint8_t *bytes, size_t count,
				  int *ret_fd);

/* What stands in the n-th byte of every packet. */
static inline uint8_t capture_file_fill(size_t n)
{
	return (uint8_t)(n * 7 + 3);
}

#endif
