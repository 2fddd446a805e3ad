/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel program costs a packet, by the kernel's own statistics
 * (BPF_ENABLE_STATS), beside an empty program and its own look-ups.
 *
 *	fast_cost PAIRS ROUNDS PICKS
 *
 * PAIRS pairs with a flow each are leased as they are in earnest: packets go
 * through the program and, while it does not pass them, to a pump.  Then, in
 * each round and by each variant
 *
 *	cold	PICKS packets of pairs drawn at random, a call of the kernel
 *		between any two, time going on by a microsecond with each: at
 *		a million pairs none of their windows is up to date
 *	hot	one pair's packet, over and over within one call
 *
 * Half go out, half come in.  Each round is a line of JSON: ns a packet.
 */
#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "flowtable/packet.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/pump.h"
#include "tests/bench/fast_empty.h"
#include "tests/random.h"

enum {
	SKIPPED = 77,
	FRAME_BYTES = 60,
	HOSTS = 256,
	SLOTS_MIN = 262144, /* as the policy's default */
	TRIES = 16,         /* until a pair is leased */
	HOT_RUNS = 4000,
	PROGRAMS = 8,
};

#define BEGIN_NS  UINT64_C(1000000000000)
#define PACKET_NS 1000

enum variant { EMPTY, LOOKS, WHOLE, VARIANTS };
static const char *const names[VARIANTS] = { "empty", "looks", "whole" };

struct bench {
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	struct fast *fast;
	struct fastleases *leases;
	struct random random;
	uint32_t pairs, picks;
	uint64_t now_ns;
	int empty;
	int programs[PROGRAMS]; /* descriptors */
	size_t programs_count;
	uint8_t frame[FRAME_BYTES];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fast_cost: %s\n", what);
	exit(1);
}

/* ------ packets */

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* 10.20.x.x asks 10.96.x.x's port 53. */
static struct fast_frame frame_of(struct bench *bench, uint32_t pair, bool out)
{
	uint8_t *ip = bench->frame + 14, *udp = ip + 20;
	uint32_t inside = 0x0a140100 + pair % HOSTS, outside = 0x0a600000;
	static const uint8_t head[10] = { 0x45, 0, 0, FRAME_BYTES - 14,
					  0,    0, 0, 0,
					  64,   17 };

	outside += pair;
	bench->frame[12] = 8;
	memcpy(ip, head, sizeof(head));
	put32(ip + 12, out ? inside : outside);
	put32(ip + 16, out ? outside : inside);
	put32(udp, out ? 40000u << 16 | 53 : 53u << 16 | 40000);
	put32(udp + 4, (FRAME_BYTES - 34) << 16);
	return (struct fast_frame){ .bytes = bench->frame,
				    .count_bytes = FRAME_BYTES,
				    .out = out };
}

static uint32_t run(struct bench *bench, uint32_t pair, bool out)
{
	struct fast_frame frame = frame_of(bench, pair, out);
	uint32_t mark = 0;

	bench->now_ns += PACKET_NS;
	fast_set_time(bench->fast, bench->now_ns);
	if (fast_run(bench->fast, &frame, &mark) < 0)
		fail("the program does not run");
	return fast_mark(bench->fast, mark);
}

/* ------ leases */

static void judge(struct bench *bench, uint32_t pair, bool out, uint32_t mark)
{
	struct fast_frame frame = frame_of(bench, pair, out);
	struct pump_packet packet = { .wire_pkts = 1, .shard = PUMP_HERE };
	struct flow_key flow = { 0 };

	if (packet_parse_ethernet(frame.bytes, FRAME_BYTES, FRAME_BYTES,
				  &packet.meta) != PACKET_OK)
		fail("a frame is none");
	packet.arrived_ns = bench->now_ns;
	packet.ends = out ? PUMP_ENDS_SRC : PUMP_ENDS_DST;
	flow_key_of(&packet.meta, out ? FLOW_OUT : FLOW_IN, 0, &flow);
	fastleases_note(bench->leases, bench->pump, &flow, mark, bench->now_ns);
	pump_take(bench->pump, &packet, 1);
	if (out && packet.verdict == PUMP_PASS)
		fastleases_offer(bench->leases, bench->pump, &flow,
				 bench->now_ns);
}

