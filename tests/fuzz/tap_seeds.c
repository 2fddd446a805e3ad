/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for the fuzzer of the tap: what a carrier and a judge say. */
#include <string.h>

#include "tests/fuzz/seed_file.h"
#include "xen-hooks/tap_message.h"

enum { PACKETS = 24 };

static uint8_t seed[64 * 1024];
static size_t seed_bytes;

static void say(const struct tapmessage *message)
{
	seed_bytes += tapmessage_write(message, seed + seed_bytes);
}

static void greet(uint8_t first, enum tap_mode mode)
{
	const struct tapmessage hello = {
		.kind = TAPMESSAGE_HELLO,
		.hello = { TAPMESSAGE_VERSION, mode },
	};

	seed[0] = first;
	seed_bytes = 1;
	say(&hello);
}

static void write_carrier(const char *folder)
{
	static const uint8_t bytes[28] = { 0x45, 0, 0, 28, 0, 0,  0, 0,   64,
					   17,   0, 0, 10, 0, 0,  1, 192, 0,
					   2,    1, 4, 0,  0, 53, 0, 8 };
	struct tapmessage packet = {
		.kind = TAPMESSAGE_PACKET,
		.packet = { .wire_bytes = 28,
			    .ethertype = 0x0800,
			    .mode = TAP_INTERPOSE,
			    .in = "vif1.0",
			    .out = "eth0" },
		.bytes = bytes,
		.bytes_count = sizeof(bytes),
	};
	static const struct tapcarrier_stats stats = { { 1, 2, 3 } };
	const struct tapmessage counted = {
		.kind = TAPMESSAGE_STATS,
		.bytes = (const uint8_t *)&stats,
		.bytes_count = sizeof(stats),
	};

	greet(0, TAP_INTERPOSE);
	for (uint64_t i = 1; i <= PACKETS; i++) {
		packet.packet.id = i << 32 | TAPMESSAGE_MAY_LEASE;
		say(&packet);
	}
	say(&counted);
	seed_file_write(folder, "carrier", seed, seed_bytes);
}

static void write_judge(const char *folder)
{
	const struct tapmessage beat = { .kind = TAPMESSAGE_BEAT };
	const struct tapmessage mode = {
		.kind = TAPMESSAGE_MODE,
		.hello = { TAPMESSAGE_VERSION, TAP_INTERCEPT },
	};
	const struct tapmessage frame = {
		.kind = TAPMESSAGE_FRAME,
		.frame = { "vif1.0" },
		.bytes = seed,
		.bytes_count = 60,
	};
	struct tapmessage verdict = { .kind = TAPMESSAGE_VERDICT,
				      .bytes = seed };

	greet(1 + 2 * TAP_INTERCEPT, TAP_INTERPOSE);
	for (uint64_t i = 0; i < PACKETS; i++) {
		verdict.verdict.id = UINT64_C(1) << 32 | (i % 16);
		verdict.verdict.verdict = (uint32_t)(i % TAP_VERDICTS);
		verdict.verdict.lease_pkts =
			verdict.verdict.verdict == TAP_PASS ? 2 : 0;
		if (verdict.verdict.lease_pkts > 0)
			verdict.verdict.id |= TAPMESSAGE_MAY_LEASE;
		verdict.bytes_count = i % TAP_VERDICTS == TAP_REPLACE ? 40 : 0;
		say(&verdict);
		say(&beat);
	}
	say(&mode);
	say(&frame);
	seed_file_write(folder, "judge", seed, seed_bytes);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	write_carrier(argv[1]);
	write_judge(argv[1]);
	return 0;
}
