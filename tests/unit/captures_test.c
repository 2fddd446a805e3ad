/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every packet of every capture below SYMTAP_CAPTURES through the parsers, with
 * counts by reason, and beside libpcap where that can read the file.  How many
 * packets there are is what MANIFEST.tsv says, where it says so.  Captures are
 * no part of the tree: skipped where nobody says where they are.
 */
#include <ftw.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/capture.h"
#include "tests/link_invariants.h"
#include "tests/packet_invariants.h"

enum { EXIT_SKIP = 77, LINK_ETHERNET = 1, LINK_STATUSES = LINK_UNKNOWN + 1 };

struct counts {
	uint64_t packets;
	uint64_t links[LINK_STATUSES];
	uint64_t errors[PACKET_ERRORS];
};

static const char *const link_names[LINK_STATUSES] = { "parsed", "no_ip",
						       "bad_link",
						       "unknown_link" };
static struct counts totals;
static uint64_t files_read, files_other, files_damaged, files_compared;
static uint64_t failures;

static void complain(const char *path, const char *what, uint64_t packet)
{
	printf("FAILED: %s: %s, packet %" PRIu64 "\n", path, what, packet);
	failures++;
}

static void parse(const struct capture_packet *packet, struct counts *counts)
{
	struct packet_meta meta;
	enum packet_error error;
	enum link_status status = link_invariants_hold(
		packet->link_type, packet->bytes, packet->captured_bytes,
		packet->wire_bytes, &meta, &error);

	counts->packets++;
	counts->links[status]++;
	if (status == LINK_PARSED)
		counts->errors[error]++;
	if (packet->link_type == LINK_ETHERNET)
		packet_invariants_hold(0, packet->bytes, packet->captured_bytes,
				       packet->wire_bytes);
}

/* libpcap cuts packets to the snap length that the file states, and takes what
 * is below a second for signed. */
static bool is_same(const struct capture_packet *ours,
		    const struct pcap_pkthdr *theirs, const uint8_t *bytes,
		    uint32_t snap_bytes)
{
	uint32_t captured_bytes = ours->captured_bytes;
	uint64_t time_ns = (uint64_t)theirs->ts.tv_sec * 1000000000 +
			   (uint32_t)theirs->ts.tv_usec;

	if (captured_bytes > snap_bytes)
		captured_bytes = snap_bytes;
	return captured_bytes == theirs->caplen &&
	       ours->wire_bytes >= theirs->len &&
	       (!ours->has_time || ours->time_ns == time_ns) &&
	       memcmp(ours->bytes, bytes, captured_bytes) == 0;
}

static enum capture_status read_packets(const char *path,
					struct capture *capture, pcap_t *pcap,
					struct counts *counts)
{
	const uint8_t *bytes;
	struct pcap_pkthdr *header;
	struct capture_packet packet;
	enum capture_status status;

	while ((status = capture_next(capture, &packet)) == CAPTURE_PACKET) {
		parse(&packet, counts);
		if (!pcap)
			continue;
		if (pcap_next_ex(pcap, &header, &bytes) != 1) {
			printf("%s: libpcap: %s\n", path, pcap_geterr(pcap));
			pcap = NULL;
		} else if (!is_same(&packet, header, bytes,
				    (uint32_t)pcap_snapshot(pcap))) {
			complain(path, "libpcap reads it otherwise",
				 counts->packets);
		}
	}
	if (pcap) {
		files_compared++;
		if ((status == CAPTURE_END) !=
		    (pcap_next_ex(pcap, &header, &bytes) == PCAP_ERROR_BREAK))
			complain(path, "libpcap ends otherwise",
				 counts->packets);
	}
	return status;
}

static void report(const char *path, const struct counts *counts)
{
	printf("%s:", path);
	for (int i = 0; i < PACKET_ERRORS; i++) {
		totals.errors[i] += counts->errors[i];
		if (counts->errors[i])
			printf(" %s %" PRIu64,
			       packet_error_name((enum packet_error)i),
			       counts->errors[i]);
	}
	for (int i = 0; i < LINK_STATUSES; i++) {
		totals.links[i] += counts->links[i];
		if (counts->links[i] && i != LINK_PARSED)
			printf(" %s %" PRIu64, link_names[i], counts->links[i]);
	}
	printf("\n");
}

/* -1: it does not say. */
static int64_t packets_of_manifest(const char *folder, const char *path)
{
	char name[4096], line[4096];
	int64_t found = -1;
	FILE *file;

	snprintf(name, sizeof(name), "%s/MANIFEST.tsv", folder);
	file = fopen(name, "r");
	if (!file)
		return -1;
	path += strlen(folder);
	path += *path == '/';
	while (found < 0 && fgets(line, sizeof(line), file)) {
		char *rest = line;
		const char *field = strsep(&rest, "\t");

		if (strcmp(field, path) != 0)
			continue;
		for (int i = 0; i < 5 && rest; i++)
			field = strsep(&rest, "\t");
		found = strtoll(field, NULL, 10);
	}
	fclose(file);
	return found;
}

static int read_file(const char *path, const struct stat *info, int type,
		     struct FTW *where)
{
	char error[PCAP_ERRBUF_SIZE];
	struct counts counts = { 0 };
	struct capture *capture;
	int64_t listed;
	pcap_t *pcap;

	(void)where;
	(void)info;
	if (type != FTW_F)
		return 0;
	capture = capture_open(path, error, sizeof(error));
	listed = packets_of_manifest(getenv("SYMTAP_CAPTURES"), path);
	if (!capture) {
		files_other++;
		if (listed >= 0)
			complain(path, error, 0);
		return 0;
	}
	pcap = pcap_open_offline_with_tstamp_precision(
		path, PCAP_TSTAMP_PRECISION_NANO, error);
	files_read++;
	if (read_packets(path, capture, pcap, &counts) == CAPTURE_DAMAGED) {
		files_damaged++;
		printf("%s: %s, at %" PRIu64 "\n", path, capture_error(capture),
		       capture_offset(capture));
	}
	if (listed >= 0 && counts.packets != (uint64_t)listed)
		complain(path, "the manifest counts otherwise", counts.packets);
	report(path, &counts);
	if (pcap)
		pcap_close(pcap);
	capture_close(capture);
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
	printf("%" PRIu64 " captures read, %" PRIu64
	       " of them beside libpcap; %" PRIu64 " damaged, %" PRIu64
	       " files are none\n",
	       files_read, files_compared, files_damaged, files_other);
	for (int i = 0; i < LINK_STATUSES; i++)
		printf("%-18s %" PRIu64 "\n", link_names[i], totals.links[i]);
	for (int i = 0; i < PACKET_ERRORS; i++)
		printf("  %-16s %" PRIu64 "\n",
		       packet_error_name((enum packet_error)i),
		       totals.errors[i]);
	if (totals.errors[PACKET_OK] == 0) {
		puts("FAILED: no packet was read");
		return 1;
	}
	return failures != 0;
}
