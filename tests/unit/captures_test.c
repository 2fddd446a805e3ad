/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every packet of every classic Ethernet pcap below SYMTAP_CAPTURES through
 * the parser, with counts by reason.  Captures are no part of the tree: skipped
 * where nobody says where they are.
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "flowtable/packet.h"
#include "tests/packet_invariants.h"

enum { EXIT_SKIP = 77, FILE_HEAD_BYTES = 24, RECORD_HEAD_BYTES = 16 };
enum { LINK_ETHERNET = 1, FILE_MAX_BYTES = 1 << 28 };

static uint64_t totals[PACKET_ERRORS];
static uint64_t files_read, files_other, files_cut;

struct capture {
	const uint8_t *bytes;
	size_t count;
	bool swapped; /* written by a machine of the other byte order */
};

static uint32_t capture_u32(const struct capture *capture, size_t offset)
{
	uint32_t value;

	memcpy(&value, capture->bytes + offset, sizeof(value));
	return capture->swapped ? __builtin_bswap32(value) : value;
}

static bool is_classic_ethernet(struct capture *capture)
{
	uint32_t magic;

	if (capture->count < FILE_HEAD_BYTES)
		return false;
	capture->swapped = false;
	magic = capture_u32(capture, 0);
	if (magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1)
		capture->swapped = true;
	else if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d)
		return false;
	return (capture_u32(capture, 20) & 0xffff) == LINK_ETHERNET;
}

static void parse_records(const struct capture *capture, const char *path)
{
	uint64_t counts[PACKET_ERRORS] = { 0 };
	size_t offset = FILE_HEAD_BYTES;

	while (capture->count - offset >= RECORD_HEAD_BYTES) {
		uint32_t captured_bytes = capture_u32(capture, offset + 8);
		uint32_t wire_bytes = capture_u32(capture, offset + 12);
		enum packet_error error;

		offset += RECORD_HEAD_BYTES;
		if (captured_bytes > capture->count - offset)
			break;
		error = packet_invariants_hold(0, capture->bytes + offset,
					       captured_bytes, wire_bytes);
		counts[error]++;
		offset += captured_bytes;
	}
	files_cut += offset != capture->count;
	printf("%s:", path);
	for (int i = 0; i < PACKET_ERRORS; i++) {
		totals[i] += counts[i];
		if (counts[i])
			printf(" %s %" PRIu64,
			       packet_error_name((enum packet_error)i),
			       counts[i]);
	}
	printf("\n");
}

static int read_file(const char *path, const struct stat *info, int type,
		     struct FTW *where)
{
	struct capture capture = { 0 };
	uint8_t *bytes;
	FILE *file;

	(void)where;
	if (type != FTW_F || info->st_size > FILE_MAX_BYTES)
		return 0;
	bytes = malloc((size_t)info->st_size + 1);
	file = fopen(path, "rb");
	if (!bytes || !file) {
		perror(path);
		exit(1);
	}
	capture.bytes = bytes;
	capture.count = fread(bytes, 1, (size_t)info->st_size, file);
	fclose(file);
	if (is_classic_ethernet(&capture)) {
		files_read++;
		parse_records(&capture, path);
	} else {
		files_other++;
	}
	free(bytes);
	return 0;
}

int main(void)
{
	const char *folder = getenv("SYMTAP_CAPTURES");
	struct stat info;

	if (!folder || !*folder) {
		puts("skipped: SYMTAP_CAPTURES is not set");
		return EXIT_SKIP;
	}
	if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
		puts("FAILED: SYMTAP_CAPTURES is no folder");
		return 1;
	}
	if (nftw(folder, read_file, 16, FTW_PHYS) != 0) {
		perror(folder);
		return 1;
	}
	printf("%" PRIu64 " files read, %" PRIu64 " of another kind, %" PRIu64
	       " cut short\n",
	       files_read, files_other, files_cut);
	for (int i = 0; i < PACKET_ERRORS; i++)
		printf("%-18s %" PRIu64 "\n",
		       packet_error_name((enum packet_error)i), totals[i]);
	if (totals[PACKET_OK] == 0) {
		puts("FAILED: no packet was read");
		return 1;
	}
	return 0;
}
