/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for the fuzzer of the fast path: random operations, conversations that
 * end up leased, and what a daemon leaves behind. */
#include <stdio.h>
#include <string.h>

#include "shaper/bpf/fast_maps.h"
#include "tests/fuzz/seed_file.h"
#include "tests/random.h"

enum { SEEDS = 16, BYTES_MAX = 8192, LEFT_SLOTS = 16 };

struct seed {
	uint8_t bytes[BYTES_MAX];
	size_t count;
};

static void put(struct seed *seed, const void *from, size_t count)
{
	memcpy(seed->bytes + seed->count, from, count);
	seed->count += count;
}

static void write_random(const char *folder, uint32_t number)
{
	struct random random;
	struct seed seed = { .count = 0 };
	char name[32];

	random_init(&random, number);
	seed.count = random_in(&random, 20, 2048);
	for (size_t i = 0; i < seed.count; i++)
		seed.bytes[i] = (uint8_t)(random_next(&random) >> 56);
	snprintf(name, sizeof(name), "random-%u", number);
	seed_file_write(folder, name, seed.bytes, seed.count);
}

/* Out and in by turns, 2^20 ns apart; then the program gives the pair back. */
static void write_talk(const char *folder, uint8_t damage)
{
	const uint8_t out[] = { 0, 3, 1, 0, 0, 0 };
	const uint8_t back[] = { 0, 3 | 16, 1, 0, 0, 0 };
	const uint8_t in[] = { 0, 2, 0, 0, 1, 0 }, wait[] = { 210, 20 };
	struct seed seed = { .count = 1 };
	char name[32];

	for (int i = 0; i < 20; i++) {
		put(&seed, out, sizeof(out));
		put(&seed, wait, sizeof(wait));
		put(&seed, in, sizeof(in));
	}
	for (uint8_t at = 0; at < 64; at++) {
		const uint8_t harm[] = { 160, at, damage };

		put(&seed, harm, sizeof(harm));
		put(&seed, "damaged!", 8);
	}
	put(&seed, back, sizeof(back));
	snprintf(name, sizeof(name), "talk-%u", damage);
	seed_file_write(folder, name, seed.bytes, seed.count);
}

static void write_left(const char *folder)
{
	struct fast_config config = { .interfaces = { { .ifindex = 2 } } };
	struct fast_slot slots[FAST_ELEMENTS * LEFT_SLOTS] = { 0 };
	struct seed seed = { .bytes = { 1 }, .count = 1 };

	for (uint32_t i = 0; i < LEFT_SLOTS; i++) {
		struct flow_key key = {
			.inside = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
			.outside = { [10] = 0xff, 0xff, 192, 0, 2, (uint8_t)i },
			.inside_port = 7,
			.outside_port = 7,
			.proto = 6,
		};
		struct fast_slot *slot = &slots[i];
		struct fast_key words;

		fast_key_of(&key, &words);
		memcpy(slot->inside, words.inside, sizeof(slot->inside));
		memcpy(slot->outside, words.outside, sizeof(slot->outside));
		slot->kind = FAST_PAIR;
		slot->span_64ns = fast_span(1000000000);
		slot->has_flow = 1;
		slot->ports = words.ports;
		slot->proto = 6;
		slot->state = FAST_IN_KERNEL;
		slot->pair.running = fast_bucket(
			fast_number(slot->span_64ns, 1000900000000), 5, 4);
		slot->flow.running = slot->pair.running;
		slot->pair.sent = 0x123;
	}
	put(&seed, &config, sizeof(config));
	put(&seed, slots, sizeof(slots));
	seed_file_write(folder, "left", seed.bytes, seed.count);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: fast_seeds FOLDER\n");
		return 2;
	}
	for (uint32_t number = 0; number < SEEDS; number++)
		write_random(argv[1], number);
	for (uint8_t damage = 0; damage < 120; damage += 17)
		write_talk(argv[1], damage);
	write_left(argv[1]);
	return 0;
}