static bool lease(struct bench *bench, uint32_t pair)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t mark = run(bench, pair, true);

		if (mark == FAST_MARK_PASSED)
			return true;
		judge(bench, pair, true, mark);
		judge(bench, pair, false, FASTLEASES_MARK_NONE);
	}
	return false;
}

/* ------ the kernel's statistics */

static int enable_stats(void)
{
	union bpf_attr attributes = { 0 };

	attributes.enable_stats.type = BPF_STATS_RUN_TIME;
	return (int)syscall(SYS_bpf, BPF_ENABLE_STATS, &attributes,
			    sizeof(attributes));
}

struct runs {
	uint64_t count, spent_ns;
};

static bool read_runs(int fd, struct runs *ret_runs)
{
	char path[64], line[128];
	bool is_program = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		is_program |= sscanf(line, "run_time_ns: %" SCNu64,
				     &ret_runs->spent_ns) == 1;
		sscanf(line, "run_cnt: %" SCNu64, &ret_runs->count);
	}
	fclose(file);
	return is_program;
}

static void find_programs(struct bench *bench)
{
	struct runs runs = { 0 };

	for (int fd = 3; fd < 256 && bench->programs_count < PROGRAMS; fd++)
		if (fd != bench->empty && read_runs(fd, &runs))
			bench->programs[bench->programs_count++] = fd;
	if (bench->programs_count < 2)
		fail("its programs are not to be seen");
}

/* Whichever direction it was. */
static struct runs runs_of(const struct bench *bench, enum variant variant)
{
	struct runs sum = { 0 }, runs = { 0 };

	if (variant == EMPTY) {
		read_runs(bench->empty, &sum);
		return sum;
	}
	for (size_t i = 0; i < bench->programs_count; i++) {
		read_runs(bench->programs[i], &runs);
		sum.count += runs.count;
		sum.spent_ns += runs.spent_ns;
	}
	return sum;
}

/* ------ figures */

static void run_one(struct bench *bench, enum variant variant, uint32_t pair,
		    bool out, int times)
{
	struct fast_frame frame = frame_of(bench, pair, out);
	uint32_t ns;
	int error;

	bench->now_ns += PACKET_NS * (uint64_t)times;
	fast_set_time(bench->fast, bench->now_ns);
	if (variant == EMPTY)
		error = empty_run(bench->empty, frame.bytes, FRAME_BYTES,
				  times);
	else
		error = fast_run_ns(bench->fast, &frame, times, &ns);
	if (error < 0)
		fail("a program does not run");
}

/* In first: an answer too many does no harm. */
static double measure(struct bench *bench, enum variant variant, bool hot)
{
	struct runs before = runs_of(bench, variant), after;
	uint32_t picks = hot ? 1 : bench->picks / 2;
	uint32_t pair = random_below(&bench->random, bench->pairs);

	fast_set_test_looks(bench->fast, variant == LOOKS);
	for (int out = 0; out < 2; out++)
		for (uint32_t i = 0; i < picks; i++) {
			if (!hot)
				pair = random_below(&bench->random,
						    bench->pairs);
			run_one(bench, variant, pair, out, hot ? HOT_RUNS : 1);
		}
	fast_set_test_looks(bench->fast, false);
	after = runs_of(bench, variant);
	if (after.count == before.count)
		fail("the kernel did not count its runs");
	return (double)(after.spent_ns - before.spent_ns) /
	       (double)(after.count - before.count);
}

