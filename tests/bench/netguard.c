/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guard inside of netback costs for one packet of a guest and its
 * answer, by the policy as it comes: conversations that all are answered, so
 * that nothing waits, and packets to targets that are new.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowtable/packet_l4.h"
#include "xen-hooks/netback/guard.h"

enum { KEYS = 2048, PACKETS = 400000, ROUNDS = 7 };

static const struct guard_params SHIPPED = {
	.gate = { .ratio_q16 = 4 << 16,
		  .window_ns = 1000000000,
		  .first_delay_ns = 2000000,
		  .max_delay_ns = 1024000000 },
	.scopes = GUARD_PAIR | GUARD_FLOW,
	.wants_consent = true,
	.credit = { .floor_pkts = 10, .patience_pkts = 48, .earned_pkts = 12 },
	.connections_per_s = 100,
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct guard_packet packet_of(const struct packet_meta *meta,
				     uint32_t target)
{
	struct guard_packet packet = { .meta = meta,
				       .segment_bytes = 1448,
				       .wire_pkts = 1,
				       .slots = 1,
				       .bytes = meta->length_bytes };

	memcpy(packet.pair.outside, &target, sizeof(target));
	packet.pair.scope = FLOW_SCOPE_PAIR;
	packet.flow = packet.pair;
	packet.flow.scope = FLOW_SCOPE_FLOW;
	packet.flow.inside_port = 7;
	return packet;
}

/* Nanoseconds for a packet and, if `answered`, its answer. */
static double lap(struct guard *guard, struct packet_meta *meta,
		  uint32_t targets, bool answered)
{
	uint64_t begin_ns = now_ns(), at_ns = 1000000000;

	for (uint32_t i = 0; i < PACKETS; i++, at_ns += 1000) {
		struct guard_packet packet = packet_of(meta, i % targets);
		uint64_t note, until_ns = GUARD_NEVER;

		meta->tcp_seq = i / targets * 1448;
		meta->tcp_ack = meta->tcp_seq;
		if (guard_ask(guard, &packet, &note, &until_ns, at_ns) ==
		    GUARD_WITHHOLD)
			guard_let_go(guard, note);
		if (answered)
			guard_hear(guard, &packet, at_ns);
	}
	return (double)(now_ns() - begin_ns) / PACKETS;
}

static void measure(const char *name, uint8_t proto, uint32_t targets,
		    bool answered)
{
	static const uint64_t seed[2] = { 1, 2 };
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		struct packet_meta meta = { .ends.proto = proto,
					    .header_bytes = 40,
					    .length_bytes = 1488,
					    .tcp_flags = EVIDENCE_TCP_ACK };
		struct guard *guard = calloc(1, guard_bytes(KEYS));
		double took;

		if (guard == NULL)
			exit(EXIT_FAILURE);
		guard_init(guard, &SHIPPED, seed, KEYS);
		took = lap(guard, &meta, targets, answered);
		best = took < best ? took : best;
		free(guard);
	}
	printf("%-32s %6.0f ns\n", name, best);
}

int main(void)
{
	printf("a key has %zu bytes, a guard of %d %llu\n",
	       sizeof(struct guard_key), KEYS,
	       (unsigned long long)guard_bytes(KEYS));
	measure("UDP, one pair, and answer", PACKET_PROTO_UDP, 1, true);
	measure("UDP, 256 pairs, and answers", PACKET_PROTO_UDP, 256, true);
	measure("TCP, one upload, and answer", PACKET_PROTO_TCP, 1, true);
	measure("TCP, 256 uploads, and answers", PACKET_PROTO_TCP, 256, true);
	measure("UDP, every target is new", PACKET_PROTO_UDP, PACKETS, false);
	return EXIT_SUCCESS;
}
