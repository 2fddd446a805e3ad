/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/capture_samples.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PCAP_MICROSECONDS 0xa1b2c3d4
#define PCAP_NANOSECONDS  0xa1b23c4d
#define PCAP_MODIFIED     0xa1b2cd34

static void put(struct capture_file *file, const void *bytes, size_t count)
{
	assert(file->count + count <= sizeof(file->bytes));
	if (count == 0)
		return;
	memcpy(file->bytes + file->count, bytes, count);
	file->count += count;
}

static void put_number(struct capture_file *file, uint64_t value, size_t count)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < count; i++) {
		size_t at = file->big_endian ? count - 1 - i : i;

		bytes[at] = (uint8_t)(value >> (8 * i));
	}
	put(file, bytes, count);
}

void capture_file_u16(struct capture_file *file, uint16_t value)
{
	put_number(file, value, 2);
}

void capture_file_u32(struct capture_file *file, uint32_t value)
{
	put_number(file, value, 4);
}

static void put_fill(struct capture_file *file, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t byte = capture_file_fill(i);

		put(file, &byte, 1);
	}
}

static void border(struct capture_file *file)
{
	assert(file->borders_count < CAPTURE_SAMPLE_MAX_BORDERS);
	file->borders[file->borders_count++] = file->count;
}

/* Once its record has been written. */
static void expect(struct capture_file *file,
		   const struct capture_packet *packet)
{
	assert(file->packets_count < CAPTURE_SAMPLE_MAX_PACKETS);
	file->packets[file->packets_count] = *packet;
	file->packets_end[file->packets_count++] = file->count;
	border(file);
}

void capture_file_pcap(struct capture_file *file, bool big_endian,
		       uint32_t magic, uint32_t link_type)
{
	file->big_endian = big_endian;
	capture_file_u32(file, magic);
	capture_file_u16(file, 2);
	capture_file_u16(file, 4);
	capture_file_u32(file, 0);
	capture_file_u32(file, 0);
	capture_file_u32(file, 65535);
	capture_file_u32(file, link_type);
	border(file);
}

static void pcap_packet(struct capture_file *file, uint32_t seconds,
			uint32_t fraction, uint32_t captured_bytes,
			uint32_t wire_bytes,
			const struct capture_packet *packet)
{
	capture_file_u32(file, seconds);
	capture_file_u32(file, fraction);
	capture_file_u32(file, captured_bytes);
	capture_file_u32(file, wire_bytes);
	put_fill(file, captured_bytes);
	expect(file, packet);
}

static void write_pcap(struct capture_file *file, bool big_endian, bool nano)
{
	uint64_t scale = nano ? 1 : 1000;

	capture_file_pcap(file, big_endian,
			  nano ? PCAP_NANOSECONDS : PCAP_MICROSECONDS, 1);
	pcap_packet(file, 1000000000, 999999, 60, 1500,
		    &(struct capture_packet){
			    .captured_bytes = 60,
			    .wire_bytes = 1500,
			    .link_type = 1,
			    .time_ns = 1000000000000000000 + 999999 * scale,
			    .has_time = true,
		    });
	/* Nothing in it, before the first; a second that has too much. */
	pcap_packet(file, 7, 2000000000, 0, 0,
		    &(struct capture_packet){
			    .link_type = 1,
			    .time_ns = 7000000000 + 2000000000 * scale,
			    .has_time = true,
		    });
	/* It says that less was on the wire than was captured. */
	pcap_packet(file, 0xffffffff, 0, 33, 20,
		    &(struct capture_packet){
			    .captured_bytes = 33,
			    .wire_bytes = 33,
			    .link_type = 1,
			    .time_ns = (uint64_t)0xffffffff * 1000000000,
			    .has_time = true,
		    });
}

static void write_pcap_le(struct capture_file *file)
{
	write_pcap(file, false, false);
}

static void write_pcap_be(struct capture_file *file)
{
	write_pcap(file, true, false);
}

static void write_pcap_le_ns(struct capture_file *file)
{
	write_pcap(file, false, true);
}

static void write_pcap_be_ns(struct capture_file *file)
{
	write_pcap(file, true, true);
}

static void modified_packet(struct capture_file *file, uint32_t seconds)
{
	struct capture_packet packet = {
		.captured_bytes = 14,
		.wire_bytes = 14,
		.link_type = 113,
		.time_ns = seconds * (uint64_t)1000000000 + 5000,
		.has_time = true,
	};

	capture_file_u32(file, seconds);
	capture_file_u32(file, 5);
	capture_file_u32(file, 14);
	capture_file_u32(file, 14);
	capture_file_u32(file, 2);
	capture_file_u32(file, 0x08000000);
	put_fill(file, 14);
	expect(file, &packet);
}

