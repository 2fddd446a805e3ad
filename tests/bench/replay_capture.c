/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the capture that the replay benchmark reads, the same at each call:
 * conversations of many pairs, interleaved, TCP and UDP, mixed sizes; one pair
 * in 64 is never answered.  Prints how many packets it has.
 * bench-replay-capture FILE BYTES SNAP PAIRS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/random.h"

enum {
	ETHERNET_BYTES = 14,
	IP_BYTES = 20,
	PACKET_MAX_BYTES = 1514,
	STEP_MAX_US = 20, /* between packets: 100,000 a second */
	UNANSWERED_ONE_IN = 64,
	UDP_ONE_IN = 8,
};

/* What a conversation repeats: who speaks, and how many bytes. */
static const struct turn {
	uint16_t payload_bytes;
	uint8_t inward;
} turns[] = {
	{ 310, 0 }, { 1460, 1 }, { 1460, 1 }, { 0, 0 },   { 1460, 1 },
	{ 720, 1 }, { 0, 0 },    { 90, 0 },   { 240, 1 }, { 0, 0 },
	{ 35, 1 },  { 0, 0 },    { 1460, 0 }, { 0, 1 },
};
enum { TURNS = sizeof(turns) / sizeof(turns[0]) };

struct pair {
	uint32_t sent[2]; /* payload bytes of each end */
	uint32_t turn;
};

struct writer {
	FILE *file;
	uint64_t bytes, packets, time_us;
	uint32_t snap_bytes;
	uint8_t packet[16 + PACKET_MAX_BYTES];
};

static void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_u32(uint8_t *at, uint32_t value)
{
	put_u16(at, value >> 16);
	put_u16(at + 2, value);
}

static void put_checksum(uint8_t *ip)
{
	uint32_t sum = 0;

	put_u16(ip + 10, 0);
	for (int i = 0; i < IP_BYTES; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put_u16(ip + 10, ~(sum + (sum >> 16)));
}

static void write_record(struct writer *writer, uint32_t bytes)
{
	uint32_t captured_bytes =
		bytes < writer->snap_bytes ? bytes : writer->snap_bytes;
	uint32_t head[4] = { (uint32_t)(writer->time_us / 1000000) + 1700000000,
			     (uint32_t)(writer->time_us % 1000000),
			     captured_bytes, bytes };

	memcpy(writer->packet, head, sizeof(head));
	writer->bytes += 16 + captured_bytes;
	writer->packets++;
	if (fwrite(writer->packet, 16 + captured_bytes, 1, writer->file) != 1) {
		perror("write");
		exit(1);
	}
}

/* Ends by number: 10.20.x.x is guarded. */
static void write_packet(struct writer *writer, uint32_t number,
			 struct pair *pair, const struct turn *turn)
{
	uint8_t *ip = writer->packet + 16 + ETHERNET_BYTES;
	uint8_t *l4 = ip + IP_BYTES;
	bool udp = number % UDP_ONE_IN == 1, inward = turn->inward;
	uint32_t bytes = IP_BYTES + (udp ? 8u : 20u) + turn->payload_bytes;
	uint32_t inside = 0x0a140000 + (number / 4 & 0xffff);
	uint32_t outside = 0xc6120000 + number;
	uint32_t inside_port = 1024 + number % 60000;

	put_u16(ip, 0x4500);
	put_u16(ip + 2, bytes);
	put_u32(ip + 4, 0x4000);
	put_u16(ip + 8, udp ? 0x4011 : 0x4006);
	put_u32(ip + 12, inward ? outside : inside);
	put_u32(ip + 16, inward ? inside : outside);
	put_checksum(ip);
	put_u16(l4, inward ? 443 : inside_port);
	put_u16(l4 + 2, inward ? inside_port : 443);
	if (udp) {
		put_u16(l4 + 4, 8u + turn->payload_bytes);
		put_u16(l4 + 6, 0);
	} else {
		put_u32(l4 + 4, 1 + pair->sent[inward]);
		put_u32(l4 + 8, 1 + pair->sent[!inward]);
		put_u32(l4 + 12, 0x5018ffff);
		put_u32(l4 + 16, 0);
	}
	pair->sent[inward] += turn->payload_bytes;
	write_record(writer, ETHERNET_BYTES + bytes);
}

/* The next packets of one pair; some have more to say than others. */
static void converse(struct writer *writer, struct random *random,
		     struct pair *pairs, uint32_t count)
{
	uint32_t number = random_below(random, random_below(random, count) + 1);
	struct pair *pair = &pairs[number];
	uint32_t packets = random_in(random, 1, 4);

	for (uint32_t i = 0; i < packets; i++) {
		const struct turn *turn = &turns[pair->turn];

		pair->turn = (pair->turn + 1) % TURNS;
		writer->time_us += random_below(random, STEP_MAX_US + 1);
		if (turn->inward &&
		    number % UNANSWERED_ONE_IN == UNANSWERED_ONE_IN - 1)
			continue;
		write_packet(writer, number, pair, turn);
	}
}

int main(int argc, char **argv)
{
	static const uint32_t header[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0,
					    0,          65535,       1 };
	static const uint8_t ethernet[ETHERNET_BYTES] = {
		0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 4, 5, 6, 8, 0
	};
	struct writer writer = { 0 };
	struct random random;
	struct pair *pairs;
	uint64_t until_bytes;
	uint32_t count;

	if (argc != 5) {
		fprintf(stderr, "usage: bench-replay-capture FILE BYTES SNAP "
				"PAIRS\n");
		return 2;
	}
	until_bytes = strtoull(argv[2], NULL, 10);
	writer.snap_bytes = (uint32_t)strtoul(argv[3], NULL, 10);
	count = (uint32_t)strtoul(argv[4], NULL, 10);
	pairs = calloc(count, sizeof(*pairs));
	writer.file = fopen(argv[1], "wb");
	if (!pairs || !writer.file ||
	    fwrite(header, sizeof(header), 1, writer.file) != 1) {
		perror(argv[1]);
		return 1;
	}
	memcpy(writer.packet + 16, ethernet, sizeof(ethernet));
	random_init(&random, 1);
	while (writer.bytes < until_bytes)
		converse(&writer, &random, pairs, count);
	free(pairs);
	if (fclose(writer.file) != 0) {
		perror(argv[1]);
		return 1;
	}
	printf("%llu\n", (unsigned long long)writer.packets);
	return 0;
}
