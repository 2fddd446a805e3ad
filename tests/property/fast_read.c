/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel program's own reader of plain packets beside the parser: what it
 * reads, it says the same of, and nothing that wants a closer look is plain to
 * it.  Frames of conversations, whole and cut, with bytes changed where they
 * matter most, and bytes at random.
 */
#include <linux/bpf.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#include "flowtable/flow.h"
#include "flowtable/flow_fill.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_read.h"
#include "shaper/evidence.h"
#include "tests/fast_frames.h"
#include "tests/random.h"

enum { FRAMES = 2000000, L3_AT = 14 };

struct tally {
	uint32_t plain, not_plain; /* by the reader; the parser has it so */
	uint32_t missed;           /* plain, but the reader would not say */
};

static bool read_plain(const uint8_t *bytes, uint32_t count,
		       enum flow_direction direction, struct fast_packet *ret)
{
	const uint8_t *ip = bytes + L3_AT, *end = bytes + count;

	if (count < L3_AT)
		return false;
	if (packet_u16(bytes + 12) == 0x0800)
		return fast_read_ipv4(ip, end, count - L3_AT, direction, ret);
	if (packet_u16(bytes + 12) == 0x86dd)
		return fast_read_ipv6(ip, end, count - L3_AT, direction, ret);
	return false;
}

/* Would the program take this for plain, had the parser read it? */
static bool is_plain(enum packet_error error, const struct packet_meta *meta)
{
	return error == PACKET_OK && meta->kind == PACKET_UNICAST &&
	       meta->fragment == PACKET_WHOLE && meta->vlan[0] == 0 &&
	       !(meta->tcp_flags & FAST_TCP_OPENS_OR_RESETS) &&
	       (meta->ends.proto == PACKET_PROTO_TCP ||
		meta->ends.proto == PACKET_PROTO_UDP);
}

static void compare(const uint8_t *bytes, uint32_t count,
		    enum flow_direction direction, struct tally *tally)
{
	struct fast_packet packet = { 0 };
	bool plain = read_plain(bytes, count, direction, &packet);
	struct packet_meta meta;
	enum packet_error error =
		packet_parse_ethernet(bytes, count, count, &meta);
	struct flow_key key = { 0 };
	struct fast_key words;

	if (!plain) {
		tally->not_plain++;
		tally->missed += is_plain(error, &meta);
		return;
	}
	tally->plain++;
	assert(packet.plain && is_plain(error, &meta));
	flow_fill(&meta, direction, 0, &key);
	fast_key_of(&key, &words);
	assert(memcmp(words.inside, packet.key.inside, 16) == 0);
	assert(memcmp(words.outside, packet.key.outside, 16) == 0);
	assert(words.ports == packet.key.ports);
	assert(words.proto == packet.key.proto);
	if (meta.ends.proto != PACKET_PROTO_TCP)
		return;
	assert(packet.tcp_flags == meta.tcp_flags);
	assert(packet.tcp_seq == meta.tcp_seq);
	assert(packet.tcp_ack == meta.tcp_ack);
	assert(packet.payload_bytes == evidence_payload_bytes(&meta));
}

static uint32_t make(struct random *random, uint8_t bytes[FRAMES_BYTES])
{
	const struct frames_talk talk = {
		.host = (uint8_t)random_next(random),
		.remote = (uint8_t)random_next(random),
		.proto = (uint8_t[]){ FRAMES_TCP, FRAMES_UDP, FRAMES_UDP,
				      FRAMES_ICMP }[random_below(random, 4)],
		.v6 = random_once(random, 2),
		.port = random_once(random, 8)
				? (uint16_t)random_in(random, 50, 70)
				: (uint16_t)random_next(random),
	};
	const struct frames_packet packet = {
		.out = random_once(random, 2),
		.flags = random_once(random, 4) ? (uint8_t)random_next(random)
						: FRAMES_ACK,
		.seq = (uint32_t)random_next(random),
		.ack = (uint32_t)random_next(random),
		.payload_bytes = random_below(random, 80),
		.vlan = { random_once(random, 30) ? 7 : 0 },
		.offset_bytes = random_once(random, 30) ? 64 : 0,
		.more = random_once(random, 30),
	};

	return frames_make(&talk, &packet, bytes);
}

/* Headers, mostly; values that are limits, mostly. */
static void change(struct random *random, uint8_t *bytes, uint32_t count)
{
	static const uint8_t LIMITS[] = { 0,    1,    5,    17,   0x40, 0x45,
					  0x50, 0x60, 0x7f, 0x80, 0xe0, 0xff };
	uint32_t most = count < 80 ? count : 80;

	for (uint32_t i = random_below(random, 4); i > 0; i--)
		bytes[random_in(random, 12, most - 1)] =
			random_once(random, 2)
				? (uint8_t)random_next(random)
				: LIMITS[random_below(random, sizeof(LIMITS))];
}

int main(void)
{
	static uint8_t bytes[FRAMES_BYTES];
	struct tally tally = { 0 };
	struct random random;

	random_init(&random, random_seed("fast_read", 11));
	for (int i = 0; i < FRAMES; i++) {
		uint32_t count = make(&random, bytes);

		change(&random, bytes, count);
		if (random_once(&random, 4))
			count = random_below(&random, count + 1);
		if (random_once(&random, 50))
			for (uint32_t at = L3_AT; at < count; at++)
				bytes[at] = (uint8_t)random_next(&random);
		for (int way = FLOW_OUT; way <= FLOW_IN; way++)
			compare(bytes, count, (enum flow_direction)way, &tally);
	}
	printf("%u plain, as the parser says; %u not, of which the parser "
	       "would have had %u\n",
	       tally.plain, tally.not_plain, tally.missed);
	assert(tally.plain > FRAMES / 4 && tally.not_plain > FRAMES / 4);
	return 0;
}