static void write_modified_be(struct capture_file *file)
{
	capture_file_pcap(file, true, PCAP_MODIFIED, 113);
	modified_packet(file, 3);
	modified_packet(file, 4);
}

static void write_modified_le(struct capture_file *file)
{
	capture_file_pcap(file, false, PCAP_MODIFIED, 113);
	modified_packet(file, 3);
}

/* Version 2.2 has its lengths the other way round. */
static void write_pcap_old(struct capture_file *file)
{
	struct capture_packet packet = {
		.captured_bytes = 10,
		.wire_bytes = 90,
		.link_type = 1,
		.time_ns = 1000000000,
		.has_time = true,
	};

	capture_file_pcap(file, true, PCAP_MICROSECONDS, 1);
	file->bytes[7] = 2;
	pcap_packet(file, 1, 0, 10, 90, &packet);
	file->bytes[24 + 11] = 90;
	file->bytes[24 + 15] = 10;
}

/* "4 bytes of frame check sequence are kept" stands above the link type. */
static void write_pcap_fcs(struct capture_file *file)
{
	struct capture_packet packet = { .link_type = 1, .has_time = true };

	capture_file_pcap(file, false, PCAP_MICROSECONDS, 0x24000001);
	pcap_packet(file, 0, 0, 0, 0, &packet);
}

static void write_pcap_empty(struct capture_file *file)
{
	capture_file_pcap(file, false, PCAP_MICROSECONDS, 1);
}

static void write_pcap_too_large(struct capture_file *file)
{
	struct capture_packet packet = {
		.captured_bytes = 1,
		.wire_bytes = 1,
		.link_type = 1,
		.has_time = true,
	};

	capture_file_pcap(file, false, PCAP_MICROSECONDS, 1);
	pcap_packet(file, 0, 0, 1, 1, &packet);
	capture_file_u32(file, 0);
	capture_file_u32(file, 0);
	capture_file_u32(file, (1 << 18) + 1);
	capture_file_u32(file, (1 << 18) + 1);
	put_fill(file, 100);
}

static void block(struct capture_file *file, uint32_t type, const void *body,
		  size_t count)
{
	static const uint8_t zeros[3];
	uint32_t bytes = 12 + (uint32_t)((count + 3) & ~(size_t)3);

	capture_file_u32(file, type);
	capture_file_u32(file, bytes);
	put(file, body, count);
	put(file, zeros, bytes - 12 - count);
	capture_file_u32(file, bytes);
}

void capture_file_section(struct capture_file *file, bool big_endian)
{
	file->big_endian = big_endian;
	capture_file_u32(file, 0x0a0d0d0a);
	capture_file_u32(file, 28);
	capture_file_u32(file, 0x1a2b3c4d);
	capture_file_u16(file, 1);
	capture_file_u16(file, 0);
	capture_file_u32(file, 0xffffffff);
	capture_file_u32(file, 0xffffffff);
	capture_file_u32(file, 28);
	border(file);
}

void capture_file_interface(struct capture_file *file, uint16_t link_type,
			    uint32_t snap_bytes, const uint8_t *options,
			    size_t options_count)
{
	struct capture_file body = { .big_endian = file->big_endian };

	capture_file_u16(&body, link_type);
	capture_file_u16(&body, 0);
	capture_file_u32(&body, snap_bytes);
	put(&body, options, options_count);
	block(file, 1, body.bytes, body.count);
	border(file);
}

static void packet_block(struct capture_file *file, uint32_t type,
			 uint32_t interface, uint64_t ticks,
			 uint32_t captured_bytes, uint32_t wire_bytes)
{
	struct capture_file body = { .big_endian = file->big_endian };

	if (type == 2) {
		capture_file_u16(&body, (uint16_t)interface);
		capture_file_u16(&body, 77); /* dropped before it */
	} else {
		capture_file_u32(&body, interface);
	}
	capture_file_u32(&body, (uint32_t)(ticks >> 32));
	capture_file_u32(&body, (uint32_t)ticks);
	capture_file_u32(&body, captured_bytes);
	capture_file_u32(&body, wire_bytes);
	put_fill(&body, captured_bytes);
	block(file, type, body.bytes, body.count);
}

void capture_file_enhanced(struct capture_file *file, uint32_t interface,
			   uint64_t ticks, uint32_t captured_bytes,
			   uint32_t wire_bytes)
{
	packet_block(file, 6, interface, ticks, captured_bytes, wire_bytes);
}

