/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What packet_parse costs for one packet as NFQUEUE hands it over: 128 bytes
 * from the network header on.  The packets of a kind differ in addresses and
 * ports and fit into the second-level cache, since the kernel just wrote them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowtable/packet.h"
#include "tests/packet_samples.h"

enum { PACKETS = 512, COPIED_BYTES = 128, LAPS = 400, ROUNDS = 15 };

static uint8_t packets[PACKETS][COPIED_BYTES];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct packet_sample *sample_of(const char *name)
{
	for (size_t i = 0; i < packet_samples_count; i++) {
		if (strcmp(packet_samples[i].name, name) == 0)
			return &packet_samples[i];
	}
	fprintf(stderr, "no sample is called %s\n", name);
	exit(1);
}

static uint32_t fill(const struct packet_sample *sample)
{
	uint8_t bytes[PACKET_SAMPLE_MAX_BYTES] = { 0 };
	uint32_t count_bytes = packet_sample_bytes(sample, bytes);
	uint32_t address = sample->ethertype == 0x0800 ? 14 : 22;

	for (uint32_t i = 0; i < PACKETS; i++) {
		memcpy(packets[i], bytes, COPIED_BYTES);
		packets[i][address] = (uint8_t)(i >> 8);
		packets[i][address + 1] = (uint8_t)i;
	}
	return count_bytes;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name)
{
	const struct packet_sample *sample = sample_of(name);
	uint32_t count_bytes = fill(sample);
	double ns[ROUNDS];
	uint64_t seen = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start_ns = now_ns();

		for (int lap = 0; lap < LAPS; lap++) {
			for (int i = 0; i < PACKETS; i++) {
				struct packet_meta meta;

				if (packet_parse(sample->ethertype, packets[i],
						 COPIED_BYTES,
						 sample->wire_bytes
							 ? sample->wire_bytes
							 : count_bytes,
						 &meta) != PACKET_OK)
					abort();
				__asm__ volatile("" : : "r"(&meta) : "memory");
				seen += meta.ends.src[15];
			}
		}
		ns[round] = (double)(now_ns() - start_ns) / (LAPS * PACKETS);
	}
	if (seen == 0)
		abort();
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%-22s %6.1f ns  (%.1f to %.1f)\n", name, ns[ROUNDS / 2], ns[0],
	       ns[ROUNDS - 1]);
}

int main(void)
{
	static const char *const names[] = {
		"tcp4",       "tcp4-syn-mss",         "udp4-of-length-0",
		"icmp4-echo", "icmp4-unreachable",    "udp4-last-fragment",
		"tcp6",       "tcp6-syn-mss",         "udp6",
		"icmp6-echo", "udp6-every-extension",
	};

	printf("packet_parse, median of %d rounds of %d packets\n", ROUNDS,
	       LAPS * PACKETS);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		measure(names[i]);
	return 0;
}