static void one_round(struct bench *bench, uint32_t round)
{
	double ns[2][VARIANTS];

	for (int hot = 0; hot < 2; hot++)
		for (uint32_t i = 0; i < VARIANTS; i++) {
			enum variant variant = (round + i) % VARIANTS;

			ns[hot][variant] = measure(bench, variant, hot);
		}
	printf("{");
	for (int hot = 0; hot < 2; hot++) {
		printf("%s\"%s\": {", hot ? ", " : "", hot ? "hot" : "cold");
		for (uint32_t i = 0; i < VARIANTS; i++)
			printf("%s\"%s\": %.2f", i ? ", " : "", names[i],
			       ns[hot][i]);
		printf("}");
	}
	printf("}\n");
	fflush(stdout);
}

/* ------ set up */

static uint32_t slots_for(uint32_t pairs)
{
	uint32_t slots = SLOTS_MIN;

	while (slots < 4 * pairs)
		slots *= 2;
	return slots;
}

static void load(struct bench *bench)
{
	const struct fast_options options = {
		.slots = slots_for(bench->pairs),
		.mark_mask = 0xf,
		.seed = { 1, 2, 3 },
		.consent = true,
		.test = true,
	};
	char wrong[FAST_TEXT_BYTES] = "";
	struct fast_slot *slots;
	uint64_t k0, k1;
	uint32_t count;

	if (fast_new(&options, &bench->fast, wrong) < 0) {
		fprintf(stderr, "fast_cost: %s\n", wrong);
		exit(SKIPPED);
	}
	fast_set_test_zone(bench->fast, 0);
	bench->empty = empty_load();
	if (bench->empty < 0)
		fail("the empty program does not load");
	find_programs(bench);
	slots = fast_slots(bench->fast, &count);
	fast_hash_key(bench->fast, &k0, &k1);
	bench->leases = fastleases_new(slots, count, k0, k1);
	assert(bench->leases);
}

static void start_pump(struct bench *bench)
{
	struct pump_config config = { .shards = 1 };
	struct policy_errors errors;
	char text[512];

	snprintf(text, sizeof(text),
		 "mode: enforce\n"
		 "inside: [10.20.0.0/16]\n"
		 "guards: {first_contacts: 0, new_connections: 0}\n"
		 "limits: {pairs: %u, flows: %u, pairs_per_host: %u, "
		 "flows_per_host: %u, hosts: 4096}\n",
		 bench->pairs + 65536, bench->pairs + 65536, bench->pairs + 64,
		 bench->pairs + 64);
	if (!policy_parse("bench", text, strlen(text), &bench->policy, &errors))
		fail("the policy is wrong");
	bench->zones = zones_new();
	assert(bench->zones &&
	       zones_id(bench->zones, bench->policy, "lan0", 0) == 0);
	config.policy = bench->policy;
	config.zones = bench->zones;
	bench->pump = pump_new(&config, BEGIN_NS);
	assert(bench->pump);
}

int main(int argc, char **argv)
{
	struct bench bench = { .now_ns = BEGIN_NS };
	uint32_t rounds, leased = 0;

	if (argc != 4 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1 ||
	    atoi(argv[3]) < 2) {
		fprintf(stderr, "usage: fast_cost PAIRS ROUNDS PICKS\n");
		return 2;
	}
	bench.pairs = (uint32_t)atoi(argv[1]);
	rounds = (uint32_t)atoi(argv[2]);
	bench.picks = (uint32_t)atoi(argv[3]);
	random_init(&bench.random, 1);
	load(&bench);
	start_pump(&bench);
	for (uint32_t i = 0; i < bench.pairs; i++)
		leased += lease(&bench, i);
	/* Not before: they cost what they count. */
	if (enable_stats() < 0)
		fail("the kernel counts no run times");
	printf("{\"pairs\": %u, \"leased\": %u}\n", bench.pairs, leased);
	for (uint32_t i = 0; i < rounds; i++)
		one_round(&bench, i);
	fastleases_free(bench.leases);
	pump_free(bench.pump);
	zones_free(bench.zones);
	policy_free(bench.policy);
	fast_free(bench.fast);
	return 0;
}