static void simple_block(struct capture_file *file, uint32_t captured_bytes,
			 uint32_t wire_bytes)
{
	struct capture_file body = { .big_endian = file->big_endian };

	capture_file_u32(&body, wire_bytes);
	put_fill(&body, captured_bytes);
	block(file, 3, body.bytes, body.count);
}

/* Two interfaces of different link types and clocks, a snapped simple packet,
 * the obsolete block, and blocks that are none of ours. */
static void one_section(struct capture_file *file, bool big_endian,
			uint32_t interfaces_before)
{
	static const uint8_t nano_le[] = { 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t nano_be[] = { 0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0 };

	capture_file_section(file, big_endian);
	capture_file_interface(file, 1, 40, NULL, 0);
	block(file, 4, "name resolution", 15);
	border(file);
	capture_file_interface(file, 101, 0, big_endian ? nano_be : nano_le,
			       sizeof(nano_le));
	capture_file_enhanced(file, 1, 1700000000123456789, 21, 100);
	expect(file, &(struct capture_packet){
			     .captured_bytes = 21,
			     .wire_bytes = 100,
			     .link_type = 101,
			     .interface = interfaces_before + 1,
			     .time_ns = 1700000000123456789,
			     .has_time = true,
		     });
	simple_block(file, 40, 50);
	expect(file, &(struct capture_packet){
			     .captured_bytes = 40,
			     .wire_bytes = 50,
			     .link_type = 1,
			     .interface = interfaces_before,
		     });
	block(file, 0x80000001, NULL, 0);
	border(file);
	packet_block(file, 2, 0, 1600000000000001, 3, 3);
	expect(file, &(struct capture_packet){
			     .captured_bytes = 3,
			     .wire_bytes = 3,
			     .link_type = 1,
			     .interface = interfaces_before,
			     .time_ns = 1600000000000001000,
			     .has_time = true,
		     });
}

static void write_pcapng_le(struct capture_file *file)
{
	one_section(file, false, 0);
}

static void write_pcapng_be(struct capture_file *file)
{
	one_section(file, true, 0);
}

static void write_pcapng_sections(struct capture_file *file)
{
	one_section(file, true, 0);
	one_section(file, false, 2);
}

static void write_pcapng_no_interface(struct capture_file *file)
{
	capture_file_section(file, false);
	capture_file_enhanced(file, 0, 0, 4, 4);
}

/* An interface does not outlive its section. */
static void write_pcapng_old_interface(struct capture_file *file)
{
	capture_file_section(file, false);
	capture_file_interface(file, 1, 0, NULL, 0);
	capture_file_section(file, false);
	simple_block(file, 4, 4);
}

static void write_pcapng_trailer(struct capture_file *file)
{
	capture_file_section(file, false);
	capture_file_interface(file, 1, 0, NULL, 0);
	capture_file_enhanced(file, 0, 0, 4, 4);
	file->bytes[file->count - 4] ^= 4;
}

/* More than its block has room for. */
static void write_pcapng_overlong(struct capture_file *file)
{
	capture_file_section(file, false);
	capture_file_interface(file, 1, 0, NULL, 0);
	simple_block(file, 4, 9);
}

const struct capture_sample capture_samples[] = {
	{ "pcap-le", write_pcap_le, false },
	{ "pcap-be", write_pcap_be, false },
	{ "pcap-le-ns", write_pcap_le_ns, false },
	{ "pcap-be-ns", write_pcap_be_ns, false },
	{ "pcap-modified-be", write_modified_be, false },
	{ "pcap-modified-le", write_modified_le, false },
	{ "pcap-2.2", write_pcap_old, false },
	{ "pcap-fcs", write_pcap_fcs, false },
	{ "pcap-empty", write_pcap_empty, false },
	{ "pcap-too-large", write_pcap_too_large, true },
	{ "pcapng-le", write_pcapng_le, false },
	{ "pcapng-be", write_pcapng_be, false },
	{ "pcapng-sections", write_pcapng_sections, false },
	{ "pcapng-no-interface", write_pcapng_no_interface, true },
	{ "pcapng-old-interface", write_pcapng_old_interface, true },
	{ "pcapng-trailer", write_pcapng_trailer, true },
	{ "pcapng-overlong", write_pcapng_overlong, true },
};
const size_t capture_samples_count =
	sizeof(capture_samples) / sizeof(capture_samples[0]);

struct capture *capture_file_open(const uint8_t *bytes, size_t count,
				  int *ret_fd)
{
	char path[64], error[128];
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct capture *capture;

	if (fd < 0 || write(fd, bytes, count) != (ssize_t)count) {
		perror("memfd");
		abort();
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	capture = capture_open(path, error, sizeof(error));
	*ret_fd = fd;
	return capture;
}
